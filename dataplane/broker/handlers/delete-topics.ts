import type { ClusterState } from '../../cluster/cluster-state.ts';
import { clusterConfigOf } from '../../cluster/config/cluster-configs.ts';
import { deleteTopic, unknownTopic } from '../../cluster/topic-changes.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { DeleteTopicsRequest, deleteTopics } from '../../protocol/api/delete-topics.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { ClusterChanges } from '../admin/cluster-changes.ts';
import { internalProblem } from '../admin/internal-topics.ts';
import { told } from '../admin/refusal-codes.ts';
import { repeated } from '../admin/repeated.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Handler } from '../handler.ts';
import type { ToldError } from '../log-error-codes.ts';

type TopicResponse = ResponseInput<typeof deleteTopics>['responses'][number];

interface Dependencies {
  readonly view: ClusterView;
  readonly changes: ClusterChanges;
}

/** A topic as the request names it; `topicId` is set when it names it so. */
interface AskedTopic {
  readonly name: string | null;
  readonly topicId: string | undefined;
}

const noTopicId = '0'.repeat(32);
/** The first version that tells that deletion is switched off. */
const deletionDisabledFrom = 3;

/** DeleteTopics, by name or id. The name is free when it is answered; records and objects go in the background. */
export function deleteTopicsHandler({ view, changes }: Dependencies): Handler<typeof deleteTopics> {
  return async (request, { apiVersion }) => {
    const asked = askedTopics(request, apiVersion);
    const { state } = view;
    if (state !== undefined && !clusterConfigOf(state.configs)['delete.topic.enable']) {
      const disabled = told(
        apiVersion < deletionDisabledFrom ? 'INVALID_REQUEST' : 'TOPIC_DELETION_DISABLED',
        'topics cannot be deleted here: delete.topic.enable of the cluster is false',
      );
      return { throttleTimeMs: 0, responses: asked.map((topic) => answer(topic, disabled)) };
    }
    const namesTwice = repeated(asked.flatMap(({ name }) => name ?? []));
    const idsTwice = repeated(asked.flatMap(({ topicId }) => topicId ?? []));
    const wrong = new Map<AskedTopic, ToldError>();
    for (const topic of asked) {
      const { name, topicId } = topic;
      if ((name === null) === (topicId === undefined))
        wrong.set(topic, told('INVALID_REQUEST', 'a topic must be named either by its name or by its id'));
      else if (namesTwice.has(name ?? '') || idsTwice.has(topicId ?? ''))
        wrong.set(topic, told('INVALID_REQUEST', 'the request names this topic more than once'));
    }
    const right = asked.filter((topic) => !wrong.has(topic));
    const names = new Map<AskedTopic, string>();
    const outcomes = await changes.each(
      right,
      (now, topic) => {
        const name = topic.name ?? nameOf(now, topic.topicId);
        if (name === undefined) return unknownTopic(topic.topicId ?? '');
        names.set(topic, name);
        const entry = now.topics.get(name);
        if (entry === undefined) return unknownTopic(name);
        return internalProblem(name, entry, 'deleted') ?? deleteTopic(now, name);
      },
      request,
    );
    right.forEach((topic, index) => {
      const failure = outcomes[index];
      if (failure !== undefined) wrong.set(topic, byId(topic, failure));
    });
    return {
      throttleTimeMs: 0,
      responses: asked.map((topic) =>
        answer({ ...topic, name: topic.name ?? names.get(topic) ?? null }, wrong.get(topic)),
      ),
    };
  };
}

function askedTopics({ topics, topicNames }: DeleteTopicsRequest, apiVersion: number): AskedTopic[] {
  if (apiVersion < 6) return topicNames.map((name) => ({ name, topicId: undefined }));
  return topics.map(({ name, topicId }) => ({ name, topicId: topicId === noTopicId ? undefined : topicId }));
}

function nameOf({ topics }: ClusterState, topicId: string | undefined): string | undefined {
  for (const [name, topic] of topics) if (topic.topicId === topicId) return name;
  return undefined;
}

function byId({ topicId }: AskedTopic, failure: ToldError): ToldError {
  return topicId !== undefined && failure.name === 'UNKNOWN_TOPIC_OR_PARTITION'
    ? told('UNKNOWN_TOPIC_ID', `there is no topic with id ${topicId}`)
    : failure;
}

function answer({ name, topicId }: AskedTopic, failure: ToldError | undefined): TopicResponse {
  return {
    name,
    topicId: topicId ?? noTopicId,
    errorCode: failure?.code ?? kafkaErrors.NONE.code,
    errorMessage: failure?.message ?? null,
  };
}
