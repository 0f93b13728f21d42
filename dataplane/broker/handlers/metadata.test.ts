import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setBrokerState } from '../../cluster/broker-changes.ts';
import { setClusterConfigs } from '../../cluster/cluster-config-changes.ts';
import { hexId, topicOf } from '../../cluster/cluster-fixture.ts';
import { reassign } from '../../cluster/reassign.ts';
import { createTopic, deleteTopic } from '../../cluster/topic-changes.ts';
import { metadata } from '../../protocol/api/metadata.ts';
import type { MetadataResponse } from '../../protocol/api/metadata.ts';
import { errorNameOf, kafkaErrors } from '../../protocol/error-code.ts';
import { adminWorld, call, changed } from './admin-fixture.ts';
import type { AdminBroker, CallOptions } from './admin-fixture.ts';
import { metadataHandler } from './metadata.ts';

const ask = (
  broker: AdminBroker,
  names: readonly string[] | null,
  options: CallOptions & { readonly create?: boolean } = {},
): Promise<MetadataResponse> =>
  call(
    metadata,
    metadataHandler(broker),
    {
      topics: names?.map((name) => ({ name })) ?? null,
      ...((options.version ?? 13) < 4 ? {} : { allowAutoTopicCreation: options.create ?? false }),
    },
    options,
  );

function errorsOf({ topics }: MetadataResponse): Record<string, string | undefined> {
  return Object.fromEntries(topics.map(({ name, errorCode }) => [name ?? '', errorNameOf(errorCode)]));
}

test('brokers and partitions, as seen through the listener that the client came through', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1, 'a');
    await join(2, 'b');
    await changed(one, (state) => createTopic(state, topicOf('orders', 1, { replicationFactor: 2 })));
    const inside = await ask(one, ['orders']);
    assert.deepEqual(inside.brokers, [
      { nodeId: 1, host: 'broker-1', port: 9092, rack: 'a' },
      { nodeId: 2, host: 'broker-2', port: 9092, rack: 'b' },
    ]);
    assert.equal(inside.controllerId, 1);
    assert.equal(inside.clusterId, one.view.state?.clusterId);
    const [topic] = inside.topics;
    assert.deepEqual(topic, {
      errorCode: 0,
      name: 'orders',
      topicId: hexId('a', 1),
      isInternal: false,
      partitions: [
        {
          errorCode: 0,
          partitionIndex: 0,
          leaderId: 1,
          leaderEpoch: 1,
          replicaNodes: [1, 2],
          isrNodes: [1, 2],
          offlineReplicas: [],
        },
      ],
      topicAuthorizedOperations: -0x8000_0000,
    });
    const outside = await ask(one, ['orders'], { listener: 'external' });
    assert.deepEqual(outside.brokers[1], { nodeId: 2, host: '2001:db8::2', port: 19092, rack: 'b' });
  });
});

test('a leader without the listener of the client is told as such', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await changed(one, (state) => createTopic(state, topicOf('orders', 1)));
    const answer = await ask(one, ['orders'], { listener: 'elsewhere' });
    assert.deepEqual(answer.brokers, []);
    assert.equal(answer.controllerId, -1);
    const errorIn = async (version: number): Promise<number | undefined> =>
      (await ask(one, ['orders'], { listener: 'elsewhere', version })).topics[0]?.partitions[0]?.errorCode;
    assert.equal(await errorIn(13), kafkaErrors.LISTENER_NOT_FOUND.code);
    assert.equal(await errorIn(5), kafkaErrors.LEADER_NOT_AVAILABLE.code);
  });
});

test('none, some and all topics, in every version', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await changed(one, (state) => createTopic(state, topicOf('a', 1)));
    await changed(one, (state) => createTopic(state, topicOf('__b', 2, { internal: true })));
    for (let version = 0; version <= 13; version++) {
      const names = (answer: MetadataResponse): unknown => answer.topics.map(({ name }) => name);
      assert.deepEqual(names(await ask(one, ['a'], { version })), ['a']);
      assert.deepEqual(names(await ask(one, [], { version })), version === 0 ? ['a', '__b'] : []);
      if (version > 0) assert.deepEqual(names(await ask(one, null, { version })), ['a', '__b']);
    }
    const all = await ask(one, null);
    assert.deepEqual(
      all.topics.map(({ isInternal }) => isInternal),
      [false, true],
    );
  });
});

test('topics are found by id', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await changed(one, (state) => createTopic(state, topicOf('orders', 1)));
    const byId = (topicId: string, version: number): Promise<MetadataResponse> =>
      call(
        metadata,
        metadataHandler(one),
        { topics: [{ topicId, name: version < 12 ? '' : null }] },
        { version },
      );
    assert.equal((await byId(hexId('a', 1), 13)).topics[0]?.name, 'orders');
    const unknown = (await byId(hexId('a', 9), 13)).topics[0];
    assert.deepEqual([unknown?.errorCode, unknown?.name], [kafkaErrors.UNKNOWN_TOPIC_ID.code, null]);
    assert.equal((await byId(hexId('a', 1), 11)).topics[0]?.errorCode, kafkaErrors.INVALID_REQUEST.code);
  });
});

test('operations are told to those who ask: all there are', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await changed(one, (state) => createTopic(state, topicOf('orders', 1)));
    const request = {
      topics: [{ name: 'orders' }],
      includeClusterAuthorizedOperations: true,
      includeTopicAuthorizedOperations: true,
    };
    const answer = await call(metadata, metadataHandler(one), request, { version: 9 });
    assert.equal(answer.clusterAuthorizedOperations, 8096);
    assert.equal(answer.topics[0]?.topicAuthorizedOperations, 3576);
  });
});

test('clients are told of the brokers of their zone first, and of one of them as the controller', async () => {
  const world = adminWorld();
  await world.time.drive(async () => {
    const one = await world.join(1, 'a');
    await world.join(2, 'b');
    await world.join(3, 'c');
    await world.join(4, 'b');
    await one.cluster.refresh();
    const told = async (clientId: string): Promise<readonly [readonly number[], number]> => {
      const { brokers, controllerId } = await ask(one, [], { clientId });
      return [brokers.map(({ nodeId }) => nodeId), controllerId];
    };
    assert.deepEqual(await told('app'), [[1, 2, 3, 4], 1]);
    assert.deepEqual(await told('app,ws_az=a'), [[1, 2, 3, 4], 1]);
    assert.deepEqual(await told('app,ws_az=b'), [[2, 4, 1, 3], 2]);
    assert.deepEqual(await told('app,ws_az=c'), [[3, 1, 2, 4], 3]);
    assert.deepEqual(await told('app,ws_az=nowhere'), [[1, 2, 3, 4], 1]);
  });
});

test('a topic that does not exist is created with the cluster’s defaults, if client and cluster allow it', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    assert.deepEqual(errorsOf(await ask(one, ['new'])), { new: 'UNKNOWN_TOPIC_OR_PARTITION' });
    await changed(one, (state) =>
      setClusterConfigs(state, {
        set: { 'num.partitions': '3', 'default.replication.factor': '2' },
        remove: [],
      }),
    );
    const [topic] = (await ask(one, ['new'], { create: true })).topics;
    assert.deepEqual([topic?.errorCode, topic?.partitions.length], [0, 3]);
    assert.equal(one.view.topicByName('new')?.topic.replicationFactor, 2);
    await changed(one, (state) =>
      setClusterConfigs(state, { set: { 'auto.create.topics.enable': 'false' }, remove: [] }),
    );
    const refused = await ask(one, ['newer', 'new'], { create: true });
    assert.deepEqual(errorsOf(refused), { newer: 'UNKNOWN_TOPIC_OR_PARTITION', new: 'NONE' });
  });
});

test('what cannot be a topic, or is the brokers’ own, is not created', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await changed(one, (state) => createTopic(state, topicOf('a.b', 1)));
    const names = ['a/b', '.', '', 'a_b', '__consumer_offsets'];
    assert.deepEqual(errorsOf(await ask(one, names, { create: true })), {
      'a/b': 'INVALID_TOPIC_EXCEPTION',
      '.': 'INVALID_TOPIC_EXCEPTION',
      '': 'INVALID_TOPIC_EXCEPTION',
      a_b: 'INVALID_TOPIC_EXCEPTION',
      __consumer_offsets: 'UNKNOWN_TOPIC_OR_PARTITION',
    });
    assert.equal(one.view.state?.topics.size, 1);
  });
});

test('many clients that ask for one new topic at a time create one', async () => {
  const { time, join, server } = adminWorld();
  await time.drive(async () => {
    const [one, two] = [await join(1), await join(2)];
    const before = server.counters.put;
    const answers = await Promise.all(
      [one, two].flatMap((broker) => [1, 2, 3].map(() => ask(broker, ['new'], { create: true }))),
    );
    for (const answer of answers) assert.deepEqual(errorsOf(answer), { new: 'NONE' });
    assert.equal(new Set(answers.map(({ topics }) => topics[0]?.topicId)).size, 1);
    assert(server.counters.put - before <= 3, 'a write for each broker, and one that lost the race');
  });
});

test('a topic that another broker created a moment ago is known', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const [one, two] = [await join(1), await join(2)];
    await changed(two, (state) => createTopic(state, topicOf('orders', 1)));
    assert.equal(one.view.topicByName('orders'), undefined);
    assert.deepEqual(errorsOf(await ask(one, ['orders'])), { orders: 'NONE' });
    await changed(two, (state) => deleteTopic(state, 'orders'));
    assert.deepEqual(errorsOf(await ask(one, ['orders'])), { orders: 'NONE' }, 'known: not read again');
  });
});

test('clients that keep asking for what does not exist do not make the broker read the store as often', async () => {
  const { time, join, server } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    const before = server.counters.get;
    const beganMs = one.runtime.monotonicMs();
    const client = async (): Promise<void> => {
      for (let round = 0; round < 10; round++) await ask(one, ['none']);
    };
    await Promise.all(Array.from({ length: 100 }, client));
    const tookMs = one.runtime.monotonicMs() - beganMs;
    assert(server.counters.get - before <= tookMs / 50 + 1, `${server.counters.get - before} reads`);
    assert(tookMs < 10 * 70, `${tookMs} ms`);
  });
});

test('while a group is handed over the old owner leads, and a dead one leads nothing', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await join(2);
    await changed(one, (state) => createTopic(state, topicOf('orders', 1)));
    await changed(one, (state) => reassign(state, [{ topic: 'orders', partition: 0, to: 2 }]));
    const moving = (await ask(one, ['orders'])).topics[0]?.partitions[0];
    assert.deepEqual([moving?.leaderId, moving?.leaderEpoch, moving?.replicaNodes], [1, 2, [2, 1]]);
    await changed(one, (state) => setBrokerState(state, { id: 2, sid: hexId('5', 2), to: 'dead' }));
    await changed(one, (state) => setBrokerState(state, { id: 1, sid: hexId('5', 1), to: 'draining' }));
    const answer = await ask(one, ['orders']);
    assert.deepEqual(
      answer.brokers.map(({ nodeId }) => nodeId),
      [1],
    );
  });
});
