import type { ClusterClient } from '../../cluster/cluster-client.ts';
import type { ClusterState, TopicEntry } from '../../cluster/cluster-state.ts';
import { handingOver } from '../../cluster/ownership.ts';
import { groupsOf } from '../../cluster/partition-groups.ts';
import { replicasOf } from '../../cluster/replicas.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { listPartitionReassignments } from '../../protocol/api/list-partition-reassignments.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Handler } from '../handler.ts';
import { stateKnowing } from '../metadata/known-topics.ts';

type PartitionResponse = ResponseInput<
  typeof listPartitionReassignments
>['topics'][number]['partitions'][number];

interface Dependencies {
  readonly cluster: ClusterClient;
  readonly runtime: Runtime;
}

/**
 * ListPartitionReassignments (KIP-455): the partitions that are being handed over, whoever wanted that. Reads the cluster
 * state anew: who has just begun a reassignment at another broker must not be told that it is over.
 */
export function listPartitionReassignmentsHandler({
  cluster,
  runtime,
}: Dependencies): Handler<typeof listPartitionReassignments> {
  return async ({ topics }) => {
    const state = await stateKnowing({ cluster, runtime }, () => false);
    const asked =
      topics ?? Array.from(state.topics.keys(), (name) => ({ name, partitionIndexes: undefined }));
    return {
      throttleTimeMs: 0,
      errorCode: kafkaErrors.NONE.code,
      errorMessage: null,
      topics: asked.flatMap(({ name, partitionIndexes }) => {
        const topic = state.topics.get(name);
        const partitions = topic === undefined ? [] : moving(state, topic, partitionIndexes);
        return partitions.length === 0 ? [] : [{ name, partitions }];
      }),
    };
  };
}

function moving(
  state: ClusterState,
  topic: TopicEntry,
  asked: readonly number[] | undefined,
): PartitionResponse[] {
  const wanted = asked === undefined ? undefined : new Set(asked);
  return groupsOf(topic).flatMap((group) => {
    const assignment = state.assignments.get(group.id);
    const from = assignment === undefined ? undefined : handingOver(state, assignment);
    if (assignment === undefined || from === undefined) return [];
    const { replicas } = replicasOf(state).of(topic, group);
    const stays = topic.replicas?.get(group.index)?.includes(from.broker) ?? false;
    return Array.from({ length: group.count }, (_, index) => group.firstPartition + index)
      .filter((partition) => wanted?.has(partition) ?? true)
      .map((partitionIndex) => ({
        partitionIndex,
        replicas,
        addingReplicas: [assignment.broker],
        removingReplicas: stays ? [] : [from.broker],
      }));
  });
}
