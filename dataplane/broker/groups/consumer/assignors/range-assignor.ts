import { AssignmentBuilder } from './assignor.ts';
import type { Assignor, MemberSpec } from './assignor.ts';

/**
 * For each topic by itself: its partitions in order, cut into as many equal ranges as there are subscribers, in the order
 * of the subscribers' ids (instance ids where there are any, so that a restart changes nothing); the first ones get one
 * more where it does not come out even. Topics with equal numbers of partitions and equal subscribers are cut alike, which
 * is what joins of their records need.
 */
export const assignRange: Assignor = (spec) => {
  const builder = new AssignmentBuilder(spec.members.keys());
  const members = [...spec.members].sort(byInstanceThenId);
  for (const [topicId, subscribers] of subscribersByTopic(members)) {
    const partitions = spec.partitionsOf(topicId);
    const each = Math.floor(partitions / subscribers.length);
    const withOneMore = partitions % subscribers.length;
    let next = 0;
    for (const [i, memberId] of subscribers.entries()) {
      const end = next + each + (i < withOneMore ? 1 : 0);
      for (; next < end; next++) builder.add(memberId, topicId, next);
    }
  }
  return builder.assignment;
};

function subscribersByTopic(members: readonly (readonly [string, MemberSpec])[]): Map<string, string[]> {
  const topics = new Map<string, string[]>();
  for (const [memberId, { subscribedTopicIds }] of members) {
    for (const topicId of subscribedTopicIds) {
      const subscribers = topics.get(topicId) ?? [];
      subscribers.push(memberId);
      topics.set(topicId, subscribers);
    }
  }
  return topics;
}

/** Static members before the others, as in Kafka. */
function byInstanceThenId(
  [idA, a]: readonly [string, MemberSpec],
  [idB, b]: readonly [string, MemberSpec],
): number {
  if (a.instanceId !== null && b.instanceId !== null) return compare(a.instanceId, b.instanceId);
  if (a.instanceId !== null) return -1;
  if (b.instanceId !== null) return 1;
  return compare(idA, idB);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
