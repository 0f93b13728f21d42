import type { ClusterClient } from '../../cluster/cluster-client.ts';
import type { ClusterState, TopicEntry } from '../../cluster/cluster-state.ts';
import { isTopicName } from '../../cluster/topic-changes.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { MetadataRequest, metadata } from '../../protocol/api/metadata.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { isReservedTopic } from '../admin/internal-topics.ts';
import type { TopicCreation } from '../admin/topic-creation.ts';
import type { ClientZones } from '../client-zone.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Handler } from '../handler.ts';
import type { ToldError } from '../log-error-codes.ts';
import { clusterOperations, operationsNotAsked, topicOperations } from '../metadata/authorized-operations.ts';
import { clusterMetadata } from '../metadata/cluster-metadata.ts';
import type { ClusterMetadata, PartitionMetadata } from '../metadata/cluster-metadata.ts';
import { stateKnowing } from '../metadata/known-topics.ts';
import type { RequestContext } from '../request-context.ts';

type TopicResponse = ResponseInput<typeof metadata>['topics'][number];
type TopicRequest = NonNullable<MetadataRequest['topics']>[number];

interface Dependencies {
  readonly cluster: ClusterClient;
  readonly view: ClusterView;
  readonly runtime: Runtime;
  readonly creation: TopicCreation;
  readonly brokerId: number;
  readonly clientZones: ClientZones;
}

const noTopicId = '0'.repeat(32);
/** The first version whose clients know LISTENER_NOT_FOUND. */
const listenerErrorsFrom = 6;
/** The first version in which topics are really asked for by id. */
const topicIdsFrom = 12;

/**
 * Metadata: brokers and partitions as this broker knows them, at most a poll old. Topics that are asked for and do not
 * exist are created, if cluster and client allow it, and told as soon as they are there.
 */
export function metadataHandler(dependencies: Dependencies): Handler<typeof metadata> {
  return async (request, context) => {
    const asked = askedTopics(request, context);
    const names = asked?.flatMap(({ topicId, name }) =>
      topicId === noTopicId && name !== null ? [name] : [],
    );
    const failures = names === undefined ? noFailures : await create(dependencies, request, names);
    const state = await stateKnowing(dependencies, (known) => knowsAll(known, dependencies.view, asked));
    const told = clusterMetadata(state, context.connection.listener);
    const zone = dependencies.clientZones.of(context);
    return {
      throttleTimeMs: 0,
      brokers: told.brokersFrom(zone),
      clusterId: state.clusterId,
      controllerId: told.controllerFor(zone, dependencies.brokerId),
      topics:
        asked === undefined
          ? Array.from(state.topics, ([name, topic]) => found(told, name, topic, request, context))
          : asked.map((topic) => answer(dependencies, state, told, topic, failures, request, context)),
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
        ? clusterOperations
        : operationsNotAsked,
    };
  };
}

const noFailures: ReadonlyMap<string, number> = new Map();

/** Each topic once; `undefined`: all. */
function askedTopics(
  { topics }: MetadataRequest,
  { apiVersion }: RequestContext,
): TopicRequest[] | undefined {
  // Version 0 has no null: no topic means all of them.
  if (topics === null || (apiVersion === 0 && topics.length === 0)) return undefined;
  return [...new Map(topics.map((topic) => [`${topic.topicId}/${topic.name ?? ''}`, topic])).values()];
}

/** Creates those of the topics that do not exist and may be created. The error codes of those that could not be. */
async function create(
  { creation, cluster, runtime }: Dependencies,
  request: MetadataRequest,
  names: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (!request.allowAutoTopicCreation) return noFailures;
  const isMissing = (state: ClusterState | undefined, name: string): boolean =>
    isTopicName(name) && !isReservedTopic(name) && state?.topics.has(name) !== true;
  if (!names.some((name) => isMissing(cluster.current, name))) return noFailures;
  const state = await stateKnowing(
    { cluster, runtime },
    (known) => !names.some((name) => isMissing(known, name)),
  );
  const failures = new Map<string, number>();
  await Promise.all(
    names
      .filter((name) => isMissing(state, name))
      .map(async (name) => {
        const failure = await creation.createOnDemand(name);
        if (failure !== undefined) failures.set(name, creationErrorCode(failure));
      }),
  );
  return failures;
}

/** What cannot be created for good is said; for the rest the client asks again. */
function creationErrorCode({ name, code }: ToldError): number {
  return name === 'UNKNOWN_TOPIC_OR_PARTITION' || name === 'INVALID_TOPIC_EXCEPTION'
    ? code
    : kafkaErrors.LEADER_NOT_AVAILABLE.code;
}

function knowsAll(
  state: ClusterState,
  view: ClusterView,
  asked: readonly TopicRequest[] | undefined,
): boolean {
  return (asked ?? []).every(({ topicId, name }) =>
    topicId === noTopicId
      ? name === null || !isTopicName(name) || state.topics.has(name)
      : view.topicById(topicId) !== undefined,
  );
}

function answer(
  { view }: Dependencies,
  state: ClusterState,
  told: ClusterMetadata,
  { topicId, name }: TopicRequest,
  failures: ReadonlyMap<string, number>,
  request: MetadataRequest,
  context: RequestContext,
): TopicResponse {
  if (topicId !== noTopicId || name === null) {
    if (context.apiVersion < topicIdsFrom)
      return failed({ name: name ?? '', topicId }, kafkaErrors.INVALID_REQUEST.code);
    const topic = view.topicById(topicId);
    return topic === undefined
      ? failed({ name: null, topicId }, kafkaErrors.UNKNOWN_TOPIC_ID.code)
      : found(told, topic.name, topic.topic, request, context);
  }
  const topic = state.topics.get(name);
  if (topic !== undefined) return found(told, name, topic, request, context);
  const errorCode = isTopicName(name)
    ? (failures.get(name) ?? kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION.code)
    : kafkaErrors.INVALID_TOPIC_EXCEPTION.code;
  return failed({ name, topicId: noTopicId }, errorCode);
}

function found(
  told: ClusterMetadata,
  name: string,
  topic: TopicEntry,
  request: MetadataRequest,
  { apiVersion }: RequestContext,
): TopicResponse {
  const partitions = told.partitions(topic);
  return {
    errorCode: kafkaErrors.NONE.code,
    name,
    topicId: topic.topicId,
    isInternal: topic.internal,
    partitions: apiVersion < listenerErrorsFrom ? partitions.map(withOldErrors) : partitions,
    topicAuthorizedOperations: request.includeTopicAuthorizedOperations
      ? topicOperations
      : operationsNotAsked,
  };
}

function withOldErrors(partition: PartitionMetadata): PartitionMetadata {
  return partition.errorCode === kafkaErrors.LISTENER_NOT_FOUND.code
    ? { ...partition, errorCode: kafkaErrors.LEADER_NOT_AVAILABLE.code }
    : partition;
}

function failed(
  which: { readonly name: string | null; readonly topicId: string },
  errorCode: number,
): TopicResponse {
  return { ...which, errorCode, isInternal: false, partitions: [] };
}
