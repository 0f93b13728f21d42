import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBatchHeader } from '../../protocol/record-batch.ts';
import { manifestKey, pageObjectKey, segmentKey, slotKey } from '../format/keys.ts';
import type { LogPart } from './group-reader.ts';
import { isLogError, readAll, readerOf, readOptions } from './group-reader-fixture.ts';
import { LogFixture, sidOf } from './log-fixture.ts';
import { assertBatches } from './written-batch.ts';

const [a, b, c] = [sidOf('a'), sidOf('b'), sidOf('c')];

/** Segments and a page; the WAL of two dead sessions and of the owner. */
async function mixedLog(): Promise<LogFixture> {
  const fixture = new LogFixture(2);
  await fixture.acquire(a);
  for (let flush = 0; flush < 4; flush++) {
    await fixture.append([{ partition: 0, batches: [1, 4, 2], valueBytes: 300 }]);
    await fixture.append([
      { partition: 1, batches: [3] },
      { partition: 0, batches: [5, 1], valueBytes: 900 },
    ]);
    await fixture.flush();
  }
  await fixture.spill(0, 2);
  await fixture.append([{ partition: 0, batches: [2, 2, 2] }]);
  await fixture.acquire(b);
  await fixture.append([{ partition: 0, batches: [7, 1] }]);
  await fixture.append([]);
  await fixture.acquire(c);
  await fixture.append([{ partition: 1, batches: [2] }]);
  await fixture.append([{ partition: 0, batches: [1] }]);
  return fixture;
}

test('reads every offset of segments, pages and the slots of several sessions', async () => {
  const fixture = await mixedLog();
  for (const slots of ['index', 'whole', 'follow'] as const) {
    const reader = readerOf(fixture, { slots });
    for (const partition of [0, 1]) {
      for (let offset = 0; offset < fixture.end(partition); offset++) {
        const { pieces, nextOffset } = await reader.read(partition, offset, 1);
        assert.equal(pieces.length, 1);
        assert.equal(assertBatches(fixture.history(partition), offset, pieces), nextOffset);
        assert(nextOffset > offset);
      }
      assert.equal(await readAll(fixture, reader, partition), fixture.end(partition));
      const end = await reader.read(partition, fixture.end(partition), 100);
      assert.deepEqual(
        {
          sizeBytes: end.sizeBytes,
          endSeen: end.endSeen,
          endOffset: end.endOffset,
          nextOffset: end.nextOffset,
        },
        {
          sizeBytes: 0,
          endSeen: true,
          endOffset: fixture.end(partition),
          nextOffset: fixture.end(partition),
        },
      );
    }
  }
});

test('above the end there is nothing, and the end is told', async () => {
  const fixture = await mixedLog();
  const { pieces, nextOffset, endOffset, endSeen } = await readerOf(fixture).read(0, 10_000, 100);
  assert.deepEqual([pieces, nextOffset, endOffset, endSeen], [[], 10_000, fixture.end(0), true]);
});

test('a partition that never held a record is empty', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(a);
  const result = await readerOf(fixture).read(0, 0, 100);
  assert.deepEqual([result.sizeBytes, result.endSeen, result.endOffset], [0, true, 0]);
});

test('follows the log of a live owner', async () => {
  const fixture = new LogFixture(2);
  await fixture.acquire(a);
  const reader = readerOf(fixture);
  let next = 0;
  for (let round = 0; round < 40; round++) {
    await fixture.append([{ partition: round % 3 === 0 ? 1 : 0, batches: [1, 2] }]);
    if (round % 7 === 6) await fixture.flush();
    if (round % 14 === 13) await fixture.trim();
    reader.clock.nowMs += 2000;
    next = await readAll(fixture, reader, 0, next);
    assert.equal(next, fixture.end(0));
  }
});

test('a slot of a closed run that is missing is corruption that names it; so are segments and pages', async () => {
  const fixture = await mixedLog();
  const entry = fixture.entry(0);
  const missing: { key: string; offset: number }[] = [
    { key: slotKey(b, 0), offset: entry.segmentEnd + 7 },
    { key: slotKey(b, 1), offset: fixture.end(0) - 1 },
    {
      key: segmentKey(fixture.group, entry.segments[0]?.object ?? ''),
      offset: entry.segments[0]?.baseOffset ?? 0,
    },
    { key: pageObjectKey(fixture.group, entry.pages[0]?.object ?? ''), offset: 0 },
  ];
  for (const { key, offset } of missing) {
    const found = await fixture.store.get(key);
    assert(found.kind === 'found');
    await fixture.store.delete(key);
    await assert.rejects(readerOf(fixture).read(0, offset, 100), isLogError('CORRUPT_LOG', key));
    await fixture.store.put(key, found.body);
    const { pieces } = await readerOf(fixture).read(0, offset, 100);
    assertBatches(fixture.history(0), offset, pieces);
  }
});

test('damaged slots are read again once, then named', async () => {
  const fixture = await mixedLog();
  const key = slotKey(c, 1);
  const offset = fixture.end(0) - 1;
  for (const slots of ['index', 'whole', 'follow'] as const) {
    for (const place of ['index', 'body'] as const) {
      for (const flips of [1, 2]) {
        let rest = flips;
        fixture.store.onGet = async (get, answer) => {
          const found = await answer();
          const isPlace = slots === 'whole' || (get.range?.suffix !== undefined) === (place === 'index');
          if (get.key !== key || found.kind !== 'found' || !isPlace || rest-- <= 0) return found;
          const at = place === 'index' ? found.body.length - 100 : slots === 'whole' ? 100 : 10;
          found.body[at] = (found.body[at] ?? 0) ^ 1;
          return found;
        };
        const reading = readerOf(fixture, { slots }).read(0, offset, 100);
        if (flips === 1) assertBatches(fixture.history(0), offset, (await reading).pieces);
        else await assert.rejects(reading, isLogError('CORRUPT_LOG', key), `${slots} ${place}`);
      }
    }
  }
});

test('a block that begins too high, or a slot that does not continue its session, is corruption under the newest manifest', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(a);
  await fixture.append([{ partition: 0, batches: [3] }]);
  await fixture.writeSlot(a, [fixture.strayBlock(0, 5, 0)]);
  const reader = readerOf(fixture);
  await reader.read(0, 0, 1);
  await assert.rejects(reader.read(0, 3, 100), isLogError('CORRUPT_LOG', slotKey(a, 1), 'offset 5'));

  const late = new LogFixture(1);
  await late.acquire(a);
  await late.append([{ partition: 0, batches: [3] }]);
  await late.writeSlot(a, [late.strayBlock(0, 3, 7)]);
  await assert.rejects(readerOf(late).read(0, 3, 100), isLogError('CORRUPT_LOG', slotKey(a, 1), 'epoch 7'));

  const other = new LogFixture(1);
  await other.acquire(a);
  for (let slot = 0; slot < 3; slot++) await other.append([{ partition: 0, batches: [1] }]);
  const twin = new LogFixture(1);
  await twin.acquire(a);
  await twin.append([{ partition: 0, batches: [1], valueBytes: 200 }]);
  await twin.append([{ partition: 0, batches: [1], valueBytes: 200 }]);
  const foreign = await twin.store.get(slotKey(a, 1));
  assert(foreign.kind === 'found');
  await other.store.put(slotKey(a, 1), foreign.body);
  await assert.rejects(
    readerOf(other).read(0, 2, 100),
    isLogError('CORRUPT_LOG', slotKey(a, 1), 'does not continue'),
  );
});

test('a manifest that went back is refused', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(a);
  const old = await fixture.store.get(manifestKey(fixture.group));
  assert(old.kind === 'found');
  await fixture.append([{ partition: 0, batches: [3] }]);
  await fixture.flush();
  const reader = readerOf(fixture);
  await reader.refresh();
  await fixture.store.put(manifestKey(fixture.group), old.body);
  await assert.rejects(
    reader.refresh(),
    isLogError('CORRUPT_LOG', manifestKey(fixture.group), 'after version'),
  );
});

test('polling the end costs one GET of the next slot, and the manifest only now and then', async () => {
  const fixture = await mixedLog();
  const reader = readerOf(fixture, { revalidateMs: 1000 });
  await readAll(fixture, reader, 0);
  fixture.store.forget();
  for (let poll = 0; poll < 10; poll++)
    assert.equal((await reader.read(0, fixture.end(0), 100)).endSeen, true);
  assert.equal(fixture.store.gets.length, 10);
  assert.equal(fixture.store.count(slotKey(c, 2)), 10);
  reader.clock.nowMs += 1001;
  assert.equal((await reader.read(0, fixture.end(0), 100)).endSeen, true);
  assert.equal(fixture.store.count(manifestKey(fixture.group)), 1);
  assert.equal(reader.counters.unchanged, 1);
});

test('any number of concurrent readers cost one GET of each object', async () => {
  const fixture = await mixedLog();
  for (const slots of ['index', 'whole', 'follow'] as const) {
    const reader = readerOf(fixture, { slots });
    fixture.store.forget();
    await Promise.all(Array.from({ length: 200 }, () => readAll(fixture, reader, 0)));
    await Promise.all(Array.from({ length: 200 }, () => readAll(fixture, reader, 1)));
    const present = fixture.store.gets.filter(({ key }) => key !== slotKey(c, 2));
    const names = present.map(({ key, range }) => `${key} ${JSON.stringify(range)}`);
    const repeated = names.filter((name, index) => names.indexOf(name) !== index && !name.includes('pg/'));
    assert.deepEqual(repeated, []);
    if (slots === 'whole') assert.equal(present.filter(({ key }) => key.startsWith(slotKey(b, 0))).length, 1);
  }
});

test('reads on with a cache too small for anything', async () => {
  const fixture = await mixedLog();
  const reader = readerOf(fixture, { options: { ...readOptions, coldCacheBytes: 1000 } });
  assert.equal(await readAll(fixture, reader, 0), fixture.end(0));
  assert.equal(await readAll(fixture, reader, 1), fixture.end(1));
  assert(reader.cold.chunks.keptBytes <= 1000);
});

test('an aborted read ends at once and leaves the reader usable', async () => {
  const fixture = await mixedLog();
  for (const prefix of ['pg/', 'seg/', 'wal/']) {
    const reader = readerOf(fixture);
    const held = Promise.withResolvers<undefined>();
    fixture.store.onGet = async ({ key }, answer) => {
      if (key.startsWith(prefix)) await held.promise;
      return await answer();
    };
    const aborter = new AbortController();
    const offset = prefix === 'wal/' ? fixture.end(0) - 1 : fixture.entry(0).segmentEnd - 1;
    const reading = reader.read(0, offset, 100, aborter.signal);
    for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setImmediate(resolve));
    aborter.abort(new Error('left'));
    await assert.rejects(reading, /left/);
    held.resolve(undefined);
    fixture.store.onGet = undefined;
    assert.equal(await readAll(fixture, reader, 0), fixture.end(0));
  }
});

/** Collects parts, and checks that they are the log from `from` on. */
async function allParts(
  fixture: LogFixture,
  parts: AsyncIterable<LogPart>,
  from: number,
): Promise<LogPart[]> {
  const seen: LogPart[] = [];
  let next = from;
  for await (const part of parts) {
    assert.equal(readBatchHeader(part.bytes, 0).baseOffset, part.baseOffset);
    assert.equal(assertBatches(fixture.history(0), next, [part.bytes]), part.nextOffset);
    next = part.nextOffset;
    seen.push(part);
  }
  assert.equal(next, fixture.end(0));
  return seen;
}

test('iterates over all of a log, object by object', async () => {
  const fixture = await mixedLog();
  const parts = await allParts(fixture, readerOf(fixture).parts(0), 0);
  const sources = parts.map(({ source, leaderEpoch }) => `${source} ${leaderEpoch}`);
  assert.deepEqual(new Set(sources), new Set(['segment 0', 'slot 0', 'slot 1', 'slot 2']));
  assert.equal(new Set(parts.filter(({ source }) => source === 'slot').map(({ key }) => key)).size, 3);
  for (const from of [1, 9, fixture.entry(0).segmentEnd + 3, fixture.end(0)]) {
    await allParts(fixture, readerOf(fixture).parts(0, { from }), from);
  }
});

test('iterates over a log that is flushed, trimmed, taken over and appended to meanwhile', async () => {
  const fixture = await mixedLog();
  async function* disturbed(): AsyncGenerator<LogPart> {
    let count = 0;
    for await (const part of readerOf(fixture).parts(0)) {
      yield part;
      count += 1;
      if (count === 3) await fixture.flush();
      if (count === 5) {
        await fixture.acquire(sidOf('d'));
        await fixture.sweep();
      }
      if (count < 12) await fixture.append([{ partition: 0, batches: [2] }]);
      if (count === 8) {
        await fixture.flush();
        await fixture.trim();
      }
    }
  }
  await allParts(fixture, disturbed(), 0);
});
