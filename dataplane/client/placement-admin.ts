import { alterPartitionReassignments } from '../protocol/api/alter-partition-reassignments.ts';
import { describeConfigs } from '../protocol/api/describe-configs.ts';
import { incrementalAlterConfigs } from '../protocol/api/incremental-alter-configs.ts';
import { listPartitionReassignments } from '../protocol/api/list-partition-reassignments.ts';
import { ClientError } from './errors.ts';
import type { BrokerConnection } from './broker-connection.ts';
import type { KafkaClient } from './kafka-client.ts';
import { KafkaError, refuseError } from './kafka-error.ts';

/** Of a broker: it is given nothing new, and what it has is moved away. */
export const cordonConfig = 'firn.placement.cordoned';

const brokerResource = 4;
const operations = { set: 0, delete: 1 } as const;

/** A partition whose group is on its way from one broker to another. */
export interface Reassignment {
  readonly topic: string;
  readonly partition: number;
  /** The next owner. */
  readonly to: number | undefined;
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
      partitions.map(({ partitionIndex, replicas, addingReplicas }) => ({
        topic: name,
        partition: partitionIndex,
        to: addingReplicas[0] ?? replicas[0],
      })),
    );
  });
}

/**
 * Asks for partitions of a topic to have other replicas, of which the first one leads them. Resolves when that is ordered; it
 * is done when the broker leads them. Partitions that form a group with one owner have to be named together: the refusal
 * says which.
 *
 * @param replicas by partition: see {@link replicasLedBy}
 * @throws KafkaError
 */
export async function movePartitions(
  client: KafkaClient,
  topic: string,
  replicas: ReadonlyMap<number, readonly number[]>,
): Promise<void> {
  await client.retrying(async () => {
    const connection = await client.any();
    const partitions = Array.from(replicas, ([partitionIndex, brokers]) => ({
      partitionIndex,
      replicas: brokers,
    }));
    const { errorCode, errorMessage, responses } = await connection.request(alterPartitionReassignments, {
      timeoutMs: client.timeoutMs,
      topics: [{ name: topic, partitions }],
    });
    refuseError(errorCode, `partitions of topic ${topic} were not moved`, errorMessage);
    for (const { partitions: answers } of responses) {
      for (const { partitionIndex, errorCode: code, errorMessage: message } of answers)
        refuseError(code, `partition ${partitionIndex} of topic ${topic} was not moved`, message);
    }
  });
}

/**
 * The replicas of a partition when another broker is to lead it: as many as before and, as far as that goes, in the same
 * zones. The broker of its own zone makes room for it.
 */
export function replicasLedBy(
  broker: number,
  replicas: readonly number[],
  zoneOf: (broker: number) => string | null | undefined,
): readonly number[] {
  const others = replicas.filter((id) => id !== broker);
  if (others.length === replicas.length && others.length > 0) {
    const zone = zoneOf(broker);
    const sameZone = others.findIndex((id) => zoneOf(id) === zone);
    others.splice(sameZone === -1 ? others.length - 1 : sameZone, 1);
  }
  return [broker, ...others];
}

/** Cordons a broker, or takes that back. @throws KafkaError */
export async function setCordoned(client: KafkaClient, broker: number, isCordoned: boolean): Promise<void> {
  await client.retrying(async () => {
    const connection = await itselfOrAny(client, broker);
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

/** Whether a broker is cordoned, as it says itself. @throws KafkaError, ClientError: it cannot be asked */
export async function isCordoned(client: KafkaClient, broker: number): Promise<boolean> {
  const connection = await client.broker(broker);
  const { results } = await connection.request(describeConfigs, {
    resources: [
      { resourceType: brokerResource, resourceName: String(broker), configurationKeys: [cordonConfig] },
    ],
  });
  const [answer] = results;
  refuseError(answer?.errorCode ?? -1, `configs of broker ${broker} could not be read`, answer?.errorMessage);
  return answer?.configs.some(({ name, value }) => name === cordonConfig && value === 'true') ?? false;
}

/** Kafka's configs of a broker are asked of the broker itself; one that is away has to be changed all the same. */
async function itselfOrAny(client: KafkaClient, broker: number): Promise<BrokerConnection> {
  try {
    return await client.broker(broker);
  } catch (error) {
    if (!(error instanceof ClientError || error instanceof KafkaError)) throw error;
    return await client.any();
  }
}
