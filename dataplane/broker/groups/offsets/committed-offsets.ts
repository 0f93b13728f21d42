/** What a consumer committed for one partition. */
export interface CommittedOffset {
  readonly offset: number;
  /** -1: not given. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  /** Wall clock of the coordinator at the commit. */
  readonly commitTimestampMs: number;
  /** When it goes, as asked for by OffsetCommit v2 to v4; -1: by `offsets.retention.minutes`. */
  readonly expireTimestampMs: number;
  /** Of the topic at the commit; 32 zeros: unknown. */
  readonly topicId: string;
}

export const noTopicId = '0'.repeat(32);

export type OffsetsOfTopic = ReadonlyMap<number, CommittedOffset>;
export type OffsetsOfGroup = ReadonlyMap<string, OffsetsOfTopic>;

/** The committed offsets of all groups of one partition of `__consumer_offsets`. */
export class CommittedOffsets {
  readonly #groups = new Map<string, Map<string, Map<number, CommittedOffset>>>();

  ofGroup(groupId: string): OffsetsOfGroup | undefined {
    return this.#groups.get(groupId);
  }

  get(groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.#groups.get(groupId)?.get(topic)?.get(partition);
  }

  groupIds(): Iterable<string> {
    return this.#groups.keys();
  }

  set(groupId: string, topic: string, partition: number, offset: CommittedOffset): void {
    const topics = this.#groups.get(groupId) ?? new Map<string, Map<number, CommittedOffset>>();
    this.#groups.set(groupId, topics);
    const partitions = topics.get(topic) ?? new Map<number, CommittedOffset>();
    topics.set(topic, partitions);
    partitions.set(partition, offset);
  }

  delete(groupId: string, topic: string, partition: number): void {
    const topics = this.#groups.get(groupId);
    const partitions = topics?.get(topic);
    if (topics === undefined || partitions === undefined) return;
    partitions.delete(partition);
    if (partitions.size > 0) return;
    topics.delete(topic);
    if (topics.size === 0) this.#groups.delete(groupId);
  }
}
