import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import { StoreError } from './errors.ts';
import type { StoreErrorCode } from './errors.ts';
import type { Body, ETag, GetResult, ListedObject, ObjectStore, PutResult } from './object-store.ts';

export interface OpenedStore {
  /** An empty store. */
  readonly store: ObjectStore;
  /** Another handle to the same data, as another process would have it; without one, `store` plays both parts. */
  readonly second?: ObjectStore | undefined;
  /** Closes the handles and removes the data. */
  readonly dispose: () => Promise<void>;
}

export interface ContractOptions {
  /** How often each race is run. Default 3. */
  readonly raceRounds?: number;
}

/**
 * Tests everything that `object-store.ts` promises, against any implementation: called in a test file, it declares one
 * `node:test` suite. `open` is called once a test.
 */
export function describeStoreContract(
  name: string,
  open: () => Promise<OpenedStore>,
  options: ContractOptions = {},
): void {
  const raceRounds = options.raceRounds ?? 3;
  const promise = (
    title: string,
    check: (store: ObjectStore, second: ObjectStore) => Promise<void>,
  ): void => {
    it(title, async () => {
      const { store, second, dispose } = await open();
      try {
        await check(store, second ?? store);
      } finally {
        await dispose();
      }
    });
  };
  describe(`the object store contract, kept by ${name}`, () => {
    describe('conditions', () => {
      describeConditions(promise);
    });
    describe('bodies', () => {
      describeBodies(promise);
    });
    describe('reads', () => {
      describeReads(promise);
    });
    describe('lists', () => {
      describeLists(promise);
    });
    describe('deletes', () => {
      describeDeletes(promise);
    });
    describe('refusals', () => {
      describeRefusals(promise);
    });
    describe('abort signals', () => {
      describeAborts(promise);
    });
    describe('races', () => {
      describeRaces(promise, raceRounds);
    });
  });
}

type Declare = (title: string, check: (store: ObjectStore, second: ObjectStore) => Promise<void>) => void;

function describeConditions(promise: Declare): void {
  promise('creates with ifAbsent what is absent, and only that', async (store, second) => {
    await written(store.put('new', text('first'), { ifAbsent: true, id: 'one' }));
    assert.deepEqual(await second.put('new', text('second'), { ifAbsent: true, id: 'two' }), {
      kind: 'condition-failed',
    });
    const object = await found(store.get('new'));
    assert.equal(textOf(object.body), 'first');
    assert.equal(object.info.id, 'one');
  });

  promise('replaces with the right ifMatch, and not with a stale one', async (store, second) => {
    const first = await written(store.put('key', text('first'), { ifAbsent: true }));
    const replaced = await written(second.put('key', text('second'), { ifMatch: first }));
    assert.notEqual(replaced, first);
    assert.deepEqual(await store.put('key', text('third'), { ifMatch: first }), { kind: 'condition-failed' });
    assert.equal(textOf((await found(store.get('key'))).body), 'second');
    await written(store.put('key', text('third'), { ifMatch: replaced }));
    assert.equal(textOf((await found(second.get('key'))).body), 'third');
  });

  promise('fails ifMatch on a key that never existed, and on a deleted one', async (store) => {
    const etag = await written(store.put('other', text('x')));
    assert.deepEqual(await store.put('missing', text('y'), { ifMatch: etag }), { kind: 'condition-failed' });
    assert.equal(await store.head('missing'), undefined);
    await store.delete('other');
    assert.deepEqual(await store.put('other', text('y'), { ifMatch: etag }), { kind: 'condition-failed' });
    assert.equal(await store.head('other'), undefined);
  });

  promise('accepts in ifMatch the etag that head, get and put gave', async (store) => {
    const put = await written(store.put('key', text('0')));
    const head = await store.head('key');
    assert.equal(head?.etag, put);
    const next = await written(store.put('key', text('1'), { ifMatch: head.etag }));
    const got = await found(store.get('key'));
    assert.equal(got.info.etag, next);
    await written(store.put('key', text('2'), { ifMatch: got.info.etag }));
  });

  promise('creates again after a delete, any number of times', async (store, second) => {
    for (const round of ['a', 'b', 'c']) {
      await written(store.put('again', text(round), { ifAbsent: true, id: round }));
      assert.deepEqual(await second.put('again', text('x'), { ifAbsent: true }), {
        kind: 'condition-failed',
      });
      const object = await found(second.get('again'));
      assert.equal(textOf(object.body), round);
      assert.equal(object.info.id, round);
      await store.delete('again');
      assert.equal((await second.get('again')).kind, 'absent');
    }
  });

  promise('overwrites and creates without a condition', async (store, second) => {
    await written(store.put('key', text('first')));
    await written(second.put('key', text('second')));
    assert.equal(textOf((await found(store.get('key'))).body), 'second');
    await store.delete('key');
    await written(store.put('key', text('third')));
    assert.equal(textOf((await found(second.get('key'))).body), 'third');
  });
}

function describeBodies(promise: Declare): void {
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

function describeReads(promise: Declare): void {
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

function describeLists(promise: Declare): void {
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

function describeDeletes(promise: Declare): void {
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

function describeRefusals(promise: Declare): void {
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

function describeAborts(promise: Declare): void {
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

function describeRaces(promise: Declare, rounds: number): void {
  const racers = 32;

  promise('of creates have exactly one winner, whose bytes stay', async (store, second) => {
    for (let round = 0; round < rounds; round++) {
      const key = `race/${round}`;
      await race(racers, (i) => put(i % 2 === 0 ? store : second, key, i, { ifAbsent: true }));
      const [winner] = (await found(second.get(key))).body;
      await store.delete(key);
      assert.ok(winner !== undefined && winner < racers);
      // And again on the deleted key, where other stores have let two in.
      await race(racers, (i) => put(i % 2 === 0 ? store : second, key, i, { ifAbsent: true }));
    }
  });

  promise(
    'of replacements of one version have exactly one winner, whose bytes stay',
    async (store, second) => {
      let etag = await written(store.put('race', text('start')));
      for (let round = 0; round < rounds; round++) {
        const ifMatch = etag;
        etag = await race(racers, (i) => put(i % 2 === 0 ? store : second, 'race', i, { ifMatch }));
      }
    },
  );

  promise('lose no update', async (store, second) => {
    await written(store.put('counter', text('0')));
    const client = async (handle: ObjectStore): Promise<number> => {
      let won = 0;
      for (let attempt = 0; attempt < 4 * rounds; attempt++) {
        const current = await found(handle.get('counter'));
        const next = text(`${Number(textOf(current.body)) + 1}`);
        const result = await handle.put('counter', next, { ifMatch: current.info.etag }).catch(ifConflict);
        if (result.kind === 'written') won++;
      }
      return won;
    };
    const won = await Promise.all(Array.from({ length: 8 }, (_, i) => client(i % 2 === 0 ? store : second)));
    const total = won.reduce((sum, count) => sum + count, 0);
    assert.equal(textOf((await found(second.get('counter'))).body), `${total}`);
    assert.ok(total >= 1);
  });

  promise(
    'never show a reader anything but one whole write, nor an older one after a newer',
    async (store, second) => {
      const write = (n: number): Promise<ETag> =>
        written(store.put('shown', new Uint8Array(20_000 + n).fill(n), { id: `${n}` }));
      await write(0);
      let done = false;
      const reader = async (): Promise<void> => {
        let last = 0;
        while (!done) {
          const { body, info } = await found(second.get('shown'));
          const [n = -1] = body;
          assert.ok(n >= last, `read write ${n} after write ${last}`);
          last = n;
          assert.equal(body.byteLength, 20_000 + n);
          assert.equal(Buffer.compare(body, new Uint8Array(20_000 + n).fill(n)), 0);
          assert.equal(info.sizeBytes, 20_000 + n);
          assert.equal(info.id, `${n}`);
        }
      };
      const writer = async (): Promise<void> => {
        try {
          for (let n = 1; n <= 10 * rounds && n < 256; n++) await write(n);
        } finally {
          done = true;
        }
      };
      await Promise.all([writer(), reader(), reader(), reader()]);
    },
  );

  async function put(
    store: ObjectStore,
    key: string,
    racer: number,
    condition: { ifAbsent: true } | { ifMatch: ETag },
  ): Promise<{ result: PutResult; check: () => Promise<void> }> {
    const body = new Uint8Array(500 + racer).fill(racer);
    const result = await store.put(key, body, { ...condition, id: `racer ${racer}` }).catch(ifConflict);
    const check = async (): Promise<void> => {
      const object = await found(store.get(key));
      assert.equal(Buffer.compare(object.body, body), 0);
      assert.equal(object.info.id, `racer ${racer}`);
      if (result.kind === 'written') assert.equal(object.info.etag, result.etag);
    };
    return { result, check };
  }

  async function race(
    count: number,
    start: (racer: number) => Promise<{ result: PutResult; check: () => Promise<void> }>,
  ): Promise<ETag> {
    const ended = await Promise.all(Array.from({ length: count }, (_, racer) => start(racer)));
    const winners = ended.filter(({ result }) => result.kind === 'written');
    assert.equal(winners.length, 1, `${winners.length} of ${count} racers won`);
    const [winner] = winners;
    assert.ok(winner?.result.kind === 'written');
    await winner.check();
    return winner.result.etag;
  }
}

/** A store may answer a racing conditional put with CONFLICT: like a failed condition, it wrote nothing. */
function ifConflict(error: unknown): PutResult {
  if (error instanceof StoreError && error.code === 'CONFLICT') return { kind: 'condition-failed' };
  throw error;
}

async function written(put: Promise<PutResult>): Promise<ETag> {
  const result = await put;
  assert.ok(result.kind === 'written', `the put was ${result.kind}`);
  return result.etag;
}

async function found<B>(get: Promise<GetResult<B>>): Promise<Extract<GetResult<B>, { kind: 'found' }>> {
  const result = await get;
  assert.ok(result.kind === 'found', `the get was ${result.kind}`);
  return result;
}

async function rejects(code: StoreErrorCode, call: Promise<unknown>): Promise<StoreError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StoreError, `expected a StoreError ${code}, got ${String(error)}`);
  assert.equal(error.code, code, error.message);
  return error;
}

async function pages(
  store: ObjectStore,
  prefix: string,
  maxKeys: number,
  startAfter?: string,
): Promise<ListedObject[]> {
  const objects: ListedObject[] = [];
  let continuation: string | undefined;
  do {
    const page = await store.list(prefix, { maxKeys, startAfter, continuation });
    assert.ok(page.objects.length <= maxKeys);
    objects.push(...page.objects);
    continuation = page.next;
  } while (continuation !== undefined);
  return objects;
}

function keysOf(objects: readonly ListedObject[]): string[] {
  return objects.map(({ key }) => key).toSorted(byUtf8);
}

function byUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

async function joined(get: Promise<GetResult<AsyncIterable<Uint8Array>>>): Promise<Uint8Array> {
  return collected((await found(get)).body);
}

async function collected(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(Uint8Array.from(chunk));
  return Buffer.concat(parts);
}

async function* chunksOf(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield await Promise.resolve(piece);
}

function text(value: string): Uint8Array {
  return Uint8Array.from(Buffer.from(value));
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

/** Bytes in which every offset up to 16 MiB looks different from its neighbours. */
function pattern(sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  for (let i = 0; i < sizeBytes; i++) bytes[i] = (i ^ (i >> 8) ^ (i >> 16)) & 0xff;
  return bytes;
}
