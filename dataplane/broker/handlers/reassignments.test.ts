import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setBrokerState } from '../../cluster/broker-changes.ts';
import { hexId, topicOf } from '../../cluster/cluster-fixture.ts';
import { handingOver } from '../../cluster/ownership.ts';
import { clearFrom } from '../../cluster/reassign.ts';
import { createTopic } from '../../cluster/topic-changes.ts';
import { alterPartitionReassignments } from '../../protocol/api/alter-partition-reassignments.ts';
import { electLeaders } from '../../protocol/api/elect-leaders.ts';
import { listPartitionReassignments } from '../../protocol/api/list-partition-reassignments.ts';
import { metadata } from '../../protocol/api/metadata.ts';
import { errorNameOf } from '../../protocol/error-code.ts';
import { adminWorld, call, changed, shownError } from './admin-fixture.ts';
import type { AdminBroker } from './admin-fixture.ts';
import { alterPartitionReassignmentsHandler } from './alter-partition-reassignments.ts';
import { electLeadersHandler } from './elect-leaders.ts';
import { listPartitionReassignmentsHandler } from './list-partition-reassignments.ts';
import { metadataHandler } from './metadata.ts';

type Asked = readonly (readonly [topic: string, partition: number, replicas: readonly number[] | null])[];

async function alter(
  broker: AdminBroker,
  asked: Asked,
  more: { readonly allowReplicationFactorChange?: boolean } = {},
): Promise<Record<string, string>> {
  const topics = [...Map.groupBy(asked, ([topic]) => topic)].map(([name, ofTopic]) => ({
    name,
    partitions: ofTopic.map(([, partitionIndex, replicas]) => ({ partitionIndex, replicas })),
  }));
  const answer = await call(alterPartitionReassignments, alterPartitionReassignmentsHandler(broker), {
    topics,
    ...more,
  });
  const results = answer.responses.flatMap(({ name, partitions }) =>
    partitions.map((partition) => [`${name}/${partition.partitionIndex}`, shownError(partition)] as const),
  );
  return {
    ...(answer.errorCode === 0 ? {} : { all: shownError(answer) }),
    ...Object.fromEntries(results),
  };
}

async function listed(broker: AdminBroker, topics: readonly string[] | null = null): Promise<unknown> {
  const answer = await call(listPartitionReassignments, listPartitionReassignmentsHandler(broker), {
    topics: topics?.map((name) => ({ name, partitionIndexes: [0] })) ?? null,
  });
  return Object.fromEntries(
    answer.topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, replicas, addingReplicas, removingReplicas }) => [
        `${name}/${partitionIndex}`,
        { replicas, addingReplicas, removingReplicas },
      ]),
    ),
  );
}

async function replicas(broker: AdminBroker, name: string): Promise<unknown> {
  const answer = await call(metadata, metadataHandler(broker), { topics: [{ name }] });
  return answer.topics[0]?.partitions.map(({ leaderId, replicaNodes }) => [leaderId, ...replicaNodes]);
}

/** What the logs of the brokers do: whoever a group goes to serves it now. */
async function settle(broker: AdminBroker): Promise<void> {
  const { state } = broker.view;
  assert(state !== undefined);
  for (const [group, assignment] of state.assignments) {
    if (handingOver(state, assignment) === undefined) continue;
    const { broker: id, generation } = assignment;
    const served = { broker: { id, sid: hexId('5', id) }, groups: [{ group, generation }] };
    await changed(broker, (now) => clearFrom(now, served));
  }
}

test('a reassignment is listed while it lasts, and Metadata names exactly what was asked for', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const [one, two] = [await join(1), await join(2)];
    await join(3);
    await changed(one, (state) => createTopic(state, topicOf('orders', 1, { partitions: 2 })));
    assert.deepEqual(await replicas(one, 'orders'), [
      [1, 1],
      [2, 2],
    ]);
    assert.deepEqual(
      await alter(one, [
        ['orders', 0, [3, 1, 2]],
        ['orders', 1, [2, 3]],
      ]),
      { 'orders/0': 'NONE', 'orders/1': 'NONE' },
    );
    const moving = { 'orders/0': { replicas: [3, 1, 2], addingReplicas: [3], removingReplicas: [] } };
    assert.deepEqual(await listed(one), moving);
    assert.deepEqual(await listed(two, ['orders', 'none']), moving, 'a broker that has not polled yet');
    assert.deepEqual(await replicas(one, 'orders'), [
      [1, 3, 1, 2],
      [2, 2, 3],
    ]);
    await settle(one);
    assert.deepEqual(await listed(one), {});
    assert.deepEqual(await replicas(one, 'orders'), [
      [3, 3, 1, 2],
      [2, 2, 3],
    ]);
  });
});

test('a broker that leaves is told among the removed', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await join(2);
    await changed(one, (state) => createTopic(state, topicOf('orders', 1)));
    await alter(one, [['orders', 0, [2]]]);
    assert.deepEqual(await listed(one), {
      'orders/0': { replicas: [2, 1], addingReplicas: [2], removingReplicas: [1] },
    });
    assert.deepEqual(await alter(one, [['orders', 0, null]]), { 'orders/0': 'NONE' });
    assert.deepEqual(await listed(one), {});
    assert.deepEqual(await replicas(one, 'orders'), [[1, 1]]);
    assert.match((await alter(one, [['orders', 0, null]]))['orders/0'] ?? '', /^NO_REASSIGNMENT_IN_PROGRESS/);
  });
});

test('each group has its own outcome, told for each of its partitions with the reason', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await join(2);
    await join(3);
    await changed(one, (state) => setBrokerState(state, { id: 3, sid: hexId('5', 3), to: 'draining' }));
    await changed(one, (state) => createTopic(state, topicOf('large', 1, { partitions: 129 })));
    await changed(one, (state) => createTopic(state, topicOf('small', 2, { partitions: 4 })));
    const outcomes = await alter(one, [
      ['large', 0, [2]],
      ['large', 1, [2]],
      ['large', 3, [1]],
      ['large', 4, [1]],
      ['large', 5, [1]],
      ['large', 500, [1]],
      ['none', 0, [1]],
      ['small', 0, [3]],
      ['small', 1, [9]],
      ['small', 2, [1, 1]],
      ['small', 3, []],
    ]);
    assert.deepEqual(
      Object.fromEntries(Object.entries(outcomes).map(([key, error]) => [key, error.slice(0, 90)])),
      {
        'large/0':
          'INVALID_REPLICA_ASSIGNMENT: partitions 0 to 2 of topic large form one group and have one o',
        'large/1':
          'INVALID_REPLICA_ASSIGNMENT: partitions 0 to 2 of topic large form one group and have one o',
        'large/3': 'NONE',
        'large/4': 'NONE',
        'large/5': 'NONE',
        'large/500': 'UNKNOWN_TOPIC_OR_PARTITION: topic large has no partition 500, only 0 to 128',
        'none/0': 'UNKNOWN_TOPIC_OR_PARTITION: there is no topic "none"',
        'small/0': `INVALID_REPLICA_ASSIGNMENT: partition group ${hexId('a', 2)}-0 of topic small`.slice(
          0,
          90,
        ),
        'small/1': 'INVALID_REPLICA_ASSIGNMENT: there is no broker 9',
        'small/2': 'INVALID_REPLICA_ASSIGNMENT: partition 2 of topic small is given broker 1 twice',
        'small/3':
          'INVALID_REPLICA_ASSIGNMENT: partition 3 of topic small is given no broker: name its owner first'.slice(
            0,
            90,
          ),
      },
    );
    assert.match(outcomes['large/0'] ?? '', /add 2 to the reassignment/);
    assert.match(outcomes['small/0'] ?? '', /cannot go to broker 3: it is draining/);
  });
});

test('a reassignment that must not change the number of replicas is held to it', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await join(2);
    await changed(one, (state) => createTopic(state, topicOf('orders', 1)));
    const strict = { allowReplicationFactorChange: false };
    assert.match(
      (await alter(one, [['orders', 0, [2, 1]]], strict))['orders/0'] ?? '',
      /^INVALID_REPLICATION_FACTOR: partition 0 of topic orders has 1 replicas, the request gives it 2/,
    );
    assert.deepEqual(await alter(one, [['orders', 0, [2]]], strict), { 'orders/0': 'NONE' });
  });
});

test('a broker that may not change anything says so for the whole answer', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const [one, two] = [await join(1), await join(2)];
    await changed(two, (state) => createTopic(state, topicOf('orders', 1)));
    await changed(two, (state) => setBrokerState(state, { id: 1, sid: hexId('5', 1), to: 'dead' }));
    const outcomes = await alter(one, [['orders', 0, [2]]]);
    assert.match(outcomes['all'] ?? '', /^NOT_CONTROLLER/);
  });
});

test('leaders are elected where a preferred broker is known and does not own the group', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    await join(2);
    await join(3);
    await changed(one, (state) => createTopic(state, topicOf('orders', 1, { partitions: 4 })));
    await alter(one, [
      ['orders', 0, [3, 1]],
      ['orders', 1, [2, 1]],
      ['orders', 2, [3, 2]],
    ]);
    await settle(one);
    await changed(one, (state) => setBrokerState(state, { id: 3, sid: hexId('5', 3), to: 'dead' }));
    const elect = async (electionType: number, partitions: readonly number[] | null): Promise<unknown> => {
      const answer = await call(electLeaders, electLeadersHandler(one), {
        electionType,
        topicPartitions: partitions === null ? null : [{ topic: 'orders', partitions }],
      });
      return answer.errorCode === 0
        ? Object.fromEntries(
            answer.replicaElectionResults.flatMap(({ partitionResult }) =>
              partitionResult.map(({ partitionId, errorCode }) => [partitionId, errorNameOf(errorCode)]),
            ),
          )
        : shownError(answer);
    };
    assert.deepEqual(await elect(0, [0, 1, 2, 3, 9]), {
      0: 'PREFERRED_LEADER_NOT_AVAILABLE',
      1: 'ELECTION_NOT_NEEDED',
      2: 'PREFERRED_LEADER_NOT_AVAILABLE',
      3: 'ELECTION_NOT_NEEDED',
      9: 'UNKNOWN_TOPIC_OR_PARTITION',
    });
    assert.deepEqual(await elect(1, [0]), { 0: 'ELECTION_NOT_NEEDED' });
    assert.equal(await elect(7, [0]), 'INVALID_REQUEST');
    const again = await join(4);
    await alter(again, [['orders', 0, [4, 1]]]);
    await settle(again);
    await changed(again, (state) => setBrokerState(state, { id: 4, sid: hexId('5', 4), to: 'draining' }));
    await alter(one, [['orders', 0, [1, 4]]]);
    await settle(one);
    await alter(one, [['orders', 0, [2, 1]]]);
    assert.deepEqual(await elect(0, null), { 2: 'PREFERRED_LEADER_NOT_AVAILABLE' });
  });
});

test('an election gives the group to its preferred broker', async () => {
  const { time, join } = adminWorld();
  await time.drive(async () => {
    const one = await join(1);
    const two = await join(2);
    await changed(one, (state) => createTopic(state, topicOf('orders', 1)));
    await alter(one, [['orders', 0, [2, 1]]]);
    await settle(one);
    await changed(one, (state) => setBrokerState(state, { id: 2, sid: hexId('5', 2), to: 'dead' }));
    assert.deepEqual(await replicas(one, 'orders'), [[1, 2, 1]]);
    const { cluster } = two;
    const back = await cluster.change(
      (state) => ({
        ...state,
        brokers: new Map(state.brokers).set(2, {
          ...(state.brokers.get(2) ?? assert.fail()),
          sid: hexId('6', 2),
          state: 'alive',
        }),
      }),
      { newSession: hexId('6', 2) },
    );
    assert.equal(back.kind, 'applied');
    const answer = await call(electLeaders, electLeadersHandler(two), {
      electionType: 0,
      topicPartitions: null,
    });
    assert.deepEqual(
      answer.replicaElectionResults.map(({ topic, partitionResult }) => [
        topic,
        ...partitionResult.map((partition) => shownError(partition)),
      ]),
      [['orders', 'NONE']],
    );
    const topic = two.view.topicByName('orders')?.topic;
    assert(topic !== undefined);
    assert.equal(two.view.state?.assignments.get(`${topic.topicId}-0`)?.broker, 2);
  });
});
