import type { ConfigEntry } from '../../runtime/config-entry.ts';
import type { LogOptions } from '../../log/options.ts';
import type { GroupOptions } from '../groups/options.ts';
import type { ConnectionsOptions } from '../net/connections.ts';
import { configSource, describedConfig } from './described-config.ts';
import type { DescribedConfig } from './described-config.ts';

/** What a broker process was started with. */
export interface BrokerSettings {
  readonly id: number;
  readonly zone: string;
  /** Advertised `host:port` by listener name. */
  readonly listeners: Readonly<Record<string, string>>;
  /** The URL of the object store. */
  readonly store: string;
  readonly log: LogOptions;
  readonly groups: GroupOptions;
  readonly connections: ConnectionsOptions;
  readonly fetchMaxBytes: number;
  readonly offsetsTopicPartitions: number;
}

/** A config of a broker that is what it is until the process ends. */
interface BrokerConfigEntry {
  readonly type: ConfigEntry['type'];
  /** Kafka's default as text. Absent: every broker has its own value. */
  readonly default?: string;
  readonly description: string;
  readonly value: (settings: BrokerSettings) => string | number;
}

/** Configs that DescribeConfigs tells of a broker with Kafka's names, and that nobody can change while it runs. */
export const brokerConfigTable = {
  'advertised.listeners': {
    type: 'list',
    description: 'Where clients reach this broker, by listener.',
    value: ({ listeners }) =>
      Object.entries(listeners)
        .map(([name, address]) => `${name}://${address}`)
        .join(','),
  },
  'broker.id': { type: 'int', description: 'As `node.id`.', value: ({ id }) => id },
  'broker.rack': {
    type: 'string',
    description: 'The zone of this broker.',
    value: ({ zone }) => zone,
  },
  'connections.max.idle.ms': {
    type: 'long',
    default: '600000',
    description: 'After how long without a request a connection is closed.',
    value: ({ connections }) => connections.maxIdleMs,
  },
  'fetch.max.bytes': {
    type: 'int',
    default: '57671680',
    description: 'How many bytes of records an answer to Fetch holds at most, one batch more if need be.',
    value: ({ fetchMaxBytes }) => fetchMaxBytes,
  },
  'group.consumer.assignors': {
    type: 'list',
    default: 'uniform,range',
    description: 'Assignors of the consumer protocol, the default first.',
    value: ({ groups }) => groups.consumerAssignors.join(','),
  },
  'group.consumer.heartbeat.interval.ms': {
    type: 'int',
    default: '5000',
    description: 'How often members of the consumer protocol send heartbeats.',
    value: ({ groups }) => groups.consumerHeartbeatIntervalMs,
  },
  'group.consumer.max.size': {
    type: 'int',
    default: '2147483647',
    description: 'How many members a group of the consumer protocol has at most.',
    value: ({ groups }) => groups.consumerMaxSize,
  },
  'group.consumer.migration.policy': {
    type: 'string',
    default: 'bidirectional',
    description: 'Whether groups may change between the classic and the consumer protocol.',
    value: ({ groups }) => groups.consumerMigrationPolicy,
  },
  'group.consumer.session.timeout.ms': {
    type: 'int',
    default: '45000',
    description: 'After how long without a heartbeat a member of the consumer protocol is gone.',
    value: ({ groups }) => groups.consumerSessionTimeoutMs,
  },
  'group.initial.rebalance.delay.ms': {
    type: 'int',
    default: '3000',
    description: 'How long an empty classic group waits for company before its first rebalance.',
    value: ({ groups }) => groups.initialRebalanceDelayMs,
  },
  'group.max.session.timeout.ms': {
    type: 'int',
    default: '1800000',
    description: 'The longest session timeout that members of classic groups may ask for.',
    value: ({ groups }) => groups.maxSessionTimeoutMs,
  },
  'group.max.size': {
    type: 'int',
    default: '2147483647',
    description: 'How many members a classic group has at most.',
    value: ({ groups }) => groups.maxSize,
  },
  'group.min.session.timeout.ms': {
    type: 'int',
    default: '6000',
    description: 'The shortest session timeout that members of classic groups may ask for.',
    value: ({ groups }) => groups.minSessionTimeoutMs,
  },
  'log.dirs': {
    type: 'string',
    description: 'The object store that holds everything.',
    value: ({ store }) => store,
  },
  'log.retention.check.interval.ms': {
    type: 'long',
    default: '300000',
    description: 'How often old records are looked for.',
    value: ({ log }) => log.retentionCheckIntervalMs,
  },
  'max.connections': {
    type: 'int',
    default: '2147483647',
    description: 'How many connections there are at most.',
    value: ({ connections }) => connections.maxConnections,
  },
  'max.connections.per.ip': {
    type: 'int',
    default: '2147483647',
    description: 'How many connections one address has at most.',
    value: ({ connections }) => connections.maxConnectionsPerAddress,
  },
  'node.id': {
    type: 'int',
    description: 'The id of this broker: index of its zone × 1000 + ordinal.',
    value: ({ id }) => id,
  },
  'offset.metadata.max.bytes': {
    type: 'int',
    default: '4096',
    description: 'How long the metadata of a committed offset is at most.',
    value: ({ groups }) => groups.offsetMetadataMaxBytes,
  },
  'offsets.retention.check.interval.ms': {
    type: 'long',
    default: '600000',
    description: 'How often offsets that have expired are looked for.',
    value: ({ groups }) => groups.offsetsRetentionCheckIntervalMs,
  },
  'offsets.retention.minutes': {
    type: 'int',
    default: '10080',
    description: 'For how long offsets are kept of a group that is empty, or of a topic that it left.',
    value: ({ groups }) => Math.round(groups.offsetsRetentionMs / 60_000),
  },
  'offsets.topic.num.partitions': {
    type: 'int',
    default: '50',
    description: 'How many partitions `__consumer_offsets` gets when it is created.',
    value: ({ offsetsTopicPartitions }) => offsetsTopicPartitions,
  },
  'process.roles': {
    type: 'list',
    description: 'There are no controllers: every broker changes the state of the cluster.',
    value: () => 'broker',
  },
  'producer.id.expiration.ms': {
    type: 'int',
    default: '86400000',
    description: 'After how long without a batch an idempotent producer is forgotten.',
    value: ({ log }) => log.producerIdExpirationMs,
  },
  'queued.max.request.bytes': {
    type: 'long',
    default: '-1',
    description: 'What the requests that are being worked on take at most; further ones are not read yet.',
    value: ({ connections }) => connections.maxRequestMemoryBytes,
  },
  'socket.request.max.bytes': {
    type: 'int',
    default: '104857600',
    description: 'How long a request is at most.',
    value: ({ connections }) => connections.limits.maxRequestBytes,
  },
} as const satisfies Readonly<Record<string, BrokerConfigEntry>>;

export type BrokerConfigName = keyof typeof brokerConfigTable;

export function isBrokerConfig(name: string): boolean {
  return Object.hasOwn(brokerConfigTable, name);
}

export function describedBrokerConfigs(settings: BrokerSettings): DescribedConfig[] {
  return Object.entries<BrokerConfigEntry>(brokerConfigTable).map(([name, entry]) => {
    const value = String(entry.value(settings));
    const standard = { name, value: entry.default ?? '', source: configSource.default };
    const synonyms =
      value === entry.default
        ? [standard]
        : [
            { name, value, source: configSource.staticBroker },
            ...(entry.default === undefined ? [] : [standard]),
          ];
    return describedConfig(name, entry, { readOnly: true, synonyms });
  });
}

/** Configs of a group, which are the broker's. */
export function describedGroupConfigs({ groups }: BrokerSettings): DescribedConfig[] {
  return [
    ['consumer.heartbeat.interval.ms', groups.consumerHeartbeatIntervalMs] as const,
    ['consumer.session.timeout.ms', groups.consumerSessionTimeoutMs] as const,
  ].map(([name, value]) => {
    const { description } = brokerConfigTable[`group.${name}`];
    const synonyms = [{ name: `group.${name}`, value: String(value), source: configSource.default }];
    return describedConfig(name, { type: 'int', description }, { readOnly: true, synonyms });
  });
}
