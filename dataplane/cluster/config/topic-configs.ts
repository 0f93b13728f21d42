import { defaultConfigValue } from '../../runtime/config-entry.ts';
import type { AnyConfigValue, ConfigValue } from '../../runtime/config-entry.ts';
import type { Configs } from '../cluster-state.ts';
import { placementPolicies, placementPolicyConfig, placementZoneConfig } from '../home-zone.ts';
import { parseKafkaConfig } from './kafka-config.ts';
import type { KafkaConfigEntry } from './kafka-config.ts';
import { tableConfigTable } from './table-configs.ts';

export type TopicConfigEntry = KafkaConfigEntry & {
  /** The cluster-wide config that is this one's default, as Kafka pairs them. */
  readonly clusterDefault?: string;
};

const maxInt = 2_147_483_647;
const maxLong = 9_223_372_036_854_775_807n;

const noCompaction =
  'Compaction is not built: a compacted topic keeps every record, so what this setting asks to be kept is kept.';
const noTiering =
  'All records are in the object store from the beginning: there is no local tier that this could limit.';
const ownObjects = 'Records lie in objects that brokers cut by their own rules, not in segment files.';
const neverLost =
  'A record is acknowledged only when the object store has it, so no replica can lack one and no broker can lose one.';

/**
 * Every topic config of Kafka 4.3, and Firn's own: name, type, range and default as Kafka has them, and what they mean
 * here. `docs/topic-configs.md` is made from it.
 */
export const topicConfigTable = {
  'cleanup.policy': {
    type: 'list',
    default: ['delete'],
    pattern: { regexp: /^(delete|compact)$/, meaning: 'delete or compact' },
    onlyBuilt: {
      values: ['delete', 'compact', ''],
      why: 'deleting old records of a compacted topic is not built, since compaction is not; choose delete or compact',
    },
    effect: 'applied',
    clusterDefault: 'log.cleanup.policy',
    description:
      '`delete`: `retention.ms` and `retention.bytes` apply. `compact`: nothing is deleted; the newest record of each key is kept, and so is every older one, because compaction is not built. Empty: nothing is deleted.',
  },
  'compression.gzip.level': {
    type: 'int',
    default: -1,
    min: -1,
    max: 9,
    effect: 'none',
    clusterDefault: 'compression.gzip.level',
    description:
      'Brokers store batches as producers have compressed them (see `compression.type`), so they use no level of their own.',
  },
  'compression.lz4.level': {
    type: 'int',
    default: 9,
    min: 1,
    max: 17,
    effect: 'none',
    clusterDefault: 'compression.lz4.level',
    description: 'As `compression.gzip.level`.',
  },
  'compression.type': {
    type: 'enum',
    default: 'producer',
    values: ['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'],
    onlyBuilt: {
      values: ['producer'],
      why: 'compressing batches anew in the broker is not built; leave it at producer and set compression.type of the producers',
    },
    effect: 'none',
    clusterDefault: 'compression.type',
    description: 'Batches are stored as producers have compressed them.',
  },
  'compression.zstd.level': {
    type: 'int',
    default: 3,
    min: -131_072,
    max: 22,
    effect: 'none',
    clusterDefault: 'compression.zstd.level',
    description: 'As `compression.gzip.level`.',
  },
  'delete.retention.ms': {
    type: 'long',
    default: 86_400_000n,
    min: 0n,
    max: maxLong,
    effect: 'none',
    clusterDefault: 'log.cleaner.delete.retention.ms',
    description: `How long tombstones of a compacted topic are kept at least. ${noCompaction}`,
  },
  'file.delete.delay.ms': {
    type: 'long',
    default: 60_000n,
    min: 0n,
    max: maxLong,
    effect: 'none',
    clusterDefault: 'log.segment.delete.delay.ms',
    description: `How long files stay that nothing refers to any more. ${ownObjects}`,
  },
  'flush.messages': {
    type: 'long',
    default: maxLong,
    min: 1n,
    max: maxLong,
    effect: 'none',
    clusterDefault: 'log.flush.interval.messages',
    description: `After how many records at most they are forced to disk. ${neverLost}`,
  },
  'flush.ms': {
    type: 'long',
    default: maxLong,
    min: 0n,
    max: maxLong,
    effect: 'none',
    clusterDefault: 'log.flush.interval.ms',
    description: `After how long at most records are forced to disk. ${neverLost}`,
  },
  'follower.replication.throttled.replicas': {
    type: 'list',
    default: [],
    pattern: { regexp: /^(\*|\d+:\d+)$/, meaning: '* or PARTITION:BROKER' },
    effect: 'none',
    description: 'Replicas whose copying is throttled. Moving a partition copies no records between brokers.',
  },
  'index.interval.bytes': {
    type: 'int',
    default: 4_096,
    min: 0,
    max: maxInt,
    effect: 'none',
    clusterDefault: 'log.index.interval.bytes',
    description: `How much lies between two entries of a segment's index. ${ownObjects} Every batch is in their index.`,
  },
  'leader.replication.throttled.replicas': {
    type: 'list',
    default: [],
    pattern: { regexp: /^(\*|\d+:\d+)$/, meaning: '* or PARTITION:BROKER' },
    effect: 'none',
    description: 'As `follower.replication.throttled.replicas`.',
  },
  'local.retention.bytes': {
    type: 'long',
    default: -2n,
    min: -2n,
    max: maxLong,
    effect: 'none',
    clusterDefault: 'log.local.retention.bytes',
    description: `How much of a tiered topic stays on brokers' disks. ${noTiering}`,
  },
  'local.retention.ms': {
    type: 'long',
    default: -2n,
    min: -2n,
    max: maxLong,
    effect: 'none',
    clusterDefault: 'log.local.retention.ms',
    description: `How long records of a tiered topic stay on brokers' disks. ${noTiering}`,
  },
  'max.compaction.lag.ms': {
    type: 'long',
    default: maxLong,
    min: 1n,
    max: maxLong,
    onlyBuilt: {
      values: [maxLong.toString()],
      why: 'it promises that older records of a key are gone after that time, and compaction is not built; leave it out',
    },
    effect: 'none',
    clusterDefault: 'log.cleaner.max.compaction.lag.ms',
    description: 'After how long at most a record takes part in compaction, which is not built.',
  },
  'max.message.bytes': {
    type: 'int',
    default: 1_048_588,
    min: 0,
    max: maxInt,
    effect: 'applied',
    clusterDefault: 'message.max.bytes',
    description:
      'The largest batch of records, as compressed by the producer, that is accepted; larger ones get MESSAGE_TOO_LARGE.',
  },
  'message.timestamp.after.max.ms': {
    type: 'long',
    default: 3_600_000n,
    min: 0n,
    max: maxLong,
    effect: 'applied',
    clusterDefault: 'log.message.timestamp.after.max.ms',
    description:
      "How far the time stamp of a record may lie after the broker's clock when `message.timestamp.type` is `CreateTime`; batches with later ones get INVALID_TIMESTAMP.",
  },
  'message.timestamp.before.max.ms': {
    type: 'long',
    default: maxLong,
    min: 0n,
    max: maxLong,
    effect: 'applied',
    clusterDefault: 'log.message.timestamp.before.max.ms',
    description:
      "How far the time stamp of a record may lie before the broker's clock when `message.timestamp.type` is `CreateTime`; batches with earlier ones get INVALID_TIMESTAMP.",
  },
  'message.timestamp.type': {
    type: 'enum',
    default: 'CreateTime',
    values: ['CreateTime', 'LogAppendTime'],
    effect: 'applied',
    clusterDefault: 'log.message.timestamp.type',
    description:
      "`CreateTime`: records keep the time stamps of their producer. `LogAppendTime`: they get the broker's time.",
  },
  'min.cleanable.dirty.ratio': {
    type: 'double',
    default: 0.5,
    min: 0,
    max: 1,
    effect: 'none',
    clusterDefault: 'log.cleaner.min.cleanable.ratio',
    description: `How much of a log may be uncompacted before it is compacted again. ${noCompaction}`,
  },
  'min.compaction.lag.ms': {
    type: 'long',
    default: 0n,
    min: 0n,
    max: maxLong,
    effect: 'none',
    clusterDefault: 'log.cleaner.min.compaction.lag.ms',
    description: `How long a record is kept at least before compaction. ${noCompaction}`,
  },
  'min.insync.replicas': {
    type: 'int',
    default: 1,
    min: 1,
    max: maxInt,
    effect: 'none',
    clusterDefault: 'min.insync.replicas',
    description: `How many replicas must have a record before it is acknowledged. ${neverLost} Acknowledgements never fail for want of replicas.`,
  },
  preallocate: {
    type: 'bool',
    default: false,
    effect: 'none',
    clusterDefault: 'log.preallocate',
    description: `Whether files get their full size when they are created. ${ownObjects}`,
  },
  'remote.log.copy.disable': {
    type: 'bool',
    default: false,
    onlyBuilt: {
      values: ['false'],
      why: 'it belongs to tiered storage, which is not built: all records are in the object store anyway; leave it at false',
    },
    effect: 'none',
    description: `Whether nothing more of a tiered topic is copied to remote storage. ${noTiering}`,
  },
  'remote.log.delete.on.disable': {
    type: 'bool',
    default: false,
    onlyBuilt: {
      values: ['false'],
      why: 'it belongs to tiered storage, which is not built: all records are in the object store anyway; leave it at false',
    },
    effect: 'none',
    description: `Whether a topic's remote records are deleted when it is not tiered any more. ${noTiering}`,
  },
  'remote.storage.enable': {
    type: 'bool',
    default: false,
    onlyBuilt: {
      values: ['false'],
      why: 'tiered storage is not built: all records are in the object store anyway; leave it at false',
    },
    effect: 'none',
    description: `Whether the topic is tiered. ${noTiering}`,
  },
  'retention.bytes': {
    type: 'long',
    default: -1n,
    min: -9_223_372_036_854_775_808n,
    max: maxLong,
    effect: 'applied',
    clusterDefault: 'log.retention.bytes',
    description:
      'How many bytes of a partition are kept at least; what is older goes, an object at a time. Negative: no limit. Only with `cleanup.policy=delete`.',
  },
  'retention.ms': {
    type: 'long',
    default: 604_800_000n,
    min: -1n,
    max: maxLong,
    effect: 'applied',
    clusterDefault: 'log.retention.ms',
    description:
      'How long records are kept at least, by their time stamps; older ones go, an object at a time. -1: no limit. Only with `cleanup.policy=delete`.',
  },
  'segment.bytes': {
    type: 'int',
    default: 1_073_741_824,
    min: 1_048_576,
    max: maxInt,
    effect: 'none',
    clusterDefault: 'log.segment.bytes',
    description: `The size of a segment file. ${ownObjects}`,
  },
  'segment.index.bytes': {
    type: 'int',
    default: 10_485_760,
    min: 4,
    max: maxInt,
    effect: 'none',
    clusterDefault: 'log.index.size.max.bytes',
    description: `The size of a segment's index. ${ownObjects}`,
  },
  'segment.jitter.ms': {
    type: 'long',
    default: 0n,
    min: 0n,
    max: maxLong,
    effect: 'none',
    clusterDefault: 'log.roll.jitter.ms',
    description: `By how much the times differ at which segments are rolled. ${ownObjects}`,
  },
  'segment.ms': {
    type: 'long',
    default: 604_800_000n,
    min: 1n,
    max: maxLong,
    effect: 'none',
    clusterDefault: 'log.roll.ms',
    description: `After how long a segment is rolled although it is not full. ${ownObjects}`,
  },
  'unclean.leader.election.enable': {
    type: 'bool',
    default: false,
    effect: 'none',
    clusterDefault: 'unclean.leader.election.enable',
    description: `Whether a replica that lacks records may lead. ${neverLost}`,
  },
  [placementPolicyConfig]: {
    type: 'enum',
    default: 'Spread',
    values: placementPolicies,
    effect: 'applied',
    description:
      "Firn's own. `HomeZone`: all partitions belong into one zone, which is chosen once, or named by `table.placement.zone`. `Pinned`: into the zone named there. `Spread`: anywhere.",
  },
  [placementZoneConfig]: {
    type: 'string',
    default: '',
    effect: 'applied',
    description:
      "Firn's own. The zone that the partitions belong into; one that has had a broker. Empty: see `table.placement.policy`.",
  },
  ...tableConfigTable,
} as const satisfies Readonly<Record<string, TopicConfigEntry>>;

export type TopicConfigName = keyof typeof topicConfigTable;

/** Every topic config with the value that holds for one topic. */
export type TopicConfig = {
  readonly [Name in TopicConfigName]: ConfigValue<(typeof topicConfigTable)[Name]>;
};

export const topicConfigNames = Object.keys(topicConfigTable) as TopicConfigName[];

export function topicConfigEntry(name: string): TopicConfigEntry | undefined {
  return Object.hasOwn(topicConfigTable, name) ? topicConfigTable[name as TopicConfigName] : undefined;
}

/**
 * What holds for a topic: its own configs, else the cluster's, else the defaults. Computed once for a pair of objects: it
 * may be asked for with every request.
 *
 * @param own `TopicEntry.configs`
 * @param cluster `ClusterState.configs`
 * @throws ConfigError for a value that this release would have refused: a newer one has set it
 */
export function topicConfigOf(own: Configs, cluster: Configs): TopicConfig {
  let ofTopic = known.get(own);
  if (ofTopic === undefined) known.set(own, (ofTopic = new WeakMap()));
  let config = ofTopic.get(cluster);
  if (config === undefined) {
    const entries = topicConfigNames.map((name) => [name, valueOf(name, own, cluster)]);
    ofTopic.set(cluster, (config = Object.fromEntries(entries) as TopicConfig));
  }
  return config;
}

const known = new WeakMap<Configs, WeakMap<Configs, TopicConfig>>();

function valueOf(name: TopicConfigName, own: Configs, cluster: Configs): AnyConfigValue | undefined {
  const entry: TopicConfigEntry = topicConfigTable[name];
  const set = own[name];
  if (set !== undefined) return parseKafkaConfig(name, entry, set).value;
  const { clusterDefault } = entry;
  const fallback = clusterDefault === undefined ? undefined : cluster[clusterDefault];
  if (clusterDefault === undefined || fallback === undefined) return defaultConfigValue(entry);
  return parseKafkaConfig(clusterDefault, entry, fallback).value;
}
