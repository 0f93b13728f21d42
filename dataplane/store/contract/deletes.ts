import assert from 'node:assert/strict';
import { keysOf, pages, text, written } from './expect.ts';
import type { Declare } from './expect.ts';

export function describeDeletes(promise: Declare): void {
  promise('are seen at once and succeed when there is nothing to delete', async (store, second) => {
    await store.delete('never');
    await store.delete('never/deep/down');
    await written(store.put('key/below', text('x')));
    await store.delete('key/below');
    assert.deepEqual(await second.get('key/below'), { kind: 'absent' });
    assert.equal(await second.head('key/below'), undefined);
    assert.deepEqual((await second.list('')).objects, []);
    await second.delete('key/below');
  });

  promise('leave neighbours alone', async (store) => {
    for (const key of ['d/1', 'd/11', 'd/2/x']) await written(store.put(key, text(key)));
    await store.delete('d/1');
    await store.delete('d/2');
    assert.deepEqual(keysOf(await pages(store, '', 1000)), ['d/11', 'd/2/x']);
  });

  promise('of many keys go through whatever their number, existing or not', async (store, second) => {
    const keys = Array.from({ length: 2100 }, (_, i) => `bulk/${i} & <${i}>`);
    const existing = keys.filter((_, i) => i % 300 === 0 || i === 999 || i === 1000 || i === 2099);
    for (const key of [...existing, 'bulk/kept']) await written(store.put(key, text('x')));
    assert.deepEqual(await store.deleteMany(keys), []);
    assert.deepEqual(keysOf(await pages(second, '', 1000)), ['bulk/kept']);
    assert.deepEqual(await store.deleteMany([]), []);
  });

  promise('of many keys name those that could not be deleted, and delete the others', async (store) => {
    for (const key of ['a', 'b']) await written(store.put(key, text('x')));
    const failures = await store.deleteMany(['a', 'bad//key', 'b']);
    assert.deepEqual(
      failures.map(({ key, error }) => ({ key, code: error.code })),
      [{ key: 'bad//key', code: 'INVALID_REQUEST' }],
    );
    assert.deepEqual((await store.list('')).objects, []);
  });
}
