import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { realRuntime } from '../runtime/real-runtime.ts';
import { createMemoryStore } from '../store/memory.ts';
import { decodeClusterState } from './cluster-codec.ts';
import { clusterKey } from './cluster-state.ts';
import { reserveZone } from './reserve-zone.ts';

describe('the index of a zone', () => {
  it('is one for each zone, for ever, however many appear for the first time at once', async () => {
    const store = createMemoryStore({ runtime: realRuntime });
    const zones = ['a', 'b', 'c', 'a', 'd', 'b', 'e'];
    const indexes = await Promise.all(zones.map((zone) => reserveZone(store, realRuntime, zone)));
    const byZone = new Map(zones.map((zone, at) => [zone, indexes[at]]));
    assert.deepEqual(
      [...byZone.values()].toSorted((a = 0, b = 0) => a - b),
      [0, 1, 2, 3, 4],
    );
    for (const [at, zone] of zones.entries()) assert.equal(indexes[at], byZone.get(zone));
    assert.equal(await reserveZone(store, realRuntime, 'f'), 5);
    assert.equal(await reserveZone(store, realRuntime, 'a'), byZone.get('a'));
  });

  it('of a name that no zone can have is not written', async () => {
    const store = createMemoryStore({ runtime: realRuntime });
    await reserveZone(store, realRuntime, 'a');
    assert.equal(await reserveZone(store, realRuntime, ''), 1);
    const found = await store.get(clusterKey);
    assert.ok(found.kind === 'found');
    assert.deepEqual(decodeClusterState(found.body, clusterKey).zones, ['a']);
  });
});
