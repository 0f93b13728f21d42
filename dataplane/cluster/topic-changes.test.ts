import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setBrokerState } from './broker-changes.ts';
import { setClusterConfigs } from './cluster-config-changes.ts';
import {
  assertRefused,
  clusterOf,
  hexId,
  homeZone,
  made,
  noCluster,
  ownersOf,
  topicOf,
  withTopic,
} from './cluster-fixture.ts';
import {
  addPartitions,
  createTopic,
  deleteTopic,
  forgetGroups,
  forgetTopic,
  setTopicConfigs,
} from './topic-changes.ts';

const group = (topic: number, index: number): string => `${hexId('a', topic)}-${index}`;

test('a topic gets its layout by its size, an internal one by partition', () => {
  const state = withTopic(withTopic(clusterOf('a'), 'big', 1, { partitions: 200 }), 'in', 2, {
    partitions: 200,
    internal: true,
  });
  assert.deepEqual(state.topics.get('big')?.groups, [[0, 200, 4]]);
  assert.deepEqual(state.topics.get('in')?.groups, [[0, 200, 1]]);
  assert.equal(state.assignments.size, 250);
});

test('creation is refused for names and sizes that cannot be, and twice', () => {
  const state = withTopic(clusterOf('a'), 'orders', 1);
  assertRefused(createTopic(state, topicOf('orders', 2)), 'TOPIC_EXISTS', /orders already exists/);
  for (const name of ['', '.', '..', 'a b', 'ü', 'x'.repeat(250)]) {
    assertRefused(createTopic(state, topicOf(name, 2)), 'INVALID_TOPIC_NAME');
  }
  for (const partitions of [0, -1, 1.5, 200_001]) {
    assertRefused(createTopic(state, topicOf('more', 2, { partitions })), 'INVALID_PARTITIONS');
  }
  assert.throws(() => createTopic(state, topicOf('more', 1)), /is in use already/);
});

test('creation needs a broker that is alive', () => {
  assertRefused(createTopic(noCluster, topicOf('orders', 1)), 'NO_LIVE_BROKER');
  const draining = made(setBrokerState(clusterOf('a'), { id: 1, sid: hexId('5', 1), to: 'draining' }));
  assertRefused(createTopic(draining, topicOf('orders', 1)), 'NO_LIVE_BROKER', /1 are draining or dead/);
});

test('names that mean something to JavaScript are names like others', () => {
  let state = clusterOf('a');
  for (const [index, name] of ['__proto__', 'constructor', 'toString'].entries()) {
    state = withTopic(state, name, index + 1, { configs: { [name]: 'x' } });
  }
  assert.deepEqual([...state.topics.keys()], ['__proto__', 'constructor', 'toString']);
  state = made(setTopicConfigs(state, { topic: '__proto__', set: { valueOf: 'y' }, remove: [] }));
  assert.deepEqual(Object.entries(state.topics.get('__proto__')?.configs ?? {}), [
    ['__proto__', 'x'],
    ['valueOf', 'y'],
  ]);
});

test('added partitions form new groups by the rule for the new total', () => {
  let state = withTopic(clusterOf('a', 'a'), 'orders', 1, { partitions: 2 });
  const before = ownersOf(state);
  state = made(addPartitions(state, { topic: 'orders', total: 130 }));
  assert.deepEqual(state.topics.get('orders')?.groups, [
    [0, 2, 1],
    [2, 128, 3],
  ]);
  assert.equal(state.assignments.size, 2 + 43);
  assert.deepEqual(Object.fromEntries(Object.entries(ownersOf(state)).slice(0, 2)), before);
  assertRefused(addPartitions(state, { topic: 'orders', total: 130 }), 'INVALID_PARTITIONS', /131 to/);
  assertRefused(addPartitions(state, { topic: 'none', total: 1 }), 'UNKNOWN_TOPIC');
});

test('a deleted topic frees its name at once and is looked after until its groups are empty', () => {
  let state = withTopic(clusterOf('a', 'a'), 'orders', 1, { partitions: 2 });
  state = made(deleteTopic(state, 'orders'));
  assertRefused(deleteTopic(state, 'orders'), 'UNKNOWN_TOPIC');
  state = withTopic(state, 'orders', 2);
  assert.equal(state.deletedTopics.get(hexId('a', 1))?.name, 'orders');
  // Its owner dies: another broker empties the prefix.
  state = made(setBrokerState(state, { id: 1, sid: hexId('5', 1), to: 'dead' }));
  assert.equal(ownersOf(state)[group(1, 0)], '2@2');
  state = made(forgetGroups(state, [group(1, 0)]));
  assert.equal(state.deletedTopics.size, 1);
  assert.equal(forgetGroups(state, [group(1, 0)]), state);
  state = made(forgetGroups(state, [group(1, 0), group(1, 1)]));
  assert.equal(state.deletedTopics.size, 0);
  assert.deepEqual(ownersOf(state), { [group(2, 0)]: '2@2' });
  assertRefused(forgetGroups(state, [group(2, 0)]), 'TOPIC_EXISTS', /not deleted/);
});

test('a group of a deleted topic that is forgotten is never placed again', () => {
  let state = withTopic(clusterOf('a', 'a'), 'orders', 1, { partitions: 4 });
  state = made(deleteTopic(state, 'orders'));
  state = made(forgetGroups(state, [group(1, 2)]));
  state = made(setBrokerState(state, { id: 1, sid: hexId('5', 1), to: 'dead' }));
  assert.deepEqual(Object.keys(ownersOf(state)), [group(1, 0), group(1, 1), group(1, 3)]);
  state = made(forgetTopic(state, hexId('a', 1)));
  assert.equal(state.assignments.size + state.deletedTopics.size, 0);
  assert.equal(forgetTopic(state, hexId('a', 1)), state);
});

test('configs are set and removed; what changes nothing is no change', () => {
  const state = withTopic(clusterOf('a'), 'orders', 1, { configs: { x: '1', y: '2' } });
  const changed = made(
    setTopicConfigs(state, { topic: 'orders', set: { x: '3', z: '4' }, remove: ['y', 'x'] }),
  );
  assert.deepEqual(changed.topics.get('orders')?.configs, { x: '3', z: '4' });
  assert.equal(setTopicConfigs(state, { topic: 'orders', set: { x: '1' }, remove: ['none'] }), state);
  assertRefused(setTopicConfigs(state, { topic: 'none', set: {}, remove: [] }), 'UNKNOWN_TOPIC');
});

test('placement configs decide the home zone', () => {
  const zone = 'table.placement.zone';
  const policy = 'table.placement.policy';
  let state = withTopic(clusterOf('a', 'b'), 'table', 1, { configs: homeZone });
  const homeAfter = (set: Record<string, string>, remove: string[] = []): string | undefined => {
    state = made(setTopicConfigs(state, { topic: 'table', set, remove }));
    return state.topics.get('table')?.homeZone;
  };
  assert.equal(homeAfter({ [zone]: 'b' }), 'b');
  assert.equal(homeAfter({}, [zone]), 'b');
  assert.equal(homeAfter({ [policy]: 'Spread' }), undefined);
  assert.equal(homeAfter({ [policy]: 'Pinned', [zone]: 'a' }), 'a');
  assert.equal(homeAfter({}, [policy, zone]), undefined);
  const refused = (set: Record<string, string>) =>
    setTopicConfigs(state, { topic: 'table', set, remove: [] });
  assertRefused(refused({ [policy]: 'HomeZone', [zone]: 'c' }), 'UNKNOWN_ZONE', /it has had some in: a, b/);
  assertRefused(refused({ [policy]: 'Pinned' }), 'INVALID_CONFIG', /name the zone/);
  assertRefused(refused({ [policy]: 'homezone' }), 'INVALID_CONFIG', /HomeZone, Pinned, Spread/);
  assertRefused(refused({ [zone]: 'a' }), 'INVALID_CONFIG', /set table.placement.policy/);
});

test('who places is a config of the cluster', () => {
  const state = clusterOf('a');
  const by = 'firn.placement.by';
  const operator = made(setClusterConfigs(state, { set: { [by]: 'operator', x: '1' }, remove: [] }));
  assert.equal(operator.placedBy, 'operator');
  assert.deepEqual(operator.configs, { x: '1' });
  assert.equal(setClusterConfigs(operator, { set: { [by]: 'operator' }, remove: [] }), operator);
  assert.equal(made(setClusterConfigs(operator, { set: {}, remove: [by] })).placedBy, 'brokers');
  assertRefused(setClusterConfigs(state, { set: { [by]: 'me' }, remove: [] }), 'INVALID_CONFIG');
});
