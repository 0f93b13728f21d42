import { defaultConfigValue } from '../../runtime/config-entry.ts';
import type { ConfigValue } from '../../runtime/config-entry.ts';
import { placementByConfig } from '../cluster-config-changes.ts';
import type { Configs } from '../cluster-state.ts';
import { maxPartitionsOfTopic } from '../partition-groups.ts';
import { parseKafkaConfig } from './kafka-config.ts';
import type { ConfigTable, KafkaConfigEntry } from './kafka-config.ts';
import { topicConfigEntry, topicConfigNames } from './topic-configs.ts';
import { zoneCidrsConfig, zoneCidrsProblem } from './zone-cidrs.ts';

/** Settings of the whole cluster that are no defaults of topic configs. All can be changed while brokers run. */
export const clusterConfigTable = {
  'auto.create.topics.enable': {
    type: 'bool',
    default: true,
    effect: 'applied',
    description:
      'Whether a topic is created when a client asks for metadata of one that does not exist, and allows it.',
  },
  'default.replication.factor': {
    type: 'int',
    default: -1,
    min: -1,
    max: 32_767,
    problemOf: (text) =>
      text === '0' ? 'a topic has one replica at least; -1 stands for one in every zone' : undefined,
    effect: 'applied',
    description:
      'How many brokers Metadata names as replicas of a topic that asks for no number of its own, as many as there are; -1: one in every zone, also in zones that come later. Records are in the object store whatever it is; consumers read from a replica of their own zone.',
  },
  'delete.topic.enable': {
    type: 'bool',
    default: true,
    effect: 'applied',
    description: 'Whether clients may delete topics.',
  },
  [placementByConfig]: {
    type: 'enum',
    default: 'brokers',
    values: ['brokers', 'operator'],
    effect: 'applied',
    description:
      "Firn's own. Who evens out the load of brokers and brings topics back to their home zones. Whatever it is, brokers place new topics and take over from dead ones.",
  },
  [zoneCidrsConfig]: {
    type: 'string',
    default: '',
    problemOf: zoneCidrsProblem,
    effect: 'applied',
    description:
      "Firn's own. Zones of clients by their addresses, for clients that do not say themselves where they are: `ZONE@CIDR,CIDR<>ZONE@CIDR`. Of ranges within each other the smaller one counts. See docs/zones.md.",
  },
  'firn.zone.lost.after.ms': {
    type: 'long',
    default: 600_000n,
    min: 1_000n,
    max: 604_800_000n,
    effect: 'applied',
    description:
      "Firn's own. After how long without a live broker a zone is lost: topics with the policy HomeZone that had their home there are at home from then on where they went. Topics that are pinned wait for their zone.",
  },
  'num.partitions': {
    type: 'int',
    default: 1,
    min: 1,
    max: maxPartitionsOfTopic,
    effect: 'applied',
    description: 'How many partitions a topic gets that asks for no number of its own.',
  },
} as const satisfies ConfigTable;

export type ClusterConfigName = keyof typeof clusterConfigTable;

/** Every setting of {@link clusterConfigTable} with its value. */
export type ClusterConfig = {
  readonly [Name in ClusterConfigName]: ConfigValue<(typeof clusterConfigTable)[Name]>;
};

/** Kafka's other units of settings that are there in milliseconds. */
const otherUnits: Readonly<Record<string, string>> = {
  'log.retention.hours': 'log.retention.ms',
  'log.retention.minutes': 'log.retention.ms',
  'log.roll.hours': 'log.roll.ms',
  'log.roll.jitter.hours': 'log.roll.jitter.ms',
};

/** Everything that can be set for the whole cluster: {@link clusterConfigTable} and the defaults of topic configs. */
export const settableClusterConfigs: ConfigTable = {
  ...clusterConfigTable,
  ...Object.fromEntries(
    topicConfigNames.flatMap((name) => {
      const entry = topicConfigEntry(name);
      return entry?.clusterDefault === undefined ? [] : [[entry.clusterDefault, asDefaultOf(name, entry)]];
    }),
  ),
};

export function clusterConfigEntry(name: string): KafkaConfigEntry | undefined {
  return Object.hasOwn(settableClusterConfigs, name) ? settableClusterConfigs[name] : undefined;
}

/** The setting in milliseconds that says the same as `name`, which is in hours or minutes. */
export function inMilliseconds(name: string): string | undefined {
  return Object.hasOwn(otherUnits, name) ? otherUnits[name] : undefined;
}

/**
 * What holds in a cluster, computed once for each version of its settings. Of {@link placementByConfig} it says the
 * default: the state has it as `placedBy`.
 *
 * @param configs `ClusterState.configs`
 * @throws ConfigError for a value that this release would have refused: a newer one has set it
 */
export function clusterConfigOf(configs: Configs): ClusterConfig {
  let config = known.get(configs);
  if (config === undefined) {
    const entries = Object.entries<KafkaConfigEntry>(clusterConfigTable).map(([name, entry]) => {
      const text = configs[name];
      return [
        name,
        text === undefined ? defaultConfigValue(entry) : parseKafkaConfig(name, entry, text).value,
      ];
    });
    known.set(configs, (config = Object.fromEntries(entries) as ClusterConfig));
  }
  return config;
}

const known = new WeakMap<Configs, ClusterConfig>();

function asDefaultOf(name: string, entry: KafkaConfigEntry): KafkaConfigEntry {
  return { ...entry, description: `What topics have that do not set \`${name}\`.` };
}
