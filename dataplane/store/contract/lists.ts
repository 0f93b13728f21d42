import assert from 'node:assert/strict';
import { byUtf8, found, keysOf, pages, text, textOf, written } from './expect.ts';
import type { Declare } from './expect.ts';

export function describeLists(promise: Declare): void {
  const odd = [
    'p/a b',
    'p/a+b',
    'p/a%20b',
    'p/ünï©ode',
    'p/日本語/キー',
    'p/\u{1f9ca}ice',
    'p/\ufffdreplacement',
    'p/~tilde',
    'p/"quotes"&<angles>\'',
    'p/.dot',
    'p/trailing ',
    'p/UPPER',
    'p/upper',
    'p/=#?*:;,\\|^`{}[]$!@()',
    `p/${'l'.repeat(255)}`,
  ];

  promise('tell key, size, etag and time of every object', async (store) => {
    const etag = await written(store.put('dir/key', text('12345'), { id: 'x' }));
    const { objects, next } = await store.list('dir/');
    assert.equal(next, undefined);
    assert.equal(objects.length, 1);
    const [object] = objects;
    assert.ok(object !== undefined && Number.isFinite(object.lastModifiedMs));
    const { key, sizeBytes } = object;
    assert.deepEqual({ key, sizeBytes, etag: object.etag }, { key: 'dir/key', sizeBytes: 5, etag });
  });

  promise('take the prefix as a plain string', async (store) => {
    for (const key of ['ab/1', 'abc/2', 'abc/2x/3', 'b/4', 'abcd']) {
      await written(store.put(key, text(key)));
    }
    const keys = async (prefix: string): Promise<string[]> => keysOf(await pages(store, prefix, 1000));
    assert.deepEqual(await keys(''), ['ab/1', 'abc/2', 'abc/2x/3', 'abcd', 'b/4']);
    assert.deepEqual(await keys('ab'), ['ab/1', 'abc/2', 'abc/2x/3', 'abcd']);
    assert.deepEqual(await keys('ab/'), ['ab/1']);
    assert.deepEqual(await keys('abc/2'), ['abc/2', 'abc/2x/3']);
    assert.deepEqual(await keys('abc/2x/'), ['abc/2x/3']);
    assert.deepEqual(await keys('abcd'), ['abcd']);
    assert.deepEqual(await keys('abcd/'), []);
    assert.deepEqual(await keys('zz'), []);
    assert.deepEqual(await keys('no/such/dir'), []);
  });

  promise('are complete and without duplicates for odd keys, at every page size', async (store, second) => {
    for (const key of odd) await written(store.put(key, text(key), { ifAbsent: true }));
    for (const key of odd) assert.equal(textOf((await found(second.get(key))).body), key);
    for (const maxKeys of [1, 4, odd.length, 1000]) {
      const listed = await pages(second, 'p/', maxKeys);
      assert.deepEqual(keysOf(listed), odd.toSorted(byUtf8), `maxKeys ${maxKeys}`);
    }
  });

  promise('start after a key in UTF-8 byte order', async (store) => {
    for (const key of odd) await written(store.put(key, text(key)));
    for (const startAfter of [...odd, 'p/', 'p/b', 'a', 'q', 'p/\uffff']) {
      const listed = await pages(store, 'p/', 3, startAfter);
      assert.deepEqual(
        keysOf(listed),
        odd.filter((key) => byUtf8(key, startAfter) > 0).toSorted(byUtf8),
        startAfter,
      );
    }
  });

  promise('of more than a thousand keys come in pages', async (store) => {
    const keys = Array.from({ length: 1050 }, (_, i) => `many/${i % 7}/${i}`);
    for (let at = 0; at < keys.length; at += 16) {
      await Promise.all(keys.slice(at, at + 16).map((key) => written(store.put(key, new Uint8Array(1)))));
    }
    const first = await store.list('many/');
    assert.equal(first.objects.length, 1000);
    assert.notEqual(first.next, undefined);
    const second = await store.list('many/', { continuation: first.next });
    assert.equal(second.next, undefined);
    assert.deepEqual(keysOf([...first.objects, ...second.objects]), keys.toSorted(byUtf8));
  });
}
