import { clusterConfigEntry, inMilliseconds } from '../../cluster/config/cluster-configs.ts';
import { topicConfigEntry } from '../../cluster/config/topic-configs.ts';
import { ConfigError, parseConfigValue } from '../../runtime/config-entry.ts';
import type { ConfigEntry } from '../../runtime/config-entry.ts';
import { didYouMean } from '../../runtime/nearest-name.ts';
import type { BrokerOptions } from '../broker-options.ts';
import type { GroupOptions } from '../groups/options.ts';
import { defaultConnectionLimits } from '../net/kafka-connection.ts';
import { isBrokerConfig } from './broker-configs.ts';
import type { BrokerConfigName } from './broker-configs.ts';

/** A setting of a broker process that is given when it starts. */
interface StaticConfig {
  /** Which values are possible: Kafka's bounds, or what this code can do. */
  readonly valid:
    Omit<ConfigEntry & { type: 'int' }, 'description'> | Omit<ConfigEntry & { type: 'enum' }, 'description'>;
  readonly put: (options: BrokerOptions, value: number, text: string) => BrokerOptions;
}

const maxInt = 2_147_483_647;

function whole(min: number, max: number, put: StaticConfig['put']): StaticConfig {
  return { valid: { type: 'int', min, max }, put };
}

function group(
  name: keyof NonNullable<BrokerOptions['groups']>,
  min = 1,
  max = maxInt,
  scale = 1,
): StaticConfig {
  return whole(min, max, (options, value) => ({
    ...options,
    groups: { ...options.groups, [name]: value * scale },
  }));
}

function connections(
  name: 'maxConnections' | 'maxConnectionsPerAddress' | 'maxIdleMs' | 'maxRequestMemoryBytes',
  min: number,
  max = maxInt,
): StaticConfig {
  return whole(min, max, (options, value) => ({
    ...options,
    connections: { ...options.connections, [name]: value },
  }));
}

function log(name: 'retentionCheckIntervalMs' | 'producerIdExpirationMs'): StaticConfig {
  return whole(1, maxInt, (options, value) => ({ ...options, log: { ...options.log, [name]: value } }));
}

/** By Kafka's name; what each does stands in `brokerConfigTable`. */
export const staticBrokerConfigs = {
  'connections.max.idle.ms': connections('maxIdleMs', 1),
  'fetch.max.bytes': whole(1_024, maxInt, (options, value) => ({ ...options, fetchMaxBytes: value })),
  'group.consumer.heartbeat.interval.ms': group('consumerHeartbeatIntervalMs'),
  'group.consumer.max.size': group('consumerMaxSize'),
  'group.consumer.migration.policy': {
    valid: { type: 'enum', values: ['bidirectional', 'upgrade', 'downgrade', 'disabled'] },
    put: (options, _value, text) => ({
      ...options,
      groups: {
        ...options.groups,
        consumerMigrationPolicy: text as GroupOptions['consumerMigrationPolicy'],
      },
    }),
  },
  'group.consumer.session.timeout.ms': group('consumerSessionTimeoutMs'),
  'group.initial.rebalance.delay.ms': group('initialRebalanceDelayMs', 0),
  'group.max.session.timeout.ms': group('maxSessionTimeoutMs'),
  'group.max.size': group('maxSize'),
  'group.min.session.timeout.ms': group('minSessionTimeoutMs'),
  'log.retention.check.interval.ms': log('retentionCheckIntervalMs'),
  'max.connections': connections('maxConnections', 0),
  'max.connections.per.ip': connections('maxConnectionsPerAddress', 0),
  'offset.metadata.max.bytes': group('offsetMetadataMaxBytes', 0),
  'offsets.retention.check.interval.ms': group('offsetsRetentionCheckIntervalMs'),
  'offsets.retention.minutes': group('offsetsRetentionMs', 1, maxInt, 60_000),
  'offsets.topic.num.partitions': whole(1, 10_000, (options, value) => ({
    ...options,
    offsetsTopicPartitions: value,
  })),
  'producer.id.expiration.ms': log('producerIdExpirationMs'),
  'queued.max.request.bytes': connections('maxRequestMemoryBytes', 1_048_576, Number.MAX_SAFE_INTEGER),
  'socket.request.max.bytes': whole(1_024, 1_073_741_824, (options, value) => ({
    ...options,
    connections: {
      ...options.connections,
      limits: { ...defaultConnectionLimits, ...options.connections?.limits, maxRequestBytes: value },
    },
  })),
} as const satisfies Readonly<Partial<Record<BrokerConfigName, StaticConfig>>>;

export type StaticBrokerConfigName = keyof typeof staticBrokerConfigs;

/**
 * Adds a setting to the options that a broker is started with.
 *
 * @param where the name as the message shall say it: with file and line
 * @throws ConfigError when there is no such setting, or it has no such value
 */
export function withStaticConfig(
  options: BrokerOptions,
  name: string,
  text: string,
  where: string,
): BrokerOptions {
  if (!isStaticBrokerConfig(name)) throw new ConfigError(`${where} ${whyNotStatic(name)}`);
  const { valid, put }: StaticConfig = staticBrokerConfigs[name];
  const value = parseConfigValue({ ...valid, description: '' }, text, where);
  return put(options, Number(value), text);
}

function isStaticBrokerConfig(name: string): name is StaticBrokerConfigName {
  return Object.hasOwn(staticBrokerConfigs, name);
}

function whyNotStatic(name: string): string {
  const perCluster = inMilliseconds(name) ?? (clusterConfigEntry(name) === undefined ? undefined : name);
  if (perCluster !== undefined) {
    return (
      `is a setting of the whole cluster, kept in the object store and changed while brokers run: ` +
      `kafka-configs.sh --entity-type brokers --entity-default --alter --add-config ${perCluster}=…`
    );
  }
  if (topicConfigEntry(name) !== undefined)
    return 'is a config of topics: set it when a topic is created, or on the topic';
  if (isBrokerConfig(name))
    return 'is not set by its Kafka name: it follows from what else the broker is started with';
  const known = Object.keys(staticBrokerConfigs);
  return `is no setting that Firn has${didYouMean(name, known) || `; it has ${known.join(', ')}`}`;
}
