import assert from 'node:assert/strict';
import { collected, found, pattern, rejects, text, textOf, written } from './expect.ts';
import type { Declare } from './expect.ts';

export function describeReads(promise: Declare): void {
  promise('of what does not exist answer absent', async (store) => {
    assert.deepEqual(await store.get('missing'), { kind: 'absent' });
    assert.deepEqual(await store.getStream('missing'), { kind: 'absent' });
    assert.deepEqual(await store.get('missing', { range: { start: 5 } }), { kind: 'absent' });
    assert.equal(await store.head('missing'), undefined);
  });

  promise('see a put at once from another handle', async (store, second) => {
    for (let round = 0; round < 10; round++) {
      const key = `at-once/${round % 3}`;
      const etag = await written(store.put(key, text(`${round}`), { id: `${round}` }));
      assert.equal(textOf((await found(second.get(key))).body), `${round}`);
      assert.equal((await second.head(key))?.etag, etag);
      const listed = (await second.list('at-once/')).objects.find((object) => object.key === key);
      assert.equal(listed?.etag, etag);
      assert.equal(listed.sizeBytes, 1);
    }
  });

  const bytes = pattern(1000);
  const ranges = [
    { range: { start: 0 }, from: 0, to: 1000 },
    { range: { start: 990 }, from: 990, to: 1000 },
    { range: { start: 999 }, from: 999, to: 1000 },
    { range: { start: 1, end: 4 }, from: 1, to: 4 },
    { range: { start: 0, end: 1 }, from: 0, to: 1 },
    { range: { start: 900, end: 1000 }, from: 900, to: 1000 },
    { range: { start: 900, end: 5000 }, from: 900, to: 1000 },
    { range: { suffix: 1 }, from: 999, to: 1000 },
    { range: { suffix: 1000 }, from: 0, to: 1000 },
    { range: { suffix: 5000 }, from: 0, to: 1000 },
  ];
  promise('of a range give its bytes, their offset and the size of the whole', async (store) => {
    const etag = await written(store.put('ranged', bytes));
    for (const { range, from, to } of ranges) {
      const what = JSON.stringify(range);
      const object = await found(store.get('ranged', { range }));
      assert.equal(Buffer.compare(object.body, bytes.subarray(from, to)), 0, what);
      assert.equal(object.offset, from, what);
      assert.equal(object.info.sizeBytes, 1000, what);
      assert.equal(object.info.etag, etag, what);
      const stream = await found(store.getStream('ranged', { range }));
      assert.equal(stream.offset, from, what);
      assert.equal(stream.info.sizeBytes, 1000, what);
      assert.equal(Buffer.compare(await collected(stream.body), bytes.subarray(from, to)), 0, what);
    }
  });

  promise('use the memory they are given, where it has room', async (store) => {
    await written(store.put('ranged', bytes));
    const into = new Uint8Array(600).fill(0xee);
    const whole = await found(store.get('ranged', { into }));
    assert.equal(Buffer.compare(whole.body, bytes), 0);
    assert.ok(
      into.every((byte) => byte === 0xee),
      'too small, so untouched',
    );
    for (const range of [{ start: 100, end: 700 }, { start: 200, end: 300 }, { suffix: 50 }]) {
      into.fill(0xee);
      const object = await found(store.get('ranged', { range, into }));
      const end = object.offset + object.body.byteLength;
      assert.equal(Buffer.compare(object.body, bytes.subarray(object.offset, end)), 0);
      assert.equal(object.body.buffer, into.buffer);
      assert.equal(object.body.byteOffset, 0);
      assert.ok(
        into.subarray(object.body.byteLength).every((byte) => byte === 0xee),
        'nothing beyond',
      );
    }
    assert.deepEqual(await store.get('missing', { into }), { kind: 'absent' });
  });

  promise('of a range that starts at or past the end are not satisfiable', async (store) => {
    await written(store.put('ranged', bytes));
    await written(store.put('empty', new Uint8Array(0)));
    for (const range of [{ start: 1000 }, { start: 1000, end: 1001 }, { start: 5000 }]) {
      await rejects('RANGE_NOT_SATISFIABLE', store.get('ranged', { range }));
      await rejects('RANGE_NOT_SATISFIABLE', store.getStream('ranged', { range }));
    }
    await rejects('RANGE_NOT_SATISFIABLE', store.get('empty', { range: { start: 0 } }));
  });

  promise('with ifNoneMatch answer unchanged until the object changes', async (store, second) => {
    const first = await written(store.put('polled', text('same')));
    assert.deepEqual(await second.get('polled', { ifNoneMatch: first }), { kind: 'unchanged' });
    assert.deepEqual(await second.getStream('polled', { ifNoneMatch: first }), { kind: 'unchanged' });
    const next = await written(store.put('polled', text('other'), { ifMatch: first }));
    const object = await found(second.get('polled', { ifNoneMatch: first }));
    assert.equal(object.info.etag, next);
    assert.equal(textOf(object.body), 'other');
    await store.delete('polled');
    assert.deepEqual(await second.get('polled', { ifNoneMatch: next }), { kind: 'absent' });
  });

  promise('stream large objects in pieces, and may be left early', async (store) => {
    const large = pattern(5 * 1024 * 1024 + 17);
    await written(store.put('large', large));
    const stream = await found(store.getStream('large'));
    assert.equal(stream.offset, 0);
    let pieces = 0;
    const parts: Uint8Array[] = [];
    for await (const piece of stream.body) {
      pieces++;
      parts.push(Uint8Array.from(piece));
    }
    assert.ok(pieces > 1);
    assert.equal(Buffer.compare(Buffer.concat(parts), large), 0);

    const left = await found(store.getStream('large', { range: { start: 1024 } }));
    for await (const piece of left.body) {
      assert.equal(Buffer.compare(piece, large.subarray(1024, 1024 + piece.byteLength)), 0);
      break;
    }
    assert.equal((await store.head('large'))?.sizeBytes, large.byteLength);
  });
}
