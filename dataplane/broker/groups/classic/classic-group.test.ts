import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leaveGroup } from '../../../protocol/api/leave-group.ts';
import { ClassicClient, GroupWorld, nameOf, topicView } from '../group-fixture.ts';

const topics = [topicView('topic', 4), topicView('other', 2)];

/** Members in a stable group, the first is the leader. */
async function stableGroup(world: GroupWorld, count: number, groupId = 'group'): Promise<ClassicClient[]> {
  const members = Array.from({ length: count }, () => new ClassicClient(world, groupId));
  const joined = await Promise.all(members.map((member) => member.joinTwice()));
  const leader = members.find(({ memberId }) => memberId === joined[0]?.leader);
  assert(leader);
  const assignments = Object.fromEntries(members.map(({ memberId }, i) => [memberId, `part ${i}`]));
  await Promise.all(members.map((member) => member.sync(member === leader ? assignments : {})));
  return [leader, ...members.filter((member) => member !== leader)];
}

test('members that start together come into the first generation together, after the initial delay', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const a = new ClassicClient(world, 'group');
    const b = new ClassicClient(world, 'group');
    const start = world.time.nowMs;
    const first = a.joinTwice();
    await world.wait(2_000);
    const second = b.joinTwice();
    const [joinedA, joinedB] = await Promise.all([first, second]);
    assert(world.time.nowMs - start >= 6_000, 'a second member prolongs the delay');
    assert.equal(joinedA.generationId, 1);
    assert.equal(joinedB.generationId, 1);
    assert.equal(joinedA.leader, a.memberId);
    assert.deepEqual(
      joinedA.members.map(({ memberId }) => memberId),
      [a.memberId, b.memberId],
    );
    assert.deepEqual(joinedB.members, []);
    const [syncA, syncB] = await Promise.all([a.sync({ [a.memberId]: 'x', [b.memberId]: 'y' }), b.sync()]);
    assert.equal(Buffer.from(syncA.assignment).toString(), 'x');
    assert.equal(Buffer.from(syncB.assignment).toString(), 'y');
    assert.equal(syncB.protocolName, 'range');
    assert.equal(await a.heartbeat(), 'NONE');
  });
});

test('a member without an id is given one and has to come back with it from version 4 on (KIP-394)', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const client = new ClassicClient(world, 'group');
    const answer = await client.join();
    assert.equal(nameOf(answer), 'MEMBER_ID_REQUIRED');
    assert.match(answer.memberId, /^client-[0-9a-f-]{36}$/);
    assert.equal(nameOf(await client.join()), 'NONE');

    const old = new ClassicClient(world, 'old');
    old.versions = { join: 3 };
    assert.equal(nameOf(await old.join()), 'NONE');
  });
});

test('an id that was given out and not used is forgotten, and holds up nobody for longer than a session', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const [leader] = await stableGroup(world, 1);
    assert(leader);
    const absent = new ClassicClient(world, 'group');
    assert.equal(nameOf(await absent.join()), 'MEMBER_ID_REQUIRED');
    const rejoined = leader.join();
    const start = world.time.nowMs;
    assert.equal((await rejoined).generationId, 2);
    assert(world.time.nowMs - start > 9_000, 'it was waited for');
    assert.equal(nameOf(await absent.join()), 'UNKNOWN_MEMBER_ID');
  });
});

test('a member that sends no heartbeats is out after its session timeout, and the others rebalance', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const [a, b] = await stableGroup(world, 2);
    assert(a && b);
    for (let i = 0; i < 3; i++) {
      await world.wait(3_000);
      assert.equal(await a.heartbeat(), 'NONE');
    }
    await world.wait(2_000);
    assert.equal(await a.heartbeat(), 'REBALANCE_IN_PROGRESS');
    const joined = await a.join();
    assert.equal(joined.generationId, 2);
    assert.deepEqual(
      joined.members.map(({ memberId }) => memberId),
      [a.memberId],
    );
    assert.equal(await b.heartbeat(), 'UNKNOWN_MEMBER_ID');
  });
});

test('a member that does not rejoin within the rebalance timeout is out', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const [a, b] = await stableGroup(world, 2);
    assert(a && b);
    let isOver = false;
    const rejoined = a.join().finally(() => {
      isOver = true;
    });
    while (!isOver) {
      const error = await b.heartbeat();
      assert(error === 'REBALANCE_IN_PROGRESS' || isOver);
      await world.wait(3_000);
    }
    assert.equal((await rejoined).members.length, 1);
    assert.equal(await b.heartbeat(), 'UNKNOWN_MEMBER_ID');
  });
});

test('members that join but never sync are out after the rebalance timeout', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const a = new ClassicClient(world, 'group');
    const b = new ClassicClient(world, 'group');
    await Promise.all([a.joinTwice(), b.joinTwice()]);
    await a.sync();
    for (let i = 0; i < 11; i++) {
      await world.wait(3_000);
      await a.heartbeat();
      await b.heartbeat();
    }
    assert.equal(await b.heartbeat(), 'UNKNOWN_MEMBER_ID');
    assert.equal(await a.heartbeat(), 'REBALANCE_IN_PROGRESS');
  });
});

test('a static member that restarts within its session keeps its assignment and disturbs nobody (KIP-345)', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const a = new ClassicClient(world, 'group', { instanceId: 'i-1' });
    const b = new ClassicClient(world, 'group', { instanceId: 'i-2' });
    await Promise.all([a.join(), b.join()]);
    await Promise.all([a.sync({ [a.memberId]: 'x', [b.memberId]: 'y' }), b.sync()]);
    const restarted = new ClassicClient(world, 'group', { instanceId: 'i-1' });
    const joined = await restarted.join();
    assert.equal(joined.generationId, 1);
    assert.equal(joined.skipAssignment, true, 'a leader must not assign again');
    assert.notEqual(joined.memberId, a.memberId);
    const synced = await restarted.sync();
    assert.equal(Buffer.from(synced.assignment).toString(), 'x');
    assert.equal(await b.heartbeat(), 'NONE');
    assert.equal(await a.heartbeat(), 'FENCED_INSTANCE_ID');
    assert.equal(await a.commit('topic', 0, 1), 'FENCED_INSTANCE_ID');

    const older = new ClassicClient(world, 'group', { instanceId: 'i-1' });
    older.versions = { join: 8 };
    const olderJoined = await older.join();
    assert.equal(olderJoined.leader, restarted.memberId, 'it does not take itself for the leader');
    assert.deepEqual(olderJoined.members, []);
  });
});

test('the membership of static and dynamic members survives a move of the coordinator', async () => {
  const world = new GroupWorld({ topics, brokers: 2 });
  await world.run(async () => {
    await world.wait(100);
    const [a, b] = await stableGroup(world, 2);
    assert(a && b);
    for (let partition = 0; partition < world.partitions; partition++) world.move(partition, world.broker(1));
    await world.wait(100);
    assert.equal(await a.heartbeat(), 'NONE');
    assert.equal(await b.heartbeat(), 'NONE');
    assert.equal(Buffer.from((await b.sync()).assignment).toString(), 'part 1');
    await world.wait(9_000);
    assert.equal(await a.heartbeat(), 'NONE', 'the session begins anew with the load');
  });
});

test('static members are removed by an administrator that knows the instance id alone', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const a = new ClassicClient(world, 'group', { instanceId: 'i-1' });
    await a.join();
    const answer = await world.call(leaveGroup, world.broker(0).handlers.leaveGroup, {
      groupId: 'group',
      members: [
        { memberId: '', groupInstanceId: 'i-1' },
        { memberId: '', groupInstanceId: 'i-9' },
      ],
    });
    assert.deepEqual(answer.members.map(nameOf), ['NONE', 'UNKNOWN_MEMBER_ID']);
    assert.equal(await a.heartbeat(), 'UNKNOWN_MEMBER_ID');
  });
});

test('LeaveGroup of one member, as clients before version 3 send it', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const [a] = await stableGroup(world, 1);
    assert(a);
    const leave = { groupId: 'group', memberId: a.memberId };
    const { leaveGroup: handle } = world.broker(0).handlers;
    assert.equal(nameOf(await world.call(leaveGroup, handle, leave, { version: 2 })), 'NONE');
    assert.equal(nameOf(await world.call(leaveGroup, handle, leave, { version: 2 })), 'UNKNOWN_MEMBER_ID');
  });
});

test('a group takes no member without a protocol that all others support', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    await stableGroup(world, 1);
    const other = new ClassicClient(world, 'group');
    other.protocolNames = ['roundrobin'];
    assert.equal(nameOf(await other.join()), 'INCONSISTENT_GROUP_PROTOCOL');
    const connect = new ClassicClient(world, 'group');
    connect.protocolType = 'connect';
    assert.equal(nameOf(await connect.join()), 'INCONSISTENT_GROUP_PROTOCOL');
    const none = new ClassicClient(world, 'empty');
    none.protocolNames = [];
    assert.equal(nameOf(await none.join()), 'INCONSISTENT_GROUP_PROTOCOL');
  });
});

test('the protocol that most members prefer among the common ones wins', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const members = [
      ['sticky', 'range', 'own'],
      ['range', 'sticky'],
      ['range', 'sticky', 'other'],
    ].map((protocolNames) => {
      const client = new ClassicClient(world, 'group');
      client.protocolNames = protocolNames;
      return client;
    });
    const joined = await Promise.all(members.map((member) => member.joinTwice()));
    assert.deepEqual(
      joined.map(({ protocolName }) => protocolName),
      ['range', 'range', 'range'],
    );
  });
});

test('bounds: session timeout, size of the group, pending members, bytes of metadata', async () => {
  const world = new GroupWorld({
    topics,
    options: { maxSize: 2, maxPendingMembers: 3, maxGroupBytes: 10_000 },
  });
  await world.run(async () => {
    await world.wait(100);
    const hasty = new ClassicClient(world, 'hasty');
    hasty.sessionTimeoutMs = 5_999;
    assert.equal(nameOf(await hasty.join()), 'INVALID_SESSION_TIMEOUT');

    const [a] = await stableGroup(world, 2);
    const third = new ClassicClient(world, 'group');
    assert.equal(nameOf(await third.join()), 'GROUP_MAX_SIZE_REACHED');
    assert.equal(await a?.heartbeat(), 'NONE', 'who is in stays in');

    const pending = Array.from({ length: 4 }, () => new ClassicClient(world, 'pending'));
    const answers = await Promise.all(pending.map((client) => client.join()));
    assert.equal(answers.filter((answer) => nameOf(answer) === 'GROUP_MAX_SIZE_REACHED').length, 1);

    const fat = new ClassicClient(world, 'fat', { topics: ['x'.repeat(11_000)] });
    assert.equal(nameOf(await fat.join()), 'GROUP_MAX_SIZE_REACHED');
    const nobody = new ClassicClient(world, '');
    assert.equal(nameOf(await nobody.join()), 'INVALID_GROUP_ID');
  });
});

test('a JoinGroup that is sent again takes the place of the parked one, which is not left without an answer', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const client = new ClassicClient(world, 'group');
    await client.join();
    const first = client.join();
    await world.wait(10);
    const second = client.join();
    assert.equal(nameOf(await first), 'REBALANCE_IN_PROGRESS');
    assert.equal(nameOf(await second), 'NONE');
  });
});

test('the last member that leaves empties the group, whose generation goes on', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const [a] = await stableGroup(world, 1);
    assert(a);
    assert.equal(nameOf(await a.leave()), 'NONE');
    world.restart('group');
    await world.wait(100);
    const b = new ClassicClient(world, 'group');
    assert.equal((await b.joinTwice()).generationId, 3);
  });
});

test('tansu: nobody hears UNKNOWN_MEMBER_ID in concurrent rebalances', async () => {
  const world = new GroupWorld({ topics, options: { initialRebalanceDelayMs: 50 } });
  await world.run(async () => {
    await world.wait(100);
    const errors: string[] = [];
    const consume = async (client: ClassicClient, startMs: number): Promise<void> => {
      await world.wait(startMs);
      const end = 120_000;
      while (world.time.nowMs < end) {
        const joined = await client.joinTwice();
        if (nameOf(joined) !== 'NONE') {
          errors.push(`join: ${nameOf(joined)}`);
          continue;
        }
        const assignments = Object.fromEntries(joined.members.map(({ memberId }) => [memberId, 'x']));
        const synced = nameOf(await client.sync(assignments));
        if (synced !== 'NONE') {
          errors.push(`sync: ${synced}`);
          continue;
        }
        for (;;) {
          await world.wait(1_000);
          const beat = await client.heartbeat();
          if (beat === 'NONE' && world.time.nowMs < end) continue;
          if (beat !== 'REBALANCE_IN_PROGRESS' && beat !== 'NONE') errors.push(`heartbeat: ${beat}`);
          break;
        }
      }
    };
    const clients = Array.from({ length: 12 }, () => new ClassicClient(world, 'group'));
    await Promise.all(clients.map((client, i) => consume(client, i * i * 137)));
    assert.deepEqual(
      errors.filter((error) => error !== 'sync: REBALANCE_IN_PROGRESS'),
      [],
    );
    assert.equal(
      new Set(clients.map(({ generation }) => generation)).size,
      1,
      'all in one generation in the end',
    );
  });
});
