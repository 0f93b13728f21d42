import { batchAttributes, RecordBatchError, type BatchHeader } from './record-batch.ts';

/**
 * One record of a batch, as views of the batch's bytes.
 *
 * ```
 * record: length varint, attributes i8, timestampDelta varlong, offsetDelta varint,
 *         keyLength varint (negative: null) key, valueLength varint (negative: null) value,
 *         headerCount varint, { keyLength varint, key, valueLength varint (negative: null), value }…
 * ```
 * All varints are zigzag-encoded.
 */
export interface RecordView {
  readonly offset: number;
  /** Milliseconds since 1970; -1: none. */
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

export interface RecordHeader {
  /** UTF-8; bytes that are not become U+FFFD. */
  readonly key: string;
  readonly value: Uint8Array | null;
}

/**
 * Goes through the records of a batch without an object for each: {@link next} moves on, the fields then tell of the record
 * it stands on, and `key`, `value` and `headers` are made when they are asked for.
 *
 * ```ts
 * const cursor = new RecordCursor(header, records);
 * while (cursor.next()) use(cursor.offset, cursor.value);
 * ```
 *
 * Everything is checked that could lead a read astray, so a batch that a broker has not validated is safe to read; that
 * offsets are without gaps is for {@link validateRecords} to say, since compaction makes gaps.
 */
export class RecordCursor implements RecordView {
  /** The records, decompressed. */
  readonly bytes: Uint8Array;
  readonly #header: BatchHeader;
  readonly #batchPosition: number;
  readonly #appendTime: boolean;
  #index = -1;
  /** Where the next varint is read. */
  #position = 0;
  #recordEnd = 0;
  #headersStart = 0;
  #headerCount = 0;
  offset = -1;
  timestampMs = -1;
  /** Where the key is in {@link bytes}; `keyEnd` is -1 for null. */
  keyStart = 0;
  keyEnd = -1;
  /** Where the value is in {@link bytes}; `valueEnd` is -1 for null. */
  valueStart = 0;
  valueEnd = -1;

  /**
   * @param records what follows the batch's header, decompressed
   * @param batchPosition where the batch starts in what was read, for errors
   */
  constructor(header: BatchHeader, records: Uint8Array, batchPosition = 0) {
    this.bytes = records;
    this.#header = header;
    this.#batchPosition = batchPosition;
    this.#appendTime = (header.attributes & batchAttributes.logAppendTime) !== 0;
  }

  /** How many records were passed before the one it stands on; -1 before the first. */
  get index(): number {
    return this.#index;
  }

  get key(): Uint8Array | null {
    return this.keyEnd < 0 ? null : this.bytes.subarray(this.keyStart, this.keyEnd);
  }

  get value(): Uint8Array | null {
    return this.valueEnd < 0 ? null : this.bytes.subarray(this.valueStart, this.valueEnd);
  }

  get headers(): readonly RecordHeader[] {
    if (this.#headerCount === 0) return noHeaders;
    const headers: RecordHeader[] = [];
    this.#position = this.#headersStart;
    for (let i = 0; i < this.#headerCount; i++) {
      const keyLength = this.#varint();
      const keyStart = this.#position;
      this.#position += keyLength;
      const valueLength = this.#varint();
      const valueStart = this.#position;
      if (valueLength > 0) this.#position += valueLength;
      headers.push({
        key: utf8.decode(this.bytes.subarray(keyStart, keyStart + keyLength)),
        value: valueLength < 0 ? null : this.bytes.subarray(valueStart, valueStart + valueLength),
      });
    }
    this.#position = this.#recordEnd;
    return headers;
  }

  get headerCount(): number {
    return this.#headerCount;
  }

  /** Where the first header is in {@link bytes}, after their count. */
  get headersStart(): number {
    return this.#headersStart;
  }

  /**
   * Moves to the next record; false after the last, when also the bytes are used up.
   *
   * @throws RecordBatchError INVALID, INVALID_TIMESTAMP
   */
  next(): boolean {
    const { bytes } = this;
    if (this.#index + 1 >= this.#header.recordCount) {
      if (this.#position !== bytes.length) {
        throw this.#invalid(`${bytes.length - this.#position} bytes follow it, though it is the last`);
      }
      return false;
    }
    this.#index++;
    const length = this.#varint();
    const end = this.#position + length;
    if (length < 0 || end > bytes.length) {
      throw this.#invalid(`a length of ${length}, ${bytes.length - this.#position} bytes are left`);
    }
    this.#recordEnd = end;
    this.#position++;
    const timestampMs = this.#header.baseTimestampMs + this.#varlong();
    if (!Number.isSafeInteger(timestampMs)) throw this.#invalidTimestamp(timestampMs);
    this.timestampMs = this.#appendTime ? this.#header.maxTimestampMs : timestampMs;
    this.offset = this.#header.baseOffset + this.#varint();

    const keyLength = this.#length('key');
    this.keyStart = this.#position;
    this.keyEnd = keyLength < 0 ? -1 : (this.#position += keyLength);
    const valueLength = this.#length('value');
    this.valueStart = this.#position;
    this.valueEnd = valueLength < 0 ? -1 : (this.#position += valueLength);

    const headerCount = this.#varint();
    // A header has two bytes at least: a count that cannot be right is refused before the headers are gone through.
    if (headerCount < 0 || headerCount * 2 > Math.max(0, end - this.#position)) {
      throw this.#invalid(`${headerCount} headers in ${end - this.#position} bytes`);
    }
    this.#headerCount = headerCount;
    this.#headersStart = this.#position;
    for (let i = 0; i < headerCount; i++) {
      const keyLength = this.#length('header key');
      if (keyLength < 0) throw this.#invalid('a header without a key');
      this.#position += keyLength;
      const valueLength = this.#length('header value');
      if (valueLength > 0) this.#position += valueLength;
    }
    if (this.#position !== end) {
      throw this.#invalid(`its fields take ${this.#position - end} bytes more than its length`);
    }
    return true;
  }

  /** A length that fits what is left of the record; negative: null. */
  #length(what: string): number {
    const length = this.#varint();
    if (length > this.#recordEnd - this.#position) {
      throw this.#invalid(`a ${what} of ${length} bytes, ${this.#recordEnd - this.#position} are left`);
    }
    return length;
  }

  /** A zigzag varint of at most 32 bits. */
  #varint(): number {
    const first = this.bytes[this.#position] ?? 0x80;
    if (first < 0x80) {
      this.#position += 1;
      return (first >>> 1) ^ -(first & 1);
    }
    const second = this.bytes[this.#position + 1] ?? 0x80;
    if (second < 0x80) {
      this.#position += 2;
      const value = (first & 0x7f) | (second << 7);
      return (value >>> 1) ^ -(value & 1);
    }
    return this.#longVarint();
  }

  #longVarint(): number {
    let value = 0;
    let position = this.#position;
    for (let shift = 0; shift <= 28; shift += 7) {
      const byte = this.bytes[position++];
      if (byte === undefined) throw this.#invalid('the bytes end inside a number');
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (shift === 28 && byte > 0x0f) break;
        this.#position = position;
        return (value >>> 1) ^ -(value & 1);
      }
    }
    throw this.#invalid('a number has more than 32 bits');
  }

  /** A zigzag varint of at most 64 bits, refused when a number cannot hold it exactly. */
  #varlong(): number {
    const first = this.bytes[this.#position] ?? 0x80;
    if (first < 0x80) {
      this.#position += 1;
      return (first >>> 1) ^ -(first & 1);
    }
    const second = this.bytes[this.#position + 1] ?? 0x80;
    if (second < 0x80) {
      this.#position += 2;
      const value = (first & 0x7f) | (second << 7);
      return (value >>> 1) ^ -(value & 1);
    }
    return this.#longVarlong();
  }

  #longVarlong(): number {
    // Three parts of at most 28 bits, since bit operations have 32.
    let low = 0;
    let middle = 0;
    let high = 0;
    let position = this.#position;
    for (let shift = 0; shift <= 63; shift += 7) {
      const byte = this.bytes[position++];
      if (byte === undefined) throw this.#invalid('the bytes end inside a number');
      if (shift < 28) low |= (byte & 0x7f) << shift;
      else if (shift < 56) middle |= (byte & 0x7f) << (shift - 28);
      else high |= (byte & 0x7f) << (shift - 56);
      if (byte < 0x80) {
        if (shift === 63 && byte > 1) break;
        this.#position = position;
        // Rounded only when beyond 2^53, and never back into the safe range.
        const half = (low >>> 1) + middle * 2 ** 27 + high * 2 ** 55;
        const value = (low & 1) === 0 ? half : -half - 1;
        if (!Number.isSafeInteger(value)) throw this.#invalidTimestamp(value);
        return value;
      }
    }
    throw this.#invalid('a number has more than 64 bits');
  }

  #invalidTimestamp(value: number): RecordBatchError {
    const what = `record ${this.#index}: its time, ${value}, is beyond ±2^53 ms`;
    return new RecordBatchError('INVALID_TIMESTAMP', this.#batchPosition, what);
  }

  #invalid(what: string): RecordBatchError {
    return new RecordBatchError('INVALID', this.#batchPosition, `record ${this.#index}: ${what}`);
  }
}

const noHeaders: readonly RecordHeader[] = [];
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
