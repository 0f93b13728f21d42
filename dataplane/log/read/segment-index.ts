import { headerBytes } from '../format/container-header.ts';
import type { BlockEntry, DecodedContainer } from '../format/container.ts';
import { corruptAdvice, LogFormatError } from '../format/errors.ts';
import { parseSegmentObject } from '../format/keys.ts';

/** What a reader keeps of one block of a segment: 36 bytes a batch, as columns. */
export interface SegmentBlock {
  readonly topicId: string;
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly position: number;
  readonly sizeBytes: number;
  readonly crc32c: number;
  /** Of each batch. */
  readonly baseOffsets: Float64Array;
  readonly lastOffsets: Float64Array;
  /** Where each batch ends in the object. */
  readonly ends: Float64Array;
  readonly crcs: Uint32Array;
  readonly maxTimestampsMs: Float64Array;
}

/**
 * A segment's index for readers, and how its body is cut into chunks: the ranges it is fetched in. A chunk holds whole
 * batches, so that nothing has to be put together, and the cut depends on the segment alone, so that all readers of a
 * segment, of whatever partition, ask for the same ranges.
 */
export interface SegmentIndex {
  readonly key: string;
  /** In the order of their positions, without gaps. */
  readonly blocks: readonly SegmentBlock[];
  /** Where each chunk starts, and, last, where the body ends. */
  readonly chunkStarts: Float64Array;
}

/** Bytes [start, end) of a segment. */
export interface Chunk {
  readonly start: number;
  readonly end: number;
}

/**
 * @param object `SegmentRef.object`
 * @param chunkBytes a chunk has at least this, unless it is the last, and at most twice this, unless a batch is larger
 * @throws LogFormatError when the container is not the segment of that name
 */
export function segmentIndexOf(
  decoded: DecodedContainer,
  object: string,
  key: string,
  chunkBytes: number,
): SegmentIndex {
  const { header } = decoded;
  const name = parseSegmentObject(object);
  const isNamed = name === undefined || (header.sid.startsWith(name.sid8) && header.slot === name.sequence);
  if (header.kind !== 'segment' || !isNamed) {
    const found = `${header.kind} ${header.slot} of session ${header.sid}`;
    throw new LogFormatError(
      'INVALID',
      key,
      `it holds ${found}, not the segment of its name: ${corruptAdvice}`,
    );
  }
  const blocks = decoded.index.map(columnsOf);
  return { key, blocks, chunkStarts: cutIntoChunks(blocks, chunkBytes) };
}

function columnsOf(entry: BlockEntry): SegmentBlock {
  const { batches, topicId, partition, leaderEpoch, baseOffset, lastOffset, position, sizeBytes, crc32c } =
    entry;
  const count = batches.length;
  const baseOffsets = new Float64Array(count);
  const lastOffsets = new Float64Array(count);
  const ends = new Float64Array(count);
  const crcs = new Uint32Array(count);
  const maxTimestampsMs = new Float64Array(count);
  let end = position;
  for (const [index, batch] of batches.entries()) {
    end += batch.sizeBytes;
    baseOffsets[index] = batch.baseOffset;
    lastOffsets[index] = batch.lastOffset;
    ends[index] = end;
    crcs[index] = batch.crc;
    maxTimestampsMs[index] = batch.maxTimestampMs;
  }
  return {
    topicId,
    partition,
    leaderEpoch,
    baseOffset,
    lastOffset,
    position,
    sizeBytes,
    crc32c,
    baseOffsets,
    lastOffsets,
    ends,
    crcs,
    maxTimestampsMs,
  };
}

/** Blocks stay whole where that keeps a chunk below twice `chunkBytes`: then one CRC covers them. */
function cutIntoChunks(blocks: readonly SegmentBlock[], chunkBytes: number): Float64Array {
  const starts = [headerBytes];
  let start = headerBytes;
  let end = headerBytes;
  const cutAt = (position: number): void => {
    starts.push(position);
    start = position;
  };
  for (const block of blocks) {
    if (end > start && end - start >= chunkBytes) cutAt(end);
    const blockEnd = block.position + block.sizeBytes;
    if (blockEnd - start <= 2 * chunkBytes) {
      end = blockEnd;
      continue;
    }
    for (const batchEnd of block.ends) {
      if (end > start && (end - start >= chunkBytes || batchEnd - start > 2 * chunkBytes)) cutAt(end);
      end = batchEnd;
    }
  }
  if (end > start) starts.push(end);
  return Float64Array.from(starts);
}

/** The memory an index takes, about. */
export function indexBytes(index: SegmentIndex): number {
  const batches = index.blocks.reduce((sum, block) => sum + block.ends.length, 0);
  return 200 + index.blocks.length * 300 + batches * 36 + index.chunkStarts.length * 8;
}

/** The block that starts at `position`. */
export function blockAt(index: SegmentIndex, position: number): SegmentBlock | undefined {
  const found =
    index.blocks[firstAtLeast(index.blocks.length, (at) => index.blocks[at]?.position ?? 0, position)];
  return found?.position === position ? found : undefined;
}

/** Number of the block's first batch that ends at or after `offset`: the one that contains it, unless it was compacted away. */
export function batchAt(block: SegmentBlock, offset: number): number {
  return firstAtLeast(block.lastOffsets.length, (at) => block.lastOffsets[at] ?? 0, offset);
}

export function batchStart(block: SegmentBlock, batch: number): number {
  return batch === 0 ? block.position : (block.ends[batch - 1] ?? block.position);
}

/** The chunk that holds the byte at `position` of the body. */
export function chunkAt({ chunkStarts }: SegmentIndex, position: number): Chunk {
  const next = firstAtLeast(chunkStarts.length, (at) => chunkStarts[at] ?? 0, position + 1);
  return { start: chunkStarts[next - 1] ?? 0, end: chunkStarts[next] ?? 0 };
}

/** How many of the block's batches end at or before `position`. */
export function batchesEndingBy(block: SegmentBlock, position: number): number {
  return firstAtLeast(block.ends.length, (at) => block.ends[at] ?? 0, position + 1);
}

/** Number of the first of `count` ascending values that is at least `least`; `count` when there is none. */
export function firstAtLeast(count: number, valueAt: (index: number) => number, least: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (valueAt(middle) < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
