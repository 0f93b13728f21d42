import type { offsetCommit, OffsetCommitRequest } from '../../../protocol/api/offset-commit.ts';
import type { offsetDelete, OffsetDeleteRequest } from '../../../protocol/api/offset-delete.ts';
import type { offsetFetch, OffsetFetchRequest } from '../../../protocol/api/offset-fetch.ts';
import type { ResponseInput } from '../../../protocol/api.ts';
import { errorCode } from '../../../protocol/error-code.ts';
import type { RequestContext } from '../../request-context.ts';
import type { TopicsView } from '../topics-view.ts';
import type { GroupCoordinator } from '../group-coordinator.ts';
import type { CommitAnswer } from '../offsets/offset-commit.ts';
import { noTopicId } from '../offsets/committed-offsets.ts';
import { fetchOffsets } from '../offsets/offset-fetch.ts';
import type { FetchedOffset, FetchedTopic } from '../offsets/offset-fetch.ts';
import { codeOf } from './answer-errors.ts';

type CommitTopic = OffsetCommitRequest['topics'][number];
type FetchGroup = OffsetFetchRequest['groups'][number];
type FetchTopic = NonNullable<FetchGroup['topics']>[number];
type FetchedGroup = NonNullable<ResponseInput<typeof offsetFetch>['groups']>[number];
type FetchedTopicAnswer = FetchedGroup['topics'][number];

/** From this version of OffsetCommit and OffsetFetch on topics have ids instead of names. */
const topicIdsFrom = 10;
/** From this version of OffsetFetch on it asks for several groups. */
const fetchesGroupsFrom = 8;
/** From this version of OffsetFetch on an error of the whole group has a place of its own. */
const fetchHasErrorFrom = 2;

/** OffsetCommit, OffsetFetch, OffsetDelete. */
export class OffsetHandlers {
  readonly #coordinator: GroupCoordinator;

  constructor(coordinator: GroupCoordinator) {
    this.#coordinator = coordinator;
  }

  async offsetCommit(
    request: OffsetCommitRequest,
    context: RequestContext,
  ): Promise<ResponseInput<typeof offsetCommit>> {
    const { apiVersion } = context;
    const { view } = this.#coordinator;
    const named = request.topics.map((topic) => ({ topic, ...resolveCommitted(view, topic, apiVersion) }));
    const resolved = named.flatMap(({ topic, name, topicId }) =>
      name === undefined
        ? []
        : [
            {
              name,
              topicId,
              partitionCount: view.topicByName(name)?.partitions ?? 0,
              partitions: topic.partitions,
            },
          ],
    );
    const answers = await this.#commit({ request, apiVersion, topics: resolved });
    let next = 0;
    return {
      topics: named.map(({ topic, name, problem }) => {
        const codes = name === undefined ? [] : (answers[next++] ?? []);
        return {
          name: topic.name,
          topicId: topic.topicId,
          partitions: topic.partitions.map(({ partitionIndex }, i) => ({
            partitionIndex,
            errorCode: codes[i] ?? problem,
          })),
        };
      }),
    };
  }

  async #commit(commit: {
    readonly request: OffsetCommitRequest;
    readonly apiVersion: number;
    readonly topics: readonly {
      readonly name: string;
      readonly topicId: string | undefined;
      readonly partitionCount: number;
      readonly partitions: CommitTopic['partitions'];
    }[];
  }): Promise<CommitAnswer> {
    const { groupId } = commit.request;
    if (commit.topics.length === 0) return [];
    try {
      const shard = this.#coordinator.shardOf(groupId);
      return await shard.write<CommitAnswer>(groupId, (operation, waiter) => {
        operation.answer(waiter, shard.requests.commit(operation, commit));
      });
    } catch (error) {
      const code = codeOf(error);
      return commit.topics.map(({ partitions }) => partitions.map(() => code));
    }
  }

  async offsetFetch(
    request: OffsetFetchRequest,
    context: RequestContext,
  ): Promise<ResponseInput<typeof offsetFetch>> {
    const { apiVersion } = context;
    if (apiVersion >= fetchesGroupsFrom) {
      return { groups: await Promise.all(request.groups.map((group) => this.#fetch(group, apiVersion))) };
    }
    const { groupId } = request;
    const topics = request.topics?.map((topic) => ({ ...topic, topicId: noTopicId })) ?? null;
    const group = await this.#fetch({ groupId, memberId: null, memberEpoch: -1, topics }, apiVersion);
    const code = group.errorCode ?? errorCode.NONE;
    // Version 1 has no place for it but the partitions.
    const answers =
      code === errorCode.NONE || apiVersion >= fetchHasErrorFrom
        ? group.topics
        : failedTopics(topics ?? [], code);
    return {
      topics: answers.map(({ name, partitions }) => ({ name: name ?? '', partitions })),
      errorCode: code,
    };
  }

  async #fetch(request: FetchGroup, apiVersion: number): Promise<FetchedGroup> {
    const { groupId, memberId, memberEpoch, topics } = request;
    const { view } = this.#coordinator;
    const named = topics?.map((topic) => ({ topic, ...resolveFetched(view, topic, apiVersion) }));
    const wanted = named?.flatMap(({ topic, name, topicId }) =>
      name === undefined ? [] : [{ name, topicId, partitionIndexes: topic.partitionIndexes }],
    );
    try {
      const shard = this.#coordinator.shardOf(groupId);
      const fetched = await shard.read(groupId, (state) => {
        state.requests.checkFetch(groupId, memberId, memberEpoch);
        return fetchOffsets(state, groupId, wanted ?? null);
      });
      if (named === undefined)
        return { groupId, topics: allTopics(fetched, view, apiVersion), errorCode: errorCode.NONE };
      let next = 0;
      const answers = named.map(({ topic, name, problem }): FetchedTopicAnswer => {
        if (name === undefined) return failedTopic(topic, problem);
        return {
          ...topicNames(topic),
          partitions: (fetched[next++]?.partitions ?? []).map(fetchedPartition),
        };
      });
      return { groupId, topics: answers, errorCode: errorCode.NONE };
    } catch (error) {
      return { groupId, topics: [], errorCode: codeOf(error) };
    }
  }

  async offsetDelete(request: OffsetDeleteRequest): Promise<ResponseInput<typeof offsetDelete>> {
    const { groupId } = request;
    const { view } = this.#coordinator;
    // Topics that do not exist have their own error; offsets they left behind are cleared up by themselves.
    const topics = request.topics.filter(({ name }) => view.topicByName(name) !== undefined);
    try {
      const shard = this.#coordinator.shardOf(groupId);
      const codes = await shard.write<readonly (readonly number[])[]>(groupId, (operation, waiter) => {
        operation.answer(waiter, shard.requests.deleteOffsets(operation, { groupId, topics }));
      });
      return {
        errorCode: errorCode.NONE,
        throttleTimeMs: 0,
        topics: request.topics.map((topic) => ({
          name: topic.name,
          partitions: topic.partitions.map(({ partitionIndex }, i) => ({
            partitionIndex,
            errorCode: codes[topics.indexOf(topic)]?.[i] ?? errorCode.UNKNOWN_TOPIC_OR_PARTITION,
          })),
        })),
      };
    } catch (error) {
      return { errorCode: codeOf(error), throttleTimeMs: 0, topics: [] };
    }
  }
}

interface ResolvedTopic {
  /** Undefined: the topic is unknown, and `problem` says how. */
  readonly name: string | undefined;
  readonly topicId: string | undefined;
  readonly problem: number;
}

type TopicReference = { readonly name: string; readonly topicId: string };

function resolveCommitted(
  view: TopicsView,
  { name, topicId }: TopicReference,
  apiVersion: number,
): ResolvedTopic {
  if (apiVersion >= topicIdsFrom) return resolveById(view, topicId);
  const topic = view.topicByName(name);
  return { name: topic?.name, topicId: topic?.topicId, problem: errorCode.UNKNOWN_TOPIC_OR_PARTITION };
}

/** By name also offsets of topics that do not exist (any more) are found, as in Kafka. */
function resolveFetched(
  view: TopicsView,
  { name, topicId }: TopicReference,
  apiVersion: number,
): ResolvedTopic {
  if (apiVersion >= topicIdsFrom) return resolveById(view, topicId);
  return { name, topicId: undefined, problem: errorCode.NONE };
}

function resolveById(view: TopicsView, topicId: string): ResolvedTopic {
  return { name: view.topicById(topicId)?.name, topicId, problem: errorCode.UNKNOWN_TOPIC_ID };
}

function topicNames({ name, topicId }: FetchTopic): { name: string; topicId: string } {
  return { name, topicId };
}

function failedTopics(topics: readonly FetchTopic[], code: number): FetchedTopicAnswer[] {
  return topics.map((topic) => failedTopic(topic, code));
}

function failedTopic(topic: FetchTopic, code: number): FetchedTopicAnswer {
  return {
    ...topicNames(topic),
    partitions: topic.partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: -1,
      committedLeaderEpoch: -1,
      metadata: '',
      errorCode: code,
    })),
  };
}

/** Everything that a group has committed. With ids only what still exists can be named. */
function allTopics(
  fetched: readonly FetchedTopic[],
  view: TopicsView,
  apiVersion: number,
): FetchedTopicAnswer[] {
  return fetched.flatMap(({ name, partitions }) => {
    const topicId = view.topicByName(name)?.topicId;
    if (apiVersion >= topicIdsFrom && topicId === undefined) return [];
    return [{ name, topicId: topicId ?? noTopicId, partitions: partitions.map(fetchedPartition) }];
  });
}

function fetchedPartition({ partition, committed }: FetchedOffset): FetchedTopicAnswer['partitions'][number] {
  return {
    partitionIndex: partition,
    committedOffset: committed?.offset ?? -1,
    committedLeaderEpoch: committed?.leaderEpoch ?? -1,
    metadata: committed?.metadata ?? '',
    errorCode: errorCode.NONE,
  };
}
