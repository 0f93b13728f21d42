import { assign } from './assign.ts';
import { liveSession } from './broker-changes.ts';
import { ChangeRefused } from './change-refused.ts';
import type { ClusterState } from './cluster-state.ts';
import { groupOf } from './partition-groups.ts';
import type { PartitionGroup } from './partition-groups.ts';
import { place } from './place.ts';
import type { Placed } from './place.ts';
import { ownerProblem, replicasOfGroup } from './requested-replicas.ts';
import { unknownPartition, unknownTopic } from './topic-changes.ts';

export interface Move {
  readonly topic: string;
  readonly partition: number;
  /** Broker id of the new owner. */
  readonly to: number;
}

/**
 * Gives partition groups other owners, by hand-over from the old one while its session lives. All or nothing. Only whole
 * groups: a group has one owner, so the moves must name all its partitions, all with the same target.
 *
 * To cancel a hand-over, move the group back to `from`.
 */
export function reassign(state: ClusterState, moves: readonly Move[]): ClusterState | ChangeRefused {
  const placed: Placed[] = [];
  for (const [topicName, ofTopic] of Map.groupBy(moves, ({ topic }) => topic)) {
    const topic = state.topics.get(topicName);
    if (topic === undefined) return unknownTopic(topicName);
    const ofGroup = new Map<
      string,
      { readonly group: PartitionGroup; readonly asked: Map<number, number[]> }
    >();
    for (const { partition, to } of ofTopic) {
      const group = groupOf(topic, partition);
      if (group === undefined) return unknownPartition(topicName, topic, partition);
      const moved = ofGroup.get(group.id) ?? { group, asked: new Map<number, number[]>() };
      moved.asked.set(partition, [to]);
      ofGroup.set(group.id, moved);
    }
    for (const { group, asked } of ofGroup.values()) {
      const owners = replicasOfGroup(topicName, group, asked);
      if (owners instanceof ChangeRefused) return owners;
      const [to] = owners;
      if (to === undefined || state.assignments.get(group.id)?.broker === to) continue;
      const problem = ownerProblem(state, { name: topicName, ...topic }, group, to);
      if (problem !== undefined) return problem;
      placed.push({ group: group.id, broker: to });
    }
  }
  return assign(state, placed);
}

/** Gives all groups of a broker that drains to others, by hand-over, as far as there are others. */
export function moveAway(
  state: ClusterState,
  broker: { readonly id: number; readonly sid: string },
): ClusterState | ChangeRefused {
  const entry = liveSession(state, broker.id, broker.sid);
  if (entry instanceof ChangeRefused) return entry;
  return assign(state, place(state, new Set([broker.id])));
}

/**
 * The new owner serves: it is the leader from here on, and the group has a manifest. Groups that have another owner or generation by now are left
 * alone.
 */
export function clearFrom(
  state: ClusterState,
  served: {
    readonly broker: { readonly id: number; readonly sid: string };
    readonly groups: readonly { readonly group: string; readonly generation: number }[];
  },
): ClusterState | ChangeRefused {
  const { broker, groups } = served;
  const entry = liveSession(state, broker.id, broker.sid);
  if (entry instanceof ChangeRefused) return entry;
  const assignments = new Map(state.assignments);
  let cleared = 0;
  for (const { group, generation } of groups) {
    const assignment = assignments.get(group);
    if (assignment?.broker !== broker.id || assignment.generation !== generation) continue;
    const { from, ...kept } = assignment;
    if (from === undefined && assignment.hasManifest === true) continue;
    assignments.set(group, { ...kept, hasManifest: true });
    cleared += 1;
  }
  return cleared === 0 ? state : { ...state, assignments };
}

/**
 * The old owner has released: it serves no more, and the new one may acquire at once. Groups that have another owner or
 * generation by now are left alone. Only a hint: when it never comes, the new owner finds the released manifest itself.
 */
export function handOver(
  state: ClusterState,
  released: {
    readonly broker: { readonly id: number; readonly sid: string };
    readonly groups: readonly { readonly group: string; readonly generation: number }[];
  },
): ClusterState | ChangeRefused {
  const { broker, groups } = released;
  const entry = liveSession(state, broker.id, broker.sid);
  if (entry instanceof ChangeRefused) return entry;
  const assignments = new Map(state.assignments);
  let cleared = 0;
  for (const { group, generation } of groups) {
    const assignment = assignments.get(group);
    if (assignment?.from?.sid !== broker.sid || assignment.generation !== generation) continue;
    const { from: _released, ...kept } = assignment;
    assignments.set(group, kept);
    cleared += 1;
  }
  return cleared === 0 ? state : { ...state, assignments };
}
