import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deleteGroups } from '../../../protocol/api/delete-groups.ts';
import { offsetCommit } from '../../../protocol/api/offset-commit.ts';
import { offsetDelete } from '../../../protocol/api/offset-delete.ts';
import { offsetFetch } from '../../../protocol/api/offset-fetch.ts';
import { errorNameOf } from '../../../protocol/error-code.ts';
import { ClassicClient, GroupWorld, idOfTopic, nameOf, topicView } from '../group-fixture.ts';

const topics = [topicView('topic', 4), topicView('other', 2)];
const day = 86_400_000;

function simple(world: GroupWorld, groupId = 'group'): ClassicClient {
  return new ClassicClient(world, groupId);
}

test('a consumer that assigns partitions itself commits and fetches without joining', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const client = simple(world);
    assert.equal(await client.fetch('topic', 0), -1);
    assert.equal(await client.commit('topic', 0, 42), 'NONE');
    assert.equal(await client.fetch('topic', 0), 42);
    world.restart('group');
    await world.wait(100);
    assert.equal(await client.fetch('topic', 0), 42);
  });
});

test('bufstream: what nobody committed is no offset 0; inkless KC-387: a committed 0 is not absent', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const { handlers } = world.broker(0);
    const fetched = async () => {
      const answer = await world.call(
        offsetFetch,
        handlers.offsetFetch,
        { groups: [{ groupId: 'group', topics: [{ name: 'topic', partitionIndexes: [0, 1] }] }] },
        { version: 9 },
      );
      return answer.groups[0]?.topics[0]?.partitions.map((partition) => [
        partition.committedOffset,
        partition.committedLeaderEpoch,
        partition.metadata,
      ]);
    };
    const nothing = [-1, -1, ''];
    assert.deepEqual(await fetched(), [nothing, nothing]);
    const partitions = [
      { partitionIndex: 0, committedOffset: 0, committedLeaderEpoch: 0, committedMetadata: '' },
    ];
    await world.call(
      offsetCommit,
      handlers.offsetCommit,
      { groupId: 'group', memberId: '', topics: [{ name: 'topic', partitions }] },
      { version: 9 },
    );
    assert.deepEqual(await fetched(), [[0, 0, ''], nothing]);
    world.restart('group');
    await world.wait(100);
    assert.deepEqual(await fetched(), [[0, 0, ''], nothing]);
  });
});

test('only members of the present generation commit while a group has members', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const member = new ClassicClient(world, 'group');
    await member.joinTwice();
    assert.equal(await member.commit('topic', 0, 1), 'REBALANCE_IN_PROGRESS');
    await member.sync();
    assert.equal(await member.commit('topic', 0, 1), 'NONE');
    assert.equal(await simple(world).commit('topic', 0, 2), 'UNKNOWN_MEMBER_ID');
    const stale = new ClassicClient(world, 'group');
    stale.memberId = member.memberId;
    stale.generation = 7;
    assert.equal(await stale.commit('topic', 0, 2), 'ILLEGAL_GENERATION');
    const nowhere = new ClassicClient(world, 'nowhere');
    nowhere.generation = 3;
    nowhere.memberId = 'x';
    assert.equal(await nowhere.commit('topic', 0, 2, 8), 'ILLEGAL_GENERATION');
    assert.equal(await nowhere.commit('topic', 0, 2, 9), 'GROUP_ID_NOT_FOUND');
    assert.equal(await member.fetch('topic', 0), 1);
  });
});

test('topics that do not exist, metadata that is too long and offsets beyond 2^53 are refused one by one', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const { offsetCommit: handle } = world.broker(0).handlers;
    const partition = (partitionIndex: number, committedOffset: number, committedMetadata: string) => ({
      partitionIndex,
      committedOffset,
      committedMetadata,
    });
    const answer = await world.call(
      offsetCommit,
      async (request, context) => {
        const [first] = request.topics;
        assert(first);
        // What an int64 beyond 2^53 decodes to.
        const partitions = first.partitions.map((entry) =>
          entry.partitionIndex === 2 ? { ...entry, committedOffset: Infinity } : entry,
        );
        return handle(
          { ...request, topics: [{ ...first, partitions }, ...request.topics.slice(1)] },
          context,
        );
      },
      {
        groupId: 'group',
        memberId: '',
        topics: [
          {
            name: 'topic',
            partitions: [
              partition(0, 1, 'm'),
              partition(1, 1, 'm'.repeat(4_097)),
              partition(2, 5, ''),
              partition(4, 5, ''),
              partition(-1, 5, ''),
            ],
          },
          { name: 'nothing', partitions: [partition(0, 1, '')] },
        ],
      },
      { version: 9 },
    );
    assert.deepEqual(
      answer.topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorNameOf(errorCode))),
      [
        [
          'NONE',
          'OFFSET_METADATA_TOO_LARGE',
          'INVALID_COMMIT_OFFSET_SIZE',
          'UNKNOWN_TOPIC_OR_PARTITION',
          'UNKNOWN_TOPIC_OR_PARTITION',
        ],
        ['UNKNOWN_TOPIC_OR_PARTITION'],
      ],
    );
  });
});

test('version 10 commits and fetches by topic id', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const { handlers } = world.broker(0);
    const committed = await world.call(offsetCommit, handlers.offsetCommit, {
      groupId: 'group',
      memberId: '',
      topics: [
        {
          topicId: idOfTopic('topic'),
          partitions: [{ partitionIndex: 1, committedOffset: 9, committedMetadata: null }],
        },
        {
          topicId: idOfTopic('none'),
          partitions: [{ partitionIndex: 0, committedOffset: 9, committedMetadata: null }],
        },
      ],
    });
    assert.deepEqual(
      committed.topics.map(({ partitions }) => errorNameOf(partitions[0]?.errorCode ?? -1)),
      ['NONE', 'UNKNOWN_TOPIC_ID'],
    );
    const fetched = await world.call(offsetFetch, handlers.offsetFetch, {
      groups: [
        {
          groupId: 'group',
          topics: [
            { topicId: idOfTopic('topic'), partitionIndexes: [1, 2] },
            { topicId: idOfTopic('none'), partitionIndexes: [0] },
          ],
        },
        { groupId: 'group', topics: null },
      ],
      requireStable: true,
    });
    const [named, all] = fetched.groups;
    assert.deepEqual(
      named?.topics.map(({ topicId, partitions }) => [
        topicId,
        partitions.map((p) => [p.committedOffset, p.errorCode]),
      ]),
      [
        [
          idOfTopic('topic'),
          [
            [9, 0],
            [-1, 0],
          ],
        ],
        [idOfTopic('none'), [[-1, 100]]],
      ],
    );
    assert.deepEqual(
      all?.topics.map(({ topicId, partitions }) => [topicId, partitions.map((p) => p.committedOffset)]),
      [[idOfTopic('topic'), [9]]],
    );
  });
});

test('OffsetFetch as older clients send it: one group, errors where the version has room for them', async () => {
  const world = new GroupWorld({ topics, brokers: 2 });
  await world.run(async () => {
    await world.wait(100);
    await simple(world).commit('topic', 3, 11);
    const request = { groupId: 'group', topics: [{ name: 'topic', partitionIndexes: [3] }] };
    for (const version of [1, 2, 5, 7]) {
      const answer = await world.call(offsetFetch, world.broker(0).handlers.offsetFetch, request, {
        version,
      });
      assert.equal(answer.topics[0]?.partitions[0]?.committedOffset, 11);
      const wrong = await world.call(offsetFetch, world.broker(1).handlers.offsetFetch, request, { version });
      const code = version === 1 ? (wrong.topics[0]?.partitions[0]?.errorCode ?? 0) : wrong.errorCode;
      assert.equal(errorNameOf(code), 'NOT_COORDINATOR');
    }
    const all = await world.call(
      offsetFetch,
      world.broker(0).handlers.offsetFetch,
      { groupId: 'group', topics: null },
      { version: 7 },
    );
    assert.equal(all.topics[0]?.partitions[0]?.committedOffset, 11);
  });
});

test('offsets of a group without members go after the retention time, and the group with them', async () => {
  const world = new GroupWorld({
    topics,
    options: { offsetsRetentionMs: 7 * day, offsetsRetentionCheckIntervalMs: day },
  });
  await world.run(async () => {
    await world.wait(100);
    const client = simple(world);
    await client.commit('topic', 0, 1);
    await world.wait(4 * day);
    await client.commit('topic', 1, 2);
    await world.wait(4 * day);
    assert.equal(await client.fetch('topic', 0), -1);
    assert.equal(await client.fetch('topic', 1), 2);
    assert(world.broker(0).coordinator.shardOf('group').groups.has('group'));
    await world.wait(5 * day);
    assert.equal(await client.fetch('topic', 1), -1);
    assert(!world.broker(0).coordinator.shardOf('group').groups.has('group'));
    world.restart('group');
    await world.wait(1_000);
    assert(!world.broker(0).coordinator.shardOf('group').groups.has('group'));
  });
});

test('offsets of topics that members subscribe to never expire, those of other topics do', async () => {
  const world = new GroupWorld({
    topics,
    options: { offsetsRetentionMs: day, offsetsRetentionCheckIntervalMs: day / 4 },
  });
  await world.run(async () => {
    await world.wait(100);
    const member = new ClassicClient(world, 'group', { topics: ['topic'] });
    member.sessionTimeoutMs = 1_800_000;
    await member.joinTwice();
    await member.sync();
    await member.commit('topic', 0, 1);
    await member.commit('other', 0, 2);
    for (let i = 0; i < 80; i++) {
      await world.wait(1_700_000);
      assert.equal(await member.heartbeat(), 'NONE');
    }
    assert.equal(await member.fetch('topic', 0), 1);
    assert.equal(await member.fetch('other', 0), -1);
  });
});

test('a retention time of its own (OffsetCommit v2 to v4) survives a move and comes true', async () => {
  const world = new GroupWorld({ topics, options: { offsetsRetentionCheckIntervalMs: 10_000 } });
  await world.run(async () => {
    await world.wait(100);
    const request = {
      groupId: 'group',
      memberId: '',
      retentionTimeMs: 60_000,
      topics: [
        { name: 'topic', partitions: [{ partitionIndex: 0, committedOffset: 3, committedMetadata: null }] },
      ],
    };
    await world.call(offsetCommit, world.broker(0).handlers.offsetCommit, request, { version: 3 });
    world.restart('group');
    await world.wait(50_000);
    assert.equal(await simple(world).fetch('topic', 0), 3);
    await world.wait(20_000);
    assert.equal(await simple(world).fetch('topic', 0), -1);
  });
});

test('OffsetDelete: not for topics that members subscribe to, nor for members of unknown kind', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const member = new ClassicClient(world, 'group', { topics: ['topic'] });
    await member.joinTwice();
    await member.sync();
    await member.commit('topic', 0, 1);
    await member.commit('other', 0, 2);
    const remove = (groupId: string) =>
      world.call(offsetDelete, world.broker(0).handlers.offsetDelete, {
        groupId,
        topics: ['topic', 'other', 'nothing'].map((name) => ({ name, partitions: [{ partitionIndex: 0 }] })),
      });
    const answer = await remove('group');
    assert.deepEqual(
      answer.topics.map(({ partitions }) => errorNameOf(partitions[0]?.errorCode ?? -1)),
      ['GROUP_SUBSCRIBED_TO_TOPIC', 'NONE', 'UNKNOWN_TOPIC_OR_PARTITION'],
    );
    assert.equal(await member.fetch('topic', 0), 1);
    assert.equal(await member.fetch('other', 0), -1);
    assert.equal(nameOf(await remove('nobody')), 'GROUP_ID_NOT_FOUND');

    const connect = new ClassicClient(world, 'connect');
    connect.protocolType = 'connect';
    await connect.joinTwice();
    assert.equal(nameOf(await remove('connect')), 'NON_EMPTY_GROUP');
  });
});

test('what was committed for a deleted topic goes, also where it is noticed after a move; a new one of that name begins anew', async () => {
  const world = new GroupWorld({ topics, brokers: 2 });
  await world.run(async () => {
    await world.wait(100);
    const client = simple(world);
    await client.commit('topic', 0, 1);
    await client.commit('other', 0, 2);
    world.setTopics([topicView('other', 2)]);
    await world.wait(100);
    assert.equal(await client.fetch('topic', 0), -1);
    assert.equal(await client.fetch('other', 0), 2);

    const later = simple(world, 'later');
    await later.commit('other', 0, 7);
    world.faults.latencyMs = () => 50;
    for (let partition = 0; partition < world.partitions; partition++) world.move(partition, world.broker(1));
    world.setTopics([topicView('topic', 4, 'f'.repeat(32)), topicView('other', 2, 'e'.repeat(32))]);
    await world.wait(1_000);
    assert.equal(await later.fetch('other', 0), -1);
    assert.equal(await later.commit('other', 0, 1), 'NONE');
    world.restart('later');
    await world.wait(1_000);
    assert.equal(await later.fetch('other', 0), 1, 'the id of the new topic is not one of a deleted one');
  });
});

test('DeleteGroups: only without members; offsets go with the group', async () => {
  const world = new GroupWorld({ topics });
  await world.run(async () => {
    await world.wait(100);
    const member = new ClassicClient(world, 'group');
    await member.joinTwice();
    await member.sync();
    await member.commit('topic', 0, 1);
    const remove = () =>
      world.call(deleteGroups, world.broker(0).handlers.deleteGroups, { groupsNames: ['group', 'nobody'] });
    assert.deepEqual((await remove()).results.map(nameOf), ['NON_EMPTY_GROUP', 'GROUP_ID_NOT_FOUND']);
    await member.leave();
    assert.deepEqual((await remove()).results.map(nameOf), ['NONE', 'GROUP_ID_NOT_FOUND']);
    world.restart('group');
    await world.wait(100);
    assert.equal(await member.fetch('topic', 0), -1);
  });
});
