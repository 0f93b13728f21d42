import type { GroupLayout, GroupRange } from './cluster-state.ts';

/**
 * Partition groups (log.md 2.1): the fixed sets of partitions of one topic that have one manifest, one epoch and one
 * owner. The layout stands in the cluster state and is only ever appended to: a partition never changes its group.
 *
 *   groups: [[0, 10, 1], [10, 990, 16]]      created with 10 partitions, extended to 1,000
 *   ids:    <topicId>-0 … <topicId>-9        one partition each
 *           <topicId>-10 … <topicId>-71      partitions 10–25, 26–41, …, 986–999
 */
export interface PartitionGroup {
  /** `<topicId>-<index>`: the id in assignments, keys and manifests. */
  readonly id: string;
  readonly index: number;
  readonly firstPartition: number;
  readonly count: number;
}

export const maxPartitionsOfTopic = 200_000;
const maxGroupSize = 64;
const ungroupedUpTo = 64;

export function groupId(topicId: string, index: number): string {
  return `${topicId}-${index}`;
}

/** The topic id and index that an id is made of; `undefined` when it is no group id. */
export function parseGroupId(id: string): { readonly topicId: string; readonly index: number } | undefined {
  const match = /^([0-9a-f]{32})-(0|[1-9][0-9]{0,5})$/.exec(id);
  return match?.[1] === undefined ? undefined : { topicId: match[1], index: Number(match[2]) };
}

/** How many partitions share a group among those that are created when the topic gets `partitions` in all. */
export function groupSizeOf(partitions: number, internal: boolean): number {
  if (internal || partitions <= ungroupedUpTo) return 1;
  return Math.min(maxGroupSize, Math.ceil(partitions / 64));
}

/** The layout after partitions were added (from 0: created). What stood there stays as it was. */
export function extendGroups(
  groups: readonly GroupRange[],
  partitions: { readonly before: number; readonly after: number },
  internal: boolean,
): readonly GroupRange[] {
  const { before, after } = partitions;
  return [...groups, [before, after - before, groupSizeOf(after, internal)]];
}

export function groupCountOf(layout: GroupLayout): number {
  return layout.groups.reduce((sum, [, count, groupSize]) => sum + Math.ceil(count / groupSize), 0);
}

/** All groups in the order of their index, which is the order of their partitions. */
export function groupsOf(layout: GroupLayout): PartitionGroup[] {
  const groups: PartitionGroup[] = [];
  for (const [first, count, groupSize] of layout.groups) {
    for (let at = 0; at < count; at += groupSize) {
      groups.push({
        id: groupId(layout.topicId, groups.length),
        index: groups.length,
        firstPartition: first + at,
        count: Math.min(groupSize, count - at),
      });
    }
  }
  return groups;
}

/** The group of a partition; `undefined` when the topic has no such partition. Runs in the number of ranges: a few. */
export function groupOf(layout: GroupLayout, partition: number): PartitionGroup | undefined {
  if (!Number.isInteger(partition) || partition < 0) return undefined;
  let firstIndex = 0;
  for (const [first, count, groupSize] of layout.groups) {
    if (partition < first + count) {
      const inRange = Math.floor((partition - first) / groupSize);
      const firstPartition = first + inRange * groupSize;
      return {
        id: groupId(layout.topicId, firstIndex + inRange),
        index: firstIndex + inRange,
        firstPartition,
        count: Math.min(groupSize, first + count - firstPartition),
      };
    }
    firstIndex += Math.ceil(count / groupSize);
  }
  return undefined;
}

/** What is wrong with a layout, or `undefined`. */
export function layoutProblem(layout: GroupLayout): string | undefined {
  let next = 0;
  for (const [first, count, groupSize] of layout.groups) {
    if (first !== next) return `a range of groups begins at partition ${first}, ${next} was expected`;
    if (count < 1) return `the range of groups at partition ${first} has ${count} partitions`;
    if (groupSize < 1 || groupSize > maxGroupSize)
      return `a group has ${groupSize} partitions, 1 to ${maxGroupSize} are allowed`;
    next += count;
  }
  return next === layout.partitions
    ? undefined
    : `the groups cover ${next} partitions, the topic has ${layout.partitions}`;
}
