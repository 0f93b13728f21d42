import type { ClusterClient } from '../../cluster/cluster-client.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { isTopicName } from '../../cluster/topic-changes.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type {
  DescribeTopicPartitionsRequest,
  describeTopicPartitions,
} from '../../protocol/api/describe-topic-partitions.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Handler } from '../handler.ts';
import { topicOperations } from '../metadata/authorized-operations.ts';
import { clusterMetadata } from '../metadata/cluster-metadata.ts';
import { stateKnowing } from '../metadata/known-topics.ts';

type Response = ResponseInput<typeof describeTopicPartitions>;
type TopicResponse = Response['topics'][number];

/** Kafka's `max.request.partition.size.limit`. */
const maxPartitions = 2_000;
const noTopicId = '0'.repeat(32);

interface Dependencies {
  readonly cluster: ClusterClient;
  readonly runtime: Runtime;
}

/**
 * DescribeTopicPartitions (KIP-966): topics in the order of their names, a limited number of partitions at a time, with
 * the place where the next answer goes on.
 */
export function describeTopicPartitionsHandler({
  cluster,
  runtime,
}: Dependencies): Handler<typeof describeTopicPartitions> {
  return async (request, { connection }) => {
    const asked = request.topics.map(({ name }) => name);
    const state = await stateKnowing({ cluster, runtime }, (known) =>
      asked.every((name) => !isTopicName(name) || known.topics.has(name)),
    );
    const all = asked.length === 0;
    const names = [...new Set(all ? state.topics.keys() : asked)].toSorted(byCodeUnits);
    return { throttleTimeMs: 0, ...page(state, connection.listener, names, request) };
  };
}

function page(
  state: ClusterState,
  listener: string,
  names: readonly string[],
  { cursor, responsePartitionLimit }: DescribeTopicPartitionsRequest,
): Pick<Response, 'topics' | 'nextCursor'> {
  let room = Math.max(1, Math.min(responsePartitionLimit, maxPartitions));
  const topics: TopicResponse[] = [];
  for (const name of names) {
    if (cursor !== null && byCodeUnits(name, cursor.topicName) < 0) continue;
    if (room === 0) return { topics, nextCursor: { topicName: name, partitionIndex: 0 } };
    const first = name === cursor?.topicName ? Math.max(0, cursor.partitionIndex) : 0;
    const topic = describe(state, listener, name, first, room);
    topics.push(topic);
    room -= topic.partitions.length;
    const next = first + topic.partitions.length;
    const total = state.topics.get(name)?.partitions ?? 0;
    if (next < total) return { topics, nextCursor: { topicName: name, partitionIndex: next } };
  }
  return { topics, nextCursor: null };
}

function describe(
  state: ClusterState,
  listener: string,
  name: string,
  first: number,
  room: number,
): TopicResponse {
  const topic = state.topics.get(name);
  if (topic === undefined) {
    const error = isTopicName(name) ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'INVALID_TOPIC_EXCEPTION';
    const { code } = kafkaErrors[error];
    return { errorCode: code, name, topicId: noTopicId, isInternal: false, partitions: [] };
  }
  const partitions = clusterMetadata(state, listener)
    .partitions(topic)
    .slice(first, first + room);
  return {
    errorCode: kafkaErrors.NONE.code,
    name,
    topicId: topic.topicId,
    isInternal: topic.internal,
    partitions: partitions.map((partition) => ({
      ...partition,
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
    })),
    topicAuthorizedOperations: topicOperations,
  };
}

function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
