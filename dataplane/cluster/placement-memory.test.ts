import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setBrokerState } from './broker-changes.ts';
import { clusterOf, hexId, homeZone, made, registered, withTopic } from './cluster-fixture.ts';
import type { ClusterState } from './cluster-state.ts';
import { reassign } from './reassign.ts';
import {
  handoversUnderWay,
  lostZones,
  noPlacementMemory,
  placementTimings,
  steadyBrokers,
  watchPlacement,
} from './placement-memory.ts';
import type { PlacementMemory } from './placement-memory.ts';

function kill(state: ClusterState, id: number): ClusterState {
  return made(setBrokerState(state, { id, sid: state.brokers.get(id)?.sid ?? '', to: 'dead' }));
}

/** Watches at the end of every second. */
function watched(
  memory: PlacementMemory,
  state: ClusterState,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): PlacementMemory {
  let now = memory;
  for (let atMs = fromMs; atMs <= toMs; atMs += 1_000) now = watchPlacement(now, state, atMs);
  return now;
}

const timings = placementTimings;

test('a broker is steady when its session has been seen ready for long enough', () => {
  const state = clusterOf('a', 'b');
  let memory = watched(noPlacementMemory, state, { fromMs: 5_000, toMs: 34_000 });
  assert.deepEqual(steadyBrokers(state, memory, timings), new Set());
  memory = watchPlacement(memory, state, 35_000);
  assert.deepEqual(steadyBrokers(state, memory, timings), new Set([1, 2]));
  // Another session of it has to prove itself.
  const again = registered(state, 1, 'a', hexId('5', 9));
  memory = watchPlacement(memory, again, 36_000);
  assert.deepEqual(steadyBrokers(again, memory, timings), new Set([2]));
  memory = watchPlacement(memory, again, 66_000);
  assert.deepEqual(steadyBrokers(again, memory, timings), new Set([1, 2]));
});

test('a broker that was cordoned has to prove itself anew', () => {
  const state = clusterOf('a', 'b');
  const brokers = new Map(state.brokers);
  brokers.set(1, { ...(brokers.get(1) ?? assert.fail()), cordoned: true });
  const cordoned = { ...state, brokers };
  let memory = watchPlacement(watchPlacement(noPlacementMemory, state, 0), cordoned, 40_000);
  assert.deepEqual(steadyBrokers(cordoned, memory, timings), new Set([2]));
  memory = watchPlacement(memory, state, 41_000);
  assert.deepEqual(steadyBrokers(state, memory, timings), new Set([2]));
});

test('a zone without a live broker is lost after its time, and forgotten when one comes', () => {
  let state = clusterOf('a', 'b');
  let memory = watchPlacement(noPlacementMemory, state, 0);
  state = kill(state, 1);
  memory = watched(memory, state, { fromMs: 1_000, toMs: 600_000 });
  assert.deepEqual(lostZones(memory, 600_000), new Set());
  memory = watchPlacement(memory, state, 601_000);
  assert.deepEqual(lostZones(memory, 600_000), new Set(['a']));
  const back = registered(state, 3, 'a', hexId('5', 3));
  memory = watchPlacement(memory, back, 602_000);
  assert.deepEqual(lostZones(memory, 600_000), new Set());
  memory = watchPlacement(memory, kill(back, 3), 603_000);
  assert.deepEqual(lostZones(memory, 1), new Set());
});

test('a zone of which all brokers are cordoned or draining is not lost', () => {
  let state = clusterOf('a', 'b');
  state = made(setBrokerState(state, { id: 1, sid: hexId('5', 1), to: 'draining' }));
  const memory = watched(noPlacementMemory, state, { fromMs: 0, toMs: 900_000 });
  assert.deepEqual(lostZones(memory, 600_000), new Set());
});

test('time in which the store could not be read does not count against a zone', () => {
  const state = kill(clusterOf('a', 'b'), 1);
  let memory = watched(noPlacementMemory, state, { fromMs: 0, toMs: 300_000 });
  memory = watchPlacement(memory, state, 3_000_000);
  assert.deepEqual(lostZones(memory, 300_001), new Set());
  memory = watched(memory, state, { fromMs: 3_001_000, toMs: 3_300_000 });
  assert.deepEqual(lostZones(memory, 600_000), new Set(['a']));
});

test('a read that began earlier than the last one changes nothing', () => {
  const state = clusterOf('a');
  const memory = watchPlacement(noPlacementMemory, state, 1_000);
  assert.equal(watchPlacement(memory, kill(state, 1), 1_000), memory);
});

test('a stray is counted from when its home was ready, and only where the operator would bring it back', () => {
  let state = withTopic(clusterOf('a', 'b'), 'table', 1, { partitions: 2, configs: homeZone });
  state = withTopic(state, 'spread', 2, { partitions: 4 });
  const away = kill(state, 1);
  const placed = (it: ClusterState): ClusterState => ({ ...it, placedBy: 'operator' });
  let memory = watchPlacement(noPlacementMemory, placed(away), 0);
  assert.deepEqual(memory.strayedSinceMs, new Map());
  const back = registered(away, 3, 'a', hexId('5', 3));
  memory = watchPlacement(memory, placed(back), 1_000);
  memory = watchPlacement(memory, placed(back), 2_000);
  assert.deepEqual(memory.strayedSinceMs, new Map([[hexId('a', 1), 1_000]]));
  assert.deepEqual(watchPlacement(memory, back, 3_000).strayedSinceMs, new Map());
  const one = made(reassign(placed(back), [{ topic: 'table', partition: 0, to: 3 }]));
  memory = watchPlacement(memory, one, 3_000);
  assert.deepEqual(memory.strayedSinceMs, new Map([[hexId('a', 1), 1_000]]));
  const both = made(reassign(one, [{ topic: 'table', partition: 1, to: 3 }]));
  assert.deepEqual(watchPlacement(memory, both, 4_000).strayedSinceMs, new Map());
});

test('a hand-over that takes too long does not count any more, another one of the group does', () => {
  let state = withTopic(clusterOf('a', 'a', 'a'), 'orders', 1, { partitions: 3 });
  const move = (to: number) => [{ topic: 'orders', partition: 0, to }];
  state = made(reassign(state, move(2)));
  let memory = watchPlacement(noPlacementMemory, state, 0);
  assert.equal(handoversUnderWay(state, memory, timings), 1);
  memory = watchPlacement(memory, state, 59_000);
  assert.equal(handoversUnderWay(state, memory, timings), 1);
  memory = watchPlacement(memory, state, 60_000);
  assert.equal(handoversUnderWay(state, memory, timings), 0);
  state = made(reassign(state, move(3)));
  assert.equal(handoversUnderWay(state, memory, timings), 1);
  memory = watchPlacement(memory, state, 61_000);
  assert.equal(handoversUnderWay(state, memory, timings), 1);
});
