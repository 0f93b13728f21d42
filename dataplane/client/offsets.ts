import { listOffsets } from '../protocol/api/list-offsets.ts';
import type { KafkaClient, TopicMetadata } from './kafka-client.ts';
import { KafkaError, refuseError } from './kafka-error.ts';
import { kafkaErrors } from '../protocol/error-code.ts';

/** What ListOffsets can be asked for instead of a time. */
export const offsetAt = { latest: -1, earliest: -2 } as const;

/**
 * The first offset of each partition whose record is not older than `timestampMs`, or that {@link offsetAt} stands for; -1
 * where there is none. Tried again while a partition has no leader or a new one.
 */
export function offsetsOf(
  client: KafkaClient,
  topicName: string,
  timestampMs: number,
  partitions?: readonly number[],
): Promise<Map<number, number>> {
  return client.retrying(async () => {
    const topic = await client.topic(topicName);
    const found = await Promise.all(
      [...byLeader(topic, partitions)].map(async ([leader, wanted]) => {
        const connection = await client.broker(leader);
        const { topics } = await connection.request(listOffsets, {
          replicaId: -1,
          isolationLevel: 0,
          topics: [
            {
              name: topicName,
              partitions: wanted.map((partitionIndex) => ({ partitionIndex, timestamp: timestampMs })),
            },
          ],
          timeoutMs: client.timeoutMs,
        });
        return (topics[0]?.partitions ?? []).map(({ partitionIndex, errorCode, offset }) => {
          refuseError(errorCode, `offsets of ${topicName}-${partitionIndex} could not be read`);
          return [partitionIndex, offset] as const;
        });
      }),
    );
    return new Map(found.flat());
  });
}

/**
 * Partitions by who leads them.
 *
 * @param partitions default: all
 * @throws KafkaError LEADER_NOT_AVAILABLE, UNKNOWN_TOPIC_OR_PARTITION
 */
export function byLeader(topic: TopicMetadata, partitions?: readonly number[]): Map<number, number[]> {
  const known = new Map(topic.partitions.map(({ partition, leader }) => [partition, leader]));
  const leaders = new Map<number, number[]>();
  for (const partition of partitions ?? known.keys()) {
    if (!known.has(partition)) throw noPartition(topic, partition);
    const leader = known.get(partition);
    if (leader === undefined) throw noLeader(topic, partition);
    const led = leaders.get(leader);
    if (led === undefined) leaders.set(leader, [partition]);
    else led.push(partition);
  }
  return leaders;
}

/** @throws KafkaError as {@link byLeader} */
export function leaderOf(topic: TopicMetadata, partition: number): number {
  const found = topic.partitions.find((candidate) => candidate.partition === partition);
  if (found === undefined) throw noPartition(topic, partition);
  if (found.leader === undefined) throw noLeader(topic, partition);
  return found.leader;
}

function noPartition({ name, partitions }: TopicMetadata, partition: number): KafkaError {
  const { code } = kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION;
  const sentence = `topic ${name} has ${partitions.length} partitions and no partition ${partition}`;
  return new KafkaError(code, sentence, undefined, false);
}

function noLeader({ name }: TopicMetadata, partition: number): KafkaError {
  return new KafkaError(kafkaErrors.LEADER_NOT_AVAILABLE.code, `nobody leads ${name}-${partition} now`);
}
