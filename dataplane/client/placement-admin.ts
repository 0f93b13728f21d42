import { alterPartitionReassignments } from '../protocol/api/alter-partition-reassignments.ts';
import { describeConfigs } from '../protocol/api/describe-configs.ts';
import { incrementalAlterConfigs } from '../protocol/api/incremental-alter-configs.ts';
import { listPartitionReassignments } from '../protocol/api/list-partition-reassignments.ts';
import type { KafkaClient, PartitionMetadata } from './kafka-client.ts';
import { refuseError } from './kafka-error.ts';

/** Of a broker: it is given nothing new, and what it has is moved away. */
export const cordonConfig = 'firn.placement.cordoned';

const brokerResource = 4;
const operations = { set: 0, delete: 1 } as const;

/** A partition whose group is on its way from one broker to another. */
export interface Reassignment {
  readonly topic: string;
  readonly partition: number;
  /** The next owner first. */
  readonly replicas: readonly number[];
}

/** All moves under way. @throws KafkaError */
export function reassignments(client: KafkaClient): Promise<readonly Reassignment[]> {
  return client.retrying(async () => {
    const connection = await client.any();
    const answer = await connection.request(listPartitionReassignments, {
      topics: null,
      timeoutMs: client.timeoutMs,
    });
    refuseError(answer.errorCode, 'moves under way could not be listed', answer.errorMessage);
    return answer.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, replicas }) => ({
        topic: name,
        partition: partitionIndex,
        replicas,
      })),
    );
  });
}

/**
 * Asks for partitions of a topic to be led by another broker, which is named first among their replicas. Resolves when that
 * is ordered; it is done when the broker leads them.
 *
 * @throws KafkaError
 */
export async function movePartitions(
  client: KafkaClient,
  topic: string,
  partitions: readonly PartitionMetadata[],
  to: number,
): Promise<void> {
  await client.retrying(async () => {
    const connection = await client.any();
    const { errorCode, errorMessage, responses } = await connection.request(alterPartitionReassignments, {
      timeoutMs: client.timeoutMs,
      topics: [
        {
          name: topic,
          partitions: partitions.map(({ partition, replicas }) => ({
            partitionIndex: partition,
            replicas: [to, ...replicas.filter((id) => id !== to)].slice(0, Math.max(1, replicas.length)),
          })),
        },
      ],
    });
    refuseError(errorCode, `partitions of topic ${topic} were not moved`, errorMessage);
    for (const { partitions: answers } of responses) {
      for (const { partitionIndex, errorCode: code, errorMessage: message } of answers)
        refuseError(code, `partition ${partitionIndex} of topic ${topic} was not moved`, message);
    }
  });
}

/** Cordons a broker, or takes that back. @throws KafkaError */
export async function setCordoned(client: KafkaClient, broker: number, isCordoned: boolean): Promise<void> {
  await client.retrying(async () => {
    const connection = await client.any();
    const { responses } = await connection.request(incrementalAlterConfigs, {
      resources: [
        {
          resourceType: brokerResource,
          resourceName: String(broker),
          configs: [
            {
              name: cordonConfig,
              configOperation: isCordoned ? operations.set : operations.delete,
              value: isCordoned ? 'true' : null,
            },
          ],
        },
      ],
      validateOnly: false,
    });
    const [answer] = responses;
    refuseError(answer?.errorCode ?? -1, `broker ${broker} was not changed`, answer?.errorMessage);
  });
}

/** Which of these brokers are cordoned. @throws KafkaError */
export function cordonedBrokers(
  client: KafkaClient,
  brokers: readonly number[],
): Promise<ReadonlySet<number>> {
  return client.retrying(async () => {
    const connection = await client.any();
    const { results } = await connection.request(describeConfigs, {
      resources: brokers.map((broker) => ({
        resourceType: brokerResource,
        resourceName: String(broker),
        configurationKeys: [cordonConfig],
      })),
    });
    return new Set(
      results.flatMap(({ errorCode, resourceName, configs }) =>
        errorCode === 0 && configs.some(({ name, value }) => name === cordonConfig && value === 'true')
          ? [Number(resourceName)]
          : [],
      ),
    );
  });
}
