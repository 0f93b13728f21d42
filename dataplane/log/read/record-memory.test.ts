import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createMemoryStore } from '../../store/memory.ts';
import { LogFormatError } from '../format/errors.ts';
import { FetchGate } from './fetch-gate.ts';
import { LogFixture, sidOf } from './log-fixture.ts';
import { LoadingCache } from './loading-cache.ts';
import { RecordBytes, RecordMemory } from './record-memory.ts';
import { assertBatches } from './written-batch.ts';
import { GroupReader } from './group-reader.ts';
import { VerifiedGet } from './verified-get.ts';
import { WatchedStore } from './watched-store.ts';

const scribble = (memory: Uint8Array): void => {
  memory.fill(0xdb);
};

function poolOf(limitBytes: number, underWayBytes = (): number => 0): RecordMemory {
  return new RecordMemory({ limitBytes, leastBytes: 100, underWayBytes });
}

test('memory that was given back is used again, for anything of about its size', () => {
  const pool = poolOf(10_000);
  const first = pool.take(4_100);
  assert(first !== undefined && first.length >= 4_100 && first.length <= 4_100 * (1 + 1 / 16));
  pool.free(first);
  assert.equal(pool.take(4_200)?.buffer, first.buffer);
  assert.notEqual(pool.take(4_100)?.buffer, first.buffer, 'it is in use');
  assert.equal(pool.take(99), undefined);
  assert.deepEqual(pool.counters, { allocated: 2, reused: 1, freed: 1 });
});

test('what is free and what is being filled have one bound', () => {
  let underWayBytes = 0;
  const pool = poolOf(4_096, () => underWayBytes);
  const pieces = Array.from({ length: 6 }, () => pool.take(1_024) ?? assert.fail());
  for (const piece of pieces.slice(0, 5)) pool.free(piece);
  assert.equal(pool.freeBytes, 4_096);
  underWayBytes = 3_000;
  pool.free(pieces[5] ?? assert.fail());
  assert.equal(pool.freeBytes, 1_024);
  assert.equal(pool.take(1_024)?.buffer, pieces[5]?.buffer, 'the one that was used last');
});

test('bytes are held by all who got them, and forgotten holds do no harm', () => {
  const pool = poolOf(10_000);
  const memory = pool.take(1_000) ?? assert.fail();
  const records = new RecordBytes(memory.subarray(0, 1_000), { pool, memory });
  records.hold();
  records.release();
  assert.equal(pool.counters.freed, 0);
  records.release();
  assert.equal(pool.counters.freed, 1);
  assert.throws(() => {
    records.release();
  }, /more often than they were held/);
  assert.throws(() => {
    records.hold();
  }, /after everybody had released them/);
});

test('a cache and those it hands out to hold its values, whatever they do and when', async () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('get' as const), key: fc.nat({ max: 5 }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), at: fc.nat({ max: 9 }) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom('ahead', 'peek', 'drop'), key: fc.nat({ max: 5 }) }),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('load' as const), at: fc.nat({ max: 9 }) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('release' as const), at: fc.nat({ max: 9 }) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const pool = poolOf(1e6);
      pool.onFree = scribble;
      const cache = new LoadingCache<RecordBytes>(3_000, {
        hold: (value) => {
          value.hold();
        },
        release: (value) => {
          value.release();
        },
      });
      const loads: (() => void)[] = [];
      const holders: { readonly key: number; readonly records: RecordBytes }[] = [];
      const leavers: AbortController[] = [];
      const load = (key: number) => (): Promise<{ value: RecordBytes; keepBytes: number }> =>
        new Promise((resolve) => {
          loads.push(() => {
            const memory = pool.take(1_000) ?? assert.fail();
            const bytes = memory.subarray(0, 1_000).fill(key);
            resolve({ value: new RecordBytes(bytes, { pool, memory }), keepBytes: 1_000 });
          });
        });
      const holdsRight = (): void => {
        for (const { key, records } of holders) assert(records.bytes.every((byte) => byte === key));
      };
      for (const [number, one] of steps.entries()) {
        if ('key' in one) {
          const { key } = one;
          const name = String(key);
          if (one.kind === 'get') {
            const leaver = new AbortController();
            leavers.push(leaver);
            cache.get(name, load(key), leaver.signal).then(
              (records) => holders.push({ key, records }),
              () => undefined,
            );
          } else if (one.kind === 'peek') {
            const records = cache.peek(name);
            if (records !== undefined) holders.push({ key, records });
          } else if (one.kind === 'ahead') cache.ahead(name, 1_000, load(key));
          else cache.drop(name);
        } else if (one.kind === 'load') loads.splice(one.at % (loads.length + 1), 1)[0]?.();
        else if (one.kind === 'release')
          holders.splice(one.at % (holders.length + 1), 1)[0]?.records.release();
        else leavers[one.at % (leavers.length + 1)]?.abort(new Error('left'));
        if (number % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
        holdsRight();
      }
      for (const end of loads.splice(0)) end();
      await new Promise((resolve) => setImmediate(resolve));
      holdsRight();
      for (const { records } of holders.splice(0)) records.release();
      for (let key = 0; key <= 5; key++) cache.drop(String(key));
      const forgotten = leavers.filter(({ signal }) => signal.aborted).length;
      const { allocated, reused, freed } = pool.counters;
      assert(freed <= allocated + reused && freed >= allocated + reused - forgotten, 'everything came back');
    }),
    { numRuns: 300 },
  );
});

test('readers that release what they got never see other bytes, however small the cache is', async () => {
  const fixture = new LogFixture(2);
  await fixture.acquire(sidOf('a'));
  for (let flush = 0; flush < 12; flush++) {
    await fixture.append([
      { partition: flush % 2, batches: [3, 1, 4, 2], valueBytes: 700, timestampMs: flush },
    ]);
    await fixture.append([{ partition: 0, batches: [1, 5], valueBytes: 500, timestampMs: flush }]);
    if (flush < 8) await fixture.flush();
  }
  const reader = new GroupReader({
    store: fixture.store,
    runtime: { monotonicMs: () => 0 },
    group: fixture.group,
    options: { readChunkBytes: 1_024, readAheadBytes: 8_192, coldCacheBytes: 32_768 },
  });
  reader.cold.memory.onFree = scribble;
  const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  await Promise.all(
    Array.from({ length: 12 }, async (_, number) => {
      const partition = number % 2;
      for (let offset = 0; offset < fixture.end(partition);) {
        const result = await reader.read(partition, offset, 100 + 700 * (number % 5));
        assertBatches(fixture.history(partition), offset, result.pieces);
        for (let at = 0; at < number % 4; at++) await pause();
        assert.equal(assertBatches(fixture.history(partition), offset, result.pieces), result.nextOffset);
        // Some forget it.
        if (number !== 5) result.release();
        result.release();
        offset = result.nextOffset;
      }
    }),
  );
  assert(reader.cold.memory.counters.reused > 20, JSON.stringify(reader.cold.memory.counters));
});

test('memory of a damaged answer is used for the second attempt, that of a failed GET never again', async () => {
  const store = new WatchedStore(createMemoryStore({ runtime: { wallMs: () => 0 } }));
  const stored = Buffer.alloc(2_000, 'firn');
  await store.put('object', stored);
  const pool = poolOf(10_000);
  const verified = new VerifiedGet(store, new FetchGate(10_000), pool);
  const verify = (bytes: Uint8Array): void => {
    if (!stored.subarray(0, 1_000).equals(bytes)) throw new LogFormatError('CHECKSUM', 'object', 'damaged');
  };
  const get = async (): Promise<RecordBytes> => {
    const records = await verified.getSpan('object', 0, 1_000, verify, undefined);
    assert(records !== 'gone');
    return records;
  };
  let answers = 0;
  store.onGet = async (_get, answer) => {
    const found = await answer();
    if (answers++ === 0 && found.kind === 'found') found.body[7] = 0xff;
    return found;
  };
  const first = await get();
  assert.deepEqual(pool.counters, { allocated: 1, reused: 1, freed: 1 });
  first.release();
  store.onGet = async (_get, answer) => {
    await answer();
    throw new Error('the connection broke');
  };
  await assert.rejects(get(), /the connection broke/);
  store.onGet = undefined;
  const second = await get();
  assert.notEqual(second.bytes.buffer, first.bytes.buffer);
  assert.deepEqual(pool.counters, { allocated: 2, reused: 2, freed: 2 });
});

test('what a store brings in memory of its own is left to the garbage collector', async () => {
  const store = new WatchedStore(createMemoryStore({ runtime: { wallMs: () => 0 } }));
  await store.put('object', Buffer.alloc(2_000, 'firn'));
  store.onGet = async (_get, answer) => {
    const found = await answer();
    return found.kind === 'found' ? { ...found, body: Uint8Array.from(found.body) } : found;
  };
  const pool = poolOf(10_000);
  const verified = new VerifiedGet(store, new FetchGate(10_000), pool);
  const records = await verified.getSpan('object', 0, 1_000, () => undefined, undefined);
  assert(records !== 'gone');
  assert.equal(pool.counters.freed, 1, 'what was offered is free again');
  records.release();
  assert.equal(pool.counters.freed, 1);
  assert.equal(await verified.getSpan('missing', 0, 1_000, () => undefined, undefined), 'gone');
  assert.equal(pool.counters.freed, 2);
});
