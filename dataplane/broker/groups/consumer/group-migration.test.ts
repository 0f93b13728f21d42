import assert from 'node:assert/strict';
import { test } from 'node:test';
import { consumerGroupDescribe } from '../../../protocol/api/consumer-group-describe.ts';
import { decodeAssignment, encodeAssignment } from '../../../protocol/consumer-protocol.ts';
import { ClassicClient, GroupWorld, nameOf, topicView } from '../group-fixture.ts';
import { ConsumerClient, settle } from './consumer-client-fixture.ts';

const topics = [topicView('topic', 4), topicView('other', 2)];

function assignmentOf(partitions: readonly number[]): Uint8Array {
  return encodeAssignment({ assignedPartitions: [{ topic: 'topic', partitions }] });
}

function partitionsOf(assignment: Uint8Array): string {
  return decodeAssignment(assignment)
    .assignedPartitions.map(({ topic, partitions }) => `${topic}:${partitions.join(',')}`)
    .join(' ');
}

/** Two classic members, stable. */
async function classicGroup(world: GroupWorld): Promise<[ClassicClient, ClassicClient]> {
  const a = new ClassicClient(world, 'group');
  const b = new ClassicClient(world, 'group');
  await Promise.all([a.joinTwice(), b.joinTwice()]);
  await Promise.all([
    a.sync({ [a.memberId]: assignmentOf([0, 1]), [b.memberId]: assignmentOf([2, 3]) }),
    b.sync(),
  ]);
  return [a, b];
}

/** What a classic client does when it is told to rebalance. */
async function rejoin(client: ClassicClient): Promise<string> {
  for (let tries = 0; tries < 10; tries++) {
    const joined = await client.joinTwice();
    assert.equal(nameOf(joined), 'NONE');
    const synced = await client.sync();
    if (nameOf(synced) === 'NONE') return partitionsOf(synced.assignment);
    assert.equal(nameOf(synced), 'REBALANCE_IN_PROGRESS');
  }
  throw new Error('it never got an assignment');
}

async function typeOf(world: GroupWorld): Promise<string | undefined> {
  return world.ownerOf('group')?.coordinator.shardOf('group').groups.get('group')?.type;
}

test('a classic group is upgraded while it works: members one after the other, nobody loses offsets or partitions', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const [a, b] = await classicGroup(world);
    assert.equal(await a.commit('topic', 0, 7), 'NONE');
    // b restarts as a client of the consumer protocol.
    await b.leave();
    const c = new ConsumerClient(world, 'group', 'c');
    assert.equal(await c.step(), 'NONE');
    assert.equal(await typeOf(world), 'consumer');
    world.restart('group');
    await world.wait(100);
    assert.equal(await a.heartbeat(), 'REBALANCE_IN_PROGRESS');
    await rejoin(a);
    for (let i = 0; i < 5; i++) {
      await c.step();
      if ((await a.heartbeat()) === 'REBALANCE_IN_PROGRESS') await rejoin(a);
    }
    assert.equal(await a.heartbeat(), 'NONE');
    assert.equal(c.shown.length, 'topic:0,1'.length);
    const kept = Number(/\d/.exec(await rejoin(a))?.[0]);
    assert.equal(await a.commit('topic', kept, 9), 'NONE');
    const described = await world.call(
      consumerGroupDescribe,
      world.broker(0).handlers.consumerGroupDescribe,
      {
        groupIds: ['group'],
        includeAuthorizedOperations: false,
      },
    );
    assert.deepEqual(described.groups[0]?.members.map(({ memberType }) => memberType).sort(), [0, 1]);

    await a.leave();
    await settle([c]);
    assert.equal(c.shown, 'topic:0,1,2,3');
    assert.equal(await a.fetch('topic', kept), 9);
    assert.equal(await a.fetch('topic', 0), kept === 0 ? 9 : 7);
  });
});

test('when the last member of the consumer protocol leaves, the group is classic again', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const [a, b] = await classicGroup(world);
    const c = new ConsumerClient(world, 'group', 'c');
    await c.step();
    await c.leave();
    assert.equal(await typeOf(world), 'classic');
    world.restart('group');
    await world.wait(100);
    assert.equal(await typeOf(world), 'classic');
    assert.notEqual(await a.heartbeat(), 'UNKNOWN_MEMBER_ID');
    const joined = await Promise.all([a.join(), b.join()]);
    assert.deepEqual(joined.map(nameOf), ['NONE', 'NONE']);
    assert.equal(joined[0]?.generationId, joined[1]?.generationId);
  });
});

test('a static member may change protocol by a restart, in both directions', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const classic = new ClassicClient(world, 'group', { instanceId: 'i' });
    await classic.join();
    await classic.sync({ [classic.memberId]: assignmentOf([0, 1, 2, 3]) });
    const modern = new ConsumerClient(world, 'group', 'm', { instanceId: 'i' });
    assert.equal(await modern.step(), 'NONE');
    await settle([modern]);
    assert.equal(modern.shown, 'topic:0,1,2,3');
    assert.equal(await typeOf(world), 'consumer');
    await modern.leave(-2);
    const back = new ClassicClient(world, 'group', { instanceId: 'i' });
    assert.equal(nameOf(await back.join()), 'NONE');
    assert.equal(await typeOf(world), 'classic');
    assert.equal(nameOf(await back.join()), 'NONE');
    assert.equal(nameOf(await back.sync({ [back.memberId]: assignmentOf([0]) })), 'NONE');
  });
});

test('empty groups become what the next member speaks', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const [a, b] = await classicGroup(world);
    await a.commit('topic', 0, 3);
    await a.leave();
    await b.leave();
    const c = new ConsumerClient(world, 'group', 'c');
    assert.equal(await c.step(), 'NONE');
    await c.leave();
    world.restart('group');
    await world.wait(100);
    const d = new ClassicClient(world, 'group');
    assert.equal(nameOf(await d.joinTwice()), 'NONE');
    await d.sync();
    assert.equal(await typeOf(world), 'classic');
    world.restart('group');
    await world.wait(100);
    assert.equal(await d.heartbeat(), 'NONE');
    assert.equal(await d.fetch('topic', 0), 3);
  });
});

test('groups that cannot be upgraded stay as they are: GROUP_ID_NOT_FOUND, as in Kafka', async () => {
  for (const [policy, protocolType] of [
    ['disabled', 'consumer'],
    ['downgrade', 'consumer'],
    ['bidirectional', 'connect'],
  ] as const) {
    const world = new GroupWorld({ topics, options: { consumerMigrationPolicy: policy } });
    await world.run(async () => {
      await world.wait(100);
      const classic = new ClassicClient(world, 'group');
      classic.protocolType = protocolType;
      await classic.joinTwice();
      await classic.sync();
      const answer = await new ConsumerClient(world, 'group', 'c').heartbeat();
      assert.equal(nameOf(answer), 'GROUP_ID_NOT_FOUND');
      assert.match(answer.errorMessage ?? '', /Cannot upgrade classic group/);
      assert.equal(await classic.heartbeat(), 'NONE');
    });
  }
});
