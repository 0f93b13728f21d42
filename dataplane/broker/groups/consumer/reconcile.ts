import { GroupError } from '../errors.ts';
import type { ConsumerMember } from './consumer-member.ts';
import { hasPartition, noPartitionEpochs } from './topic-partitions.ts';
import type { PartitionEpochs, TopicPartitions } from './topic-partitions.ts';

export interface Reconciliation {
  readonly assignmentEpoch: number;
  readonly target: TopicPartitions;
  /** Ids of the topics that the member subscribes to by now. */
  readonly subscribedTopicIds: ReadonlySet<string>;
  /** The member has changed its subscription: what it does not want any more is taken from it at once. */
  readonly hasSubscriptionChanged: boolean;
  /** What the member says it has; null: it does not say. */
  readonly owned: TopicPartitions | null;
  /** Whether anybody has the partition now. */
  readonly isOwned: (topicId: string, partition: number) => boolean;
}

/**
 * The next step of a member towards its target assignment (KIP-848). It first gives up what it shall not have, keeping its
 * epoch; then it gets the new epoch and what is free; then, bit by bit, what others give up. So no partition ever belongs
 * to two members. Returns the very member when nothing changes.
 *
 * @throws GroupError FENCED_MEMBER_EPOCH
 */
export function reconcile(member: ConsumerMember, step: Reconciliation): ConsumerMember {
  switch (member.state) {
    case 'Stable':
      if (member.memberEpoch !== step.assignmentEpoch) return advance(member, step);
      return step.hasSubscriptionChanged ? dropUnsubscribed(member, step) : member;
    case 'UnrevokedPartitions':
      if (!ownsAny(step.owned, member.pendingRevocation)) return advance(member, step);
      return step.hasSubscriptionChanged ? dropUnsubscribed(member, step) : member;
    case 'UnreleasedPartitions':
      return advance(member, step);
    case 'Unknown':
      // Written by a later version. It starts from scratch.
      if (step.owned === null || step.owned.size > 0) {
        throw new GroupError(
          'FENCED_MEMBER_EPOCH',
          `member ${member.memberId} is in a state that this version does not know: it must give up its partitions and join again`,
        );
      }
      return advance(member, step);
  }
}

function advance(member: ConsumerMember, step: Reconciliation): ConsumerMember {
  const { assignmentEpoch, target, subscribedTopicIds } = step;
  const kept = new Map<string, Map<number, number>>();
  const revoked = new Map<string, Map<number, number>>();
  for (const [topicId, epochs] of member.assigned) {
    for (const [partition, epoch] of epochs) {
      const isWanted = subscribedTopicIds.has(topicId) && hasPartition(target, topicId, partition);
      put(isWanted ? kept : revoked, topicId, partition, epoch);
    }
  }
  if (revoked.size > 0 && ownsAny(step.owned, revoked))
    return { ...member, state: 'UnrevokedPartitions', assigned: kept, pendingRevocation: revoked };

  let awaitsOthers = false;
  for (const [topicId, partitions] of target) {
    if (!subscribedTopicIds.has(topicId)) continue;
    for (const partition of partitions) {
      if (hasPartition(kept, topicId, partition)) continue;
      // What this member itself is giving up is as good as free: it has just said that it has done so.
      const isFree =
        !step.isOwned(topicId, partition) || hasPartition(member.pendingRevocation, topicId, partition);
      if (isFree) put(kept, topicId, partition, assignmentEpoch);
      else awaitsOthers = true;
    }
  }
  return {
    ...member,
    ...nextEpoch(member, assignmentEpoch),
    state: awaitsOthers ? 'UnreleasedPartitions' : 'Stable',
    assigned: kept,
    pendingRevocation: noPartitionEpochs,
  };
}

/** Takes away what the member has unsubscribed from, without waiting for a new target assignment. */
function dropUnsubscribed(member: ConsumerMember, step: Reconciliation): ConsumerMember {
  const kept = new Map<string, ReadonlyMap<number, number>>();
  const revoked = new Map(
    Array.from(member.pendingRevocation, ([topicId, epochs]) => [topicId, new Map(epochs)] as const),
  );
  for (const [topicId, epochs] of member.assigned) {
    if (step.subscribedTopicIds.has(topicId)) kept.set(topicId, epochs);
    else for (const [partition, epoch] of epochs) put(revoked, topicId, partition, epoch);
  }
  if (kept.size === member.assigned.size) return member;
  if (!ownsAny(step.owned, revoked)) return { ...member, assigned: kept };
  return { ...member, state: 'UnrevokedPartitions', assigned: kept, pendingRevocation: revoked };
}

function nextEpoch(
  { memberEpoch, previousMemberEpoch }: ConsumerMember,
  epoch: number,
): Pick<ConsumerMember, 'memberEpoch' | 'previousMemberEpoch'> {
  if (epoch === memberEpoch) return { memberEpoch, previousMemberEpoch };
  return { memberEpoch: epoch, previousMemberEpoch: memberEpoch };
}

/** When the member does not say what it has, it has what it had. */
function ownsAny(owned: TopicPartitions | null, partitions: PartitionEpochs): boolean {
  if (owned === null) return true;
  for (const [topicId, epochs] of partitions)
    for (const partition of epochs.keys()) if (hasPartition(owned, topicId, partition)) return true;
  return false;
}

function put(
  topics: Map<string, Map<number, number>>,
  topicId: string,
  partition: number,
  epoch: number,
): void {
  const epochs = topics.get(topicId) ?? new Map<number, number>();
  topics.set(topicId, epochs.set(partition, epoch));
}
