import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { byUtf8, pages } from '../contract/expect.ts';
import { KeyIndex } from './key-index.ts';
import { simulate, text } from './simulation-fixture.ts';

describe('a weak listing', () => {
  it('misses the newest keys for a while, but no other operation does', async () => {
    const { time, server, store } = simulate();
    server.setFaults({ weakList: { lagMs: 10_000, isUnordered: false } });
    await time.drive(async () => {
      const keys = Array.from({ length: 50 }, (_, i) => `k/${i}`);
      for (const key of keys) await store.put(key, text('x'));
      const listed = async (): Promise<number> => (await pages(store, 'k/', 10)).length;
      const early = await listed();
      assert.ok(early < 50, `${early} are listed already`);
      assert.notEqual(await store.head('k/49'), undefined);
      await store.put('k/0', text('y'));
      while ((await listed()) < 50);
      assert.ok(time.nowMs > 5000);
      await store.put('k/0', text('z'));
      assert.equal(await listed(), 50, 'overwritten keys stay listed');
      await store.put('k/new', text('z'));
      server.calm();
      assert.equal(await listed(), 51);
    });
    assert.ok(server.counters.listOmissions > 0);
  });

  it('comes in no order, yet complete at every page size', async () => {
    const { time, server, store } = simulate();
    server.setFaults({ weakList: { lagMs: 0, isUnordered: true } });
    const keys = Array.from({ length: 100 }, (_, i) => `k/${String(i).padStart(3, '0')}`);
    for (const key of keys) server.plant(key, text('x'));
    await time.drive(async () => {
      for (const maxKeys of [1, 7, 1000]) {
        const listed = (await pages(store, 'k/', maxKeys)).map(({ key }) => key);
        assert.notDeepEqual(listed, keys);
        assert.deepEqual(listed.toSorted(), keys);
        const rest = (await pages(store, 'k/', maxKeys, 'k/060')).map(({ key }) => key);
        assert.deepEqual(rest.toSorted(), keys.slice(61));
      }
    });
  });

  it('shows what changes between two pages only if it lies ahead', async () => {
    const { time, store, server } = simulate();
    for (const key of ['a', 'b', 'c', 'd']) server.plant(key, text('x'));
    await time.drive(async () => {
      const first = await store.list('', { maxKeys: 2 });
      for (const key of ['aa', 'cc']) server.plant(key, text('x'));
      assert.equal(server.remove('d'), true);
      const second = await store.list('', { continuation: first.next });
      assert.deepEqual(
        [first, second].map(({ objects }) => objects.map(({ key }) => key)),
        [
          ['a', 'b'],
          ['c', 'cc'],
        ],
      );
      await assert.rejects(store.list('', { continuation: 'forged' }), { code: 'INVALID_REQUEST' });
    });
  });
});

describe('the index of keys', () => {
  it('lists like a sorted array, whatever is added and removed', () => {
    const letters = fc.constantFrom('a', 'b', '/', 'é', '\uffff', '\u{1f9ca}');
    const key = fc.array(letters, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''));
    const action = fc.oneof(
      { weight: 8, arbitrary: fc.record({ do: fc.constant('add' as const), key }) },
      { weight: 4, arbitrary: fc.record({ do: fc.constant('remove' as const), key }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('list' as const), key }) },
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 300 }), fc.option(key), (actions, after) => {
        const existing = new Set<string>();
        const index = new KeyIndex((key) => existing.has(key));
        for (const { do: what, key } of [...actions, { do: 'list' as const, key: '' }]) {
          if (what === 'add' && !existing.has(key)) {
            existing.add(key);
            index.add(key);
          } else if (what === 'remove' && existing.delete(key)) index.noteRemoved();
          else if (what === 'list') {
            const expected = [...existing]
              .filter((other) => other.startsWith(key) && (after === null || byUtf8(other, after) > 0))
              .toSorted(byUtf8);
            assert.deepEqual([...index.from(key, after ?? undefined)], expected);
          }
        }
      }),
    );
  });
});
