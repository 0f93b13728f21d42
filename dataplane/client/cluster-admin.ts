import { describeCluster } from '../protocol/api/describe-cluster.ts';
import { describeConfigs } from '../protocol/api/describe-configs.ts';
import { kafkaErrors } from '../protocol/error-code.ts';
import type { ClusterBroker, KafkaClient } from './kafka-client.ts';
import { refuseError } from './kafka-error.ts';

/** Where a topic belongs, and whether it is a table. */
export interface TopicPlacement {
  readonly isTable: boolean;
  /** `undefined`: anywhere. */
  readonly homeZone: string | undefined;
}

/** From this version on DescribeCluster tells of brokers that are gone, too. */
const describeFencedBrokers = 2;
const topicResource = 2;
/** Of one request. */
const maxTopics = 1_000;
const configs = {
  isTable: 'table.topic.enable',
  policy: 'table.placement.policy',
  zone: 'table.placement.zone',
} as const;

/** Brokers that were in the cluster and have ended, as far as it knows. @throws KafkaError */
export function deadBrokers(client: KafkaClient): Promise<readonly ClusterBroker[]> {
  return client.retrying(async () => {
    const connection = await client.any();
    if ((connection.versionOf(describeCluster) ?? 0) < describeFencedBrokers) return [];
    const { errorCode, errorMessage, brokers } = await connection.request(describeCluster, {
      includeClusterAuthorizedOperations: false,
      includeFencedBrokers: true,
    });
    refuseError(errorCode, 'the brokers could not be described', errorMessage);
    return brokers
      .filter(({ isFenced }) => isFenced)
      .map(({ brokerId, host, port, rack }) => ({ id: brokerId, host, port, rack }));
  });
}

/** By topic; one that has been deleted meanwhile is missing. @throws KafkaError */
export async function topicPlacements(
  client: KafkaClient,
  topics: readonly string[],
): Promise<ReadonlyMap<string, TopicPlacement>> {
  const placements = new Map<string, TopicPlacement>();
  for (let first = 0; first < topics.length; first += maxTopics) {
    const asked = topics.slice(first, first + maxTopics);
    for (const [topic, placement] of await client.retrying(() => placementsOf(client, asked)))
      placements.set(topic, placement);
  }
  return placements;
}

async function placementsOf(
  client: KafkaClient,
  topics: readonly string[],
): Promise<readonly (readonly [string, TopicPlacement])[]> {
  const connection = await client.any();
  const { results } = await connection.request(describeConfigs, {
    resources: topics.map((topic) => ({
      resourceType: topicResource,
      resourceName: topic,
      configurationKeys: Object.values(configs),
    })),
  });
  return results.flatMap(({ errorCode, errorMessage, resourceName, configs: found }) => {
    if (errorCode === kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION.code) return [];
    refuseError(errorCode, `configs of topic ${resourceName} could not be read`, errorMessage);
    const valueOf = (config: string): string => found.find(({ name }) => name === config)?.value ?? '';
    const zone = valueOf(configs.zone);
    const isAnywhere = valueOf(configs.policy) === 'Spread' || zone === '';
    const placement = {
      isTable: valueOf(configs.isTable) === 'true',
      homeZone: isAnywhere ? undefined : zone,
    };
    return [[resourceName, placement] as const];
  });
}
