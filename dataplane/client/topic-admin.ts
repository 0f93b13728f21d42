import { createTopics } from '../protocol/api/create-topics.ts';
import { deleteTopics } from '../protocol/api/delete-topics.ts';
import { describeConfigs } from '../protocol/api/describe-configs.ts';
import { incrementalAlterConfigs } from '../protocol/api/incremental-alter-configs.ts';
import type { KafkaClient } from './kafka-client.ts';
import { refuseError } from './kafka-error.ts';

export interface NewTopic {
  readonly name: string;
  /** Default: the cluster's. */
  readonly partitions?: number | undefined;
  /** Default: the cluster's. */
  readonly replicationFactor?: number | undefined;
  readonly configs: ReadonlyMap<string, string>;
}

export interface TopicConfig {
  readonly name: string;
  readonly value: string | null;
  readonly source: ConfigSource;
  readonly readOnly: boolean;
}

const configSources = {
  1: 'topic',
  2: 'broker',
  3: 'cluster',
  4: 'static',
  5: 'default',
} as const;

/** Who has set a config; `other` is what this program does not know. */
export type ConfigSource = (typeof configSources)[keyof typeof configSources] | 'other';

const topicResource = 2;
const operations = { set: 0, delete: 1 } as const;

/** Resolves with the number of partitions. @throws KafkaError */
export async function createTopic(client: KafkaClient, topic: NewTopic): Promise<number> {
  // Not repeated: the second attempt would find the topic of the first.
  const connection = await client.retrying(() => client.any());
  const { topics } = await connection.request(createTopics, {
    topics: [
      {
        name: topic.name,
        numPartitions: topic.partitions ?? -1,
        replicationFactor: topic.replicationFactor ?? -1,
        assignments: [],
        configs: [...topic.configs].map(([name, value]) => ({ name, value })),
      },
    ],
    timeoutMs: client.timeoutMs,
  });
  const [answer] = topics;
  refuseError(answer?.errorCode ?? -1, `topic ${topic.name} was not created`, answer?.errorMessage);
  return answer?.numPartitions ?? -1;
}

/** @throws KafkaError */
export async function deleteTopic(client: KafkaClient, name: string): Promise<void> {
  const connection = await client.retrying(() => client.any());
  const { responses } = await connection.request(deleteTopics, {
    topics: [{ name, topicId: '0'.repeat(32) }],
    topicNames: [name],
    timeoutMs: client.timeoutMs,
  });
  const [answer] = responses;
  refuseError(answer?.errorCode ?? -1, `topic ${name} was not deleted`, answer?.errorMessage);
}

/** All configs of a topic, by name. @throws KafkaError */
export function topicConfigs(client: KafkaClient, topic: string): Promise<readonly TopicConfig[]> {
  return client.retrying(async () => {
    const connection = await client.any();
    const { results } = await connection.request(describeConfigs, {
      resources: [{ resourceType: topicResource, resourceName: topic, configurationKeys: null }],
    });
    const [answer] = results;
    refuseError(answer?.errorCode ?? -1, `configs of topic ${topic} could not be read`, answer?.errorMessage);
    return (answer?.configs ?? [])
      .map(({ name, value, readOnly, configSource }) => ({
        name,
        value,
        readOnly,
        source: configSources[configSource as keyof typeof configSources] ?? ('other' as const),
      }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  });
}

/** Sets configs of a topic, or with `null` gives them back their defaults; all or none. @throws KafkaError */
export async function setTopicConfigs(
  client: KafkaClient,
  topic: string,
  changes: ReadonlyMap<string, string | null>,
): Promise<void> {
  await client.retrying(async () => {
    const connection = await client.any();
    const { responses } = await connection.request(incrementalAlterConfigs, {
      resources: [
        {
          resourceType: topicResource,
          resourceName: topic,
          configs: [...changes].map(([name, value]) => ({
            name,
            configOperation: value === null ? operations.delete : operations.set,
            value,
          })),
        },
      ],
      validateOnly: false,
    });
    const [answer] = responses;
    refuseError(answer?.errorCode ?? -1, `configs of topic ${topic} were not changed`, answer?.errorMessage);
  });
}
