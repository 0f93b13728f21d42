import type { ClusterClient } from '../../cluster/cluster-client.ts';
import type { ClusterState, Configs } from '../../cluster/cluster-state.ts';
import { clusterConfigOf } from '../../cluster/config/cluster-configs.ts';
import { checkedConfigs } from '../../cluster/config/config-check.ts';
import { replicasOf } from '../../cluster/replicas.ts';
import { ChangeRefused } from '../../cluster/change-refused.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { CreateTopicsRequest, createTopics } from '../../protocol/api/create-topics.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import { told } from '../admin/refusal-codes.ts';
import { repeated } from '../admin/repeated.ts';
import { defaultReplicationFactor } from '../admin/requested-topic.ts';
import type { RequestedTopic } from '../admin/requested-topic.ts';
import type { TopicCreation } from '../admin/topic-creation.ts';
import { describedTopicConfigs } from '../config/described-config.ts';
import type { Handler } from '../handler.ts';
import type { WhyNoTable } from '../admin/config-changes.ts';
import { wantsTable } from '../tables/table-gate.ts';
import type { ToldError } from '../log-error-codes.ts';

type TopicResponse = ResponseInput<typeof createTopics>['topics'][number];
type TopicRequest = CreateTopicsRequest['topics'][number];

interface Dependencies {
  readonly cluster: ClusterClient;
  readonly creation: TopicCreation;
  readonly whyNoTable: WhyNoTable;
}

/** CreateTopics. Manual assignments name the owner of each partition first; see {@link RequestedTopic}. */
export function createTopicsHandler({
  cluster,
  creation,
  whyNoTable,
}: Dependencies): Handler<typeof createTopics> {
  return async ({ topics, timeoutMs, validateOnly }) => {
    const names = topics.map(({ name }) => name);
    const twice = repeated(names);
    const parsed = await Promise.all(
      topics.map(async (topic) => {
        if (twice.has(topic.name))
          return told('INVALID_REQUEST', `the request names topic ${topic.name} more than once`);
        const requested = parseTopic(topic, creation.mintTopicId());
        if (!('topicId' in requested) || !wantsTable(requested.configs)) return requested;
        const why = await whyNoTable(topic.name);
        return why === undefined ? requested : told('INVALID_CONFIG', why);
      }),
    );
    const requested = parsed.filter((topic) => 'topicId' in topic);
    const outcomes = await creation.create(requested, { timeoutMs, validateOnly });
    const failures = new Map(requested.map(({ name }, index) => [name, outcomes[index]]));
    const state = cluster.current;
    return {
      throttleTimeMs: 0,
      topics: parsed.map((topic, index) => {
        const name = names[index] ?? '';
        if (!('topicId' in topic)) return failed(name, topic);
        const failure = failures.get(name);
        return failure === undefined ? created(state, topic) : failed(name, failure);
      }),
    };
  };
}

/** What the request says as such, before the cluster is looked at. */
function parseTopic(topic: TopicRequest, topicId: string): RequestedTopic | ToldError {
  const { name, numPartitions, replicationFactor, assignments } = topic;
  const configs: [string, string][] = [];
  for (const { name: config, value } of topic.configs) {
    if (value === null) return told('INVALID_CONFIG', `topic ${name}: ${config} has no value`);
    configs.push([config, value]);
  }
  const requested = { name, topicId, configs: Object.fromEntries(configs) };
  if (assignments.length > 0) {
    const lists = parseAssignments(topic);
    return lists instanceof Map ? { ...requested, assignments: lists } : lists;
  }
  if (numPartitions !== -1 && numPartitions < 1) {
    return told(
      'INVALID_PARTITIONS',
      `topic ${name} cannot have ${numPartitions} partitions: it must be at least 1, or -1 for the default`,
    );
  }
  if (replicationFactor !== -1 && replicationFactor < 1) {
    return told(
      'INVALID_REPLICATION_FACTOR',
      `topic ${name} cannot have replication factor ${replicationFactor}: it must be at least 1, or -1 for the default`,
    );
  }
  return {
    ...requested,
    partitions: numPartitions === -1 ? undefined : numPartitions,
    replicationFactor: replicationFactor === -1 ? undefined : replicationFactor,
  };
}

function parseAssignments(topic: TopicRequest): Map<number, readonly number[]> | ToldError {
  const { name, numPartitions, replicationFactor, assignments } = topic;
  if (numPartitions !== -1 || replicationFactor !== -1) {
    return told(
      'INVALID_REQUEST',
      `topic ${name} is given an assignment of its partitions: number of partitions and replication factor must be -1 then`,
    );
  }
  const lists = new Map(assignments.map(({ partitionIndex, brokerIds }) => [partitionIndex, brokerIds]));
  const missing = assignments.findIndex((_, index) => !lists.has(index));
  if (missing !== -1) {
    return told(
      'INVALID_REPLICA_ASSIGNMENT',
      `the assignment of topic ${name} must name its partitions from 0 on, each once: ${missing} is missing`,
    );
  }
  const count = lists.get(0)?.length ?? 0;
  const other = [...lists].find(([, brokers]) => brokers.length !== count);
  if (other !== undefined) {
    return told(
      'INVALID_REPLICA_ASSIGNMENT',
      `the assignment of topic ${name} gives partition 0 ${count} brokers and partition ${other[0]} ${other[1].length}: ` +
        'all must have as many',
    );
  }
  return lists;
}

function created(state: ClusterState | undefined, requested: RequestedTopic): TopicResponse {
  const { name, topicId, assignments } = requested;
  const cluster: Configs = state?.configs ?? {};
  const configs = checkedConfigs('topic', requested.configs);
  const defaults = clusterConfigOf(cluster);
  return {
    name,
    topicId,
    errorCode: kafkaErrors.NONE.code,
    errorMessage: null,
    numPartitions: assignments?.size ?? requested.partitions ?? defaults['num.partitions'],
    replicationFactor:
      assignments?.get(0)?.length ??
      requested.replicationFactor ??
      defaultReplicationFactor(cluster) ??
      (state === undefined ? 1 : replicasOf(state).zoneCount),
    configs: describedTopicConfigs(
      configs instanceof ChangeRefused ? {} : configs,
      cluster,
      state?.topics.get(name)?.homeZone,
    ).map(({ name: config, value, readOnly, source }) => ({
      name: config,
      value,
      readOnly,
      configSource: source,
      isSensitive: false,
    })),
  };
}

function failed(name: string, { code, message }: ToldError): TopicResponse {
  return { name, errorCode: code, errorMessage: message, configs: [] };
}
