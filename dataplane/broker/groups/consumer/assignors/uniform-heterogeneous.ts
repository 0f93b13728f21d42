import { AssignmentBuilder, sortedIds } from './assignor.ts';
import type { AssignmentSpec, Assignor } from './assignor.ts';

/** Rounds of evening out at most. Each move makes the loads more even, so few are ever needed; this bounds the work. */
const maxRounds = 20;

interface Topic {
  readonly topicId: string;
  /** By partition. */
  readonly owners: (Load | undefined)[];
  readonly subscribers: readonly Load[];
}

interface Load {
  readonly memberId: string;
  readonly rackId: string | null;
  count: number;
}

/**
 * With different subscriptions: members keep what they have; each free partition goes to the subscriber that has least,
 * topics with few subscribers first; then partitions move from those who have more to those who have less by at least
 * two, until no such move is left.
 */
export const assignUniformHeterogeneous: Assignor = (spec) => {
  const topics = topicsOf(spec);
  for (const topic of topics) giveFree(spec, topic);
  for (let round = 0; round < maxRounds; round++) {
    let moved = false;
    for (const topic of topics) moved = evenOut(topic) || moved;
    if (!moved) break;
  }
  const builder = new AssignmentBuilder(spec.members.keys());
  for (const { topicId, owners } of topics)
    for (const [partition, owner] of owners.entries())
      if (owner !== undefined) builder.add(owner.memberId, topicId, partition);
  return builder.assignment;
};

/** Topics with few subscribers first, each with what its subscribers have of it. */
function topicsOf(spec: AssignmentSpec): Topic[] {
  const subscribers = new Map<string, Load[]>();
  const loads = new Map<string, Load>();
  for (const memberId of sortedIds(spec.members.keys())) {
    const member = spec.members.get(memberId);
    if (member === undefined) continue;
    const load: Load = { memberId, rackId: member.rackId, count: 0 };
    loads.set(memberId, load);
    for (const topicId of member.subscribedTopicIds) {
      const known = subscribers.get(topicId) ?? [];
      known.push(load);
      subscribers.set(topicId, known);
    }
  }
  const topics = sortedIds(subscribers.keys()).map((topicId): Topic => ({
    topicId,
    owners: Array.from({ length: spec.partitionsOf(topicId) }, () => undefined),
    subscribers: subscribers.get(topicId) ?? [],
  }));
  const byId = new Map(topics.map((topic) => [topic.topicId, topic]));
  for (const [memberId, load] of loads) {
    const member = spec.members.get(memberId);
    for (const [topicId, partitions] of member?.assigned ?? []) {
      const topic = byId.get(topicId);
      if (topic === undefined || member?.subscribedTopicIds.has(topicId) !== true) continue;
      for (const partition of partitions) {
        if (partition >= topic.owners.length || topic.owners[partition] !== undefined) continue;
        topic.owners[partition] = load;
        load.count += 1;
      }
    }
  }
  return topics.sort((a, b) => a.subscribers.length - b.subscribers.length);
}

function giveFree(spec: AssignmentSpec, { topicId, owners, subscribers }: Topic): void {
  for (const [partition, owner] of owners.entries()) {
    if (owner !== undefined) continue;
    const racks = spec.racksOf(topicId, partition);
    let least: Load | undefined;
    for (const load of subscribers) {
      if (least === undefined || load.count < least.count) least = load;
      // Among equals somebody near.
      else if (load.count === least.count && !isNear(least, racks) && isNear(load, racks)) least = load;
    }
    if (least === undefined) return;
    owners[partition] = least;
    least.count += 1;
  }
}

function isNear({ rackId }: Load, racks: readonly string[]): boolean {
  return rackId !== null && racks.includes(rackId);
}

/** Moves partitions of one topic from who has most to who has least. */
function evenOut({ owners, subscribers }: Topic): boolean {
  let moved = false;
  const byOwner = new Map<Load, number[]>();
  for (const [partition, owner] of owners.entries()) {
    if (owner === undefined) continue;
    const partitions = byOwner.get(owner) ?? [];
    partitions.push(partition);
    byOwner.set(owner, partitions);
  }
  for (;;) {
    let most: Load | undefined;
    for (const [load, partitions] of byOwner)
      if (partitions.length > 0 && (most === undefined || load.count > most.count)) most = load;
    let least: Load | undefined;
    for (const load of subscribers) if (least === undefined || load.count < least.count) least = load;
    if (most === undefined || least === undefined || most.count - least.count < 2) return moved;
    const partition = byOwner.get(most)?.pop();
    if (partition === undefined) return moved;
    owners[partition] = least;
    byOwner.set(least, [...(byOwner.get(least) ?? []), partition]);
    most.count -= 1;
    least.count += 1;
    moved = true;
  }
}
