import type { ClusterClient } from '../../cluster/cluster-client.ts';
import { ChangeRefused } from '../../cluster/change-refused.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { groupOf } from '../../cluster/partition-groups.ts';
import { reassignGroup } from '../../cluster/reassign-replicas.ts';
import { replicasOf } from '../../cluster/replicas.ts';
import { unknownTopic } from '../../cluster/topic-changes.ts';
import type {
  AlterPartitionReassignmentsRequest,
  alterPartitionReassignments,
} from '../../protocol/api/alter-partition-reassignments.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { ClusterChanges } from '../admin/cluster-changes.ts';
import { told } from '../admin/refusal-codes.ts';
import type { Handler } from '../handler.ts';
import type { ToldError } from '../log-error-codes.ts';
import { stateKnowing } from '../metadata/known-topics.ts';

interface Dependencies {
  readonly cluster: ClusterClient;
  readonly runtime: Runtime;
  readonly changes: ClusterChanges;
}

/** What is asked of one group. */
interface GroupRequest {
  readonly name: string;
  readonly partitions: ReadonlyMap<number, readonly number[] | null>;
}

/**
 * AlterPartitionReassignments (KIP-455). The first broker of a list becomes the owner, by hand-over; Metadata then names
 * the whole list. A group has one owner, so all its partitions have to be moved alike: each group has its own outcome,
 * which is told for each of its partitions.
 */
export function alterPartitionReassignmentsHandler({
  cluster,
  runtime,
  changes,
}: Dependencies): Handler<typeof alterPartitionReassignments> {
  return async ({ topics, timeoutMs, allowReplicationFactorChange }) => {
    const state = await stateKnowing({ cluster, runtime }, (known) =>
      topics.every(({ name }) => known.topics.has(name)),
    );
    const { groups, unknown } = byGroup(state, topics);
    const outcomes = await changes.each(
      groups,
      (now, group) => reassigned(now, group, allowReplicationFactorChange),
      { timeoutMs },
    );
    const failures = new Map(unknown);
    groups.forEach(({ name, partitions }, index) => {
      const failure = outcomes[index];
      if (failure === undefined) return;
      for (const partition of partitions.keys()) failures.set(keyOf(name, partition), failure);
    });
    // Admin clients look for another controller only when the whole answer says so.
    const isMisdirected =
      outcomes.length > 0 && outcomes.every((outcome) => outcome?.name === 'NOT_CONTROLLER');
    const whole = isMisdirected ? outcomes[0] : undefined;
    return {
      throttleTimeMs: 0,
      allowReplicationFactorChange,
      errorCode: whole?.code ?? kafkaErrors.NONE.code,
      errorMessage: whole?.message ?? null,
      responses: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => {
          const failure = failures.get(keyOf(name, partitionIndex));
          return {
            partitionIndex,
            errorCode: failure?.code ?? kafkaErrors.NONE.code,
            errorMessage: failure?.message ?? null,
          };
        }),
      })),
    };
  };
}

function byGroup(
  state: ClusterState,
  topics: AlterPartitionReassignmentsRequest['topics'],
): { readonly groups: readonly GroupRequest[]; readonly unknown: ReadonlyMap<string, ToldError> } {
  const groups = new Map<string, { name: string; partitions: Map<number, readonly number[] | null> }>();
  const unknown = new Map<string, ToldError>();
  for (const { name, partitions } of topics) {
    const topic = state.topics.get(name);
    for (const { partitionIndex, replicas } of partitions) {
      const group = topic === undefined ? undefined : groupOf(topic, partitionIndex);
      if (group === undefined) {
        const message =
          topic === undefined
            ? unknownTopic(name).message
            : `topic ${name} has no partition ${partitionIndex}, only 0 to ${topic.partitions - 1}`;
        unknown.set(keyOf(name, partitionIndex), told('UNKNOWN_TOPIC_OR_PARTITION', message));
        continue;
      }
      const asked = groups.get(group.id) ?? { name, partitions: new Map<number, readonly number[] | null>() };
      asked.partitions.set(partitionIndex, replicas);
      groups.set(group.id, asked);
    }
  }
  return { groups: [...groups.values()], unknown };
}

function reassigned(
  state: ClusterState,
  { name, partitions }: GroupRequest,
  allowReplicationFactorChange: boolean,
): ClusterState | ChangeRefused {
  const topic = state.topics.get(name);
  const [first] = partitions;
  const group = topic === undefined || first === undefined ? undefined : groupOf(topic, first[0]);
  if (topic === undefined || group === undefined || first === undefined) return unknownTopic(name);
  const [partition, asked] = first;
  const present = replicasOf(state).of(topic, group).replicas.length;
  if (!allowReplicationFactorChange && asked !== null && asked.length !== present) {
    return new ChangeRefused(
      'INVALID_REPLICATION_FACTOR',
      `partition ${partition} of topic ${name} has ${present} replicas, the request gives it ${asked.length} and says that ` +
        'their number must not change',
    );
  }
  return reassignGroup(state, name, topic, group, partitions);
}

function keyOf(topic: string, partition: number): string {
  return `${topic}/${partition}`;
}
