import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setBrokerState } from '../../cluster/broker-changes.ts';
import { hexId, topicOf } from '../../cluster/cluster-fixture.ts';
import { createTopic } from '../../cluster/topic-changes.ts';
import { describeCluster } from '../../protocol/api/describe-cluster.ts';
import { describeQuorum } from '../../protocol/api/describe-quorum.ts';
import { describeTopicPartitions } from '../../protocol/api/describe-topic-partitions.ts';
import type { DescribeTopicPartitionsResponse } from '../../protocol/api/describe-topic-partitions.ts';
import { getTelemetrySubscriptions } from '../../protocol/api/get-telemetry-subscriptions.ts';
import { pushTelemetry } from '../../protocol/api/push-telemetry.ts';
import { updateFeatures } from '../../protocol/api/update-features.ts';
import { errorNameOf } from '../../protocol/error-code.ts';
import { featuresOf } from '../features.ts';
import { adminWorld, call, changed, shownError } from './admin-fixture.ts';
import type { AdminBroker } from './admin-fixture.ts';
import { describeClusterHandler } from './describe-cluster.ts';
import { describeQuorumHandler } from './describe-quorum.ts';
import { describeTopicPartitionsHandler } from './describe-topic-partitions.ts';
import { getTelemetrySubscriptionsHandler, pushTelemetryHandler } from './telemetry.ts';
import { updateFeaturesHandler } from './update-features.ts';

test('the cluster is described with the brokers that live, and with dead ones to those who ask', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1, 'a');
    await join(2, 'b');
    await changed(one, (state) => setBrokerState(state, { id: 2, sid: hexId('5', 2), to: 'dead' }));
    const describe = (request: { endpointType?: number; includeFencedBrokers?: boolean }) =>
      call(describeCluster, describeClusterHandler(one), {
        includeClusterAuthorizedOperations: true,
        includeFencedBrokers: false,
        ...request,
      });
    const answer = await describe({});
    assert.deepEqual(answer.brokers, [
      { brokerId: 1, host: 'broker-1', port: 9092, rack: 'a', isFenced: false },
    ]);
    assert.deepEqual([answer.controllerId, answer.clusterAuthorizedOperations], [1, 8096]);
    assert.equal(answer.clusterId, one.view.state?.clusterId);
    assert.deepEqual(
      (await describe({ includeFencedBrokers: true })).brokers.map(({ brokerId, isFenced }) => [
        brokerId,
        isFenced,
      ]),
      [
        [1, false],
        [2, true],
      ],
    );
    assert.match(
      shownError(await describe({ endpointType: 2 })),
      /^MISMATCHED_ENDPOINT_TYPE: this is a broker/,
    );
    assert.match(shownError(await describe({ endpointType: 7 })), /^UNSUPPORTED_ENDPOINT_TYPE/);
  });
});

const describePartitions = (
  broker: AdminBroker,
  names: readonly string[],
  responsePartitionLimit: number,
  cursor: { readonly topicName: string; readonly partitionIndex: number } | null = null,
): Promise<DescribeTopicPartitionsResponse> =>
  call(describeTopicPartitions, describeTopicPartitionsHandler(broker), {
    topics: names.map((name) => ({ name })),
    responsePartitionLimit,
    cursor,
  });

test('partitions of many topics come page by page, each once and in order', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    for (const [index, name] of ['c', 'a', 'b'].entries())
      await changed(one, (state) => createTopic(state, topicOf(name, index + 1, { partitions: 3 })));
    const pages: string[][] = [];
    let cursor: DescribeTopicPartitionsResponse['nextCursor'] = null;
    do {
      const page: DescribeTopicPartitionsResponse = await describePartitions(one, [], 2, cursor);
      pages.push(
        page.topics.flatMap(({ name, partitions }) =>
          partitions.map(({ partitionIndex }) => `${name ?? ''}${partitionIndex}`),
        ),
      );
      cursor = page.nextCursor;
    } while (cursor !== null);
    assert.deepEqual(pages, [['a0', 'a1'], ['a2', 'b0'], ['b1', 'b2'], ['c0', 'c1'], ['c2']]);
    const exact = await describePartitions(one, ['a', 'b'], 3);
    assert.deepEqual(exact.nextCursor, { topicName: 'b', partitionIndex: 0 });
    const [topic] = (await describePartitions(one, ['a'], 2_000)).topics;
    assert.deepEqual(topic?.partitions[0], {
      errorCode: 0,
      partitionIndex: 0,
      leaderId: 1,
      leaderEpoch: 1,
      replicaNodes: [1],
      isrNodes: [1],
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
      offlineReplicas: [],
    });
    assert.equal(topic.topicAuthorizedOperations, 3576);
  });
});

test('topics that do not exist are told, and do not end the answer', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await changed(one, (state) => createTopic(state, topicOf('b', 1)));
    const answer = await describePartitions(one, ['none', 'b', 'a/b', 'b'], 2_000);
    assert.deepEqual(
      answer.topics.map(({ name, errorCode }) => [name, errorNameOf(errorCode)]),
      [
        ['a/b', 'INVALID_TOPIC_EXCEPTION'],
        ['b', 'NONE'],
        ['none', 'UNKNOWN_TOPIC_OR_PARTITION'],
      ],
    );
    const after = await describePartitions(one, ['a', 'b'], 2_000, { topicName: 'aa', partitionIndex: 7 });
    assert.deepEqual(
      after.topics.map(({ name, partitions }) => [name, partitions.length]),
      [['b', 1]],
      'the topic of the cursor is gone',
    );
  });
});

test('the format version is raised as a feature, when every broker writes it', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    const update = async (feature: string, maxVersionLevel: number, validateOnly = false): Promise<string> =>
      shownError(
        await call(updateFeatures, updateFeaturesHandler(one), {
          featureUpdates: [{ feature, maxVersionLevel }],
          validateOnly,
        }),
      );
    assert.deepEqual(featuresOf(one.view.state, 1), {
      supported: [
        { name: 'group.version', minVersion: 0, maxVersion: 1 },
        { name: 'firn.format.version', minVersion: 1, maxVersion: 1 },
      ],
      finalized: [
        { name: 'group.version', level: 1 },
        { name: 'firn.format.version', level: 1 },
      ],
      epoch: one.view.state?.version,
    });
    assert.equal(await update('firn.format.version', 1), 'NONE');
    assert.match(
      await update('firn.format.version', 2),
      /^INVALID_UPDATE_VERSION: broker 1 writes format versions 1/,
    );
    assert.match(
      await update('firn.format.version', 3),
      /^INVALID_UPDATE_VERSION: .* can only be raised to 2/,
    );
    assert.equal(await update('group.version', 1), 'NONE');
    assert.match(
      await update('group.version', 0),
      /^INVALID_UPDATE_VERSION: feature group.version is always at level 1/,
    );
    assert.match(
      await update('transaction.version', 2),
      /^INVALID_UPDATE_VERSION: there is no feature "transaction.version"/,
    );
    await changed(one, (state) => ({
      ...state,
      brokers: new Map(state.brokers).set(1, {
        ...(state.brokers.get(1) ?? assert.fail()),
        supportedFormat: { min: 1, max: 2 },
      }),
    }));
    assert.equal(await update('firn.format.version', 2, true), 'NONE');
    assert.equal(one.view.state?.formatVersion, 1);
    assert.equal(await update('firn.format.version', 2), 'NONE');
    assert.equal(one.view.state?.formatVersion, 2);
  });
});

test('tools that show a quorum see the brokers, up to date', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    const two = await join(2);
    const ask = (topicName: string) =>
      call(describeQuorum, describeQuorumHandler(two), {
        topics: [{ topicName, partitions: [{ partitionIndex: 0 }] }],
      });
    const answer = await ask('__cluster_metadata');
    const [partition] = answer.topics[0]?.partitions ?? [];
    assert.equal(partition?.leaderId, 2);
    assert.equal(partition.highWatermark, two.view.state?.version);
    assert.deepEqual(
      partition.currentVoters.map(({ replicaId, logEndOffset }) => [replicaId, logEndOffset]),
      [
        [1, two.view.state?.version],
        [2, two.view.state?.version],
      ],
    );
    assert.deepEqual(answer.nodes?.[0]?.listeners[0], { name: 'internal', host: 'broker-1', port: 9092 });
    const other = (await ask('orders')).topics[0]?.partitions[0];
    assert.match(shownError(other ?? assert.fail()), /^UNKNOWN_TOPIC_OR_PARTITION/);
    assert.equal(one.brokerId, 1);
  });
});

test('clients are told that no metrics are wanted, and metrics are refused', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    const subscribe = (clientInstanceId: string) =>
      call(getTelemetrySubscriptions, getTelemetrySubscriptionsHandler(one), { clientInstanceId });
    const push = async (
      clientInstanceId: string,
      subscriptionId: number,
      metrics: Uint8Array,
    ): Promise<string> =>
      shownError(
        await call(pushTelemetry, pushTelemetryHandler(), {
          clientInstanceId,
          subscriptionId,
          terminating: true,
          compressionType: 0,
          metrics,
        }),
      );
    const first = await subscribe('0'.repeat(32));
    assert.match(first.clientInstanceId, /^(?!0{32})[0-9a-f]{32}$/);
    assert.deepEqual(first.requestedMetrics, []);
    assert.equal((await subscribe(first.clientInstanceId)).clientInstanceId, first.clientInstanceId);
    const { clientInstanceId, subscriptionId } = first;
    assert.equal(await push(clientInstanceId, subscriptionId, new Uint8Array(0)), 'NONE');
    assert.equal(await push(clientInstanceId, subscriptionId, new Uint8Array(3)), 'UNKNOWN_SUBSCRIPTION_ID');
    assert.equal(await push(clientInstanceId, 77, new Uint8Array(0)), 'UNKNOWN_SUBSCRIPTION_ID');
    assert.equal(await push('0'.repeat(32), 0, new Uint8Array(0)), 'INVALID_REQUEST');
  });
});
