import { ChangeRefused } from './change-refused.ts';
import type { ClusterState, TopicEntry } from './cluster-state.ts';
import { handingOver } from './ownership.ts';
import type { PartitionGroup } from './partition-groups.ts';
import { reassign } from './reassign.ts';
import { replicasOfGroup, replicasProblem, withReplicas } from './requested-replicas.ts';

/** By partition: the brokers it is to have, or `null`: what is under way is to be called off. */
export type ReplicaReassignment = ReadonlyMap<number, readonly number[] | null>;

/**
 * Reassigns one group as Kafka's AlterPartitionReassignments has it: the first broker of the list becomes the owner, by
 * hand-over, and Metadata names exactly the list. All partitions of the group have to be asked for alike. Calling off
 * gives the group back to whom it was to come from.
 */
export function reassignGroup(
  state: ClusterState,
  name: string,
  topic: TopicEntry,
  group: PartitionGroup,
  asked: ReplicaReassignment,
): ClusterState | ChangeRefused {
  const list = replicasOfGroup(name, group, new Map([...asked].map(([at, brokers]) => [at, brokers ?? []])));
  if (list instanceof ChangeRefused) return list;
  const isCancel = asked.get(group.firstPartition) === null;
  const to = isCancel ? movingFrom(state, group) : list[0];
  if (isCancel && to === undefined) {
    return new ChangeRefused(
      'NO_REASSIGNMENT',
      `nothing can be called off: no reassignment of partition ${group.firstPartition} of topic ${name} is under way`,
    );
  }
  const problem = isCancel ? undefined : replicasProblem(state, name, group.firstPartition, list);
  if (problem !== undefined || to === undefined) return problem ?? state;
  const moves = Array.from({ length: group.count }, (_, index) => ({
    topic: name,
    partition: group.firstPartition + index,
    to,
  }));
  const moved = reassign(state, moves);
  if (moved instanceof ChangeRefused) return moved;
  const before = topic.replicas?.get(group.index);
  const after = isCancel ? undefined : list;
  if (before?.join(',') === after?.join(',')) return moved;
  const changed = withReplicas(topic, new Map([[group.index, after]]));
  return { ...moved, topics: new Map(moved.topics).set(name, changed) };
}

function movingFrom(state: ClusterState, group: PartitionGroup): number | undefined {
  const assignment = state.assignments.get(group.id);
  return assignment === undefined ? undefined : handingOver(state, assignment)?.broker;
}
