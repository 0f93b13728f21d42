import type { RecordValue } from '../group-record.ts';
import { unknownMember } from '../classic/classic-group.ts';
import { consumerProtocolType } from '../classic/subscribed-topics.ts';
import {
  isReconciledTo,
  newConsumerMember,
  withAssignmentValue,
  withMetadataValue,
} from './consumer-member.ts';
import type { ConsumerMember } from './consumer-member.ts';
import { noPartitions, toTopicPartitions } from './topic-partitions.ts';
import type { PartitionEpochs, TopicPartitions } from './topic-partitions.ts';
import type { TopicsView } from '../topics-view.ts';

export type ConsumerGroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable';

export interface ResolvedRegex {
  readonly topics: ReadonlySet<string>;
  /** Wall clock. */
  readonly resolvedAtMs: number;
}

/**
 * A group of the consumer protocol (KIP-848). Its durable state changes through {@link replay} methods only, one for each
 * kind of record, so a group that was read from the log is the group that wrote it.
 */
export class ConsumerGroup {
  readonly type = 'consumer';
  readonly protocolType = consumerProtocolType;
  readonly usesConsumerProtocol = true;
  readonly groupId: string;
  readonly members = new Map<string, ConsumerMember>();
  readonly targets = new Map<string, TopicPartitions>();
  readonly regexes = new Map<string, ResolvedRegex>();
  /** Grows whenever the target assignment has to be computed anew. */
  epoch = 0;
  /** Of the topics that the target assignment is for. */
  metadataHash = 0;
  /** The group epoch that the target assignment was computed for. */
  assignmentEpoch = 0;
  /** The topics that {@link metadataHash} was last compared with; not durable. */
  comparedWith: TopicsView | undefined;
  /** The topics that {@link regexes} were last resolved against; not durable. */
  resolvedAgainst: TopicsView | undefined;
  /** Monotonic clock; not durable. */
  lastResolvedMs = -Infinity;
  readonly #memberByInstance = new Map<string, string>();
  /** Who has each partition, revoked ones included until they are given up. */
  readonly #owners = new Map<string, Map<number, string>>();

  constructor(groupId: string) {
    this.groupId = groupId;
  }

  get isEmpty(): boolean {
    return this.members.size === 0;
  }

  get state(): ConsumerGroupState {
    if (this.members.size === 0) return 'Empty';
    if (this.epoch > this.assignmentEpoch) return 'Assigning';
    for (const member of this.members.values())
      if (!isReconciledTo(member, this.assignmentEpoch)) return 'Reconciling';
    return 'Stable';
  }

  /** @throws GroupError UNKNOWN_MEMBER_ID */
  requireMember(memberId: string): ConsumerMember {
    const member = this.members.get(memberId);
    if (member === undefined) throw unknownMember(this.groupId, JSON.stringify(memberId));
    return member;
  }

  staticMember(instanceId: string): ConsumerMember | undefined {
    const memberId = this.#memberByInstance.get(instanceId);
    return memberId === undefined ? undefined : this.members.get(memberId);
  }

  target(memberId: string): TopicPartitions {
    return this.targets.get(memberId) ?? noPartitions;
  }

  ownerOf(topicId: string, partition: number): string | undefined {
    return this.#owners.get(topicId)?.get(partition);
  }

  /** All that a member subscribes to by now: names, and what its regular expression matches. */
  topicsOf({ subscribedTopicNames, subscribedTopicRegex }: ConsumerMember): ReadonlySet<string> {
    const resolved = subscribedTopicRegex === '' ? undefined : this.regexes.get(subscribedTopicRegex)?.topics;
    return new Set(resolved === undefined ? subscribedTopicNames : [...subscribedTopicNames, ...resolved]);
  }

  /** Of all members. */
  subscribedTopics(): Set<string> {
    const topics = new Set<string>();
    const regexes = new Set<string>();
    for (const { subscribedTopicNames, subscribedTopicRegex } of this.members.values()) {
      for (const topic of subscribedTopicNames) topics.add(topic);
      if (subscribedTopicRegex !== '') regexes.add(subscribedTopicRegex);
    }
    for (const regex of regexes) for (const topic of this.regexes.get(regex)?.topics ?? []) topics.add(topic);
    return topics;
  }

  isSubscribedTo(topic: string): boolean {
    for (const { subscribedTopicNames, subscribedTopicRegex } of this.members.values()) {
      if (subscribedTopicNames.includes(topic)) return true;
      if (subscribedTopicRegex !== '' && this.regexes.get(subscribedTopicRegex)?.topics.has(topic) === true)
        return true;
    }
    return false;
  }

  subscribedRegexes(): Set<string> {
    const regexes = new Set<string>();
    for (const { subscribedTopicRegex } of this.members.values())
      if (subscribedTopicRegex !== '') regexes.add(subscribedTopicRegex);
    return regexes;
  }

  /** The assignor that most members ask for; undefined when none asks for any. */
  preferredAssignor(): string | undefined {
    const votes = new Map<string, number>();
    for (const { serverAssignor } of this.members.values())
      if (serverAssignor !== null) votes.set(serverAssignor, (votes.get(serverAssignor) ?? 0) + 1);
    let preferred: string | undefined;
    for (const [name, count] of votes)
      if (preferred === undefined || count > (votes.get(preferred) ?? 0)) preferred = name;
    return preferred;
  }

  get classicMembers(): number {
    let count = 0;
    for (const { classic } of this.members.values()) if (classic !== null) count++;
    return count;
  }

  replayGroup(value: RecordValue<'consumerGroupMetadata'>): void {
    this.epoch = value.epoch;
    this.metadataHash = value.metadataHash;
  }

  replayMember(memberId: string, value: RecordValue<'consumerGroupMemberMetadata'> | null): void {
    const old = this.members.get(memberId);
    const instanceId = old?.instanceId ?? null;
    if (instanceId !== null && this.#memberByInstance.get(instanceId) === memberId)
      this.#memberByInstance.delete(instanceId);
    if (value === null) {
      if (old !== undefined) this.#disown(old);
      this.members.delete(memberId);
      this.targets.delete(memberId);
      return;
    }
    const member = withMetadataValue(old ?? newConsumerMember(memberId), value);
    this.members.set(memberId, member);
    if (member.instanceId !== null) this.#memberByInstance.set(member.instanceId, memberId);
  }

  replayAssignmentEpoch(value: RecordValue<'consumerGroupTargetAssignmentMetadata'> | null): void {
    this.assignmentEpoch = value?.assignmentEpoch ?? 0;
  }

  replayTarget(memberId: string, value: RecordValue<'consumerGroupTargetAssignmentMember'> | null): void {
    if (value === null) this.targets.delete(memberId);
    else this.targets.set(memberId, toTopicPartitions(value.topicPartitions));
  }

  replayCurrent(memberId: string, value: RecordValue<'consumerGroupCurrentMemberAssignment'> | null): void {
    const old = this.members.get(memberId);
    // A tombstone before the member's own, or a remainder of a member that is gone.
    if (old === undefined) return;
    this.#disown(old);
    const cleared = {
      ...newConsumerMember(memberId),
      memberEpoch: leftEpoch,
      previousMemberEpoch: leftEpoch,
    };
    const { memberEpoch, previousMemberEpoch, state, assigned, pendingRevocation } =
      value === null ? cleared : withAssignmentValue(old, value);
    const member = { ...old, memberEpoch, previousMemberEpoch, state, assigned, pendingRevocation };
    this.members.set(memberId, member);
    this.#own(member, member.assigned);
    this.#own(member, member.pendingRevocation);
  }

  replayRegex(regex: string, value: RecordValue<'consumerGroupRegularExpression'> | null): void {
    if (value === null) this.regexes.delete(regex);
    else this.regexes.set(regex, { topics: new Set(value.topics), resolvedAtMs: value.timestamp });
  }

  #own({ memberId }: ConsumerMember, partitions: PartitionEpochs): void {
    for (const [topicId, epochs] of partitions) {
      const owners = this.#owners.get(topicId) ?? new Map<number, string>();
      this.#owners.set(topicId, owners);
      for (const partition of epochs.keys()) owners.set(partition, memberId);
    }
  }

  #disown({ memberId, assigned, pendingRevocation }: ConsumerMember): void {
    for (const partitions of [assigned, pendingRevocation]) {
      for (const [topicId, epochs] of partitions) {
        const owners = this.#owners.get(topicId);
        if (owners === undefined) continue;
        for (const partition of epochs.keys())
          if (owners.get(partition) === memberId) owners.delete(partition);
        if (owners.size === 0) this.#owners.delete(topicId);
      }
    }
  }
}

/** Of a member whose assignment is gone while it still exists: between two records of one batch. */
const leftEpoch = -1;
