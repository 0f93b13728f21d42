import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestCluster } from '../../log/inspect/bucket-fixture.ts';
import type { TestBroker } from '../../log/inspect/bucket-fixture.ts';
import { createTopics } from '../../protocol/api/create-topics.ts';
import { describeLogDirs } from '../../protocol/api/describe-log-dirs.ts';
import { describeProducers } from '../../protocol/api/describe-producers.ts';
import { errorNameOf } from '../../protocol/error-code.ts';
import { ClusterChanges } from '../admin/cluster-changes.ts';
import { TopicCreation } from '../admin/topic-creation.ts';
import { ClusterView } from '../cluster-view.ts';
import { PartitionDirectory } from '../partition-access.ts';
import { call } from './admin-fixture.ts';
import { createTopicsHandler } from './create-topics.ts';
import { describeLogDirsHandler } from './describe-log-dirs.ts';
import { describeProducersHandler } from './describe-producers.ts';

/** Sizes by `topic/partition`. */
async function sizes(
  { log }: TestBroker,
  topics: readonly (readonly [topic: string, partitions: readonly number[]])[] | null = null,
): Promise<Map<string, number>> {
  const handler = describeLogDirsHandler({ log, view: new ClusterView(log.cluster), store: 'memory:' });
  const answer = await call(describeLogDirs, handler, {
    topics: topics?.map(([topic, partitions]) => ({ topic, partitions })) ?? null,
  });
  const [directory] = answer.results;
  assert.equal(directory?.logDir, 'memory:');
  assert.equal(directory.totalBytes, -1);
  return new Map(
    directory.topics.flatMap(({ name, partitions }) =>
      partitions.map(
        ({ partitionIndex, partitionSize }) => [`${name}/${partitionIndex}`, partitionSize] as const,
      ),
    ),
  );
}

test('what partitions take is told by their owner, in segments, pages and the write-ahead log alike', async () => {
  const cluster = new TestCluster(1);
  const one = await cluster.start(1);
  const topicId = await cluster.createTopic(one, 'orders', 3);
  await cluster.append(one, topicId, 0, 4);
  await cluster.append(one, topicId, 1, 2);
  const before = await sizes(one);
  assert.deepEqual([...before.keys()], ['orders/0', 'orders/1', 'orders/2']);
  const first = before.get('orders/0') ?? 0;
  assert(first > 4 * 200);
  assert.equal(before.get('orders/1'), first / 2);
  assert.equal(before.get('orders/2'), 0);
  await one.flush();
  assert.deepEqual(await sizes(one), before, 'records are as large in a segment');
  for (let round = 1; round < 8; round++) {
    await cluster.append(one, topicId, 0, 4);
    await one.flush();
  }
  const { manifest } = one.log.log?.groups.find(({ partitions }) => partitions.has(0)) ?? assert.fail();
  assert(manifest.partitions[0]?.pages.length !== 0, 'there are pages');
  assert.equal((await sizes(one)).get('orders/0'), 8 * first);
  assert.deepEqual([...(await sizes(one, [['orders', [2]]])).keys()], ['orders/2']);
  assert.equal((await sizes(one, [['none', [0]]])).size, 0);
});

test('producers are told by the owner of a partition', async () => {
  const cluster = new TestCluster(1);
  const one = await cluster.start(1);
  const topicId = await cluster.createTopic(one, 'orders', 2);
  await cluster.append(one, topicId, 1, 3);
  const directory = new PartitionDirectory(one.log, new ClusterView(one.log.cluster));
  const answer = await call(describeProducers, describeProducersHandler({ directory }), {
    topics: [
      { name: 'orders', partitionIndexes: [0, 1, 2] },
      { name: 'none', partitionIndexes: [0] },
    ],
  });
  const [empty, written, beyond] = answer.topics[0]?.partitions ?? [];
  assert.deepEqual(empty?.activeProducers, []);
  const [producer] = written?.activeProducers ?? [];
  assert.deepEqual(
    { ...producer, lastTimestamp: 0 },
    {
      producerId: 8,
      producerEpoch: 0,
      lastSequence: 5,
      lastTimestamp: 0,
      coordinatorEpoch: -1,
      currentTxnStartOffset: -1,
    },
  );
  assert.equal(errorNameOf(beyond?.errorCode ?? 0), 'UNKNOWN_TOPIC_OR_PARTITION');
  assert.equal(errorNameOf(answer.topics[1]?.partitions[0]?.errorCode ?? 0), 'UNKNOWN_TOPIC_OR_PARTITION');
});

test('a topic that has been created is served by the broker that was asked', async () => {
  const cluster = new TestCluster(1);
  const { log, process } = await cluster.start(1);
  const { runtime } = process;
  const isServed = (topicId: string, partition: number): boolean =>
    log.served(topicId, partition) !== undefined;
  const changes = new ClusterChanges({ cluster: log.cluster, runtime });
  const creation = new TopicCreation({ cluster: log.cluster, changes, runtime, brokerId: 1, isServed });
  const answer = await cluster.time.drive(() =>
    call(
      createTopics,
      createTopicsHandler({
        cluster: log.cluster,
        creation,
        whyNoTable: () => Promise.resolve(undefined),
      }),
      {
        topics: [{ name: 'orders', numPartitions: 100, replicationFactor: 1, assignments: [], configs: [] }],
        timeoutMs: 5_000,
      },
    ),
  );
  const [topic] = answer.topics;
  assert.equal(topic?.errorCode, 0);
  for (let partition = 0; partition < 100; partition++)
    assert(isServed(topic.topicId, partition), `${partition}`);
});
