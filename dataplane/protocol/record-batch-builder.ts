import assert from 'node:assert/strict';
import { crc32c } from '@node-rs/crc32';
import { codecId, type CompressionCodec } from './compression/codec.ts';
import { compress, compressAsync } from './compression/compress.ts';
import { batchAttributes, batchOverheadBytes, batchPrefixBytes } from './record-batch.ts';
import { encodeRecords, recordsSizeBytes, type RecordInput } from './record-encoder.ts';

export interface BatchInput {
  /** Default 0, as producers send it. */
  readonly baseOffset?: number | undefined;
  /** At least one. */
  readonly records: readonly RecordInput[];
  /** Default -1. */
  readonly leaderEpoch?: number | undefined;
  /** Default -1: not idempotent. With one, `producerEpoch` and `baseSequence` are needed too. */
  readonly producerId?: number | undefined;
  readonly producerEpoch?: number | undefined;
  readonly baseSequence?: number | undefined;
  /** Bits of `batchAttributes` but those of the codec. Default 0. */
  readonly attributes?: number | undefined;
  /** Default `none`. */
  readonly compression?: CompressionCodec | undefined;
  /** As `compress` takes it; default: the codec's own. */
  readonly compressionLevel?: number | undefined;
}

/**
 * One record batch (format v2) with consecutive offsets and a valid CRC. Records without a timestamp get 0. Compression
 * blocks the event loop: {@link buildBatchAsync} is for large batches with gzip or Zstandard.
 */
export function buildBatch(input: BatchInput): Buffer {
  const { compression = 'none', compressionLevel } = input;
  if (compression === 'none') return uncompressedBatch(input);
  return compressedBatch(input, compress(compression, encodedRecords(input), compressionLevel));
}

/** As {@link buildBatch}, with gzip and Zstandard on the thread pool. The input must not change meanwhile. */
export async function buildBatchAsync(input: BatchInput): Promise<Buffer> {
  const { compression = 'none', compressionLevel } = input;
  if (compression === 'none') return uncompressedBatch(input);
  return compressedBatch(input, await compressAsync(compression, encodedRecords(input), compressionLevel));
}

/** The size that the batch has when it is not compressed: what `batch.size` and `max.request.size` of producers count. */
export function batchSizeBytes(records: readonly RecordInput[]): number {
  return batchOverheadBytes + recordsSizeBytes(records);
}

function uncompressedBatch(input: BatchInput): Buffer {
  const batch = Buffer.allocUnsafe(batchSizeBytes(input.records));
  const end = encodeRecords(input.records, batch, batchOverheadBytes);
  assert(end === batch.length, 'records are as long as was computed');
  writeHeader(batch, input);
  return batch;
}

function encodedRecords(input: BatchInput): Buffer {
  const records = Buffer.allocUnsafe(recordsSizeBytes(input.records));
  const end = encodeRecords(input.records, records, 0);
  assert(end === records.length, 'records are as long as was computed');
  return records;
}

function compressedBatch(input: BatchInput, compressed: Uint8Array): Buffer {
  const batch = Buffer.allocUnsafe(batchOverheadBytes + compressed.length);
  batch.set(compressed, batchOverheadBytes);
  writeHeader(batch, input);
  return batch;
}

/** Writes what stands before the records, which are there already. */
function writeHeader(batch: Buffer, input: BatchInput): void {
  const { records, attributes = 0, compression = 'none', producerId = -1 } = input;
  assert(records.length > 0, 'a record batch needs at least one record');
  assert(
    (attributes & batchAttributes.compressionMask) === 0,
    'the codec is given by name, not in the attributes',
  );
  const baseTimestampMs = records[0]?.timestampMs ?? 0;
  let maxTimestampMs = baseTimestampMs;
  for (const { timestampMs = 0 } of records) maxTimestampMs = Math.max(maxTimestampMs, timestampMs);

  batch.writeBigInt64BE(BigInt(input.baseOffset ?? 0), 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(input.leaderEpoch ?? -1, 12);
  batch.writeInt8(2, 16);
  batch.writeUInt16BE(attributes | codecId(compression), 21);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(BigInt(baseTimestampMs), 27);
  batch.writeBigInt64BE(BigInt(maxTimestampMs), 35);
  batch.writeBigInt64BE(BigInt(producerId), 43);
  batch.writeInt16BE(input.producerEpoch ?? -1, 51);
  batch.writeInt32BE(input.baseSequence ?? -1, 53);
  batch.writeInt32BE(records.length, 57);
  batch.writeUInt32BE(crc32c(batch.subarray(batchPrefixBytes)), 17);
}
