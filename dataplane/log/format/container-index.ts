import assert from 'node:assert/strict';
import { batchAttributes, batchOverheadBytes, lastSequence } from '../../protocol/record-batch.ts';
import { blockFlags, type BatchEntry, type BlockEntry, type BlockKind } from './block-entry.ts';
import { ByteReader, ByteWriter, MalformedBytesError } from './varint.ts';

/** What an index needs beyond the entry: written from version 2 on, in the block's extension. */
export interface IndexedBlock {
  readonly entry: BlockEntry;
  readonly baseTimestampMs: number;
}

const blockKindCodes = { records: 1, staged: 2, ref: 3 } as const satisfies Record<BlockKind, number>;
const blockKinds: readonly (BlockKind | undefined)[] = [undefined, 'records', 'staged', 'ref'];

const hasProducer = 1;
/** Producer id and epoch as in the batch before. */
const sameProducer = 2;
/** The base sequence follows the last sequence of the batch before. */
const sequenceContinues = 4;
/** The max timestamp is written whole: its distance from the one before needs more than 51 bits. */
const wholeTimestamp = 8;
/** Offsets are missing before this batch. */
const offsetGap = 16;
const knownBatchFlags = 31;

const maxTimestampDelta = 2 ** 51;
const maxInt32 = 2 ** 31 - 1;

/**
 * The index of a container. Positions, batch counts of offsets, last sequences and block flags follow from the rest and
 * are not written.
 *
 * ```
 * topicCount varint, topicId 16 B each
 * blockCount varint, then per block
 *   kind u8, topic varint (place in the list above), partition varint, leaderEpoch varint, baseOffset varint,
 *   recordCount varint, crc32c u32
 *   [ref: sid 16 B, slot varint, position varint]
 *   [version 2: length varint, that many bytes; a reader skips what it does not know]
 *   batchCount varint, then per batch
 *     flags u8, sizeBytes varint, [offset gap varint], lastOffset - baseOffset varint, attributes varint, crc u32,
 *     max timestamp: zigzag varint of the distance from the batch before (first: from the header's time), or i64
 *     [producer id varint, producer epoch varint], [base sequence + 1 varint]
 * ```
 */
export function encodeIndex(
  blocks: readonly IndexedBlock[],
  version: number,
  writerTimeMs: number,
): ByteWriter {
  const writer = new ByteWriter(256 + blocks.length * 48);
  const topics = new Map<string, number>();
  for (const { entry } of blocks) {
    if (!topics.has(entry.topicId)) topics.set(entry.topicId, topics.size);
  }
  writer.varint(topics.size);
  for (const topicId of topics.keys()) writer.hex(topicId);
  writer.varint(blocks.length);
  for (const { entry, baseTimestampMs } of blocks) {
    writer.uint8(blockKindCodes[entry.kind]);
    writer.varint(topics.get(entry.topicId) ?? 0);
    writer.varint(entry.partition);
    writer.varint(entry.leaderEpoch);
    writer.varint(entry.baseOffset);
    writer.varint(entry.recordCount);
    writer.uint32(entry.crc32c);
    if (entry.kind === 'ref') {
      assert(entry.source !== undefined, 'a ref block needs the slot it refers to');
      writer.hex(entry.source.sid);
      writer.varint(entry.source.slot);
      writer.varint(entry.position);
    }
    if (version >= 2) {
      const extension = new ByteWriter(8);
      extension.int64(baseTimestampMs);
      writer.varint(extension.length);
      writer.bytes(extension.written());
    }
    writer.varint(entry.batches.length);
    encodeBatches(writer, entry, writerTimeMs);
  }
  return writer;
}

function encodeBatches(writer: ByteWriter, block: BlockEntry, writerTimeMs: number): void {
  let expectedOffset = block.baseOffset;
  let timestampMs = writerTimeMs;
  let before: BatchEntry | undefined;
  for (const batch of block.batches) {
    const withProducer = batch.producerId >= 0;
    const same =
      withProducer && before?.producerId === batch.producerId && before.producerEpoch === batch.producerEpoch;
    const continues =
      same && before !== undefined && before.lastSequence >= 0 && batch.baseSequence === nextSequence(before);
    const delta = batch.maxTimestampMs - timestampMs;
    const whole = Math.abs(delta) >= maxTimestampDelta;
    const gap = batch.baseOffset - expectedOffset;
    writer.uint8(
      (withProducer ? hasProducer : 0) |
        (same ? sameProducer : 0) |
        (continues ? sequenceContinues : 0) |
        (whole ? wholeTimestamp : 0) |
        (gap > 0 ? offsetGap : 0),
    );
    writer.varint(batch.sizeBytes);
    if (gap > 0) writer.varint(gap);
    writer.varint(batch.lastOffset - batch.baseOffset);
    writer.varint(batch.attributes);
    writer.uint32(batch.crc);
    if (whole) writer.int64(batch.maxTimestampMs);
    else writer.varint(delta < 0 ? -2 * delta - 1 : 2 * delta);
    if (withProducer && !same) {
      writer.varint(batch.producerId);
      writer.varint(batch.producerEpoch);
    }
    if (withProducer && !continues) writer.varint(batch.baseSequence + 1);
    expectedOffset = batch.lastOffset + 1;
    timestampMs = batch.maxTimestampMs;
    before = batch;
  }
}

export interface IndexLimits {
  readonly version: number;
  readonly writerTimeMs: number;
  /** Position of the first block. */
  readonly bodyPosition: number;
  /** Sum of the blocks in the body, when it is known from elsewhere. */
  readonly bodyBytes: number | undefined;
  /** Segments after topic compaction; slots never have gaps. */
  readonly allowGaps: boolean;
}

/** @throws MalformedBytesError; reserved block kinds are returned, their refusal is the caller's */
export function decodeIndex(bytes: Uint8Array, limits: IndexLimits): BlockEntry[] {
  const reader = new ByteReader(bytes);
  const topicIds: string[] = [];
  for (let rest = reader.varint(); rest > 0; rest--) topicIds.push(reader.hex(16));
  const blocks: BlockEntry[] = [];
  let position = limits.bodyPosition;
  for (let rest = reader.varint(); rest > 0; rest--) {
    const block = decodeBlock(reader, topicIds, position, limits);
    if (block.kind !== 'ref') position += block.sizeBytes;
    blocks.push(block);
  }
  if (reader.remaining > 0) {
    throw new MalformedBytesError(`${reader.remaining} bytes follow the last block of the index`);
  }
  if (limits.bodyBytes !== undefined && position - limits.bodyPosition !== limits.bodyBytes) {
    throw new MalformedBytesError(
      `the blocks have ${position - limits.bodyPosition} bytes, the body has ${limits.bodyBytes}`,
    );
  }
  return blocks;
}

function decodeBlock(
  reader: ByteReader,
  topicIds: readonly string[],
  bodyPosition: number,
  limits: IndexLimits,
): BlockEntry {
  const kindCode = reader.uint8();
  const kind = blockKinds[kindCode];
  if (kind === undefined) throw new MalformedBytesError(`a block has the unknown kind ${kindCode}`);
  const topicId = topicIds[reader.varint()];
  if (topicId === undefined) throw new MalformedBytesError('a block has a topic that is not in the index');
  const partition = int32(reader, 'partition');
  const leaderEpoch = int32(reader, 'leader epoch');
  const baseOffset = reader.varint();
  const recordCount = reader.varint();
  const crc32c = reader.uint32();
  const source = kind === 'ref' ? { sid: reader.hex(16), slot: reader.varint() } : undefined;
  const position = kind === 'ref' ? reader.varint() : bodyPosition;
  if (limits.version >= 2) reader.bytes(reader.varint());
  const batches = decodeBatches(reader, baseOffset, limits);

  const block: BlockEntry = {
    kind,
    topicId,
    partition,
    leaderEpoch,
    baseOffset,
    lastOffset: batches.at(-1)?.lastOffset ?? baseOffset,
    position,
    sizeBytes: 0,
    recordCount,
    maxTimestampMs: 0,
    flags: 0,
    crc32c,
    batches,
  };
  if (source !== undefined) block.source = source;
  summarize(block);
  const offsets = block.lastOffset - baseOffset + 1;
  if (limits.allowGaps ? recordCount > offsets : recordCount !== offsets) {
    throw new MalformedBytesError(
      `a block of ${topicId}-${partition} has ${recordCount} records in offsets ${baseOffset} to ${block.lastOffset}`,
    );
  }
  return block;
}

function decodeBatches(reader: ByteReader, blockBaseOffset: number, limits: IndexLimits): BatchEntry[] {
  const batches: BatchEntry[] = [];
  let expectedOffset = blockBaseOffset;
  let timestampMs = limits.writerTimeMs;
  let before: BatchEntry | undefined;
  const count = reader.varint();
  if (count === 0) throw new MalformedBytesError('a block has no batches');
  for (let rest = count; rest > 0; rest--) {
    const flags = reader.uint8();
    if (flags > knownBatchFlags) throw new MalformedBytesError(`a batch has the unknown flags ${flags}`);
    const sizeBytes = int32(reader, 'batch size');
    if (sizeBytes < batchOverheadBytes) throw new MalformedBytesError(`a batch has ${sizeBytes} bytes`);
    if ((flags & offsetGap) !== 0) {
      if (!limits.allowGaps || before === undefined) {
        throw new MalformedBytesError(`offsets are missing at ${expectedOffset}`);
      }
      expectedOffset += reader.varint();
    }
    const baseOffset = expectedOffset;
    const lastOffset = baseOffset + int32(reader, 'offset delta');
    if (lastOffset >= Number.MAX_SAFE_INTEGER) {
      throw new MalformedBytesError(`a batch ends at offset ${lastOffset}, beyond 2^53`);
    }
    const attributes = reader.varint();
    if (attributes > 0xffff) throw new MalformedBytesError(`a batch has the attributes ${attributes}`);
    const crc = reader.uint32();
    const maxTimestampMs =
      (flags & wholeTimestamp) === 0 ? timestampMs + zigzag(reader.varint()) : reader.int64();
    if (!Number.isSafeInteger(maxTimestampMs)) throw new MalformedBytesError('a timestamp is beyond 2^53');
    const batch: BatchEntry = {
      sizeBytes,
      baseOffset,
      lastOffset,
      producerId: -1,
      producerEpoch: -1,
      baseSequence: -1,
      lastSequence: -1,
      maxTimestampMs,
      attributes,
      crc,
    };
    decodeProducer(reader, flags, batch, before);
    batches.push(batch);
    expectedOffset = lastOffset + 1;
    timestampMs = maxTimestampMs;
    before = batch;
  }
  return batches;
}

function decodeProducer(
  reader: ByteReader,
  flags: number,
  batch: BatchEntry,
  before: BatchEntry | undefined,
): void {
  if ((flags & hasProducer) === 0) {
    if ((flags & (sameProducer | sequenceContinues)) !== 0) {
      throw new MalformedBytesError('a batch without a producer has one');
    }
    return;
  }
  if ((flags & sameProducer) === 0) {
    batch.producerId = reader.varint();
    batch.producerEpoch = reader.varint();
    if (batch.producerEpoch > 0x7fff) {
      throw new MalformedBytesError(`a batch has the producer epoch ${batch.producerEpoch}`);
    }
  } else {
    if (before === undefined || before.producerId < 0) {
      throw new MalformedBytesError('a batch has the producer of a batch that is not there');
    }
    batch.producerId = before.producerId;
    batch.producerEpoch = before.producerEpoch;
  }
  if ((flags & sequenceContinues) === 0) {
    batch.baseSequence = reader.varint() - 1;
    if (batch.baseSequence > maxInt32) {
      throw new MalformedBytesError(`a batch has the base sequence ${batch.baseSequence}`);
    }
  } else {
    if ((flags & sameProducer) === 0 || before === undefined || before.lastSequence < 0) {
      throw new MalformedBytesError('a batch continues a sequence that is not there');
    }
    batch.baseSequence = nextSequence(before);
  }
  batch.lastSequence = lastSequence({
    baseSequence: batch.baseSequence,
    lastOffsetDelta: batch.lastOffset - batch.baseOffset,
  });
}

/** Fills in what a block's batches say about it. */
export function summarize(block: BlockEntry): void {
  let sizeBytes = 0;
  let maxTimestampMs = Number.MIN_SAFE_INTEGER;
  let attributes = 0;
  for (const batch of block.batches) {
    sizeBytes += batch.sizeBytes;
    if (batch.maxTimestampMs > maxTimestampMs) maxTimestampMs = batch.maxTimestampMs;
    attributes |= batch.attributes;
  }
  block.sizeBytes = sizeBytes;
  block.maxTimestampMs = maxTimestampMs;
  block.flags =
    ((attributes & batchAttributes.transactional) === 0 ? 0 : blockFlags.transactional) |
    ((attributes & batchAttributes.control) === 0 ? 0 : blockFlags.control);
}

function nextSequence(batch: BatchEntry): number {
  return (batch.lastSequence + 1) % 2 ** 31;
}

function int32(reader: ByteReader, what: string): number {
  const value = reader.varint();
  if (value > maxInt32) throw new MalformedBytesError(`the ${what} ${value} is beyond 2^31`);
  return value;
}

function zigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
