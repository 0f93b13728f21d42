import assert from 'node:assert/strict';

/**
 * Appends bytes and variable-length integers to a buffer that grows. Varints: seven bits a byte, lowest first, the high
 * bit says that more follow; at most 8 bytes, because values stay below 2^53.
 */
export class ByteWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(initialBytes: number) {
    this.#bytes = Buffer.allocUnsafe(initialBytes);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written so far: a view, valid until the next write. */
  written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  uint8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#length = this.#bytes.writeUInt32BE(value, this.#length);
  }

  /** A signed 64-bit integer within ±2^53. */
  int64(value: number): void {
    this.#reserve(8);
    this.#length = writeInt64(this.#bytes, value, this.#length);
  }

  varint(value: number): void {
    // No assert(): it would build its message every time.
    if (!Number.isSafeInteger(value) || value < 0) assert.fail(`varint ${value}`);
    this.#reserve(8);
    let rest = value;
    while (rest >= 2 ** 31) {
      this.#bytes[this.#length++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** Bytes given as hexadecimal digits. */
  hex(value: string): void {
    const byteCount = value.length / 2;
    this.#reserve(byteCount);
    const written = this.#bytes.write(value, this.#length, byteCount, 'hex');
    assert.equal(written, byteCount, `not hexadecimal: ${value}`);
    this.#length += byteCount;
  }

  #reserve(byteCount: number): void {
    const needed = this.#length + byteCount;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** The bytes are not what a {@link ByteWriter} wrote. Callers say which object it was. */
export class MalformedBytesError extends Error {
  constructor(what: string, cause?: unknown) {
    super(what, cause === undefined ? undefined : { cause });
    this.name = 'MalformedBytesError';
  }
}

/** Reads what {@link ByteWriter} wrote. Every method throws MalformedBytesError rather than read past the end. */
export class ByteReader {
  readonly #bytes: Buffer;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  uint8(): number {
    const start = this.#take(1);
    return this.#bytes[start] ?? 0;
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  int64(): number {
    return readInt64(this.#bytes, this.#take(8));
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 1; count <= 8; count++) {
      const byte = this.uint8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 128;
    }
    throw new MalformedBytesError(`the number before byte ${this.#position} is beyond 2^53`);
  }

  /** A view of the next bytes. */
  bytes(byteCount: number): Buffer {
    const start = this.#take(byteCount);
    return this.#bytes.subarray(start, start + byteCount);
  }

  hex(byteCount: number): string {
    const start = this.#take(byteCount);
    return this.#bytes.toString('hex', start, start + byteCount);
  }

  #take(byteCount: number): number {
    const start = this.#position;
    if (byteCount > this.#bytes.length - start) {
      throw new MalformedBytesError(
        `${byteCount} bytes expected at byte ${start}, only ${this.#bytes.length - start} are left`,
      );
    }
    this.#position = start + byteCount;
    return start;
  }
}

/** Writes a signed 64-bit integer within ±2^53, big-endian; returns the position after it. */
export function writeInt64(bytes: Buffer, value: number, position: number): number {
  if (!Number.isSafeInteger(value)) assert.fail(`64-bit field ${value}`);
  bytes.writeInt32BE(Math.floor(value / 2 ** 32), position);
  return bytes.writeUInt32BE(value >>> 0, position + 4);
}

/** @throws MalformedBytesError when the value is beyond ±2^53 */
export function readInt64(bytes: Buffer, position: number): number {
  const value = bytes.readInt32BE(position) * 2 ** 32 + bytes.readUInt32BE(position + 4);
  if (!Number.isSafeInteger(value)) {
    throw new MalformedBytesError(`the 64-bit number at byte ${position} is beyond ±2^53`);
  }
  return value;
}
