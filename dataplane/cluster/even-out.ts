import { Balance } from './balance.ts';
import type { Movable } from './balance.ts';
import type { ClusterState } from './cluster-state.ts';
import type { Fleet } from './fleet.ts';
import { idleUpTo } from './group-loads.ts';
import { handingOver } from './ownership.ts';
import type { PartitionGroup } from './partition-groups.ts';
import type { PlacementMove } from './placement-move.ts';
import type { TopicGroups } from './topic-groups.ts';

/** A broker that takes in less than so many bytes per second has not too much to do, whatever the others have. */
export const leastBytesPerSecond = 256 * 1024;

/**
 * Evens out the steady brokers: first bytes per second; then partitions, for which only groups that are idle move, so that
 * the bytes stay as even as they are.
 *
 * @param topics with the owners that the rules have given them; changed with every move
 */
export function evenOut(
  state: ClusterState,
  topics: readonly TopicGroups[],
  fleet: Fleet,
  steady: ReadonlySet<number>,
  maxMoves: number,
): PlacementMove[] {
  const brokers = fleet.takers.filter((broker) => steady.has(fleet.ids[broker] ?? -1));
  if (brokers.length < 2) return [];
  const isSteady = fleet.ids.map(() => false);
  for (const broker of brokers) isSteady[broker] = true;
  const groupsOn = fleet.ids.map((): Movable[] => []);
  const known: number[] = [];
  for (const topic of topics) {
    const staysInZone = topic.topic?.homeZone !== undefined;
    for (const [index, group] of topic.groups.entries()) {
      const owner = topic.owners[index] ?? -1;
      if (isSteady[owner] !== true) continue;
      const bytes = topic.bytes[index] ?? 0;
      known.push(bytes);
      if (isFree(state, fleet, topic, index))
        groupsOn[owner]?.push({ topic, index, group, bytes, staysInZone });
    }
  }
  const idle = idleUpTo(Float64Array.from(known), brokers.length);
  const sums = (weightOf: (group: PartitionGroup, bytes: number) => number): Float64Array => {
    const loads = new Float64Array(fleet.ids.length);
    for (const { groups, owners, bytes } of topics) {
      for (const [index, group] of groups.entries()) {
        const owner = owners[index] ?? -1;
        if (isSteady[owner] === true) loads[owner] = (loads[owner] ?? 0) + weightOf(group, bytes[index] ?? 0);
      }
    }
    return loads;
  };
  const byBytes = new Balance(fleet, brokers, groupsOn, {
    loads: sums((_group, bytes) => (bytes > idle ? bytes : 0)),
    weightOf: ({ bytes }) => (bytes > idle ? bytes : 0),
    leastLoad: leastBytesPerSecond,
  }).run(maxMoves);
  const byPartitions = new Balance(fleet, brokers, groupsOn, {
    loads: sums(({ count }) => count),
    weightOf: ({ bytes, group }) => (bytes > idle ? 0 : group.count),
    leastLoad: 0,
  }).run(maxMoves - byBytes.length);
  return [...byBytes, ...byPartitions];
}

/** Whether nothing speaks against moving a group that is well where it is. */
function isFree(
  state: ClusterState,
  fleet: Fleet,
  { topic, assignments, owners }: TopicGroups,
  index: number,
): boolean {
  const assignment = assignments[index];
  if (topic === undefined || assignment === undefined) return false;
  const owner = fleet.ids[owners[index] ?? -1];
  // A hand-over that the rules leave alone; one that they have ended is none any more.
  if (owner === assignment.broker && handingOver(state, assignment) !== undefined) return false;
  return topic.replicas?.get(index)?.[0] !== owner;
}
