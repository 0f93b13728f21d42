import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { realRuntime } from '../../runtime/real-runtime.ts';
import { LogError } from '../errors.ts';
import type { LogErrorCode } from '../errors.ts';
import { manifestKey, segmentKey, slotKey } from '../format/keys.ts';
import { decodeManifest, encodeManifest } from '../format/manifest.ts';
import type { Served } from '../served-groups.ts';
import { newLogCounters } from '../log-context.ts';
import type { LogOptions } from '../options.ts';
import { defaultLogOptions } from '../options.ts';
import { OwnedGroup } from '../owned-group.ts';
import type { TailBlock } from '../owned-partition.ts';
import { OwnedPartition } from '../owned-partition.ts';
import { WalSession } from '../session.ts';
import { LogFixture, sidOf } from './log-fixture.ts';
import { assertBatches } from './written-batch.ts';
import { PartitionReader } from './partition-reader.ts';

const options: LogOptions = { ...defaultLogOptions, readChunkBytes: 4096, readAheadBytes: 8192 };

/** The fixture's group as its owner has it after a takeover; blocks are in memory where `isHot` says so. */
async function owned(
  fixture: LogFixture,
  isHot: (block: TailBlock) => boolean = () => false,
): Promise<{ served: (partition: number) => Served; reader: PartitionReader; session: WalSession }> {
  const { store } = fixture;
  const found = await store.get(manifestKey(fixture.group));
  assert(found.kind === 'found');
  // A session of its own: it only confirms that nobody has fenced it.
  const session = new WalSession({
    sid: sidOf('the-reader'),
    store,
    runtime: realRuntime,
    options,
    formatVersion: () => 1,
    onDeath: () => undefined,
  });
  const partitions = new Map(
    fixture.manifest.partitions.map((entry) => {
      const partition = new OwnedPartition(fixture.topicId, fixture.manifest.epoch, entry, undefined, {
        options,
        counters: newLogCounters(),
      });
      for (const { sid, slot, entry: block, pieces } of fixture.unflushed.filter(
        (other) => other.partition === entry.partition,
      )) {
        const tail: TailBlock = { sid, slot, timeMs: 0, entry: block, pieces: undefined, flushed: false };
        if (isHot(tail)) tail.pieces = pieces;
        partition.replay(tail);
      }
      return [entry.partition, partition] as const;
    }),
  );
  const group = new OwnedGroup({
    store,
    runtime: realRuntime,
    session,
    formatVersion: () => 1,
    manifest: decodeManifest(found.body, 'manifest'),
    etag: found.info.etag,
    partitions,
  });
  return {
    session,
    reader: new PartitionReader({ store, options }),
    served: (number) => {
      const partition = partitions.get(number);
      assert(partition !== undefined);
      return { group, partition };
    },
  };
}

const isLogError =
  (code: LogErrorCode, ...words: string[]) =>
  (error: unknown): boolean => {
    assert(error instanceof LogError);
    assert.equal(error.code, code, error.message);
    for (const word of words) assert(error.message.includes(word), error.message);
    return true;
  };

/** Segments, a page, two epochs in the WAL of two sessions. */
async function mixedLog(): Promise<LogFixture> {
  const fixture = new LogFixture(2);
  await fixture.acquire(sidOf('a'));
  for (let flush = 0; flush < 4; flush++) {
    await fixture.append([{ partition: 0, batches: [1, 4, 2], valueBytes: 300, timestampMs: 1000 * flush }]);
    await fixture.append([
      { partition: 1, batches: [3] },
      { partition: 0, batches: [5, 1], valueBytes: 900, timestampMs: 1000 * flush + 500 },
    ]);
    await fixture.flush();
  }
  await fixture.spill(0, 1);
  await fixture.append([{ partition: 0, batches: [2, 2, 2], timestampMs: 10_000 }]);
  await fixture.acquire(sidOf('b'));
  await fixture.append([{ partition: 0, batches: [7, 1], timestampMs: 11_000 }]);
  await fixture.append([{ partition: 1, batches: [2], timestampMs: 12_000 }]);
  await fixture.append([{ partition: 0, batches: [1], timestampMs: 13_000 }]);
  return fixture;
}

test('reads every offset, whatever is in memory, in the WAL or in segments', async () => {
  for (const isHot of [
    (): boolean => true,
    (): boolean => false,
    (block: TailBlock): boolean => block.slot % 2 === 0,
  ]) {
    const fixture = await mixedLog();
    const { reader, served } = await owned(fixture, isHot);
    for (const partition of [0, 1]) {
      for (let offset = 0; offset < fixture.end(partition); offset++) {
        const result = await reader.read(served(partition), offset, 1);
        assert.equal(result.highWatermark, fixture.end(partition));
        assert.equal(result.pieces.length, 1);
        assert(assertBatches(fixture.history(partition), offset, result.pieces) > offset);
      }
      const end = await reader.read(served(partition), fixture.end(partition), 1000);
      assert.deepEqual([end.pieces, end.sizeBytes], [[], 0]);
    }
  }
});

test('is what the model says, for any log and any reads', async () => {
  const block = fc.record({
    partition: fc.nat({ max: 1 }),
    batches: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
    valueBytes: fc.integer({ min: 0, max: 1500 }),
  });
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), block }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('flush' as const, 'takeover' as const) }) },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 25 }),
      fc.array(fc.tuple(fc.nat({ max: 1 }), fc.nat({ max: 60 }), fc.integer({ min: 1, max: 6000 })), {
        maxLength: 20,
      }),
      fc.func(fc.boolean()),
      async (steps, reads, isHot) => {
        const fixture = new LogFixture(2);
        await fixture.acquire(sidOf('s0'));
        for (const [number, one] of steps.entries()) {
          if (one.kind === 'append') await fixture.append([one.block]);
          else if (one.kind === 'flush') await fixture.flush();
          else await fixture.acquire(sidOf(`s${number + 1}`));
        }
        const { reader, served } = await owned(fixture, (tail) => isHot(tail.entry.baseOffset));
        await Promise.all(
          reads.map(async ([partition, at, maxBytes]) => {
            const offset = at % (fixture.end(partition) + 1);
            const { pieces, sizeBytes } = await reader.read(served(partition), offset, maxBytes);
            const next = assertBatches(fixture.history(partition), offset, pieces);
            if (offset < fixture.end(partition)) assert(next > offset);
            const first = pieces[0];
            assert(sizeBytes <= maxBytes || (first !== undefined && pieces.length === 1));
            assert.equal(
              sizeBytes,
              pieces.reduce((sum, piece) => sum + piece.length, 0),
            );
          }),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test('blocks a takeover left in the WAL are read once for all readers', async () => {
  const fixture = await mixedLog();
  const { reader, served } = await owned(fixture);
  fixture.store.forget();
  const { segmentEnd } = fixture.entry(0);
  await Promise.all(Array.from({ length: 100 }, (_, at) => reader.read(served(0), segmentEnd + (at % 6), 1)));
  assert.equal(fixture.store.count('wal/'), 1);
});

test('an answer is not held back for what would have to be fetched', async () => {
  const fixture = await mixedLog();
  const { reader, served } = await owned(fixture, (block) => block.sid === sidOf('b'));
  const cold = await reader.read(served(0), 0, 1e9);
  const next = assertBatches(fixture.history(0), 0, cold.pieces);
  assert(next < fixture.entry(0).segmentEnd, 'the next segment is not in memory');
});

test('below the log start an offset is out of range', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(sidOf('a'));
  for (let flush = 0; flush < 3; flush++) {
    await fixture.append([{ partition: 0, batches: [5] }]);
    await fixture.flush();
  }
  await fixture.moveLogStart(0, 7);
  const { reader, served } = await owned(fixture);
  await assert.rejects(reader.read(served(0), 6, 100), isLogError('OFFSET_OUT_OF_RANGE'));
  const { pieces, logStartOffset } = await reader.read(served(0), 7, 1);
  assert.equal(assertBatches(fixture.history(0), 7, pieces), 10);
  assert.equal(logStartOffset, 7);
});

test('retention that overtakes a read makes it out of range, not corruption', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(sidOf('a'));
  for (let flush = 0; flush < 3; flush++) {
    await fixture.append([{ partition: 0, batches: [5] }]);
    await fixture.flush();
  }
  const { reader, served } = await owned(fixture);
  const { group, partition } = served(0);
  const { manifest } = group;
  let moved = false;
  fixture.store.onGet = async ({ key }, answer) => {
    if (!moved && key.startsWith('seg/')) {
      moved = true;
      await group.exclusive(async () => {
        const [first, ...segments] = manifest.partitions[0]?.segments ?? [];
        assert(first !== undefined);
        const entry = { ...group.partitionManifest(0), logStart: 5, segments, pruned: first.setsum };
        await group.write({
          ...manifest,
          version: manifest.version + 1,
          writer: sidOf('the-reader'),
          partitions: [entry],
        });
        await fixture.store.delete(segmentKey(fixture.group, first.object));
        partition.logStart = 5;
      });
    }
    return await answer();
  };
  await assert.rejects(reader.read(served(0), 2, 100), isLogError('OFFSET_OUT_OF_RANGE'));
});

test('a slot that is gone because its flush has landed, though we are not told yet, sends the reader to the segment', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(sidOf('a'));
  const slot = await fixture.append([{ partition: 0, batches: [5] }]);
  const before = fixture.manifest;
  const blocks = [...fixture.unflushed];
  await fixture.flush();
  const flushed = fixture.manifest;
  fixture.manifest = before;
  fixture.unflushed.push(...blocks);
  await fixture.store.put(manifestKey(fixture.group), encodeManifest(before, 1));
  const { reader, served } = await owned(fixture);
  const { group, partition } = served(0);
  await fixture.store.delete(slotKey(sidOf('a'), slot));
  const answered = Promise.withResolvers<undefined>();
  const change = group.exclusive(async () => {
    await answered.promise;
    await group.write(flushed);
    for (const block of partition.tail) block.flushed = true;
  });
  const reading = reader.read(served(0), 3, 100);
  for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
  answered.resolve(undefined);
  await change;
  const { pieces } = await reading;
  assert.equal(assertBatches(fixture.history(0), 3, pieces), 5);
});

test('a missing segment or slot is corruption that names it, once it is certain that the group is still ours', async () => {
  const fixture = await mixedLog();
  const { reader, served } = await owned(fixture);
  const key = segmentKey(fixture.group, fixture.entry(0).segments[0]?.object ?? '');
  await fixture.store.delete(key);
  const { segmentEnd } = fixture.entry(0);
  await assert.rejects(reader.read(served(0), segmentEnd - 1, 100), isLogError('CORRUPT_LOG', key));
  const block = fixture.unflushed[0];
  assert(block !== undefined);
  await fixture.store.delete(slotKey(block.sid, block.slot));
  await assert.rejects(
    reader.read(served(0), segmentEnd, 100),
    isLogError('CORRUPT_LOG', slotKey(block.sid, block.slot)),
  );
});

test('what a new owner has cleaned away means that this is not the leader any more', async () => {
  const fixture = await mixedLog();
  const { reader, served, session } = await owned(fixture);
  await fixture.fence(session.sid, 0);
  await fixture.store.delete(segmentKey(fixture.group, fixture.entry(0).segments[0]?.object ?? ''));
  await assert.rejects(
    reader.read(served(0), fixture.entry(0).segmentEnd - 1, 100),
    isLogError('NOT_LEADER_OR_FOLLOWER'),
  );
  assert.equal(session.live, false);
});

test('a damaged block of the WAL is read again once, then named', async () => {
  const fixture = await mixedLog();
  const { reader, served } = await owned(fixture);
  const { segmentEnd } = fixture.entry(0);
  let flips = 1;
  fixture.store.onGet = async (_get, answer) => {
    const found = await answer();
    if (found.kind === 'found' && flips-- > 0) found.body[30] = (found.body[30] ?? 0) ^ 1;
    return found;
  };
  const { pieces } = await reader.read(served(0), segmentEnd, 100);
  assertBatches(fixture.history(0), segmentEnd, pieces);
  flips = 2;
  const block = fixture.unflushed.find(({ sid, partition }) => sid === sidOf('b') && partition === 0);
  assert(block !== undefined);
  await assert.rejects(
    reader.read(served(0), block.entry.baseOffset, 100),
    isLogError('CORRUPT_LOG', slotKey(block.sid, block.slot)),
  );
});

test('an aborted read ends at once', async () => {
  const fixture = await mixedLog();
  const { reader, served } = await owned(fixture);
  const aborter = new AbortController();
  fixture.store.onGet = () => new Promise(() => undefined);
  const reading = reader.read(served(0), 0, 100, aborter.signal);
  await new Promise((resolve) => setImmediate(resolve));
  aborter.abort(new Error('the client has left'));
  await assert.rejects(reading, /the client has left/);
});

test('the first offset since a time is found in pages, segments and the WAL', async () => {
  const fixture = await mixedLog();
  const { reader, served } = await owned(fixture);
  const times = [...new Set(fixture.history(0).map(({ header }) => header.maxTimestampMs))];
  for (const timestampMs of [-1, 0, ...times, ...times.map((time) => time + 1)]) {
    const batch = fixture.history(0).find(({ header }) => header.maxTimestampMs >= timestampMs);
    const expected =
      batch === undefined
        ? undefined
        : { offset: batch.header.baseOffset, timestampMs: batch.header.maxTimestampMs };
    assert.deepEqual(
      await reader.offsetForTimestamp(served(0), timestampMs),
      expected,
      `since ${timestampMs}`,
    );
  }
  assert.equal(await reader.offsetForTimestamp(served(1), 99_999), undefined);
});

test('the first offset since a time is not below the log start, nor at or above the high watermark', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(sidOf('a'));
  for (let flush = 0; flush < 3; flush++) {
    await fixture.append([{ partition: 0, batches: [5, 5], timestampMs: 100 * (3 - flush) }]);
    await fixture.flush();
  }
  await fixture.append([{ partition: 0, batches: [4], timestampMs: 5000 }]);
  await fixture.moveLogStart(0, 13);
  const { reader, served } = await owned(fixture);
  assert.deepEqual(await reader.offsetForTimestamp(served(0), 150), { offset: 13, timestampMs: 204 });
  assert.deepEqual(await reader.offsetForTimestamp(served(0), 4000), { offset: 30, timestampMs: 5003 });
  served(0).partition.highWatermark = 30;
  assert.equal(await reader.offsetForTimestamp(served(0), 4000), undefined);
});

test('that there is no offset since a time is said only by the owner', async () => {
  const fixture = await mixedLog();
  const { reader, served, session } = await owned(fixture);
  await fixture.fence(session.sid, 0);
  assert.deepEqual((await reader.offsetForTimestamp(served(0), 0))?.offset, 0);
  await assert.rejects(reader.offsetForTimestamp(served(0), 99_999), isLogError('NOT_LEADER_OR_FOLLOWER'));
});

test('a batch below the log start is not found by its time, though its segment is still there', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(sidOf('a'));
  await fixture.append([{ partition: 0, batches: [5], timestampMs: 500 }]);
  await fixture.append([{ partition: 0, batches: [5], timestampMs: 100 }]);
  await fixture.flush();
  await fixture.moveLogStart(0, 7);
  const { reader, served } = await owned(fixture);
  assert.equal(await reader.offsetForTimestamp(served(0), 400), undefined);
  assert.deepEqual(await reader.offsetForTimestamp(served(0), 50), { offset: 7, timestampMs: 104 });
});

test('looking for a time reads indexes, not records', async () => {
  const fixture = new LogFixture(1);
  await fixture.acquire(sidOf('a'));
  await fixture.append([{ partition: 0, batches: Array.from({ length: 100 }, () => 1), valueBytes: 2000 }]);
  await fixture.flush();
  const { reader, served } = await owned(fixture);
  fixture.store.forget();
  await reader.offsetForTimestamp(served(0), 0);
  assert.equal(fixture.store.gets.length, 1);
  assert(reader.cold.verified.counters.getBytes < 10_000);
});

test('the end of a leader epoch is answered after a confirmation', async () => {
  const fixture = await mixedLog();
  const { reader, served, session } = await owned(fixture);
  const secondStart = fixture.entry(0).epochs[1]?.startOffset;
  const confirmations = session.counters.confirmations;
  assert.deepEqual(await reader.offsetForLeaderEpoch(served(0), 0), { epoch: 0, endOffset: secondStart });
  assert.deepEqual(await reader.offsetForLeaderEpoch(served(0), 1), { epoch: 1, endOffset: fixture.end(0) });
  assert.equal(await reader.offsetForLeaderEpoch(served(0), 2), undefined);
  assert.equal(session.counters.confirmations, confirmations + 3);
  await fixture.fence(session.sid, 0);
  await assert.rejects(reader.offsetForLeaderEpoch(served(0), 1), isLogError('NOT_LEADER_OR_FOLLOWER'));
});
