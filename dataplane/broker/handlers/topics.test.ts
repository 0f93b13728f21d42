import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setBrokerState } from '../../cluster/broker-changes.ts';
import { setClusterConfigs } from '../../cluster/cluster-config-changes.ts';
import { hexId, topicOf } from '../../cluster/cluster-fixture.ts';
import { clusterKey } from '../../cluster/cluster-state.ts';
import { createTopic } from '../../cluster/topic-changes.ts';
import type { RequestInput } from '../../protocol/api.ts';
import { createPartitions } from '../../protocol/api/create-partitions.ts';
import { createTopics } from '../../protocol/api/create-topics.ts';
import { deleteTopics } from '../../protocol/api/delete-topics.ts';
import { sleep } from '../../runtime/runtime.ts';
import { adminWorld, call, changed, shownError } from './admin-fixture.ts';
import type { AdminBroker, CallOptions } from './admin-fixture.ts';
import { createPartitionsHandler } from './create-partitions.ts';
import { createTopicsHandler } from './create-topics.ts';
import { deleteTopicsHandler } from './delete-topics.ts';

type NewTopic = RequestInput<typeof createTopics>['topics'][number];
type CreateOptions = CallOptions & { readonly validateOnly?: boolean; readonly timeoutMs?: number };

const newTopic = (name: string, more: Partial<NewTopic> = {}): NewTopic => ({
  name,
  numPartitions: -1,
  replicationFactor: -1,
  assignments: [],
  configs: [],
  ...more,
});

const create = (broker: AdminBroker, topics: readonly NewTopic[], options: CreateOptions = {}) =>
  call(
    createTopics,
    createTopicsHandler(broker),
    { topics, timeoutMs: options.timeoutMs ?? 5_000, validateOnly: options.validateOnly ?? false },
    options,
  );

async function errorsOfCreating(
  broker: AdminBroker,
  topics: readonly NewTopic[],
  options: CreateOptions = {},
): Promise<string[]> {
  const answer = await create(broker, topics, options);
  return answer.topics.map((topic) => shownError(topic));
}

const remove = (
  broker: AdminBroker,
  topics: readonly { readonly name?: string; readonly topicId?: string }[],
  options: CallOptions = {},
) =>
  call(
    deleteTopics,
    deleteTopicsHandler(broker),
    (options.version ?? 6) < 6
      ? { topicNames: topics.map(({ name }) => name ?? ''), timeoutMs: 5_000 }
      : {
          topics: topics.map(({ name, topicId }) => ({
            name: name ?? null,
            topicId: topicId ?? '0'.repeat(32),
          })),
          timeoutMs: 5_000,
        },
    options,
  );

const extend = (
  broker: AdminBroker,
  topics: RequestInput<typeof createPartitions>['topics'],
  validateOnly = false,
) => call(createPartitions, createPartitionsHandler(broker), { topics, timeoutMs: 5_000, validateOnly });

test('a topic is created as asked for and told with its configs', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    const answer = await create(one, [
      newTopic('orders', {
        numPartitions: 3,
        replicationFactor: 32_767,
        configs: [{ name: 'retention.ms', value: ' 5' }],
      }),
    ]);
    const [topic] = answer.topics;
    assert(topic !== undefined);
    assert.equal(shownError(topic), 'NONE');
    assert.deepEqual([topic.numPartitions, topic.replicationFactor], [3, 32_767]);
    const stored = one.view.topicByName('orders')?.topic;
    assert.equal(stored?.topicId, topic.topicId);
    assert.deepEqual(stored?.configs, { 'retention.ms': '5' });
    assert.equal(stored?.replicationFactor, 32_767);
    const configs = new Map(topic.configs?.map((config) => [config.name, config]));
    assert.deepEqual(configs.get('retention.ms'), {
      name: 'retention.ms',
      value: '5',
      readOnly: false,
      configSource: 1,
      isSensitive: false,
    });
    assert.deepEqual(
      [configs.get('segment.bytes')?.value, configs.get('segment.bytes')?.configSource],
      ['1073741824', 5],
    );
  });
});

test('defaults are the cluster’s', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await changed(one, (state) =>
      setClusterConfigs(state, { set: { 'num.partitions': '4', 'log.retention.ms': '9' }, remove: [] }),
    );
    const [topic] = (await create(one, [newTopic('orders')])).topics;
    assert.deepEqual([topic?.numPartitions, topic?.replicationFactor], [4, 1]);
    const retention = topic?.configs?.find(({ name }) => name === 'retention.ms');
    assert.deepEqual([retention?.value, retention?.configSource], ['9', 3]);
    assert.equal(one.view.topicByName('orders')?.topic.partitions, 4);
  });
});

test('every topic of a request has its own outcome, with one write', async () => {
  const { time, join, server } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await create(one, [newTopic('old')]);
    const before = server.counters.put;
    const errors = await errorsOfCreating(one, [
      newTopic('a'),
      newTopic('old'),
      newTopic('b/c'),
      newTopic('twice'),
      newTopic('d', { numPartitions: 0 }),
      newTopic('e', { replicationFactor: 0 }),
      newTopic('f', { configs: [{ name: 'retention.ms', value: null }] }),
      newTopic('g', { configs: [{ name: 'retention.ms', value: '-7' }] }),
      newTopic('h', { configs: [{ name: 'retention', value: '7' }] }),
      newTopic('i', { numPartitions: 1_000_000 }),
      newTopic('twice'),
      newTopic('j.k'),
      newTopic('j_k'),
      newTopic('__consumer_offsets'),
      newTopic('l', { configs: [{ name: 'table.placement.policy', value: 'Pinned' }] }),
      newTopic('z'),
    ]);
    assert.deepEqual(
      errors.map((error) => error.slice(0, 74)),
      [
        'NONE',
        'TOPIC_ALREADY_EXISTS: topic old already exists',
        'INVALID_TOPIC_EXCEPTION: "b/c" is no topic name: 1 to 249 of the character',
        'INVALID_REQUEST: the request names topic twice more than once',
        'INVALID_PARTITIONS: topic d cannot have 0 partitions: it must be at least ',
        'INVALID_REPLICATION_FACTOR: topic e cannot have replication factor 0: it m',
        'INVALID_CONFIG: topic f: retention.ms has no value',
        'INVALID_CONFIG: retention.ms is "-7" but must be a whole number from -1 to',
        'INVALID_CONFIG: "retention" is no topic config that Firn knows; it knows a',
        'INVALID_PARTITIONS: topic i cannot have 1000000 partitions: it must be a w',
        'INVALID_REQUEST: the request names topic twice more than once',
        'NONE',
        'INVALID_TOPIC_EXCEPTION: topic j_k collides with topic j.k: they differ on',
        'POLICY_VIOLATION: topic __consumer_offsets cannot be created: it is intern',
        'INVALID_CONFIG: topic l: table.placement.policy is Pinned: name the zone i',
        'NONE',
      ],
    );
    assert.equal(server.counters.put, before + 1);
    assert.deepEqual([...(one.view.state?.topics.keys() ?? [])], ['old', 'a', 'j.k', 'z']);
  });
});

test('validation creates nothing and says the same', async () => {
  const { time, join, server } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    const before = server.counters.put;
    const topics = [newTopic('a'), newTopic('a.b'), newTopic('a_b')];
    const errors = await errorsOfCreating(one, topics, { validateOnly: true });
    assert.deepEqual(
      errors.map((error) => error.slice(0, 23)),
      ['NONE', 'NONE', 'INVALID_TOPIC_EXCEPTION'],
    );
    assert.equal(server.counters.put, before);
    assert.equal(one.view.state?.topics.size, 0);
  });
});

test('manual assignments are followed, or refused with a reason', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await join(2);
    await join(3);
    await changed(one, (state) => setBrokerState(state, { id: 3, sid: hexId('5', 3), to: 'dead' }));
    const assigned = (...lists: readonly number[][]): Partial<NewTopic> => ({
      assignments: lists.map((brokerIds, partitionIndex) => ({ partitionIndex, brokerIds })),
    });
    const errors = await errorsOfCreating(one, [
      newTopic('good', assigned([2, 1], [1, 3])),
      newTopic('uneven', assigned([2, 1], [1])),
      newTopic('gap', { assignments: [{ partitionIndex: 1, brokerIds: [1] }] }),
      newTopic('both', { ...assigned([1]), numPartitions: 1 }),
      newTopic('unknown', assigned([1, 9])),
      newTopic('dead', assigned([3, 1])),
      newTopic('doubled', assigned([1, 1])),
      newTopic('nobody', assigned([])),
    ]);
    assert.deepEqual(
      errors.map((error) => error.slice(0, 82)),
      [
        'NONE',
        'INVALID_REPLICA_ASSIGNMENT: the assignment of topic uneven gives partition 0 2 bro',
        'INVALID_REPLICA_ASSIGNMENT: the assignment of topic gap must name its partitions f',
        'INVALID_REQUEST: topic both is given an assignment of its partitions: number of pa',
        'INVALID_REPLICA_ASSIGNMENT: there is no broker 9',
        'INVALID_REPLICA_ASSIGNMENT: partition group ',
        'INVALID_REPLICA_ASSIGNMENT: partition 0 of topic doubled is given broker 1 twice',
        'INVALID_REPLICA_ASSIGNMENT: partition 0 of topic nobody is given no broker: name i',
      ].map((error, index) => (index === 5 ? (errors[5] ?? '').slice(0, 82) : error)),
    );
    assert.match(errors[5] ?? '', /^INVALID_REPLICA_ASSIGNMENT: .* cannot go to broker 3: it is dead$/);
    const topic = one.view.topicByName('good')?.topic;
    assert(topic !== undefined);
    assert.deepEqual(
      [0, 1].map((partition) => one.view.leader(topic, partition)?.brokerId),
      [2, 1],
    );
    assert.deepEqual([topic.partitions, topic.replicationFactor], [2, 2]);
  });
});

test('when the store does not answer in time the outcome is unknown, and said to be', async () => {
  const { time, join, server } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    server.intercept({ operation: 'put', key: clusterKey }, { kind: 'delay', applyMs: 500 });
    const [error] = await errorsOfCreating(one, [newTopic('late')], { timeoutMs: 200 });
    assert.match(error ?? '', /^REQUEST_TIMED_OUT: .*may have been made, or may yet be/);
    await sleep(one.runtime, 20_000);
    assert.equal(one.view.topicByName('late')?.name, 'late');
    const [again] = await errorsOfCreating(one, [newTopic('late')]);
    assert.equal(again, 'TOPIC_ALREADY_EXISTS: topic late already exists');
  });
});

test('who does not want to wait is told so at once, and the topic is created', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    const [error] = await errorsOfCreating(one, [newTopic('orders')], { timeoutMs: 0 });
    assert.match(error ?? '', /^REQUEST_TIMED_OUT/);
    await sleep(one.runtime, 1_000);
    assert.equal(one.view.topicByName('orders')?.name, 'orders');
  });
});

test('a broker whose session is dead sends admin clients to another one', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const [one, two] = [await join(1), await join(2)];
    await changed(two, (state) => setBrokerState(state, { id: 1, sid: hexId('5', 1), to: 'dead' }));
    const [error] = await errorsOfCreating(one, [newTopic('orders')]);
    assert.match(error ?? '', /^NOT_CONTROLLER: session 5.* of broker 1 is dead/);
  });
});

test('creation is answered when the new partitions of this broker are served, if that takes no longer', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    const beganMs = one.runtime.monotonicMs();
    one.isServed = () => one.runtime.monotonicMs() - beganMs > 700;
    assert.deepEqual(await errorsOfCreating(one, [newTopic('orders')]), ['NONE']);
    const tookMs = one.runtime.monotonicMs() - beganMs;
    assert(tookMs > 700 && tookMs < 800, `${tookMs} ms`);
    one.isServed = () => false;
    const againMs = one.runtime.monotonicMs();
    assert.deepEqual(await errorsOfCreating(one, [newTopic('more')], { timeoutMs: 300 }), ['NONE']);
    assert(one.runtime.monotonicMs() - againMs < 320);
  });
});

test('topics are deleted by name and by id', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    for (const [index, name] of ['a', 'b', 'c', 'd'].entries())
      await changed(one, (state) => createTopic(state, topicOf(name, index + 1)));
    await changed(one, (state) => createTopic(state, topicOf('__own', 9, { internal: true })));
    const answer = await remove(one, [
      { name: 'a' },
      { topicId: hexId('a', 2) },
      { name: 'none' },
      { topicId: hexId('a', 8) },
      { name: 'c', topicId: hexId('a', 3) },
      {},
      { name: 'd' },
      { name: 'd' },
      { name: '__own' },
    ]);
    assert.deepEqual(
      answer.responses.map((topic) => [topic.name, shownError(topic)]),
      [
        ['a', 'NONE'],
        ['b', 'NONE'],
        ['none', 'UNKNOWN_TOPIC_OR_PARTITION: there is no topic "none"'],
        [null, `UNKNOWN_TOPIC_ID: there is no topic with id ${hexId('a', 8)}`],
        ['c', 'INVALID_REQUEST: a topic must be named either by its name or by its id'],
        [null, 'INVALID_REQUEST: a topic must be named either by its name or by its id'],
        ['d', 'INVALID_REQUEST: the request names this topic more than once'],
        ['d', 'INVALID_REQUEST: the request names this topic more than once'],
        [
          '__own',
          'POLICY_VIOLATION: topic __own cannot be deleted: it is internal, and brokers alone look after it',
        ],
      ],
    );
    assert.deepEqual([...(one.view.state?.topics.keys() ?? [])], ['c', 'd', '__own']);
    const old = await remove(one, [{ name: 'c' }, { name: 'none' }], { version: 1 });
    assert.deepEqual(
      old.responses.map((topic) => shownError(topic)),
      ['NONE', 'UNKNOWN_TOPIC_OR_PARTITION'],
    );
  });
});

test('nothing is deleted where the cluster forbids it', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await changed(one, (state) => createTopic(state, topicOf('a', 1)));
    await changed(one, (state) =>
      setClusterConfigs(state, { set: { 'delete.topic.enable': 'false' }, remove: [] }),
    );
    const errorIn = async (version: number): Promise<string> => {
      const [topic] = (await remove(one, [{ name: 'a' }], { version })).responses;
      assert(topic !== undefined);
      return shownError(topic).split(':')[0] ?? '';
    };
    assert.equal(await errorIn(6), 'TOPIC_DELETION_DISABLED');
    assert.equal(await errorIn(2), 'INVALID_REQUEST');
    assert.equal(one.view.state?.topics.size, 1);
  });
});

test('partitions are added, never taken away', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await join(2);
    for (const [index, name] of ['a', 'b', 'c', 'd', 'e'].entries())
      await changed(one, (state) => createTopic(state, topicOf(name, index + 1, { partitions: 2 })));
    await changed(one, (state) => createTopic(state, topicOf('__own', 9, { internal: true })));
    const topics = [
      { name: 'a', count: 3, assignments: null },
      { name: 'b', count: 2, assignments: null },
      { name: 'c', count: 1, assignments: null },
      { name: 'none', count: 1, assignments: null },
      { name: 'd', count: 4, assignments: [{ brokerIds: [1] }] },
      { name: 'e', count: 4, assignments: [{ brokerIds: [2, 1] }, { brokerIds: [1] }] },
      { name: '__own', count: 4, assignments: null },
    ];
    const expected = [
      'NONE',
      'INVALID_PARTITIONS: topic b cannot have 2 partitions: it must be a whole number from 3 to 200000',
      'INVALID_PARTITIONS: topic c cannot have 1 partitions: it must be a whole number from 3 to 200000',
      'UNKNOWN_TOPIC_OR_PARTITION: there is no topic "none"',
      'INVALID_REPLICA_ASSIGNMENT: topic d is to get 2 more partitions, but the request says of 1 who owns them',
      'NONE',
      'POLICY_VIOLATION: topic __own cannot be given more partitions: it is internal, and brokers alone look after it',
    ];
    const checked = await extend(one, topics, true);
    assert.deepEqual(
      checked.results.map((topic) => shownError(topic)),
      expected,
    );
    assert.equal(one.view.topicByName('a')?.topic.partitions, 2);
    const answer = await extend(one, topics);
    assert.deepEqual(
      answer.results.map((topic) => shownError(topic)),
      expected,
    );
    assert.equal(one.view.topicByName('a')?.topic.partitions, 3);
    const e = one.view.topicByName('e')?.topic;
    assert(e !== undefined);
    assert.deepEqual(
      [2, 3].map((partition) => one.view.leader(e, partition)?.brokerId),
      [2, 1],
    );
    const twice = await extend(one, [
      { name: 'a', count: 4, assignments: null },
      { name: 'a', count: 5, assignments: null },
    ]);
    assert.match(shownError(twice.results[0] ?? assert.fail()), /^INVALID_REQUEST/);
  });
});
