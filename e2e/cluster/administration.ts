/** What tests ask of a cluster by Kafka's Admin API. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaClient } from '../../dataplane/client/kafka-client.ts';
import { alterPartitionReassignments } from '../../dataplane/protocol/api/alter-partition-reassignments.ts';

/** Broker ids of the leaders, by partition; `undefined`: nobody leads it now. */
export async function leadersOf(
  client: KafkaClient,
  topic: string,
): Promise<readonly (number | undefined)[]> {
  const { partitions } = await client.retrying(() => client.topic(topic));
  return partitions.map(({ leader }) => leader);
}

/** Gives partitions other owners, as an administrator would. Resolves when they lead. */
export async function move(
  client: KafkaClient,
  topic: string,
  owners: ReadonlyMap<number, number>,
): Promise<void> {
  await client.retrying(async () => {
    const connection = await client.any();
    const partitions = [...owners].map(([partitionIndex, owner]) => ({ partitionIndex, replicas: [owner] }));
    const { errorCode, errorMessage, responses } = await connection.request(alterPartitionReassignments, {
      timeoutMs: client.timeoutMs,
      topics: [{ name: topic, partitions }],
    });
    assert.equal(errorCode, 0, errorMessage ?? '');
    for (const { partitions: answers } of responses)
      for (const answer of answers) assert.equal(answer.errorCode, 0, answer.errorMessage ?? '');
  });
  for (;;) {
    const leaders = await leadersOf(client, topic);
    if ([...owners].every(([partition, owner]) => leaders[partition] === owner)) return;
    await sleep(50);
  }
}

/** Resolves when others lead all partitions that a broker led. */
export async function takenOver(
  context: TestContext,
  client: KafkaClient,
  topic: string,
  from: number,
): Promise<void> {
  const beganMs = performance.now();
  while ((await leadersOf(client, topic)).some((leader) => leader === undefined || leader === from))
    await sleep(50);
  context.diagnostic(`broker ${from} is replaced after ${Math.round(performance.now() - beganMs)} ms`);
}
