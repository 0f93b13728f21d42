import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { setBrokerState } from './broker-changes.ts';
import { decodeClusterState, encodeClusterState } from './cluster-codec.ts';
import { assertRefused, clusterOf, hexId, made, ownersOf, registered, withTopic } from './cluster-fixture.ts';
import type { ClusterState } from './cluster-state.ts';
import { groupsOf } from './partition-groups.ts';
import { reassignGroup } from './reassign-replicas.ts';
import type { ReplicaReassignment } from './reassign-replicas.ts';
import { clearFrom } from './reassign.ts';
import { replicasOf } from './replicas.ts';
import type { ReplicaLists } from './replicas.ts';
import { addPartitions } from './topic-changes.ts';

const sid = (id: number): string => hexId('5', id);

function lists(state: ClusterState, partition = 0): ReplicaLists {
  const topic = state.topics.get('orders') ?? assert.fail();
  const group = groupsOf(topic)[partition] ?? assert.fail();
  return replicasOf(state).of(topic, group);
}

function reassigned(
  state: ClusterState,
  asked: ReplicaReassignment,
  group = 0,
): ReturnType<typeof reassignGroup> {
  const topic = state.topics.get('orders') ?? assert.fail();
  return reassignGroup(state, 'orders', topic, groupsOf(topic)[group] ?? assert.fail(), asked);
}

test('made-up replicas: owner first, all zones, no more than live brokers', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 7 }),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 8 }),
      (zones, replicationFactor, partitions) => {
        const state = withTopic(clusterOf(...zones), 'orders', 1, { partitions, replicationFactor });
        for (let partition = 0; partition < partitions; partition++) {
          const { replicas, inSync, offline } = lists(state, partition);
          assert.equal(replicas[0], state.assignments.get(`${hexId('a', 1)}-${partition}`)?.broker);
          assert.equal(replicas.length, Math.min(replicationFactor, zones.length));
          assert.equal(new Set(replicas).size, replicas.length);
          const seen = new Set(replicas.map((id) => zones[id - 1]));
          assert.equal(seen.size, Math.min(replicas.length, new Set(zones).size));
          assert.deepEqual([inSync, offline], [replicas, []]);
        }
      },
    ),
  );
});

test('a topic without a number of its own has a replica in every zone, also in one that comes later', () => {
  let state = withTopic(clusterOf('a', 'b', 'b'), 'orders', 1, { partitions: 4 });
  const zonesOf = (partition: number): string[] =>
    lists(state, partition)
      .replicas.map((id) => state.brokers.get(id)?.zone ?? '')
      .toSorted();
  for (let partition = 0; partition < 4; partition++) assert.deepEqual(zonesOf(partition), ['a', 'b']);
  assert.equal(replicasOf(state).zoneCount, 2);
  state = registered(state, 4, 'c', sid(4));
  for (let partition = 0; partition < 4; partition++) assert.deepEqual(zonesOf(partition), ['a', 'b', 'c']);
  state = made(setBrokerState(state, { id: 4, sid: sid(4), to: 'dead' }));
  for (let partition = 0; partition < 4; partition++) assert.deepEqual(zonesOf(partition), ['a', 'b']);
});

const anyCluster = fc
  .array(fc.constantFrom('a', 'b', 'c'), { minLength: 2, maxLength: 9 })
  .map((zones) => withTopic(clusterOf(...zones), 'orders', 1, { partitions: 20, replicationFactor: 3 }));

/** By owner and zone: the brokers that are named as replicas for partitions of that owner. */
function readersOf(state: ClusterState): Map<string, Set<number | undefined>> {
  const readers = new Map<string, Set<number | undefined>>();
  const topic = state.topics.get('orders') ?? assert.fail();
  for (const group of groupsOf(topic)) {
    for (const zone of state.zones) {
      const key = `${state.assignments.get(group.id)?.broker ?? 0}/${zone}`;
      readers.set(key, (readers.get(key) ?? new Set()).add(replicasOf(state).inZone(topic, group, zone)));
    }
  }
  return readers;
}

test('what an owner writes is read by one broker of each zone, whatever the partition', () => {
  fc.assert(
    fc.property(anyCluster, (state) => {
      for (const [key, readers] of readersOf(state)) {
        assert.equal(readers.size, 1, key);
        const [owner = '', zone] = key.split('/');
        if (state.brokers.get(Number(owner))?.zone === zone) assert.deepEqual([...readers], [Number(owner)]);
      }
    }),
  );
});

test('a broker that comes takes readers over from others of its zone, and moves no other', () => {
  fc.assert(
    fc.property(anyCluster, fc.constantFrom('a', 'b', 'c'), (state, zone) => {
      const id = state.brokers.size + 1;
      const before = readersOf(state);
      for (const [key, readers] of readersOf(registered(state, id, zone, sid(id)))) {
        const [now] = readers;
        const [then] = before.get(key) ?? [];
        if (then !== undefined && now !== then) assert.equal(now, id, key);
      }
    }),
  );
});

test('readers of a zone share the owners of the others', () => {
  const zones = Array.from({ length: 60 }, (_, index) => (index % 2 === 0 ? 'a' : 'b'));
  const state = withTopic(clusterOf(...zones), 'orders', 1, { partitions: 60, replicationFactor: 2 });
  const counts = new Map<number | undefined, number>();
  for (const [key, readers] of readersOf(state)) {
    const [owner = '', zone] = key.split('/');
    if (state.brokers.get(Number(owner))?.zone === zone) continue;
    for (const id of readers) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  assert(!counts.has(undefined));
  assert(counts.size > 30, `only ${counts.size} of 60 brokers read`);
  assert(Math.max(...counts.values()) <= 6, String([...counts]));
});

test('consumers are not sent to a broker that is about to leave, and it is named last', () => {
  let state = withTopic(clusterOf('a', 'b', 'b'), 'orders', 1, { replicationFactor: 2 });
  const topic = state.topics.get('orders') ?? assert.fail();
  const group = groupsOf(topic)[0] ?? assert.fail();
  const reader = replicasOf(state).inZone(topic, group, 'b') ?? assert.fail();
  state = made(setBrokerState(state, { id: reader, sid: sid(reader), to: 'draining' }));
  const other = reader === 2 ? 3 : 2;
  assert.equal(replicasOf(state).inZone(topic, group, 'b'), other);
  assert.deepEqual(lists(state).replicas, [1, other]);
  state = made(setBrokerState(state, { id: other, sid: sid(other), to: 'draining' }));
  assert.equal(replicasOf(state).inZone(topic, group, 'b'), undefined);
  assert.equal(lists(state).replicas.length, 2);
  assert.equal(replicasOf(state).inZone(topic, group, 'nowhere'), undefined);
});

test('a broker that dies leaves the made-up replicas', () => {
  let state = withTopic(clusterOf('a', 'b', 'c'), 'orders', 1, { replicationFactor: 3 });
  assert.deepEqual(new Set(lists(state).replicas), new Set([1, 2, 3]));
  state = made(setBrokerState(state, { id: 3, sid: sid(3), to: 'dead' }));
  assert.deepEqual(new Set(lists(state).replicas), new Set([1, 2]));
});

test('a reassignment is named exactly as it was asked for, and the old owner while it hands over', () => {
  let state = withTopic(clusterOf('a', 'a', 'a'), 'orders', 1);
  state = made(reassigned(state, new Map([[0, [3, 1, 2]]])));
  assert.equal(ownersOf(state)[`${hexId('a', 1)}-0`], '3@2<1');
  assert.deepEqual(lists(state).replicas, [3, 1, 2]);
  const shorter = made(reassigned(state, new Map([[0, [3, 2]]])));
  assert.deepEqual(lists(shorter).replicas, [3, 2, 1]);
  const served = { broker: { id: 3, sid: sid(3) }, groups: [{ group: `${hexId('a', 1)}-0`, generation: 2 }] };
  const done = made(clearFrom(shorter, served));
  assert.deepEqual(lists(done), { replicas: [3, 2], inSync: [3, 2], offline: [] });
  const without = made(setBrokerState(done, { id: 2, sid: sid(2), to: 'dead' }));
  assert.deepEqual(lists(without), { replicas: [3, 2], inSync: [3], offline: [2] });
});

test('a list without the owner counts no more', () => {
  let state = withTopic(clusterOf('a', 'a', 'a'), 'orders', 1, { replicationFactor: 2 });
  state = made(reassigned(state, new Map([[0, [2]]])));
  state = made(setBrokerState(state, { id: 2, sid: sid(2), to: 'dead' }));
  assert.deepEqual(lists(state).replicas, [1, 3]);
});

test('only the list changes when the owner stays, and asking for the same twice changes nothing', () => {
  const state = withTopic(clusterOf('a', 'a'), 'orders', 1);
  const asked = new Map([[0, [1, 2]]]);
  const once = made(reassigned(state, asked));
  assert.equal(ownersOf(once)[`${hexId('a', 1)}-0`], '1@1');
  assert.deepEqual(lists(once).replicas, [1, 2]);
  assert.equal(reassigned(once, asked), once);
});

test('calling off gives the group back; without a hand-over there is nothing to call off', () => {
  const state = withTopic(clusterOf('a', 'a'), 'orders', 1);
  assertRefused(reassigned(state, new Map([[0, null]])), 'NO_REASSIGNMENT', /of partition 0 of topic orders/);
  const under = made(reassigned(state, new Map([[0, [2, 1]]])));
  const off = made(reassigned(under, new Map([[0, null]])));
  assert.equal(ownersOf(off)[`${hexId('a', 1)}-0`], '1@3');
  assert.deepEqual(lists(off).replicas, [1]);
});

test('groups are asked for alike, and lists make sense', () => {
  const state = withTopic(clusterOf('a', 'a', 'a'), 'orders', 1, { partitions: 129 });
  const three = (...ids: readonly number[][]): ReplicaReassignment =>
    new Map(ids.map((brokers, index) => [index, brokers]));
  assertRefused(
    reassigned(state, three([2, 1], [2, 1])),
    'PARTIAL_GROUP',
    /partitions 0 to 2 .* add 2 to the reassignment/,
  );
  assertRefused(
    reassigned(state, three([2, 1], [2, 3], [2, 1])),
    'PARTIAL_GROUP',
    /gives 0, 2 to brokers 2,1; 1 to brokers 2,3; name the same brokers for all, as in 2,1/,
  );
  assertRefused(reassigned(state, three([], [], [])), 'INVALID_REPLICAS', /is given no broker/);
  assertRefused(
    reassigned(state, three([2, 2], [2, 2], [2, 2])),
    'INVALID_REPLICAS',
    /is given broker 2 twice/,
  );
  assertRefused(reassigned(state, three([2, 9], [2, 9], [2, 9])), 'UNKNOWN_BROKER');
  assert.equal(
    ownersOf(made(reassigned(state, three([3, 1], [3, 1], [3, 1]))))[`${hexId('a', 1)}-0`],
    '3@2<1',
  );
});

test('topics are created and extended on the brokers that were asked for', () => {
  let state = withTopic(clusterOf('a', 'a', 'a'), 'orders', 1, {
    partitions: 2,
    assignments: new Map([
      [0, [3, 1]],
      [1, [3]],
    ]),
  });
  assert.deepEqual(Object.values(ownersOf(state)), ['3@1', '3@1']);
  assert.deepEqual(lists(state, 0).replicas, [3, 1]);
  assert.deepEqual(lists(state, 1).replicas, [3]);
  state = made(addPartitions(state, { topic: 'orders', total: 3, assignments: new Map([[2, [2, 3]]]) }));
  assert.deepEqual(lists(state, 2).replicas, [2, 3]);
  assert.deepEqual(lists(state, 0).replicas, [3, 1]);
  const dead = made(setBrokerState(state, { id: 3, sid: sid(3), to: 'dead' }));
  assertRefused(
    addPartitions(dead, { topic: 'orders', total: 4, assignments: new Map([[3, [3, 1]]]) }),
    'BROKER_NOT_ALIVE',
    /cannot go to broker 3: it is dead/,
  );
});

test('the number of replicas and the lists survive in meta/cluster', () => {
  let state = withTopic(clusterOf('a', 'a', 'a'), 'orders', 1, { partitions: 2, replicationFactor: 3 });
  state = made(reassigned(state, new Map([[1, [3, 1]]]), 1));
  const read = decodeClusterState(encodeClusterState(state), 'meta/cluster');
  assert.deepEqual(read, state);
  assert.deepEqual(lists(read, 1).replicas, [3, 1, 2]);
  const topic = read.topics.get('orders');
  assert.equal(topic?.replicationFactor, 3);
});
