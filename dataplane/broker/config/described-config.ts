import { formatDefault } from '../../runtime/config-entry.ts';
import type { ConfigEntry } from '../../runtime/config-entry.ts';
import { presentBrokerConfigs } from '../../cluster/broker-config-changes.ts';
import { placementByConfig } from '../../cluster/cluster-config-changes.ts';
import type { BrokerEntry, ClusterState, Configs } from '../../cluster/cluster-state.ts';
import { placementZoneConfig } from '../../cluster/home-zone.ts';
import { settableClusterConfigs } from '../../cluster/config/cluster-configs.ts';
import type { KafkaConfigEntry } from '../../cluster/config/kafka-config.ts';
import { singleBrokerConfigTable } from '../../cluster/config/single-broker-configs.ts';
import { configSynonym } from '../../cluster/config/table-configs.ts';
import { topicConfigEntry, topicConfigNames } from '../../cluster/config/topic-configs.ts';

/** Where a value comes from, as DescribeConfigs and CreateTopics number it. */
export const configSource = {
  topic: 1,
  dynamicBroker: 2,
  /** Set for the whole cluster while it runs. */
  dynamicDefaultBroker: 3,
  /** Given to the process when it started. */
  staticBroker: 4,
  default: 5,
  clientMetrics: 7,
  group: 8,
} as const;

export type ConfigSource = (typeof configSource)[keyof typeof configSource];

export interface ConfigSynonym {
  readonly name: string;
  readonly value: string;
  readonly source: ConfigSource;
}

/** One config with all that clients may want to know of it. */
export interface DescribedConfig {
  readonly name: string;
  readonly value: string;
  readonly source: ConfigSource;
  readonly readOnly: boolean;
  /** Kafka's number of the type. */
  readonly type: number;
  readonly documentation: string;
  /** All values that there are, the one that holds first. */
  readonly synonyms: readonly ConfigSynonym[];
}

const typeNumbers: Record<ConfigEntry['type'], number> = {
  bool: 1,
  string: 2,
  enum: 2,
  int: 3,
  long: 5,
  duration: 5,
  bytes: 5,
  double: 6,
  list: 7,
};

/**
 * All configs of a topic: its own, else the cluster's, else the defaults. The zone of a topic that belongs into one is told
 * although the brokers chose it, as if that were the default.
 */
export function describedTopicConfigs(
  own: Configs,
  cluster: Configs,
  homeZone: string | undefined,
): DescribedConfig[] {
  return topicConfigNames.flatMap((name) => {
    const entry = topicConfigEntry(name);
    if (entry === undefined) return [];
    const { clusterDefault = name } = entry;
    const chosen = name === placementZoneConfig ? homeZone : undefined;
    const described = (as: string): DescribedConfig =>
      describedConfig(as, entry, {
        readOnly: false,
        synonyms: [
          ...set(name, own[name], configSource.topic),
          ...(entry.clusterDefault === undefined
            ? []
            : set(clusterDefault, cluster[clusterDefault], configSource.dynamicDefaultBroker)),
          { name: clusterDefault, value: chosen ?? formatDefault(entry) ?? '', source: configSource.default },
        ],
      });
    const synonym = configSynonym(name);
    // Who has set it by its other name looks for that.
    return synonym === undefined || own[name] === undefined
      ? [described(name)]
      : [described(name), described(synonym)];
  });
}

/** All that can be set for the cluster. */
export function describedClusterConfigs(state: ClusterState): DescribedConfig[] {
  const configs = presentClusterConfigs(state);
  return Object.entries(settableClusterConfigs).map(([name, entry]) =>
    describedConfig(name, entry, {
      readOnly: false,
      synonyms: [
        ...set(name, configs[name], configSource.dynamicDefaultBroker),
        { name, value: formatDefault(entry) ?? '', source: configSource.default },
      ],
    }),
  );
}

/** All that can be set for one broker. */
export function describedSingleBrokerConfigs(broker: Pick<BrokerEntry, 'cordoned'>): DescribedConfig[] {
  const configs = presentBrokerConfigs(broker);
  return Object.entries<KafkaConfigEntry>(singleBrokerConfigTable).map(([name, entry]) =>
    describedConfig(name, entry, {
      readOnly: false,
      synonyms: [
        ...set(name, configs[name], configSource.dynamicBroker),
        { name, value: formatDefault(entry) ?? '', source: configSource.default },
      ],
    }),
  );
}

/** What is set for the cluster, `firn.placement.by` too. */
export function presentClusterConfigs(state: ClusterState): Configs {
  return state.placedBy === 'brokers'
    ? state.configs
    : { ...state.configs, [placementByConfig]: state.placedBy };
}

export function describedConfig(
  name: string,
  entry: Pick<ConfigEntry, 'type' | 'description'>,
  { readOnly, synonyms }: { readonly readOnly: boolean; readonly synonyms: readonly ConfigSynonym[] },
): DescribedConfig {
  const [holds] = synonyms;
  return {
    name,
    value: holds?.value ?? '',
    source: holds?.source ?? configSource.default,
    readOnly,
    type: typeNumbers[entry.type],
    documentation: entry.description,
    synonyms,
  };
}

function set(name: string, value: string | undefined, source: ConfigSource): ConfigSynonym[] {
  return value === undefined ? [] : [{ name, value, source }];
}

/** What a subscription to the metrics of clients has that nobody has made: there are none (see `not-built.ts`). */
export function describedClientMetrics(): DescribedConfig[] {
  return clientMetricsConfigs.map(({ name, type, value, description }) =>
    describedConfig(
      name,
      { type, description },
      { readOnly: true, synonyms: [{ name, value, source: configSource.default }] },
    ),
  );
}

const clientMetricsConfigs = [
  {
    name: 'interval.ms',
    type: 'int',
    value: '300000',
    description: 'How often clients push their metrics.',
  },
  { name: 'match', type: 'list', value: '', description: 'Which clients push metrics.' },
  { name: 'metrics', type: 'list', value: '', description: 'Which metrics they push.' },
] as const;
