import assert from 'node:assert/strict';
import { crc32c } from '../crc32c.ts';
import type { Body } from '../object-store.ts';
import { chunksOf, found, joined, pattern, rejects, text, textOf, written } from './expect.ts';
import type { Declare } from './expect.ts';

export function describeBodies(promise: Declare): void {
  const bytes = pattern(300_000);
  const pieces = [bytes.subarray(0, 1), new Uint8Array(0), bytes.subarray(1, 70_001), bytes.subarray(70_001)];
  const bodies: Record<string, () => Body> = {
    'one piece': () => bytes,
    'several pieces': () => pieces,
    'a stream': () => ({ sizeBytes: bytes.byteLength, chunks: chunksOf(pieces) }),
  };
  for (const [what, body] of Object.entries(bodies)) {
    for (const condition of ['none', 'ifAbsent', 'ifMatch'] as const) {
      promise(`are stored whole from ${what} (condition: ${condition})`, async (store, second) => {
        const before = condition === 'ifMatch' ? await written(store.put('body', text('old'))) : undefined;
        const precondition =
          before !== undefined
            ? { ifMatch: before }
            : condition === 'ifAbsent'
              ? { ifAbsent: true as const }
              : {};
        const etag = await written(
          store.put('body', body(), { ...precondition, id: 'the id', crc32c: crc32c(bytes) }),
        );
        const object = await found(second.get('body'));
        assert.deepEqual(Buffer.compare(object.body, bytes), 0);
        assert.deepEqual(
          { ...object.info, lastModifiedMs: 0 },
          { sizeBytes: bytes.byteLength, etag, id: 'the id', lastModifiedMs: 0 },
        );
        assert.ok(Number.isFinite(object.info.lastModifiedMs));
      });
    }
  }

  promise('may be empty, in every form', async (store, second) => {
    const empty: Record<string, Body> = {
      'one piece': new Uint8Array(0),
      'no pieces': [],
      'empty pieces': [new Uint8Array(0), new Uint8Array(0)],
      'a stream': { sizeBytes: 0, chunks: chunksOf([]) },
    };
    for (const [key, body] of Object.entries(empty)) {
      await written(store.put(key, body, { ifAbsent: true, id: key }));
      const object = await found(second.get(key));
      assert.equal(object.body.byteLength, 0, key);
      assert.equal(object.info.sizeBytes, 0, key);
      assert.equal(object.info.id, key);
      assert.equal((await joined(second.getStream(key))).byteLength, 0, key);
    }
  });

  promise('are views where the caller gives views', async (store) => {
    const whole = pattern(1000);
    await written(store.put('view', whole.subarray(100, 200)));
    assert.deepEqual(
      Buffer.from((await found(store.get('view'))).body),
      Buffer.from(whole.subarray(100, 200)),
    );
  });

  promise('belong to the caller again after put and get', async (store) => {
    const mine = text('mine');
    await written(store.put('key', mine));
    mine.fill(0);
    const first = await found(store.get('key'));
    assert.equal(textOf(first.body), 'mine');
    first.body.fill(0);
    assert.equal(textOf((await found(store.get('key'))).body), 'mine');
  });

  promise(
    'of a stream that is shorter or longer than declared are refused, and nothing is written',
    async (store) => {
      for (const sizeBytes of [5, 7]) {
        await rejects('INVALID_REQUEST', store.put('key', { sizeBytes, chunks: chunksOf([text('sixsix')]) }));
      }
      assert.equal(await store.head('key'), undefined);
    },
  );

  promise('of a stream that fails are not written, and its error is the cause', async (store) => {
    const failure = new Error('the disk on the other side is gone');
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(text('begin'));
      throw failure;
    }
    const error = await rejects('INVALID_REQUEST', store.put('key', { sizeBytes: 100, chunks: failing() }));
    assert.equal(error.cause, failure);
    assert.equal(error.landed, 'no');
    assert.equal(await store.head('key'), undefined);
  });

  promise('with a wrong crc32c are rejected, and nothing is written', async (store) => {
    const body = text('123456789');
    const bodies: Body[] = [body, [body.subarray(0, 3), body.subarray(3)]];
    for (const wrong of bodies) {
      const error = await rejects('CHECKSUM_REJECTED', store.put('key', wrong, { crc32c: 0xe3069282 }));
      assert.equal(error.landed, 'no');
    }
    const stream = { sizeBytes: 9, chunks: chunksOf([body]) };
    await rejects('CHECKSUM_REJECTED', store.put('key', stream, { crc32c: 1, ifAbsent: true }));
    assert.equal(await store.head('key'), undefined);
    await written(store.put('key', body, { crc32c: 0xe3069283, ifAbsent: true }));
  });

  promise('are named by an id of up to 256 printable ASCII characters', async (store, second) => {
    const printable = Array.from({ length: 93 }, (_, i) => String.fromCharCode(0x21 + i)).join('');
    for (const id of ['x', printable, 'a b', 'i'.repeat(256)]) {
      await written(store.put('key', text(id), { id }));
      assert.equal((await second.head('key'))?.id, id);
      assert.equal((await found(second.get('key'))).info.id, id);
      assert.equal((await found(second.get('key', { range: { suffix: 1 } }))).info.id, id);
    }
    await written(store.put('key', text('without')));
    assert.equal((await second.head('key'))?.id, undefined);
  });
}
