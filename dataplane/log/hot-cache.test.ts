import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockEntry } from './format/container.ts';
import { emptyPartitionManifest } from './format/manifest.ts';
import { HotCache } from './hot-cache.ts';
import { newLogCounters } from './log-context.ts';
import { defaultLogOptions } from './options.ts';
import type { TailBlock } from './owned-partition.ts';
import { OwnedPartition } from './owned-partition.ts';

function partitionOf(partition: number): OwnedPartition {
  return new OwnedPartition('a'.repeat(32), 1, emptyPartitionManifest(partition), undefined, {
    options: defaultLogOptions,
    counters: newLogCounters(),
  });
}

/** Writes a block of `sizeBytes` and ten records to the partition, and flushes it. */
function flushed(cache: HotCache, partition: OwnedPartition, sizeBytes: number): TailBlock {
  const { nextOffset } = partition;
  const entry: BlockEntry = {
    kind: 'records',
    topicId: partition.topicId,
    partition: partition.partition,
    leaderEpoch: 1,
    baseOffset: nextOffset,
    lastOffset: nextOffset + 9,
    position: 64,
    sizeBytes,
    recordCount: 10,
    maxTimestampMs: 0,
    flags: 0,
    crc32c: 0,
    batches: [],
  };
  const pieces = [new Uint8Array(sizeBytes)];
  const block: TailBlock = {
    sid: 'b'.repeat(32),
    slot: nextOffset,
    timeMs: 0,
    entry,
    pieces,
    flushed: false,
  };
  partition.replay(block);
  block.flushed = true;
  cache.add(partition, [block]);
  return block;
}

test('the oldest blocks go when there is no room, whatever partition they are of', () => {
  const cache = new HotCache(100);
  const [a, b] = [partitionOf(0), partitionOf(1)];
  const blocks = [flushed(cache, a, 40), flushed(cache, b, 40), flushed(cache, a, 40), flushed(cache, b, 10)];
  assert.deepEqual(
    blocks.map(({ pieces }) => pieces !== undefined),
    [false, true, true, true],
  );
  assert.equal(cache.sizeBytes, 90);
  assert.deepEqual([a.tail.length, b.tail.length], [1, 2]);
  flushed(cache, b, 200);
  assert.deepEqual([cache.sizeBytes, cache.partitions, a.tail.length, b.tail.length], [0, 0, 0, 0]);
});

test('a partition that is gone gives its room to the others', () => {
  const cache = new HotCache(100);
  const [a, b] = [partitionOf(0), partitionOf(1)];
  const gone = [flushed(cache, a, 30), flushed(cache, a, 30)];
  const kept = flushed(cache, b, 30);
  cache.drop(a);
  assert.deepEqual([cache.sizeBytes, cache.partitions, a.tail.length], [30, 1, 0]);
  assert.ok(gone.every(({ pieces }) => pieces === undefined));
  flushed(cache, b, 70);
  assert.ok(kept.pieces !== undefined);
});

test('what lies below a new log start goes, but for the block it lies in', () => {
  const cache = new HotCache(1_000);
  const a = partitionOf(0);
  for (let count = 0; count < 5; count++) flushed(cache, a, 10);
  cache.dropBelow(a, 25);
  assert.equal(cache.sizeBytes, 30);
  assert.equal(a.tail[0]?.entry.baseOffset, 20);
  cache.dropBelow(a, 50);
  assert.deepEqual([cache.sizeBytes, cache.partitions, a.tail.length], [0, 0, 0]);
});
