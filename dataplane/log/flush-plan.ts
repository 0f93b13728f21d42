import type { OwnedPartition, TailBlock } from './owned-partition.ts';

/** Blocks of one partition that go into segments together, oldest first. */
export interface PartitionFlush {
  readonly partition: OwnedPartition;
  readonly blocks: readonly TailBlock[];
  readonly sizeBytes: number;
}

/**
 * What a flush writes: everything in the WAL that is acknowledged (below `cut` in our own session, everything in closed
 * runs of earlier sessions) and not in segments yet. Partitions with at least `ownSegmentBytes` get segments of their
 * own; the small ones share (log.md 2.6). An own segment holds at most `maxSegmentBytes`, unless a single block is larger.
 */
export function planFlush(
  partitions: Iterable<OwnedPartition>,
  sid: string,
  cut: number,
  ownSegmentBytes: number,
  maxSegmentBytes = 1024 * 1024 * 1024,
): {
  readonly partitions: readonly PartitionFlush[];
  readonly segments: readonly (readonly PartitionFlush[])[];
} {
  const flushed: PartitionFlush[] = [];
  const segments: PartitionFlush[][] = [];
  let shared: PartitionFlush[] = [];
  let sharedBytes = 0;
  for (const partition of partitions) {
    const blocks = partition.tail.filter(
      (block) => !block.flushed && (block.sid !== sid || block.slot < cut),
    );
    if (blocks.length === 0) continue;
    const whole = part(partition, blocks);
    flushed.push(whole);
    if (whole.sizeBytes >= ownSegmentBytes) {
      for (const piece of cutBySize(blocks, maxSegmentBytes)) segments.push([part(partition, piece)]);
      continue;
    }
    if (sharedBytes > 0 && sharedBytes + whole.sizeBytes > maxSegmentBytes) {
      segments.push(shared);
      shared = [];
      sharedBytes = 0;
    }
    shared.push(whole);
    sharedBytes += whole.sizeBytes;
  }
  if (shared.length > 0) segments.push(shared);
  return { partitions: flushed, segments };
}

function part(partition: OwnedPartition, blocks: readonly TailBlock[]): PartitionFlush {
  return { partition, blocks, sizeBytes: blocks.reduce((sum, block) => sum + block.entry.sizeBytes, 0) };
}

function* cutBySize(blocks: readonly TailBlock[], maxBytes: number): Generator<readonly TailBlock[]> {
  let start = 0;
  let sizeBytes = 0;
  for (const [index, block] of blocks.entries()) {
    if (index > start && sizeBytes + block.entry.sizeBytes > maxBytes) {
      yield blocks.slice(start, index);
      start = index;
      sizeBytes = 0;
    }
    sizeBytes += block.entry.sizeBytes;
  }
  yield blocks.slice(start);
}
