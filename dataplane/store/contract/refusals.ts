import assert from 'node:assert/strict';
import { rejects, text, written } from './expect.ts';
import type { Declare } from './expect.ts';

export function describeRefusals(promise: Declare): void {
  const badKeys = [
    '',
    '/a',
    'a/',
    'a//b',
    './a',
    'a/../b',
    'a\nb',
    'nul\u0000',
    'x'.repeat(256),
    'y/'.repeat(512) + 'yy',
  ];
  promise('of bad keys come from every call, with INVALID_REQUEST', async (store) => {
    for (const key of [...badKeys, 'lone\ud800surrogate']) {
      await rejects('INVALID_REQUEST', store.put(key, text('x')));
      await rejects('INVALID_REQUEST', store.get(key));
      await rejects('INVALID_REQUEST', store.getStream(key));
      await rejects('INVALID_REQUEST', store.head(key));
      await rejects('INVALID_REQUEST', store.delete(key));
    }
    assert.deepEqual((await store.list('')).objects, []);
  });

  promise('name the store and the key', async (store) => {
    const error = await rejects('INVALID_REQUEST', store.put('a//b', text('x')));
    assert.equal(error.details.key, 'a//b');
    assert.equal(error.details.store, store.name);
    assert.equal(error.details.operation, 'put');
  });

  promise('of bad options come with INVALID_REQUEST, and nothing is written', async (store) => {
    for (const id of ['', 'ümlaut', 'line\nbreak', ' led by a space', 'i'.repeat(257)]) {
      await rejects('INVALID_REQUEST', store.put('key', text('x'), { id }));
    }
    for (const crc of [-1, 1.5, 2 ** 32, NaN]) {
      await rejects('INVALID_REQUEST', store.put('key', text('x'), { crc32c: crc }));
    }
    assert.equal(await store.head('key'), undefined);
    await written(store.put('key', text('x')));
    const ranges = [
      { start: -1 },
      { start: 0.5 },
      { start: 3, end: 3 },
      { start: 3, end: 2 },
      { suffix: 0 },
      { suffix: -1 },
    ];
    for (const range of ranges) {
      await rejects('INVALID_REQUEST', store.get('key', { range }));
      await rejects('INVALID_REQUEST', store.getStream('key', { range }));
    }
    for (const maxKeys of [0, 1001, 1.5]) await rejects('INVALID_REQUEST', store.list('', { maxKeys }));
  });

  promise('follow the end of the store, with CLOSED', async (store) => {
    await written(store.put('key', text('x')));
    await store.close();
    await rejects('CLOSED', store.put('key', text('x')));
    await rejects('CLOSED', store.get('key'));
    await rejects('CLOSED', store.getStream('key'));
    await rejects('CLOSED', store.head('key'));
    await rejects('CLOSED', store.list(''));
    await rejects('CLOSED', store.delete('key'));
    await rejects('CLOSED', store.deleteMany(['key']));
    await store.close();
  });
}
