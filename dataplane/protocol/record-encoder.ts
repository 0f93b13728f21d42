import assert from 'node:assert/strict';

export interface RecordInput {
  readonly key?: Uint8Array | string | null | undefined;
  readonly value?: Uint8Array | string | null | undefined;
  /** Milliseconds since 1970; -1: none. Default 0. */
  readonly timestampMs?: number | undefined;
  readonly headers?: readonly RecordHeaderInput[] | undefined;
}

export interface RecordHeaderInput {
  readonly key: string;
  readonly value: Uint8Array | string | null;
}

/** Zigzag varints of 32 bits have five bytes at most, those of 64 bits ten. */
const maxInt32 = 2 ** 31 - 1;

/** The bytes that `encodeRecords` needs for these records, for buffers and for limits of batches. */
export function recordsSizeBytes(records: readonly RecordInput[]): number {
  const baseTimestampMs = records[0]?.timestampMs ?? 0;
  let sizeBytes = 0;
  for (let index = 0; index < records.length; index++) {
    const record = records[index] ?? {};
    const bodyBytes = bodySizeBytes(record, (record.timestampMs ?? 0) - baseTimestampMs, index);
    sizeBytes += varintBytes(bodyBytes) + bodyBytes;
  }
  return sizeBytes;
}

/**
 * Writes records with consecutive offsets (`RecordView` shows the layout) to `target` from `start` on, and returns the end.
 * Their times are relative to that of the first, which is the batch's base timestamp.
 *
 * @param target has room for {@link recordsSizeBytes}
 */
export function encodeRecords(records: readonly RecordInput[], target: Buffer, start: number): number {
  const baseTimestampMs = records[0]?.timestampMs ?? 0;
  const writer = new RecordWriter(target, start);
  for (let index = 0; index < records.length; index++) {
    const record = records[index] ?? {};
    const timestampDelta = (record.timestampMs ?? 0) - baseTimestampMs;
    writer.varint(bodySizeBytes(record, timestampDelta, index));
    writer.byte(0);
    writer.varlong(timestampDelta);
    writer.varint(index);
    writer.bytes(record.key);
    writer.bytes(record.value);
    const headers = record.headers ?? [];
    writer.varint(headers.length);
    for (const { key, value } of headers) {
      writer.bytes(key);
      writer.bytes(value);
    }
  }
  return writer.position;
}

/** What the record's length field counts. */
function bodySizeBytes(record: RecordInput, timestampDelta: number, offsetDelta: number): number {
  const { headers = [] } = record;
  let sizeBytes = 1 + varlongBytes(timestampDelta) + varintBytes(offsetDelta) + varintBytes(headers.length);
  sizeBytes += nullableBytes(record.key) + nullableBytes(record.value);
  for (const { key, value } of headers) sizeBytes += nullableBytes(key) + nullableBytes(value);
  return sizeBytes;
}

function nullableBytes(value: Uint8Array | string | null | undefined): number {
  if (value === null || value === undefined) return 1;
  const length = typeof value === 'string' ? Buffer.byteLength(value) : value.length;
  return varintBytes(length) + length;
}

function varintBytes(value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let bytes = 1;
  for (; rest > 0x7f; rest >>>= 7) bytes++;
  return bytes;
}

function varlongBytes(value: number): number {
  if (value >= -maxInt32 && value <= maxInt32) return varintBytes(value);
  let bytes = 1;
  for (let rest = zigzag64(value); rest > 0x7fn; rest >>= 7n) bytes++;
  return bytes;
}

function zigzag64(value: number): bigint {
  assert(
    Number.isSafeInteger(value),
    `a time of ${value} ms after the first record's cannot be written exactly`,
  );
  const signed = BigInt(value);
  return BigInt.asUintN(64, (signed << 1n) ^ (signed >> 63n));
}

class RecordWriter {
  readonly #target: Buffer;
  position: number;

  constructor(target: Buffer, start: number) {
    this.#target = target;
    this.position = start;
  }

  byte(value: number): void {
    this.#target[this.position++] = value;
  }

  varint(value: number): void {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    for (; rest > 0x7f; rest >>>= 7) this.byte((rest & 0x7f) | 0x80);
    this.byte(rest);
  }

  varlong(value: number): void {
    if (value >= -maxInt32 && value <= maxInt32) {
      this.varint(value);
      return;
    }
    let rest = zigzag64(value);
    for (; rest > 0x7fn; rest >>= 7n) this.byte(Number(rest & 0x7fn) | 0x80);
    this.byte(Number(rest));
  }

  /** With the length before them; null and undefined: -1. */
  bytes(value: Uint8Array | string | null | undefined): void {
    if (value === null || value === undefined) {
      this.byte(1);
    } else if (typeof value === 'string') {
      this.varint(Buffer.byteLength(value));
      this.position += this.#target.write(value, this.position);
    } else {
      this.varint(value.length);
      this.#target.set(value, this.position);
      this.position += value.length;
    }
  }
}
