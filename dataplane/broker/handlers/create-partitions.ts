import { ChangeRefused } from '../../cluster/change-refused.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { addPartitions, unknownTopic } from '../../cluster/topic-changes.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { CreatePartitionsRequest, createPartitions } from '../../protocol/api/create-partitions.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { ClusterChanges } from '../admin/cluster-changes.ts';
import { internalProblem } from '../admin/internal-topics.ts';
import { told } from '../admin/refusal-codes.ts';
import { repeated } from '../admin/repeated.ts';
import type { Handler } from '../handler.ts';
import type { ToldError } from '../log-error-codes.ts';

type TopicResponse = ResponseInput<typeof createPartitions>['results'][number];
type TopicRequest = CreatePartitionsRequest['topics'][number];

/** CreatePartitions. New partitions form groups of their own; which partitions share one never changes. */
export function createPartitionsHandler({
  changes,
}: {
  readonly changes: ClusterChanges;
}): Handler<typeof createPartitions> {
  return async (request) => {
    const twice = repeated(request.topics.map(({ name }) => name));
    const once = request.topics.filter(({ name }) => !twice.has(name));
    const outcomes = await changes.each(once, extended, request);
    const failures = new Map(once.map(({ name }, index) => [name, outcomes[index]]));
    return {
      throttleTimeMs: 0,
      results: request.topics.map(({ name }) =>
        answer(
          name,
          twice.has(name)
            ? told('INVALID_REQUEST', `the request names topic ${name} more than once`)
            : failures.get(name),
        ),
      ),
    };
  };
}

function extended(
  state: ClusterState,
  { name, count, assignments }: TopicRequest,
): ClusterState | ChangeRefused {
  const topic = state.topics.get(name);
  if (topic === undefined) return unknownTopic(name);
  const { partitions } = topic;
  const refused = internalProblem(name, topic, 'given more partitions');
  if (refused !== undefined) return refused;
  if (assignments === null || count <= partitions) return addPartitions(state, { topic: name, total: count });
  const added = count - partitions;
  if (assignments.length !== added) {
    return new ChangeRefused(
      'INVALID_REPLICAS',
      `topic ${name} is to get ${added} more partitions, but the request says of ${assignments.length} who owns them`,
    );
  }
  const lists = new Map(assignments.map(({ brokerIds }, index) => [partitions + index, brokerIds]));
  return addPartitions(state, { topic: name, total: count, assignments: lists });
}

function answer(name: string, failure: ToldError | undefined): TopicResponse {
  return {
    name,
    errorCode: failure?.code ?? kafkaErrors.NONE.code,
    errorMessage: failure?.message ?? null,
  };
}
