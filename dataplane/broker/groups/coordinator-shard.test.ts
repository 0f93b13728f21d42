import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCoordinator } from '../../protocol/api/find-coordinator.ts';
import { listGroups } from '../../protocol/api/list-groups.ts';
import { describeGroups } from '../../protocol/api/describe-groups.ts';
import { ClassicClient, GroupWorld, nameOf, topicView } from './group-fixture.ts';
import { javaStringHash, partitionOfGroup } from './partition-of-group.ts';

const topics = [topicView('topic', 4), topicView('other', 2)];

test('groups are on the partitions that Kafka puts them on', () => {
  assert.equal(javaStringHash('hello'), 99_162_322);
  assert.equal(javaStringHash('polygenelubricants'), -(2 ** 31));
  assert.equal(partitionOfGroup('polygenelubricants', 50), 0);
  assert.equal(partitionOfGroup('my-group', 50), 12);
  assert.equal(partitionOfGroup('hello', 50), 22);
});

test('redpanda 5090: a group is refused, not answered from an empty state, while its partition is loaded', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const client = new ClassicClient(world, 'group');
    await client.commit('topic', 0, 5);
    world.restart('group');
    assert.equal(await client.fetch('topic', 0), 'COORDINATOR_LOAD_IN_PROGRESS');
    assert.equal(nameOf(await client.join()), 'COORDINATOR_LOAD_IN_PROGRESS');
    assert.equal(await client.heartbeat(), 'NONE', 'a heartbeat is taken as one, as in Kafka');
    await world.wait(100);
    assert.equal(await client.fetch('topic', 0), 5);
  });
});

test('redpanda 3003: a coordinator that was replaced and does not know answers nothing that goes backwards', async () => {
  const world = new GroupWorld({ topics, brokers: 2 });
  await world.run(async () => {
    await world.wait(100);
    const client = new ClassicClient(world, 'group');
    await client.commit('topic', 0, 1);
    const zombie = world.broker(0);
    world.move(partitionOfGroup('group', world.partitions), world.broker(1));
    await world.wait(100);
    assert.equal(await client.commit('topic', 0, 2), 'NONE');
    const { offsetFetch } = await import('../../protocol/api/offset-fetch.ts');
    const ask = await world.call(
      offsetFetch,
      zombie.handlers.offsetFetch,
      { groups: [{ groupId: 'group', topics: null }] },
      { version: 9 },
    );
    assert.equal(nameOf(ask.groups[0] ?? { errorCode: 0 }), 'NOT_COORDINATOR');
    assert.equal(await client.fetch('topic', 0), 2);
  });
});

test('when an append fails everybody who waits asks for the coordinator again, and the log decides what holds', async () => {
  for (const outcome of ['lost', 'unknown'] as const) {
    const world = new GroupWorld({ topics, partitions: 1 });
    await world.run(async () => {
      await world.wait(100);
      const client = new ClassicClient(world, 'group');
      await client.commit('topic', 0, 1);
      const parked = new ClassicClient(world, 'group');
      await parked.join();
      const parkedJoin = parked.join();
      await world.wait(10);
      let count = 0;
      world.faults.append = () => (count++ === 0 ? outcome : 'durable');
      const commits = [2, 3].map((offset) => new ClassicClient(world, 'second').commit('topic', 0, offset));
      const failed = client.fetch('topic', 0);
      assert.deepEqual(new Set(await Promise.all(commits)).has('NONE'), false);
      assert.equal(await failed, 'NOT_COORDINATOR');
      assert.equal(nameOf(await parkedJoin), 'NOT_COORDINATOR');
      await world.wait(200);
      const expected = outcome === 'unknown' ? 2 : -1;
      assert.equal(await new ClassicClient(world, 'second').fetch('topic', 0), expected);
      assert.equal(world.problems.length, 1);
    });
  }
});

test('a fetch shows nothing that is not durable', async () => {
  const world = new GroupWorld({ topics, partitions: 1 });
  await world.run(async () => {
    await world.wait(100);
    const client = new ClassicClient(world, 'group');
    assert.equal(await client.commit('topic', 0, 1), 'NONE');
    world.faults.latencyMs = () => 200;
    world.faults.append = () => 'lost';
    const commit = client.commit('topic', 0, 2);
    world.faults.latencyMs = () => 1;
    const fetch = client.fetch('topic', 0);
    assert.deepEqual(await Promise.all([commit, fetch]), ['NOT_COORDINATOR', 'NOT_COORDINATOR']);
    world.faults.append = () => 'durable';
    await world.wait(100);
    assert.equal(await client.fetch('topic', 0), 1);
  });
});

test('the state is read again only when it is settled what became of the appends that were under way', async () => {
  const world = new GroupWorld({ topics, partitions: 1 });
  await world.run(async () => {
    await world.wait(100);
    const outcomes = ['refused', 'durable'] as const;
    let count = 0;
    world.faults.append = () => outcomes[count++] ?? 'durable';
    const first = new ClassicClient(world, 'group').commit('topic', 0, 1);
    world.faults.latencyMs = () => 500;
    const second = new ClassicClient(world, 'group').commit('topic', 1, 2);
    world.faults.latencyMs = () => 1;
    assert.deepEqual(await Promise.all([first, second]), ['NOT_COORDINATOR', 'NOT_COORDINATOR']);
    await world.wait(1_000);
    assert.equal(await new ClassicClient(world, 'group').fetch('topic', 0), -1);
    assert.equal(await new ClassicClient(world, 'group').fetch('topic', 1), 2);
  });
});

test('what was begun to append is settled before the state is read, however often the partition came and went', async () => {
  for (const restarts of [1, 2, 3]) {
    const world = new GroupWorld({ topics, partitions: 1 });
    await world.run(async () => {
      await world.wait(100);
      const client = new ClassicClient(world, 'group');
      assert.equal(await client.commit('topic', 0, 1), 'NONE');
      world.faults.latencyMs = () => 500;
      const late = client.commit('topic', 0, 2);
      world.faults.latencyMs = () => 1;
      for (let restart = 0; restart < restarts; restart++) {
        world.restart('group');
        await world.wait(20);
        assert.equal(await client.fetch('topic', 0), 'COORDINATOR_LOAD_IN_PROGRESS');
      }
      assert.equal(await late, 'NOT_COORDINATOR');
      await world.wait(1_000);
      assert.equal(await client.fetch('topic', 0), 2, `${restarts} restarts`);
    });
  }
});

test('a snapshot of which a part was refused is none, however it ends', async () => {
  const world = new GroupWorld({
    topics,
    partitions: 1,
    options: { snapshotMinBytes: 20_000, snapshotBatchBytes: 100 },
  });
  await world.run(async () => {
    await world.wait(100);
    const groups = Array.from({ length: 20 }, (_, i) => new ClassicClient(world, `g-${i}`));
    for (const group of groups) assert.equal(await group.commit('topic', 0, 7), 'NONE');
    // The second batch of the snapshot, which begins when enough is appended.
    let appends = 0;
    let before = 0;
    world.faults.append = () => {
      appends += 1;
      const isSnapshot = appends > before + 2;
      return isSnapshot && appends === before + 4 ? 'refused' : 'durable';
    };
    let error: string | undefined = 'NONE';
    while (error === 'NONE') {
      before = appends;
      error = await new ClassicClient(world, 'other').commit('topic', 0, 1);
    }
    await world.wait(1_000);
    world.restart('other');
    await world.wait(1_000);
    for (const group of groups) assert.equal(await group.fetch('topic', 0), 7);
  });
});

test('an answer waits for what was appended for the group before, not for other groups', async () => {
  const world = new GroupWorld({ topics, partitions: 1 });
  await world.run(async () => {
    await world.wait(100);
    const member = new ClassicClient(world, 'a');
    await member.joinTwice();
    await member.sync();
    world.faults.latencyMs = () => 1_000;
    const commit = new ClassicClient(world, 'b').commit('topic', 0, 1);
    const start = world.time.nowMs;
    assert.equal(await member.heartbeat(), 'NONE');
    assert(world.time.nowMs - start < 10);
    assert.equal(await commit, 'NONE');
  });
});

test('snapshots keep the partition short; a crash at any step of one loses nothing', async () => {
  const world = new GroupWorld({
    topics,
    partitions: 1,
    options: { snapshotMinBytes: 20_000, snapshotBatchBytes: 500 },
  });
  await world.run(async () => {
    await world.wait(100);
    const members = Array.from({ length: 3 }, (_, i) => new ClassicClient(world, `g-${i}`));
    for (const member of members) {
      await member.joinTwice();
      await member.sync({ [member.memberId]: `of ${member.groupId}` });
    }
    let appends = 0;
    for (let round = 1; round <= 400; round++) {
      for (const [i, member] of members.entries()) {
        const error = await member.commit('topic', i, round);
        if (error !== 'NONE') {
          assert.equal(error, 'NOT_COORDINATOR');
          await world.wait(100);
          assert.equal(await member.commit('topic', i, round), 'NONE');
        }
      }
      await Promise.all(members.map((member) => member.heartbeat()));
      // Every now and then a crash in the midst of things.
      if (round % 37 === 0) {
        const at = appends + (round % 11);
        world.faults.append = () => (appends++ === at ? (round % 2 === 0 ? 'lost' : 'unknown') : 'durable');
      }
    }
    assert(world.store.startOffset(0) > 500, `the log begins at ${world.store.startOffset(0)}`);
    const bytes = world.store.batchesOf(0).reduce((sum, batch) => sum + batch.bytes.length, 0);
    assert(bytes < 60_000, `${bytes} bytes are left`);
    world.restart('g-0');
    await world.wait(1_000);
    for (const [i, member] of members.entries()) {
      assert.equal(await member.fetch('topic', i), 400);
      assert.equal(Buffer.from((await member.sync()).assignment).toString(), `of ${member.groupId}`);
    }
  });
});

test('a snapshot in the midst of a rebalance keeps the last generation that was durable', async () => {
  const world = new GroupWorld({ topics, partitions: 1, options: { snapshotMinBytes: 3_000 } });
  await world.run(async () => {
    await world.wait(100);
    const member = new ClassicClient(world, 'group');
    await member.joinTwice();
    await member.sync({ [member.memberId]: 'mine' });
    const late = new ClassicClient(world, 'group');
    await late.join();
    const joining = late.join();
    for (let i = 0; i < 40; i++) await new ClassicClient(world, 'other').commit('topic', 0, i);
    assert(world.store.startOffset(0) > 0);
    world.restart('group');
    await world.wait(100);
    assert.equal(nameOf(await joining), 'NOT_COORDINATOR');
    assert.equal(await member.heartbeat(), 'NONE');
    assert.equal(Buffer.from((await member.sync()).assignment).toString(), 'mine');
  });
});

test('ListGroups filters by state and type without regard to case; DescribeGroups shows members of a stable group', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const member = new ClassicClient(world, 'stable');
    await member.joinTwice();
    await member.sync({ [member.memberId]: 'mine' });
    await new ClassicClient(world, 'simple').commit('topic', 0, 1);
    const { handlers } = world.broker(0);
    const list = async (statesFilter: string[], typesFilter: string[]) => {
      const answer = await world.call(listGroups, handlers.listGroups, { statesFilter, typesFilter });
      return answer.groups.map(({ groupId }) => groupId).sort();
    };
    assert.deepEqual(await list([], []), ['simple', 'stable']);
    assert.deepEqual(await list(['STABLE'], []), ['stable']);
    assert.deepEqual(await list(['empty', 'Dead'], ['Classic']), ['simple']);
    assert.deepEqual(await list([], ['consumer']), []);
    assert.deepEqual(await list([], ['streams']), []);

    const described = await world.call(describeGroups, handlers.describeGroups, {
      groups: ['stable', 'nobody'],
    });
    const [stable, nobody] = described.groups;
    assert.equal(stable?.groupState, 'Stable');
    assert.equal(stable?.protocolData, 'range');
    assert.equal(stable?.members[0]?.clientHost, '/10.0.0.1');
    assert.equal(Buffer.from(stable?.members[0]?.memberAssignment ?? []).toString(), 'mine');
    assert.equal(nameOf(nobody ?? { errorCode: 0 }), 'GROUP_ID_NOT_FOUND');
    const older = await world.call(
      describeGroups,
      handlers.describeGroups,
      { groups: ['nobody'] },
      { version: 5 },
    );
    assert.deepEqual([older.groups[0]?.errorCode, older.groups[0]?.groupState], [0, 'Dead']);
  });
});

test('FindCoordinator names the owner; transactions and share groups are refused with a sentence', async () => {
  const world = new GroupWorld({ topics, brokers: 2 });
  await world.run(async () => {
    await world.wait(100);
    world.move(partitionOfGroup('group', world.partitions), world.broker(1));
    const { findCoordinator: handle } = world.broker(0).handlers;
    for (const version of [0, 3]) {
      const answer = await world.call(findCoordinator, handle, { key: 'group', keyType: 0 }, { version });
      assert.deepEqual([answer.errorCode, answer.nodeId, answer.host], [0, 1, 'broker-1']);
    }
    const batch = await world.call(findCoordinator, handle, { keyType: 0, coordinatorKeys: ['group', 'x'] });
    assert.deepEqual(
      batch.coordinators.map(({ key, port }) => [key, port]),
      [
        ['group', 9092],
        ['x', 9092],
      ],
    );
    for (const keyType of [1, 2, 9]) {
      const answer = await world.call(findCoordinator, handle, { keyType, coordinatorKeys: ['x'] });
      const [refused] = answer.coordinators;
      assert.equal(nameOf(refused ?? { errorCode: 0 }), 'INVALID_REQUEST');
      assert((refused?.errorMessage ?? '').length > 20);
    }
  });
});
