import assert from 'node:assert/strict';
import { crc32c } from '@node-rs/crc32';
import { batchOverheadBytes, batchPrefixBytes } from './record-batch.ts';

export interface RecordInput {
  readonly key?: Uint8Array | string | null | undefined;
  readonly value?: Uint8Array | string | null | undefined;
  readonly timestampMs?: number | undefined;
  readonly headers?: readonly RecordHeaderInput[] | undefined;
}

export interface RecordHeaderInput {
  readonly key: string;
  readonly value: Uint8Array | string | null;
}

export interface BatchInput {
  /** Default 0, as producers send it. */
  readonly baseOffset?: number | undefined;
  /** At least one. */
  readonly records: readonly RecordInput[];
  /** Default -1. */
  readonly leaderEpoch?: number | undefined;
  readonly producerId?: number | undefined;
  readonly producerEpoch?: number | undefined;
  readonly baseSequence?: number | undefined;
  /** Default 0. The records are written uncompressed whatever the codec bits say. */
  readonly attributes?: number | undefined;
}

/**
 * One uncompressed record batch (format v2) with consecutive offsets and a valid CRC: for control records, simulators
 * and tests. Records without a timestamp get 0. Not made for throughput.
 *
 * ```
 * record: length varint, attributes i8 = 0, timestampDelta varint, offsetDelta varint,
 *         keyLength varint (-1: null) key, valueLength varint (-1: null) value,
 *         headerCount varint, { keyLength varint, key, valueLength varint (-1: null), value }…
 * ```
 * All varints are zigzag-encoded.
 */
export function buildBatch(input: BatchInput): Buffer {
  const { records } = input;
  assert(records.length > 0, 'a record batch needs at least one record');
  const baseTimestampMs = records[0]?.timestampMs ?? 0;
  let maxTimestampMs = baseTimestampMs;
  const bodies: Uint8Array[] = [];
  for (const [offsetDelta, record] of records.entries()) {
    const timestampMs = record.timestampMs ?? 0;
    maxTimestampMs = Math.max(maxTimestampMs, timestampMs);
    const body = encodeRecord(record, timestampMs - baseTimestampMs, offsetDelta);
    bodies.push(varint(body.length), body);
  }

  const recordBytes = bodies.reduce((sum, body) => sum + body.length, 0);
  const batch = Buffer.alloc(batchOverheadBytes + recordBytes);
  batch.writeBigInt64BE(BigInt(input.baseOffset ?? 0), 0);
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeInt32BE(input.leaderEpoch ?? -1, 12);
  batch.writeInt8(2, 16);
  batch.writeUInt16BE(input.attributes ?? 0, 21);
  batch.writeInt32BE(records.length - 1, 23);
  batch.writeBigInt64BE(BigInt(baseTimestampMs), 27);
  batch.writeBigInt64BE(BigInt(maxTimestampMs), 35);
  batch.writeBigInt64BE(BigInt(input.producerId ?? -1), 43);
  batch.writeInt16BE(input.producerEpoch ?? -1, 51);
  batch.writeInt32BE(input.baseSequence ?? -1, 53);
  batch.writeInt32BE(records.length, 57);
  let position = batchOverheadBytes;
  for (const body of bodies) {
    batch.set(body, position);
    position += body.length;
  }
  batch.writeUInt32BE(crc32c(batch.subarray(batchPrefixBytes)), 17);
  return batch;
}

function encodeRecord(record: RecordInput, timestampDelta: number, offsetDelta: number): Buffer {
  const headers = record.headers ?? [];
  return Buffer.concat([
    Buffer.of(0),
    varint(timestampDelta),
    varint(offsetDelta),
    ...nullableBytes(record.key),
    ...nullableBytes(record.value),
    varint(headers.length),
    ...headers.flatMap((header) => [...nullableBytes(header.key), ...nullableBytes(header.value)]),
  ]);
}

function nullableBytes(value: Uint8Array | string | null | undefined): Uint8Array[] {
  if (value === null || value === undefined) return [varint(-1)];
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return [varint(bytes.length), bytes];
}

/** Zigzag, then seven bits a byte, lowest first. BigInt: timestamp deltas may need all 64 bits. */
function varint(value: number): Buffer {
  const signed = BigInt(value);
  let rest = BigInt.asUintN(64, (signed << 1n) ^ (signed >> 63n));
  const bytes: number[] = [];
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
