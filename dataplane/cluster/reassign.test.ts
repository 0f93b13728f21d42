import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setBrokerConfigs } from './broker-config-changes.ts';
import { registerBroker, setBrokerState } from './broker-changes.ts';
import { assertRefused, clusterOf, hexId, homeZone, made, ownersOf, withTopic } from './cluster-fixture.ts';
import { assignmentMode, leaderOf } from './ownership.ts';
import { clearFrom, handOver, moveAway, reassign } from './reassign.ts';

const sid = (id: number): string => hexId('5', id);
const group = (index: number): string => `${hexId('a', 1)}-${index}`;
const move = (partition: number, to: number) => ({ topic: 'orders', partition, to });

test('the old owner leads until the new one serves', () => {
  let state = withTopic(clusterOf('a', 'a'), 'orders', 1);
  state = made(reassign(state, [move(0, 2)]));
  const assignment = state.assignments.get(group(0));
  assert.deepEqual(assignment, { broker: 2, generation: 2, from: { broker: 1, sid: sid(1) } });
  assert.equal(assignmentMode(state, assignment), 'handover');
  assert.equal(leaderOf(state, group(0))?.broker, 1);
  const served = { broker: { id: 2, sid: sid(2) }, groups: [{ group: group(0), generation: 2 }] };
  state = made(clearFrom(state, served));
  assert.deepEqual(ownersOf(state), { [group(0)]: '2@2' });
  assert.equal(leaderOf(state, group(0))?.broker, 2);
  assert.equal(clearFrom(state, served), state);
});

test('when the old owner dies during the hand-over it becomes a takeover', () => {
  let state = withTopic(clusterOf('a', 'a'), 'orders', 1);
  state = made(reassign(state, [move(0, 2)]));
  state = made(setBrokerState(state, { id: 1, sid: sid(1), to: 'dead' }));
  assert.deepEqual(ownersOf(state), { [group(0)]: '2@2' });
});

test('when the new owner dies during the hand-over the group goes on, handed over by the same', () => {
  let state = withTopic(clusterOf('a', 'a', 'a'), 'orders', 1);
  state = made(reassign(state, [move(0, 2)]));
  state = made(setBrokerState(state, { id: 1, sid: sid(1), to: 'draining' }));
  state = made(setBrokerState(state, { id: 2, sid: sid(2), to: 'dead' }));
  assert.deepEqual(ownersOf(state), { [group(0)]: '3@3<1' });
});

test('a hand-over is cancelled by moving the group back, and diverted by moving it on', () => {
  let state = withTopic(clusterOf('a', 'a', 'a'), 'orders', 1);
  state = made(reassign(state, [move(0, 2)]));
  assert.deepEqual(ownersOf(made(reassign(state, [move(0, 1)]))), { [group(0)]: '1@3' });
  assert.deepEqual(ownersOf(made(reassign(state, [move(0, 3)]))), { [group(0)]: '3@3<1' });
  assert.equal(reassign(state, [move(0, 2)]), state);
});

test('a late report of an older generation clears nothing', () => {
  let state = withTopic(clusterOf('a', 'a', 'a'), 'orders', 1);
  state = made(reassign(state, [move(0, 2)]));
  state = made(reassign(state, [move(0, 3)]));
  const late = { broker: { id: 2, sid: sid(2) }, groups: [{ group: group(0), generation: 2 }] };
  assert.equal(clearFrom(state, late), state);
  // There and back again: the same broker and session, but another hand-over, which is not over yet.
  const again = made(reassign(made(reassign(state, [move(0, 1)])), [move(0, 2)]));
  assert.deepEqual(ownersOf(again), { [group(0)]: '2@5<1' });
  assert.equal(clearFrom(again, late), again);
  const wrongSession = { broker: { id: 3, sid: sid(2) }, groups: [{ group: group(0), generation: 3 }] };
  assertRefused(clearFrom(state, wrongSession), 'SESSION_REPLACED');
});

test('what an earlier session of a broker served ends no hand-over to the one after it', () => {
  let state = withTopic(clusterOf('a', 'a'), 'orders', 1);
  state = made(reassign(state, [move(0, 2)]));
  const { address, listeners, zone, supportedFormat } = state.brokers.get(2) ?? assert.fail();
  state = made(registerBroker(state, { id: 2, sid: sid(9), address, listeners, zone, supportedFormat }));
  assert.deepEqual(ownersOf(state), { [group(0)]: '2@3<1' });
  const earlier = { broker: { id: 2, sid: sid(9) }, groups: [{ group: group(0), generation: 2 }] };
  assert.equal(clearFrom(state, earlier), state);
});

test('the old owner ends the hand-over when it has released', () => {
  let state = withTopic(clusterOf('a', 'a', 'a'), 'orders', 1);
  state = made(reassign(state, [move(0, 2)]));
  const released = { broker: { id: 1, sid: sid(1) }, groups: [{ group: group(0), generation: 2 }] };
  assert.deepEqual(ownersOf(made(handOver(state, released))), { [group(0)]: '2@2' });
  assert.equal(handOver(state, { ...released, broker: { id: 3, sid: sid(3) } }), state);
  // There and back again: it serves under generation 3 and has to release once more.
  const again = made(reassign(made(reassign(state, [move(0, 1)])), [move(0, 2)]));
  assert.deepEqual(ownersOf(again), { [group(0)]: '2@4<1' });
  assert.equal(handOver(again, released), again);
});

test('only whole groups move, and what is missing is named', () => {
  const state = withTopic(clusterOf('a', 'a', 'a'), 'orders', 1, { partitions: 129 });
  assert.deepEqual(state.topics.get('orders')?.groups, [[0, 129, 3]]);
  const whole = made(reassign(state, [move(3, 3), move(4, 3), move(5, 3)]));
  assert.equal(ownersOf(whole)[group(1)], '3@2<2');
  assertRefused(
    reassign(state, [move(3, 3), move(5, 3)]),
    'PARTIAL_GROUP',
    /partitions 3 to 5 of topic orders form one group and have one owner: add 4 to the reassignment/,
  );
  assertRefused(
    reassign(state, [move(3, 3), move(4, 1), move(5, 3)]),
    'PARTIAL_GROUP',
    /gives 3, 5 to broker 3; 4 to broker 1; name one broker for all/,
  );
});

test('a reassignment is all or nothing and needs targets that can serve', () => {
  let state = withTopic(clusterOf('a', 'a', 'a'), 'orders', 1, { partitions: 2 });
  state = made(setBrokerState(state, { id: 3, sid: sid(3), to: 'draining' }));
  assertRefused(reassign(state, [move(0, 2), move(1, 3)]), 'BROKER_NOT_ALIVE', /it is draining/);
  assertRefused(reassign(state, [move(0, 2), move(1, 9)]), 'UNKNOWN_BROKER');
  assertRefused(reassign(state, [move(0, 2), move(7, 2)]), 'INVALID_PARTITIONS', /only 0 to 1/);
  assertRefused(reassign(state, [{ topic: 'none', partition: 0, to: 2 }]), 'UNKNOWN_TOPIC');
});

test('nothing is moved to a cordoned broker by hand, unless all are cordoned', () => {
  let state = withTopic(clusterOf('a', 'a', 'b'), 'orders', 1);
  state = made(setBrokerConfigs(state, { id: 2, set: { 'firn.placement.cordoned': 'true' }, remove: [] }));
  assertRefused(
    reassign(state, [move(0, 2)]),
    'BROKER_CORDONED',
    /remove firn.placement.cordoned from broker 2/,
  );
  for (const id of [1, 3])
    state = made(setBrokerConfigs(state, { id, set: { 'firn.placement.cordoned': 'true' }, remove: [] }));
  assert.deepEqual(ownersOf(made(reassign(state, [move(0, 2)]))), { [group(0)]: '2@2<1' });
});

test('a home-zone topic may leave while only cordoned brokers are at home', () => {
  let state = withTopic(clusterOf('a', 'b', 'b'), 'orders', 1, {
    configs: { ...homeZone, 'table.placement.zone': 'b' },
  });
  assertRefused(reassign(state, [move(0, 1)]), 'LEAVES_HOME_ZONE');
  state = made(setBrokerConfigs(state, { id: 3, set: { 'firn.placement.cordoned': 'true' }, remove: [] }));
  assert.deepEqual(ownersOf(made(reassign(state, [move(0, 1)]))), { [group(0)]: '1@2<2' });
});

test('a home-zone topic stays at home as long as it can', () => {
  let state = withTopic(clusterOf('a', 'a', 'b'), 'orders', 1, {
    configs: { ...homeZone, 'table.placement.zone': 'b' },
  });
  assert.deepEqual(ownersOf(state), { [group(0)]: '3@1' });
  // No other broker at home: it may leave.
  state = made(reassign(state, [move(0, 1)]));
  // Abroad it may not go on to yet another place while home is ready.
  assertRefused(
    reassign(state, [move(0, 2)]),
    'LEAVES_HOME_ZONE',
    /belongs into zone b \(table.placement.policy, table.placement.zone\).*choose one of 3/,
  );
  state = made(reassign(state, [move(0, 3)]));
  assert.deepEqual(ownersOf(state), { [group(0)]: '3@3' });
});

test('a broker that drains hands all it has over, as far as there are others', () => {
  let state = withTopic(clusterOf('a', 'a', 'b'), 'orders', 1, { partitions: 3 });
  state = made(setBrokerState(state, { id: 1, sid: sid(1), to: 'draining' }));
  state = made(moveAway(state, { id: 1, sid: sid(1) }));
  assert.equal(ownersOf(state)[group(0)], '2@2<1');
  assert.equal(moveAway(state, { id: 1, sid: sid(1) }), state);
  const alone = withTopic(clusterOf('a'), 'orders', 1);
  assert.equal(moveAway(alone, { id: 1, sid: sid(1) }), alone);
});
