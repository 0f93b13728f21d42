import { crc32c } from '@node-rs/crc32';

/**
 * The header of a record batch, message format v2 (KIP-98), as the log needs it; the records themselves stay bytes.
 *
 * ```
 *  0 baseOffset i64        8 batchLength i32 (bytes after this field)   12 partitionLeaderEpoch i32
 * 16 magic i8 = 2         17 crc u32 (CRC-32C of everything from 21 on)
 * 21 attributes i16       23 lastOffsetDelta i32    27 baseTimestamp i64    35 maxTimestamp i64
 * 43 producerId i64       51 producerEpoch i16      53 baseSequence i32     57 recordsCount i32   61 records…
 * ```
 *
 * baseOffset and partitionLeaderEpoch lie outside the CRC, so that a broker can assign them without computing it again.
 */
export interface BatchHeader {
  baseOffset: number;
  /** The whole batch, with the 12 bytes before the part that `batchLength` counts. */
  sizeBytes: number;
  /** -1 in what producers send. */
  leaderEpoch: number;
  magic: number;
  crc: number;
  /** 0 to 65535; see {@link batchAttributes}. */
  attributes: number;
  /** Offset of the last record minus `baseOffset`; compaction may remove that record and keeps the value. */
  lastOffsetDelta: number;
  /** Milliseconds since 1970; -1 when the producer gave none. */
  baseTimestampMs: number;
  maxTimestampMs: number;
  /** -1: not idempotent. */
  producerId: number;
  producerEpoch: number;
  /** -1: none (batches without a producer id, and control batches). */
  baseSequence: number;
  recordCount: number;
}

export const batchAttributes = {
  compressionMask: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
  hasDeleteHorizon: 0x40,
} as const;

/** Bytes of a batch before its records: the least a batch can have. */
export const batchOverheadBytes = 61;
/** Bytes at the start of a batch that its own CRC does not cover. */
export const batchPrefixBytes = 21;

/** length, attributes, timestamp delta, offset delta, key length, value length, header count: one byte each. */
const minRecordBytes = 7;
const lastCompressionCodec = 4;

export type RecordBatchErrorCode =
  /** The bytes end inside a batch. */
  | 'TRUNCATED'
  /** The CRC does not match. */
  | 'CORRUPT'
  /** Message format v0 or v1, or something that is no batch. */
  | 'UNSUPPORTED_MAGIC'
  | 'UNSUPPORTED_COMPRESSION'
  /** Decompressed, the records have more bytes than the reader allows. */
  | 'TOO_LARGE'
  /** A time that this code cannot hold (±2^53 ms). Nanoseconds taken for milliseconds look like that. */
  | 'INVALID_TIMESTAMP'
  /**
   * Fields that contradict one another, another value beyond ±2^53, or records that are not what the header, or the
   * codec, says.
   */
  | 'INVALID';

export class RecordBatchError extends Error {
  readonly code: RecordBatchErrorCode;
  /** Where the batch starts in the bytes that were read. */
  readonly position: number;

  constructor(code: RecordBatchErrorCode, position: number, what: string, options?: ErrorOptions) {
    super(`record batch at byte ${position}: ${what}`, options);
    this.name = 'RecordBatchError';
    this.code = code;
    this.position = position;
  }
}

export function isControl(attributes: number): boolean {
  return (attributes & batchAttributes.control) !== 0;
}

export function isTransactional(attributes: number): boolean {
  return (attributes & batchAttributes.transactional) !== 0;
}

/** Sequence of the last record; sequences wrap from 2^31 - 1 to 0. -1 for a batch without sequences. */
export function lastSequence(header: {
  readonly baseSequence: number;
  readonly lastOffsetDelta: number;
}): number {
  if (header.baseSequence < 0) return -1;
  return (header.baseSequence + header.lastOffsetDelta) % 2 ** 31;
}

/**
 * Reads the header of the batch that starts at `position`; the batch may reach beyond `bytes`. Checks what makes the
 * numbers usable (magic, size, 2^53), not that they agree with one another: see {@link parseBatches}.
 *
 * @throws RecordBatchError TRUNCATED, UNSUPPORTED_MAGIC, INVALID_TIMESTAMP, INVALID
 */
export function readBatchHeader(bytes: Uint8Array, position: number): BatchHeader {
  const available = bytes.length - position;
  // The magic is at the same place in all message formats: an old format is named before anything else is complained of.
  if (available > 16) {
    const magic = readInt8(bytes, position + 16);
    if (magic !== 2) {
      throw new RecordBatchError(
        'UNSUPPORTED_MAGIC',
        position,
        `message format ${magic}, only format 2 is supported: produce with a client of Kafka 0.11 or newer`,
      );
    }
  }
  if (available < batchOverheadBytes) {
    throw new RecordBatchError(
      'TRUNCATED',
      position,
      `a batch has at least ${batchOverheadBytes} bytes, only ${available} are there`,
    );
  }
  const batchLength = readInt32(bytes, position + 8);
  if (batchLength < batchOverheadBytes - 12) {
    throw new RecordBatchError(
      'INVALID',
      position,
      `its length field is ${batchLength}, at least ${batchOverheadBytes - 12} is needed`,
    );
  }
  return {
    baseOffset: readSafeInt64(bytes, position, position, 'base offset'),
    sizeBytes: batchLength + 12,
    leaderEpoch: readInt32(bytes, position + 12),
    magic: 2,
    crc: readInt32(bytes, position + 17) >>> 0,
    attributes: readUint16(bytes, position + 21),
    lastOffsetDelta: readInt32(bytes, position + 23),
    baseTimestampMs: readSafeInt64(bytes, position + 27, position, 'base timestamp', 'INVALID_TIMESTAMP'),
    maxTimestampMs: readSafeInt64(bytes, position + 35, position, 'max timestamp', 'INVALID_TIMESTAMP'),
    producerId: readSafeInt64(bytes, position + 43, position, 'producer id'),
    producerEpoch: (readUint16(bytes, position + 51) << 16) >> 16,
    baseSequence: readInt32(bytes, position + 53),
    recordCount: readInt32(bytes, position + 57),
  };
}

export interface ParseOptions {
  /** Compute every batch's CRC (0.15 ms per MiB). */
  readonly verifyCrc: boolean;
  /** Accept batches with fewer records than offsets, as topic compaction leaves them. Default false. */
  readonly allowGaps?: boolean | undefined;
}

/**
 * The headers of the batches that `bytes` consist of, in order; none for no bytes. Every accepted header is consistent
 * in itself: nothing is checked *between* batches, nor inside the records.
 *
 * @throws RecordBatchError when the bytes are not whole batches one after another, or one of them is not sound
 */
export function parseBatches(bytes: Uint8Array, options: ParseOptions): BatchHeader[] {
  if (bytes.length === 0) return [];
  const first = parseBatch(bytes, 0, options);
  // Mostly it is the only one. An array that is pushed to gets room for sixteen more.
  const headers = [first];
  for (let position = first.sizeBytes; position < bytes.length;) {
    const header = parseBatch(bytes, position, options);
    headers.push(header);
    position += header.sizeBytes;
  }
  return headers;
}

function parseBatch(bytes: Uint8Array, position: number, options: ParseOptions): BatchHeader {
  const header = readBatchHeader(bytes, position);
  const end = position + header.sizeBytes;
  if (end > bytes.length) {
    throw new RecordBatchError(
      'TRUNCATED',
      position,
      `it has ${header.sizeBytes} bytes, only ${bytes.length - position} are there`,
    );
  }
  if (options.verifyCrc) {
    const computed = crc32c(bytes.subarray(position + batchPrefixBytes, end));
    if (computed !== header.crc) {
      throw new RecordBatchError(
        'CORRUPT',
        position,
        `its CRC field is ${hex32(header.crc)}, its bytes have ${hex32(computed)}: they changed on the way`,
      );
    }
  }
  const problem = headerProblem(header, options.allowGaps ?? false);
  if (problem !== undefined) throw new RecordBatchError(problem.code, position, problem.what);
  return header;
}

interface HeaderProblem {
  readonly code: RecordBatchErrorCode;
  readonly what: string;
}

function invalid(what: string): HeaderProblem {
  return { code: 'INVALID', what };
}

function headerProblem(header: BatchHeader, allowGaps: boolean): HeaderProblem | undefined {
  const { attributes, baseOffset, lastOffsetDelta, recordCount } = header;
  const compression = attributes & batchAttributes.compressionMask;
  if (compression > lastCompressionCodec) {
    return {
      code: 'UNSUPPORTED_COMPRESSION',
      what: `compression codec ${compression} is unknown, the codecs are 0 to ${lastCompressionCodec}`,
    };
  }
  if (lastOffsetDelta < 0) return invalid(`its last offset delta is ${lastOffsetDelta}`);
  if (baseOffset < 0 || baseOffset + lastOffsetDelta > Number.MAX_SAFE_INTEGER) {
    return invalid(`offsets ${baseOffset} + ${lastOffsetDelta} are outside 0 to 2^53 - 1`);
  }
  if (
    allowGaps ? recordCount < 0 || recordCount > lastOffsetDelta + 1 : recordCount !== lastOffsetDelta + 1
  ) {
    return invalid(`${recordCount} records do not fit a last offset delta of ${lastOffsetDelta}`);
  }
  if (compression === 0 && header.sizeBytes - batchOverheadBytes < recordCount * minRecordBytes) {
    return invalid(`${header.sizeBytes} bytes are too few for ${recordCount} records`);
  }
  if (header.producerId >= 0) {
    if (header.producerEpoch < 0) {
      return invalid(`producer id ${header.producerId} comes with epoch ${header.producerEpoch}`);
    }
    if (header.baseSequence < (isControl(attributes) ? -1 : 0)) {
      return invalid(`producer id ${header.producerId} comes with base sequence ${header.baseSequence}`);
    }
  }
  return undefined;
}

/** Assigns offset and epoch in place. Neither is covered by the batch's CRC, which stays valid. */
export function patchBatch(
  bytes: Uint8Array,
  position: number,
  baseOffset: number,
  leaderEpoch: number,
): void {
  writeInt64(bytes, position, baseOffset);
  writeInt32(bytes, position + 12, leaderEpoch);
}

/**
 * Makes the broker's time the timestamp of all records (`message.timestamp.type=LogAppendTime`): sets the attribute bit
 * and the max timestamp, which readers then take for every record, and computes the CRC again: one pass over the batch.
 */
export function setLogAppendTime(bytes: Uint8Array, position: number, timestampMs: number): void {
  const end = position + readInt32(bytes, position + 8) + 12;
  bytes[position + 22] = (bytes[position + 22] ?? 0) | batchAttributes.logAppendTime;
  writeInt64(bytes, position + 35, timestampMs);
  writeInt32(bytes, position + 17, crc32c(bytes.subarray(position + batchPrefixBytes, end)));
}

/**
 * Makes `timestampMs` the max timestamp and the records' own times what counts (`message.timestamp.type=CreateTime`), and
 * computes the CRC again. For batches whose producer put something else into the header than its records have.
 */
export function setMaxTimestamp(bytes: Uint8Array, position: number, timestampMs: number): void {
  const end = position + readInt32(bytes, position + 8) + 12;
  bytes[position + 22] = (bytes[position + 22] ?? 0) & ~batchAttributes.logAppendTime;
  writeInt64(bytes, position + 35, timestampMs);
  writeInt32(bytes, position + 17, crc32c(bytes.subarray(position + batchPrefixBytes, end)));
}

function readInt8(bytes: Uint8Array, position: number): number {
  return ((bytes[position] ?? 0) << 24) >> 24;
}

function readUint16(bytes: Uint8Array, position: number): number {
  return ((bytes[position] ?? 0) << 8) | (bytes[position + 1] ?? 0);
}

function readInt32(bytes: Uint8Array, position: number): number {
  return (
    ((bytes[position] ?? 0) << 24) |
    ((bytes[position + 1] ?? 0) << 16) |
    ((bytes[position + 2] ?? 0) << 8) |
    (bytes[position + 3] ?? 0)
  );
}

/** A signed 64-bit integer as a number, refused when a number cannot hold it exactly. */
function readSafeInt64(
  bytes: Uint8Array,
  position: number,
  batchPosition: number,
  field: string,
  code: RecordBatchErrorCode = 'INVALID',
): number {
  const high = readInt32(bytes, position);
  const low = readInt32(bytes, position + 4) >>> 0;
  const value = high * 2 ** 32 + low;
  // The sum is rounded only when it lies beyond the safe range, and is never rounded back into it.
  if (!Number.isSafeInteger(value)) {
    throw new RecordBatchError(code, batchPosition, `its ${field} is beyond ±2^53`);
  }
  return value;
}

function writeInt32(bytes: Uint8Array, position: number, value: number): void {
  bytes[position] = value >>> 24;
  bytes[position + 1] = value >>> 16;
  bytes[position + 2] = value >>> 8;
  bytes[position + 3] = value;
}

function writeInt64(bytes: Uint8Array, position: number, value: number): void {
  writeInt32(bytes, position, Math.floor(value / 2 ** 32));
  writeInt32(bytes, position + 4, value >>> 0);
}

function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
