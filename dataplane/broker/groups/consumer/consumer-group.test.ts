import assert from 'node:assert/strict';
import { test } from 'node:test';
import { consumerGroupDescribe } from '../../../protocol/api/consumer-group-describe.ts';
import { deleteGroups } from '../../../protocol/api/delete-groups.ts';
import { describeGroups } from '../../../protocol/api/describe-groups.ts';
import { listGroups } from '../../../protocol/api/list-groups.ts';
import { offsetFetch } from '../../../protocol/api/offset-fetch.ts';
import { GroupWorld, idOfTopic, nameOf, topicView } from '../group-fixture.ts';
import { ConsumerClient, settle } from './consumer-client-fixture.ts';

const topics = [topicView('topic', 4), topicView('other', 2)];

async function describe(world: GroupWorld, groupId = 'group') {
  const { consumerGroupDescribe: handle } = world.broker(0).handlers;
  const answer = await world.call(consumerGroupDescribe, handle, {
    groupIds: [groupId],
    includeAuthorizedOperations: false,
  });
  const [group] = answer.groups;
  assert(group);
  return group;
}

test('members join, share the partitions, and come to rest', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const a = new ConsumerClient(world, 'group', 'a');
    const first = await a.heartbeat();
    assert.equal(nameOf(first), 'NONE');
    assert.equal(first.heartbeatIntervalMs, 5_000);
    assert.equal(a.epoch, 1);
    a.obey();
    assert.equal(a.shown, 'topic:0,1,2,3');
    const b = new ConsumerClient(world, 'group', 'b');
    await b.step();
    assert.equal(b.shown, '', 'it waits for what the first one has');
    assert.equal((await describe(world)).groupState, 'Reconciling');
    const quiet = await a.heartbeat();
    assert.equal(a.epoch, 1, 'it keeps its epoch until it has given up');
    assert.notEqual(quiet.assignment, null);
    a.obey();
    await settle([a, b]);
    assert.deepEqual([a.shown.length, b.shown.length], [9, 9]);
    assert.equal((await describe(world)).groupState, 'Stable');
    assert.equal((await a.heartbeat()).assignment, null, 'nothing new');
  });
});

test('a member that leaves, or is not heard of, makes room for the others', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const [a, b, c] = ['a', 'b', 'c'].map((id) => new ConsumerClient(world, 'group', id));
    assert(a && b && c);
    await settle([a, b, c]);
    assert.equal(await c.leave(), 'NONE');
    await settle([a, b]);
    for (let i = 0; i < 10; i++) {
      await world.wait(5_000);
      await a.step();
    }
    await settle([a]);
    assert.equal(a.shown, 'topic:0,1,2,3');
    assert.equal(nameOf(await b.heartbeat()), 'UNKNOWN_MEMBER_ID');
  });
});

test('a member that does not give up partitions within its rebalance timeout is out', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const a = new ConsumerClient(world, 'group', 'a');
    a.rebalanceTimeoutMs = 12_000;
    await a.step();
    const b = new ConsumerClient(world, 'group', 'b');
    await b.step();
    for (let i = 0; i < 4; i++) {
      await world.wait(5_000);
      await a.heartbeat();
      await b.step();
    }
    assert.equal(nameOf(await a.heartbeat()), 'UNKNOWN_MEMBER_ID');
    await settle([b]);
    assert.equal(b.shown, 'topic:0,1,2,3');
  });
});

test('epochs fence: a stale member is sent away, one whose answer got lost is not', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const a = new ConsumerClient(world, 'group', 'a');
    await a.step();
    const before = { epoch: a.epoch, owned: a.owned };
    const b = new ConsumerClient(world, 'group', 'b');
    await b.step();
    await a.step();
    await a.step();
    assert(a.epoch > before.epoch);
    const lost = new ConsumerClient(world, 'group', 'a');
    lost.epoch = before.epoch;
    lost.owned = a.owned;
    assert.equal(nameOf(await lost.heartbeat()), 'NONE');
    lost.epoch = before.epoch;
    lost.owned = before.owned;
    assert.equal(nameOf(await lost.heartbeat()), 'FENCED_MEMBER_EPOCH');
    lost.epoch = a.epoch + 1;
    assert.equal(nameOf(await lost.heartbeat()), 'FENCED_MEMBER_EPOCH');
    const nobody = new ConsumerClient(world, 'nowhere', 'x');
    nobody.epoch = 3;
    assert.equal(nameOf(await nobody.heartbeat()), 'GROUP_ID_NOT_FOUND');
  });
});

test('requests that mean nothing are refused', async () => {
  const world = new GroupWorld({ topics, options: { consumerMaxSize: 1 } });
  await world.run(async () => {
    await world.wait(100);
    const client = new ConsumerClient(world, 'group', 'a');
    const refused: [Parameters<ConsumerClient['heartbeat']>[0], string][] = [
      [{ memberId: '' }, 'INVALID_REQUEST'],
      [{ groupId: '' }, 'INVALID_REQUEST'],
      [{ instanceId: '' }, 'INVALID_REQUEST'],
      [{ rackId: '' }, 'INVALID_REQUEST'],
      [{ rebalanceTimeoutMs: -1 }, 'INVALID_REQUEST'],
      [{ topicPartitions: null }, 'INVALID_REQUEST'],
      [{ subscribedTopicNames: null }, 'INVALID_REQUEST'],
      [{ memberEpoch: -2 }, 'INVALID_REQUEST'],
      [{ memberEpoch: -3 }, 'INVALID_REQUEST'],
      [{ serverAssignor: 'sticky' }, 'UNSUPPORTED_ASSIGNOR'],
      [{ subscribedTopicRegex: '(' }, 'INVALID_REGULAR_EXPRESSION'],
    ];
    for (const [changes, error] of refused) {
      const answer = await client.heartbeat(changes);
      assert.equal(nameOf(answer), error, JSON.stringify(changes));
      assert((answer.errorMessage ?? '').length > 15);
    }
    assert(!world.broker(0).coordinator.shardOf('group').groups.has('group'), 'nothing is left of it');
    assert.equal(nameOf(await client.heartbeat()), 'NONE');
    assert.equal(nameOf(await new ConsumerClient(world, 'group', 'b').heartbeat()), 'GROUP_MAX_SIZE_REACHED');
  });
});

test('a static member that goes away and comes back has what it had, and nobody else moves', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const a = new ConsumerClient(world, 'group', 'a', { instanceId: 'i-a' });
    const b = new ConsumerClient(world, 'group', 'b', { instanceId: 'i-b' });
    await settle([a, b]);
    const had = a.shown;
    const twin = new ConsumerClient(world, 'group', 'twin', { instanceId: 'i-a' });
    assert.equal(nameOf(await twin.heartbeat()), 'UNRELEASED_INSTANCE_ID');
    assert.equal(await a.leave(-2), 'NONE');
    world.restart('group');
    await world.wait(100);
    const back = new ConsumerClient(world, 'group', 'a2', { instanceId: 'i-a' });
    await back.step();
    assert.equal(back.shown, had);
    const epoch = b.epoch;
    await b.step();
    assert.equal(b.epoch, epoch, 'no new assignment was made');
    assert.equal(nameOf(await a.heartbeat({ memberEpoch: epoch })), 'FENCED_INSTANCE_ID');
  });
});

test('a static member that goes away and does not come back is out after its session', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const a = new ConsumerClient(world, 'group', 'a', { instanceId: 'i-a' });
    const b = new ConsumerClient(world, 'group', 'b');
    await settle([a, b]);
    await a.leave(-2);
    for (let i = 0; i < 10; i++) {
      await world.wait(5_000);
      await b.step();
    }
    await settle([b]);
    assert.equal(b.shown, 'topic:0,1,2,3');
  });
});

test('regular expressions: resolved at once, again when topics come, by the syntax of RE2', async () => {
  const world = new GroupWorld({
    topics: [topicView('eu.orders', 2), topicView('us.orders', 1), topicView('eu.x', 1)],
  });
  await world.run(async () => {
    await world.wait(100);
    const a = new ConsumerClient(world, 'group', 'a', { regex: '(eu|us)\\.orders' });
    await a.step();
    assert.equal(a.shown, 'eu.orders:0,1 us.orders:0');
    await world.wait(10_000);
    world.setTopics([...world.topics, topicView('us.x', 1), topicView('x.orders', 1)]);
    await a.step();
    assert.equal(a.shown, 'eu.orders:0,1 us.orders:0');
    a.regex = '.*\\.orders';
    await a.step({ subscribedTopicRegex: a.regex });
    await settle([a]);
    assert.equal(a.shown, 'eu.orders:0,1 us.orders:0 x.orders:0');
    await world.wait(10_000);
    world.setTopics([...world.topics, topicView('y.orders', 1)]);
    await settle([a]);
    assert.equal(a.shown, 'eu.orders:0,1 us.orders:0 x.orders:0 y.orders:0');
    world.restart('group');
    await world.wait(100);
    await settle([a]);
    assert.equal(a.shown, 'eu.orders:0,1 us.orders:0 x.orders:0 y.orders:0');
    const shown = (await describe(world)).members[0];
    assert.equal(shown?.subscribedTopicRegex, '.*\\.orders');
    await a.step({ subscribedTopicRegex: '', subscribedTopicNames: ['eu.x'] });
    await settle([a]);
    assert.equal(a.shown, 'eu.x:0');
  });
});

test('new partitions, new and deleted topics change the assignment', async () => {
  const world = new GroupWorld({ topics: [topicView('topic', 2)] });
  await world.run(async () => {
    await world.wait(100);
    const a = new ConsumerClient(world, 'group', 'a', { topics: ['topic', 'later'] });
    await settle([a]);
    assert.equal(a.shown, 'topic:0,1');
    world.setTopics([topicView('topic', 3), topicView('later', 1)]);
    await settle([a]);
    assert.equal(a.shown, 'later:0 topic:0,1,2');
    world.setTopics([topicView('later', 1)]);
    await settle([a]);
    assert.equal(a.shown, 'later:0');
    world.setTopics([topicView('later', 1), topicView('topic', 1, 'f'.repeat(32))]);
    await settle([a]);
    assert.equal(a.shown, 'later:0 topic:0');
  });
});

test('unsubscribing takes effect at once', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const a = new ConsumerClient(world, 'group', 'a', { topics: ['topic', 'other'] });
    await settle([a]);
    await a.step({ subscribedTopicNames: ['other'] });
    assert.equal(a.shown, 'other:0,1');
  });
});

test('the assignor that most members ask for; range cuts ranges', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const [a, b] = ['a', 'b'].map((id) => {
      const client = new ConsumerClient(world, 'group', id);
      client.assignor = 'range';
      return client;
    });
    assert(a && b);
    await settle([a, b]);
    assert.deepEqual([a.shown, b.shown], ['topic:0,1', 'topic:2,3']);
    assert.equal((await describe(world)).assignorName, 'range');
  });
});

test('members, epochs and assignments survive a move of the coordinator, at any step of a rebalance', async () => {
  const world = new GroupWorld({ topics, options: { snapshotMinBytes: 1_500 } });
  await world.run(async () => {
    await world.wait(100);
    const clients = ['a', 'b', 'c'].map((id) => new ConsumerClient(world, 'group', id));
    const step = async (client: ConsumerClient): Promise<void> => {
      const error = await client.step();
      assert.equal(error, 'NONE', `${client.memberId}: ${error}`);
      world.restart('group');
      await world.wait(50);
    };
    for (let round = 0; round < 6; round++) for (const client of clients) await step(client);
    assert.deepEqual(
      clients
        .map(({ shown }) => shown)
        .join(' ')
        .match(/\d/g)
        ?.sort(),
      ['0', '1', '2', '3'],
    );
    assert.equal((await describe(world)).groupState, 'Stable');
  });
});

test('commits are fenced by epoch, partition by partition', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const a = new ConsumerClient(world, 'group', 'a');
    await settle([a]);
    assert.equal(await a.commit('topic', 0, 5), 'NONE');
    const oldEpoch = a.epoch;
    const b = new ConsumerClient(world, 'group', 'b');
    await settle([a, b]);
    const kept = Number(/\d/.exec(a.shown)?.[0]);
    const lost = Number(/\d/.exec(b.shown)?.[0]);
    assert.equal(await a.commit('topic', kept, 6, oldEpoch), 'NONE', 'it has had that one ever since');
    assert.equal(await a.commit('topic', lost, 7, oldEpoch), 'STALE_MEMBER_EPOCH');
    assert.equal(await a.commit('topic', kept, 7, a.epoch + 1), 'STALE_MEMBER_EPOCH');
    const nobody = new ConsumerClient(world, 'group', 'x');
    assert.equal(await nobody.commit('topic', 0, 7, 1), 'UNKNOWN_MEMBER_ID');

    const fetch = async (memberId: string | null, memberEpoch: number) => {
      const answer = await world.call(offsetFetch, world.broker(0).handlers.offsetFetch, {
        groups: [{ groupId: 'group', memberId, memberEpoch, topics: null }],
      });
      const [group] = answer.groups;
      assert(group);
      return group.errorCode === 0 ? group.topics[0]?.partitions.length : nameOf(group);
    };
    const committed = new Set([0, kept]).size;
    assert.equal(await fetch(null, -1), committed);
    assert.equal(await fetch('a', a.epoch), committed);
    assert.equal(await fetch('a', a.epoch - 1), 'STALE_MEMBER_EPOCH');
    assert.equal(await fetch('x', 1), 'UNKNOWN_MEMBER_ID');
  });
});

test('groups of the consumer protocol are listed, described and deleted as such', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const a = new ConsumerClient(world, 'group', 'a', { rackId: 'zone-1' });
    await settle([a]);
    await a.commit('topic', 0, 5);
    const { handlers } = world.broker(0);
    const listed = await world.call(listGroups, handlers.listGroups, {
      statesFilter: [],
      typesFilter: ['Consumer'],
    });
    assert.deepEqual(
      listed.groups.map(({ groupId, protocolType, groupState, groupType }) => [
        groupId,
        protocolType,
        groupState,
        groupType,
      ]),
      [['group', 'consumer', 'Stable', 'consumer']],
    );
    const described = await describe(world);
    const [member] = described.members;
    assert.equal(described.assignorName, 'uniform');
    assert.deepEqual([member?.rackId, member?.memberEpoch, member?.memberType], ['zone-1', 1, 1]);
    assert.deepEqual(member?.assignment.topicPartitions, [
      { topicId: idOfTopic('topic'), topicName: 'topic', partitions: [0, 1, 2, 3] },
    ]);
    assert.deepEqual(member?.targetAssignment, member?.assignment);
    const classic = await world.call(describeGroups, handlers.describeGroups, { groups: ['group'] });
    assert.equal(nameOf(classic.groups[0] ?? { errorCode: 0 }), 'GROUP_ID_NOT_FOUND');
    assert.equal(nameOf(await describe(world, 'nobody')), 'GROUP_ID_NOT_FOUND');

    const remove = async () =>
      (await world.call(deleteGroups, handlers.deleteGroups, { groupsNames: ['group'] })).results.map(nameOf);
    assert.deepEqual(await remove(), ['NON_EMPTY_GROUP']);
    await a.leave();
    assert.equal((await describe(world)).groupState, 'Empty');
    assert.deepEqual(await remove(), ['NONE']);
    world.restart('group');
    await world.wait(100);
    assert.equal(nameOf(await describe(world)), 'GROUP_ID_NOT_FOUND');
  });
});

test('what members are remembered by is bounded', async () => {
  const world = new GroupWorld({
    topics,
    options: { maxGroupBytes: 3_000, maxGroupsPerPartition: 1, maxGroupIdLength: 20, maxRegexesPerGroup: 1 },
  });
  await world.run(async () => {
    await world.wait(100);
    const fat = new ConsumerClient(world, 'group', 'x'.repeat(3_000));
    assert.equal(nameOf(await fat.heartbeat()), 'GROUP_MAX_SIZE_REACHED');
    const names = Array.from({ length: 200 }, (_, i) => `t${i}`);
    const many = new ConsumerClient(world, 'group', 'a', { topics: names });
    assert.equal(nameOf(await many.heartbeat()), 'GROUP_MAX_SIZE_REACHED');
    assert.equal(nameOf(await new ConsumerClient(world, 'group', 'a', { regex: 'a' }).heartbeat()), 'NONE');
    const other = new ConsumerClient(world, 'group', 'b', { regex: 'b' });
    assert.equal(nameOf(await other.heartbeat()), 'GROUP_MAX_SIZE_REACHED');
    assert.equal(nameOf(await new ConsumerClient(world, 'group', 'b', { regex: 'a' }).heartbeat()), 'NONE');
    const errors = new Set<string | undefined>();
    for (let i = 0; i < 10; i++)
      errors.add(nameOf(await new ConsumerClient(world, `g${i}`, 'a').heartbeat()));
    assert.deepEqual(errors, new Set(['NONE', 'GROUP_MAX_SIZE_REACHED']));
    const long = new ConsumerClient(world, 'g'.repeat(21), 'a');
    assert.equal(nameOf(await long.heartbeat()), 'INVALID_GROUP_ID');
  });
});

test('an assignment whose answer got lost is told again, also without a full request', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const a = new ConsumerClient(world, 'group', 'a');
    await settle([a]);
    const b = new ConsumerClient(world, 'group', 'b');
    await b.step();
    await a.step();
    await a.step();
    // The answer that gives b its partitions does not reach it.
    const { epoch, owned } = b;
    await b.heartbeat();
    assert.equal(b.assignment.size, 1);
    b.epoch = epoch;
    b.owned = owned;
    b.assignment = owned;
    await b.step();
    await settle([a, b]);
    assert.equal(a.shown.length, b.shown.length);
  });
});
