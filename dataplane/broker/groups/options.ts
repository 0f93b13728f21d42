/**
 * Settings of the group coordinator. Where Kafka has a setting of the same meaning the comment names it, and the default
 * is Kafka's; the others bound what a hostile or broken client can make a coordinator hold.
 */
export interface GroupOptions {
  /** `group.min.session.timeout.ms`: the shortest session timeout a classic member may ask for. */
  readonly minSessionTimeoutMs: number;
  /** `group.max.session.timeout.ms` */
  readonly maxSessionTimeoutMs: number;
  /** `group.initial.rebalance.delay.ms`: how long an empty classic group waits for company before its first rebalance. */
  readonly initialRebalanceDelayMs: number;
  /** `group.max.size`: members of one classic group. */
  readonly maxSize: number;
  /** How long a new classic member may wait in JoinGroup without a sign of life. Not configurable in Kafka. */
  readonly newMemberJoinTimeoutMs: number;
  /** Members of one classic group that were given an id and have not come back with it. */
  readonly maxPendingMembers: number;
  /** Bytes of protocol metadata, assignment and names of all members of one group. One more is refused as if the group were full. */
  readonly maxGroupBytes: number;
  /** Groups in one partition of `__consumer_offsets`. */
  readonly maxGroupsPerPartition: number;
  /** Bytes that the state of one partition takes as records, as of its last snapshot: beyond it there are no new groups. */
  readonly maxStateBytes: number;
  /** Different regular expressions that the members of one group subscribe by. */
  readonly maxRegexesPerGroup: number;
  /** Characters of a group id. */
  readonly maxGroupIdLength: number;

  /** `group.consumer.session.timeout.ms` */
  readonly consumerSessionTimeoutMs: number;
  /** `group.consumer.heartbeat.interval.ms` */
  readonly consumerHeartbeatIntervalMs: number;
  /** `group.consumer.max.size`: members of one group of the consumer protocol (KIP-848). */
  readonly consumerMaxSize: number;
  /** `group.consumer.assignors`: built-in assignors in order of preference; the first is the default. */
  readonly consumerAssignors: readonly ('uniform' | 'range')[];
  /** `group.consumer.migration.policy` */
  readonly consumerMigrationPolicy: 'bidirectional' | 'upgrade' | 'downgrade' | 'disabled';
  /** `group.consumer.regex.refresh.interval.ms`: how often regular expressions are resolved anew although no topic came. */
  readonly consumerRegexRefreshIntervalMs: number;

  /** `offset.metadata.max.bytes`: characters of the metadata of one committed offset. */
  readonly offsetMetadataMaxBytes: number;
  /** `offsets.retention.minutes`, in milliseconds: offsets of an empty group, or of a topic nobody subscribes to, go after it. */
  readonly offsetsRetentionMs: number;
  /** `offsets.retention.check.interval.ms` */
  readonly offsetsRetentionCheckIntervalMs: number;

  /** `offsets.load.buffer.size`: bytes per read while a partition is loaded. */
  readonly loadBufferBytes: number;
  /** A snapshot of the state is written when this much (or twice the last snapshot) was appended since the last one. */
  readonly snapshotMinBytes: number;
  /** Records of a snapshot go into batches of about this size. */
  readonly snapshotBatchBytes: number;
  /** Pause after a partition could not be loaded, before the next attempt. */
  readonly loadRetryMs: number;
}

export const defaultGroupOptions: GroupOptions = {
  minSessionTimeoutMs: 6_000,
  maxSessionTimeoutMs: 1_800_000,
  initialRebalanceDelayMs: 3_000,
  maxSize: 2_147_483_647,
  newMemberJoinTimeoutMs: 300_000,
  maxPendingMembers: 10_000,
  maxGroupBytes: 32 * 2 ** 20,
  maxGroupsPerPartition: 100_000,
  maxStateBytes: 512 * 2 ** 20,
  maxRegexesPerGroup: 100,
  maxGroupIdLength: 4_096,

  consumerSessionTimeoutMs: 45_000,
  consumerHeartbeatIntervalMs: 5_000,
  consumerMaxSize: 2_147_483_647,
  consumerAssignors: ['uniform', 'range'],
  consumerMigrationPolicy: 'bidirectional',
  consumerRegexRefreshIntervalMs: 600_000,

  offsetMetadataMaxBytes: 4_096,
  offsetsRetentionMs: 10_080 * 60_000,
  offsetsRetentionCheckIntervalMs: 600_000,

  loadBufferBytes: 5 * 2 ** 20,
  snapshotMinBytes: 4 * 2 ** 20,
  snapshotBatchBytes: 512 * 1024,
  loadRetryMs: 500,
};
