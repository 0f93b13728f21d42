import type { ClusterState } from '../../cluster/cluster-state.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { describeQuorum } from '../../protocol/api/describe-quorum.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Handler } from '../handler.ts';
import { splitAddress } from '../node-endpoints.ts';

type Response = ResponseInput<typeof describeQuorum>;
type PartitionResponse = Response['topics'][number]['partitions'][number];

/** The log of Kafka's quorum, which tools ask for by name. */
const metadataTopic = '__cluster_metadata';

interface Dependencies {
  readonly view: ClusterView;
  readonly runtime: Runtime;
  readonly brokerId: number;
}

/**
 * DescribeQuorum. There is no quorum: the object store orders all changes of the cluster state. For tools that show one,
 * the brokers that live are told as its voters, all up to date with the version of the state, and this broker as the
 * leader: it carries out what a controller would be asked for.
 */
export function describeQuorumHandler({
  view,
  runtime,
  brokerId,
}: Dependencies): Handler<typeof describeQuorum> {
  return ({ topics }) => {
    const { state } = view;
    if (state === undefined)
      return { errorCode: kafkaErrors.COORDINATOR_NOT_AVAILABLE.code, errorMessage: null, topics: [] };
    return {
      errorCode: kafkaErrors.NONE.code,
      errorMessage: null,
      topics: topics.map(({ topicName, partitions }) => ({
        topicName,
        partitions: partitions.map(({ partitionIndex }) =>
          topicName === metadataTopic && partitionIndex === 0
            ? quorum(state, brokerId, runtime.wallMs())
            : unknown(topicName, partitionIndex),
        ),
      })),
      nodes: liveBrokers(state).map(([nodeId, { listeners }]) => ({
        nodeId,
        listeners: Object.entries(listeners).map(([name, address]) => ({ name, ...splitAddress(address) })),
      })),
    };
  };
}

function quorum(state: ClusterState, leaderId: number, nowMs: number): PartitionResponse {
  return {
    partitionIndex: 0,
    errorCode: kafkaErrors.NONE.code,
    errorMessage: null,
    leaderId,
    leaderEpoch: 0,
    highWatermark: state.version,
    currentVoters: liveBrokers(state).map(([replicaId]) => ({
      replicaId,
      logEndOffset: state.version,
      lastFetchTimestamp: nowMs,
      lastCaughtUpTimestamp: nowMs,
    })),
    observers: [],
  };
}

function unknown(topic: string, partitionIndex: number): PartitionResponse {
  return {
    partitionIndex,
    errorCode: kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION.code,
    errorMessage: `only partition 0 of ${metadataTopic} can be asked for, not ${topic}/${partitionIndex}`,
    leaderId: -1,
    leaderEpoch: -1,
    highWatermark: -1,
    currentVoters: [],
    observers: [],
  };
}

function liveBrokers({
  brokers,
}: ClusterState): [number, { readonly listeners: Readonly<Record<string, string>> }][] {
  return [...brokers].filter(([, { state }]) => state !== 'dead');
}
