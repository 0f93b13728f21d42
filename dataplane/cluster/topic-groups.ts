import type { Assignment, ClusterState, GroupLayout, TopicEntry } from './cluster-state.ts';
import type { Fleet } from './fleet.ts';
import { noLoads } from './group-loads.ts';
import type { GroupLoads } from './group-loads.ts';
import { groupsOf } from './partition-groups.ts';
import type { PartitionGroup } from './partition-groups.ts';

/** The groups of one topic and where they are: what planning looks at, and changes as it goes. */
export interface TopicGroups {
  readonly name: string;
  readonly topicId: string;
  /** `undefined`: it is deleted, and its groups stay with somebody until their prefixes are empty. */
  readonly topic: TopicEntry | undefined;
  readonly groups: readonly PartitionGroup[];
  /** Of each group. `undefined` for a deleted topic: nobody needs it any more. */
  readonly assignments: readonly (Assignment | undefined)[];
  /** Of each group: bytes per second, in whole numbers, so that sums are exact. */
  readonly bytes: readonly number[];
  /** Of each group: the index of its broker in the fleet, -1: none that the state knows. */
  readonly owners: number[];
}

/**
 * A group of which nothing is known, because its broker has not told, is taken to have as many bytes as the known ones
 * have on average, by partitions: it must not look idle.
 */
export function topicGroupsOf(state: ClusterState, fleet: Fleet, loads: GroupLoads = noLoads): TopicGroups[] {
  const all: Surveyed[] = [];
  for (const [name, topic] of state.topics) all.push(survey(state, fleet, loads, name, topic, topic));
  for (const topic of state.deletedTopics.values())
    all.push(survey(state, fleet, loads, topic.name, topic, undefined));
  if (loads.bytes.size > 0) fillUnknown(all);
  return all;
}

type Surveyed = TopicGroups & { readonly bytes: number[] };

const unknown = -1;

function survey(
  state: ClusterState,
  fleet: Fleet,
  loads: GroupLoads,
  name: string,
  layout: GroupLayout,
  topic: TopicEntry | undefined,
): Surveyed {
  const groups = groupsOf(layout);
  const assignments: (Assignment | undefined)[] = [];
  const owners: number[] = [];
  const bytes: number[] = [];
  for (const { id } of groups) {
    const assignment = state.assignments.get(id);
    assignments.push(assignment);
    owners.push(assignment === undefined ? -1 : fleet.indexOf(assignment.broker));
    if (loads.bytes.size === 0) bytes.push(0);
    else {
      const isKnown = assignment !== undefined && loads.brokers.has(assignment.broker);
      bytes.push(Math.round(loads.bytes.get(id) ?? (isKnown ? 0 : unknown)));
    }
  }
  return { name, topicId: layout.topicId, topic, groups, assignments, bytes, owners };
}

function fillUnknown(topics: readonly Surveyed[]): void {
  let sum = 0;
  let partitions = 0;
  for (const { groups, bytes } of topics) {
    let index = 0;
    for (const { count } of groups) {
      const load = bytes[index++] ?? unknown;
      if (load === unknown) continue;
      sum += load;
      partitions += count;
    }
  }
  const average = partitions === 0 ? 0 : sum / partitions;
  for (const { groups, bytes } of topics) {
    if (!bytes.includes(unknown)) continue;
    for (const [index, { count }] of groups.entries())
      if (bytes[index] === unknown) bytes[index] = Math.round(count * average);
  }
}

/** An order that depends on names only. Several deleted topics may have the name of a topic. */
export function byTopicName(a: TopicGroups, b: TopicGroups): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return a.topicId < b.topicId ? -1 : a.topicId > b.topicId ? 1 : 0;
}
