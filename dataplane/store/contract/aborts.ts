import assert from 'node:assert/strict';
import { found, pattern, text, textOf, written } from './expect.ts';
import type { Declare } from './expect.ts';

export function describeAborts(promise: Declare): void {
  promise('that have fired already reject every call with their reason', async (store, second) => {
    await written(store.put('key', text('x')));
    const reason = new Error('changed my mind');
    const signal = AbortSignal.abort(reason);
    await assert.rejects(store.put('key', text('y'), { signal }), reason);
    await assert.rejects(store.get('key', { signal }), reason);
    await assert.rejects(store.getStream('key', { signal }), reason);
    await assert.rejects(store.head('key', { signal }), reason);
    await assert.rejects(store.list('', { signal }), reason);
    await assert.rejects(store.delete('key', { signal }), reason);
    await assert.rejects(store.deleteMany(['key'], { signal }), reason);
    assert.equal(textOf((await found(second.get('key'))).body), 'x');
  });

  promise('end a put whose body hangs, close the body, and write nothing', async (store, second) => {
    const abort = new AbortController();
    const reason = new Error('no more patience');
    let closed = false;
    const body: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]() {
        let asked = 0;
        return {
          next() {
            if (asked++ === 0) return Promise.resolve({ done: false, value: pattern(100) });
            queueMicrotask(() => {
              abort.abort(reason);
            });
            return new Promise(() => undefined);
          },
          return() {
            closed = true;
            return Promise.resolve({ done: true, value: undefined });
          },
        };
      },
    };
    await assert.rejects(
      store.put('key', { sizeBytes: 1000, chunks: body }, { ifAbsent: true, signal: abort.signal }),
      reason,
    );
    assert.equal(closed, true);
    assert.equal(await second.head('key'), undefined);
  });

  promise('end a stream that is being read', async (store) => {
    await written(store.put('large', pattern(8 * 1024 * 1024)));
    const abort = new AbortController();
    const reason = new Error('read enough');
    const { body } = await found(store.getStream('large', { signal: abort.signal }));
    await assert.rejects(async () => {
      for await (const piece of body) {
        assert.ok(piece.byteLength > 0);
        abort.abort(reason);
      }
    }, reason);
    assert.equal((await store.head('large'))?.sizeBytes, 8 * 1024 * 1024);
  });
}
