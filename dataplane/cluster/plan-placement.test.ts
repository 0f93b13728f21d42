import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setBrokerState } from './broker-changes.ts';
import { clusterOf, hexId, homeZone, made, noCluster, registered, withTopic } from './cluster-fixture.ts';
import type { ClusterState } from './cluster-state.ts';
import { chooseHomeZone } from './home-zone.ts';
import { groupsOf, parseGroupId } from './partition-groups.ts';
import { place } from './place.ts';
import { settled } from './placement-fixture.ts';
import { applyPlan, planPlacement } from './plan-placement.ts';
import type { PlacementView } from './plan-placement.ts';
import { reassignGroup } from './reassign-replicas.ts';
import { reassign } from './reassign.ts';
import { setTopicConfigs } from './topic-changes.ts';

const inZone = (zone: string) => ({ ...homeZone, 'table.placement.zone': zone });
const pinnedTo = (zone: string) => ({ 'table.placement.policy': 'Pinned', 'table.placement.zone': zone });

function kill(state: ClusterState, id: number): ClusterState {
  return made(setBrokerState(state, { id, sid: state.brokers.get(id)?.sid ?? '', to: 'dead' }));
}

function cordon(state: ClusterState, ...ids: readonly number[]): ClusterState {
  const brokers = new Map(state.brokers);
  for (const id of ids) brokers.set(id, { ...(brokers.get(id) ?? assert.fail()), cordoned: true });
  return { ...state, brokers };
}

/** Everything is steady, if nothing else is said. */
function viewOf(state: ClusterState, more: Partial<PlacementView> = {}): PlacementView {
  return { steady: new Set(state.brokers.keys()), ...more };
}

/** `['0: 1 → 2, home']` for group 0 of the first topic, `['b0: …']` for the second. */
function shown(state: ClusterState, view: PlacementView): string[] {
  return planPlacement(state, view).moves.map(({ group, from, to, reason }) => {
    const { topicId, index } = parseGroupId(group) ?? assert.fail();
    const topic = Number(topicId.slice(-1));
    return `${topic === 1 ? '' : topic + '-'}${index}: ${from} → ${to}, ${reason}`;
  });
}

function brokersOf(state: ClusterState, topic: string): number[] {
  return groupsOf(state.topics.get(topic) ?? assert.fail()).map(
    ({ id }) => state.assignments.get(id)?.broker ?? -1,
  );
}

/** Carries plans out until there is nothing to do. */
function rest(state: ClusterState, view: PlacementView): ClusterState {
  for (let now = state; ;) {
    const plan = planPlacement(now, view);
    if (plan.moves.length + plan.homes.length === 0) return now;
    now = made(settled(applyPlan(now, plan)));
  }
}

test('a topic returns home when its zone has a broker that is steady, not before', () => {
  let state = withTopic(clusterOf('a', 'b'), 'table', 1, { partitions: 2, configs: inZone('a') });
  state = kill(state, 1);
  assert.deepEqual(brokersOf(state, 'table'), [2, 2]);
  state = registered(state, 3, 'a', hexId('5', 3));
  assert.deepEqual(shown(state, { steady: new Set([2]) }), []);
  assert.deepEqual(shown(state, { steady: new Set([2, 3]) }), ['0: 2 → 3, home', '1: 2 → 3, home']);
  // Brokers that have just come to the zone get nothing of it yet.
  const more = registered(state, 4, 'a', hexId('5', 4));
  assert.deepEqual(shown(more, { steady: new Set([2, 3]) }), ['0: 2 → 3, home', '1: 2 → 3, home']);
});

test('a cordoned broker loses what it has, and gets nothing new', () => {
  let state = withTopic(clusterOf('a', 'a', 'b'), 'orders', 1, { partitions: 3 });
  state = cordon(state, 1);
  assert.deepEqual(shown(state, viewOf(state)), ['0: 1 → 2, cordoned']);
  state = withTopic(state, 'more', 2, { partitions: 4 });
  assert.deepEqual(brokersOf(state, 'more').includes(1), false);
});

test('while all brokers are cordoned new groups go to them, and nothing moves', () => {
  let state = cordon(clusterOf('a', 'b'), 1, 2);
  state = withTopic(state, 'orders', 1, { partitions: 4, configs: homeZone });
  assert.deepEqual(brokersOf(state, 'orders'), [1, 1, 1, 1]);
  assert.deepEqual(shown(state, viewOf(state)), []);
});

test('a zone that is cordoned as a whole sends its topics abroad together, and they come back', () => {
  let state = withTopic(clusterOf('a', 'a', 'b', 'c'), 'table', 1, { partitions: 4, configs: inZone('a') });
  const away = rest(cordon(state, 1, 2), viewOf(state, { steady: new Set([3, 4]) }));
  assert.deepEqual(brokersOf(away, 'table'), [3, 3, 3, 3]);
  assert.equal(away.topics.get('table')?.homeZone, 'a');
  assert.equal(chooseHomeZone(away), 'b');
  state = { ...away, brokers: state.brokers };
  assert.deepEqual(brokersOf(rest(state, viewOf(state)), 'table'), [1, 2, 1, 2]);
});

test('what a broker that drains could not hand over goes as soon as somebody comes', () => {
  let state = withTopic(clusterOf('a'), 'orders', 1, { partitions: 2 });
  state = made(setBrokerState(state, { id: 1, sid: hexId('5', 1), to: 'draining' }));
  assert.deepEqual(shown(state, viewOf(state)), []);
  state = registered(state, 2, 'b', hexId('5', 2));
  assert.deepEqual(shown(state, viewOf(state)), ['0: 1 → 2, draining', '1: 1 → 2, draining']);
});

test('a topic that is pinned to another zone goes there, once that has a steady broker', () => {
  let state = withTopic(clusterOf('a', 'b'), 'table', 1, { partitions: 2, configs: pinnedTo('a') });
  state = made(setTopicConfigs(state, { topic: 'table', set: { 'table.placement.zone': 'b' }, remove: [] }));
  assert.deepEqual(shown(state, viewOf(state)), ['0: 1 → 2, pinned', '1: 1 → 2, pinned']);
  assert.deepEqual(shown(kill(state, 2), viewOf(state, { steady: new Set([1]) })), []);
});

test('when the home zone is lost a topic is at home where most of it went', () => {
  let state = withTopic(clusterOf('a', 'b', 'c'), 'table', 1, { partitions: 3, configs: homeZone });
  assert.equal(state.topics.get('table')?.homeZone, 'a');
  state = kill(state, 1);
  assert.deepEqual(planPlacement(state, viewOf(state)), { homes: [], moves: [] });
  const lost = viewOf(state, { lostZones: new Set(['a']) });
  const { homes, moves } = planPlacement(state, lost);
  assert.deepEqual([homes, moves], [[{ topic: 'table', from: 'a', to: 'b' }], []]);
  state = made(applyPlan(state, { homes, moves }));
  assert.equal(state.topics.get('table')?.homeZone, 'b');
  assert.deepEqual(planPlacement(state, lost), { homes: [], moves: [] });
  // The zone comes back: nothing returns, and only new topics get it as their home.
  state = registered(state, 4, 'a', hexId('5', 4));
  assert.deepEqual(shown(state, viewOf(state)), []);
  assert.equal(chooseHomeZone(state), 'a');
});

test('a zone that has a broker again by now is not lost, whatever was seen before', () => {
  let state = withTopic(clusterOf('a', 'b'), 'table', 1, { configs: inZone('a') });
  state = registered(kill(state, 1), 3, 'a', hexId('5', 3));
  const view = { steady: new Set([2]), lostZones: new Set(['a']) };
  assert.deepEqual(planPlacement(state, view), { homes: [], moves: [] });
});

test('a topic that is pinned waits for its zone however long it takes', () => {
  let state = withTopic(clusterOf('a', 'b'), 'table', 1, { configs: pinnedTo('a') });
  state = kill(state, 1);
  assert.deepEqual(brokersOf(state, 'table'), [2]);
  assert.deepEqual(planPlacement(state, viewOf(state, { lostZones: new Set(['a']) })), {
    homes: [],
    moves: [],
  });
  state = registered(state, 3, 'a', hexId('5', 3));
  assert.deepEqual(shown(state, viewOf(state)), ['0: 2 → 3, pinned']);
});

test('a later change of another config does not bring a lost home back', () => {
  let state = withTopic(clusterOf('a', 'b'), 'table', 1, { configs: inZone('a') });
  state = kill(state, 1);
  state = applyPlan(state, planPlacement(state, viewOf(state, { lostZones: new Set(['a']) })));
  const change = (set: Record<string, string>): ClusterState =>
    made(setTopicConfigs(state, { topic: 'table', set, remove: [] }));
  assert.equal(change({ 'retention.ms': '1000' }).topics.get('table')?.homeZone, 'b');
  state = change({ 'table.placement.zone': 'b' });
  assert.equal(change({ 'table.placement.zone': 'a' }).topics.get('table')?.homeZone, 'a');
});

test('groups that are scattered abroad come together where most of them are', () => {
  let state = withTopic(clusterOf('a', 'b', 'c'), 'table', 1, { partitions: 3, configs: inZone('a') });
  state = settled(kill(state, 1));
  state = settled(made(reassign(state, [{ topic: 'table', partition: 2, to: 3 }])));
  assert.deepEqual(brokersOf(state, 'table'), [2, 2, 3]);
  assert.deepEqual(shown(state, viewOf(state)), ['2: 3 → 2, together']);
});

test('what is withheld is left alone: evening out, and the way home of a topic', () => {
  let state = withTopic(clusterOf('a', 'b'), 'table', 1, { partitions: 2, configs: inZone('a') });
  state = registered(kill(state, 1), 3, 'a', hexId('5', 3));
  const withheld = { balance: true, home: () => true };
  assert.deepEqual(shown(state, viewOf(state, { isWithheld: withheld })), []);
  const pinned = made(
    setTopicConfigs(state, { topic: 'table', set: { 'table.placement.policy': 'Pinned' }, remove: [] }),
  );
  assert.equal(shown(pinned, viewOf(state, { isWithheld: withheld })).length, 2);
  const tooLong = { balance: true, home: (topicId: string) => topicId !== hexId('a', 1) };
  assert.deepEqual(shown(state, viewOf(state, { isWithheld: tooLong })), [
    '0: 2 → 3, home',
    '1: 2 → 3, home',
  ]);
  const spread = withTopic(noClusterWith(1), 'orders', 1, { partitions: 8 });
  const joined = registered(spread, 2, 'a', hexId('5', 2));
  assert.equal(shown(joined, viewOf(joined)).length, 4);
  assert.deepEqual(shown(joined, viewOf(joined, { isWithheld: withheld })), []);
});

function noClusterWith(...ids: readonly number[]): ClusterState {
  return ids.reduce((state, id) => registered(state, id, 'a', hexId('5', id)), noCluster);
}

test('evening out counts bytes first, then partitions with groups that are idle', () => {
  let state = withTopic(noClusterWith(1), 'orders', 1, { partitions: 9 });
  state = registered(state, 2, 'a', hexId('5', 2));
  const group = (index: number): string => `${hexId('a', 1)}-${index}`;
  const bytes = new Map([
    [group(3), 900_000],
    [group(5), 1_000_000],
  ]);
  const loads = { bytes, brokers: new Set([1, 2]) };
  // 4 and 5 partitions: as even as can be.
  assert.deepEqual(shown(state, viewOf(state, { loads })), [
    '3: 1 → 2, balance',
    '0: 1 → 2, balance',
    '1: 1 → 2, balance',
    '2: 1 → 2, balance',
  ]);
  // Too little to speak of: partitions it is, of groups that are idle beside the others.
  bytes.set(group(3), 900).set(group(5), 1_000);
  assert.deepEqual(shown(state, viewOf(state, { loads })).length, 4);
  assert(
    !shown(state, viewOf(state, { loads })).some((move) => move.startsWith('3:') || move.startsWith('5:')),
  );
});

test('of groups that are alike one moves whose topic stays spread out', () => {
  let state = withTopic(noClusterWith(1, 2), 'orders', 1, { partitions: 2 });
  state = withTopic(cordon(state, 2), 'more', 2, { partitions: 2 });
  const { brokers } = noClusterWith(1, 2);
  state = { ...state, brokers };
  assert.deepEqual(
    [brokersOf(state, 'orders'), brokersOf(state, 'more')],
    [
      [1, 2],
      [1, 1],
    ],
  );
  assert.deepEqual(shown(state, viewOf(state)), ['2-0: 1 → 2, balance']);
});

test('a group counts as many partitions as it has', () => {
  let state = withTopic(noClusterWith(1), 'large', 1, { partitions: 640 });
  assert.equal(brokersOf(state, 'large').length, 64);
  state = withTopic(state, 'small', 2, { partitions: 64 });
  state = registered(state, 2, 'a', hexId('5', 2));
  const after = rest(state, viewOf(state));
  const partitions = new Map<number, number>();
  for (const topic of after.topics.values()) {
    for (const { id, count } of groupsOf(topic)) {
      const broker = after.assignments.get(id)?.broker ?? -1;
      partitions.set(broker, (partitions.get(broker) ?? 0) + count);
    }
  }
  const [one = 0, two = 0] = partitions.values();
  assert.equal(one + two, 704);
  assert(Math.max(one, two) <= 1.1 * 352, `${one} and ${two}`);
});

test('groups of whose load nothing is known are not taken for idle', () => {
  const state = withTopic(noClusterWith(1, 2), 'orders', 1, { partitions: 4 });
  assert.deepEqual(brokersOf(state, 'orders'), [1, 2, 1, 2]);
  const bytes = new Map([0, 2].map((index) => [`${hexId('a', 1)}-${index}`, 5_000_000]));
  const loads = { bytes, brokers: new Set([1]) };
  assert.deepEqual(shown(state, viewOf(state, { loads })), []);
  const told = { bytes, brokers: new Set([1, 2]) };
  assert.deepEqual(shown(state, viewOf(state, { loads: told })), ['0: 1 → 2, balance', '1: 2 → 1, balance']);
});

test('what was moved by hand stays where it was wanted for as long as that broker lives', () => {
  let state = withTopic(clusterOf('a', 'a'), 'orders', 1, { partitions: 4 });
  const byHand = (now: ClusterState, partition: number, to: number): ClusterState => {
    const topic = now.topics.get('orders') ?? assert.fail();
    const group = groupsOf(topic)[partition] ?? assert.fail();
    return settled(made(reassignGroup(now, 'orders', topic, group, new Map([[partition, [to, 3 - to]]]))));
  };
  for (const partition of [0, 1, 2, 3]) state = byHand(state, partition, 2);
  assert.deepEqual(brokersOf(state, 'orders'), [2, 2, 2, 2]);
  assert.deepEqual(shown(state, viewOf(state)), []);
  // That does not hold against rules, and elsewhere nothing keeps it.
  state = rest(cordon(state, 2), viewOf(state, { steady: new Set([1]) }));
  assert.deepEqual(brokersOf(state, 'orders'), [1, 1, 1, 1]);
  const brokers = new Map(state.brokers).set(2, clusterOf('a', 'a').brokers.get(2) ?? assert.fail());
  assert.equal(shown({ ...state, brokers }, viewOf(state)).length, 2);
});

test('moves that matter more come first when only a few may be made', () => {
  let state = withTopic(clusterOf('a', 'b', 'b'), 'table', 1, { partitions: 2, configs: inZone('a') });
  state = settled(kill(state, 1));
  state = withTopic(state, 'orders', 2, { partitions: 4 });
  state = cordon(registered(state, 4, 'a', hexId('5', 4)), 3);
  const all = shown(state, viewOf(state));
  assert.deepEqual(all.map((move) => move.replace(/.*, /, '')).slice(0, 4), [
    'cordoned',
    'cordoned',
    'cordoned',
    'home',
  ]);
  assert.deepEqual(shown(state, viewOf(state, { maxMoves: 2 })), all.slice(0, 2));
});

test('place() and a plan agree: what place() places, a plan leaves there', () => {
  let state = withTopic(clusterOf('a', 'a', 'b', 'c'), 'table', 1, { partitions: 6, configs: homeZone });
  state = withTopic(state, 'orders', 2, { partitions: 6 });
  for (const id of [1, 3]) {
    state = kill(state, id);
    assert.deepEqual(place(state), []);
    const { moves } = planPlacement(
      state,
      viewOf(state, { isWithheld: { balance: true, home: () => false } }),
    );
    assert.deepEqual(moves, []);
  }
});
