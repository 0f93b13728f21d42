/**
 * Collects the buffers of a message in one pass. Small things are written side by side into chunks; pieces of some size
 * are passed through as they are, between them. A chunk is never written twice: what `finish` returned stays as it is,
 * and the rest of the last chunk serves the next message.
 */
export class WireWriter {
  /** The chunk that is being written; generated code stores into it after `reserve`. */
  bytes: Buffer = emptyBuffer;
  #position = 0;
  #start = 0;
  #buffers: Uint8Array[] = [];
  /** Bytes in `#buffers`. */
  #collected = 0;
  readonly #chunkSize: number;

  constructor(chunkSize = smallChunk) {
    this.#chunkSize = chunkSize;
  }

  /** Forgets what an encoder that threw has left. */
  begin(): void {
    this.#start = this.#position;
    if (this.#buffers.length > 0) this.#buffers = [];
    this.#collected = 0;
  }

  get length(): number {
    return this.#collected + this.#position - this.#start;
  }

  /** The message: to be written in this order, for `writev`. */
  finish(): Uint8Array[] {
    this.#cut();
    const buffers = this.#buffers;
    this.#buffers = [];
    this.#collected = 0;
    return buffers;
  }

  /** Makes room for `size` bytes in a row and returns where in `bytes` they go. */
  reserve(size: number): number {
    const position = this.#position;
    if (position + size <= this.bytes.length) {
      this.#position = position + size;
      return position;
    }
    this.#nextChunk(size);
    this.#position = size;
    return 0;
  }

  unsignedVarint(value: number): void {
    let position = this.reserve(longestVarint);
    const { bytes } = this;
    let rest = value;
    while (rest > 0x7f) {
      bytes[position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[position++] = rest;
    this.#position = position;
  }

  byte(value: number): void {
    const position = this.reserve(1);
    this.bytes[position] = value;
  }

  int16(value: number): void {
    const position = this.reserve(2);
    this.bytes.writeInt16BE(value, position);
  }

  int32(value: number): void {
    const position = this.reserve(4);
    this.bytes.writeInt32BE(value, position);
  }

  /** A string with its length in two bytes. @returns whether it is short enough */
  string(text: string): boolean {
    const length = text.length;
    if (length > longestString) return false;
    // A character takes at most three bytes (a pair of surrogates four).
    const start = this.reserve(2 + 3 * length);
    const end = this.#utf8(text, start + 2);
    const size = end - start - 2;
    if (size > longestString) return false;
    this.bytes[start] = size >>> 8;
    this.bytes[start + 1] = size;
    this.#position = end;
    return true;
  }

  /** A string with its length plus one as a varint. @returns whether it is short enough */
  compactString(text: string): boolean {
    const length = text.length;
    if (length > longestString) return false;
    // Most are shorter than 127 bytes: the length takes one byte. Otherwise the content is moved up.
    // Room for the longest varint as well: writing the length must not go on to another chunk.
    const start = this.reserve(Math.max(longestVarint, 3 + 3 * length));
    const { bytes } = this;
    const end = this.#utf8(text, start + 1);
    const size = end - start - 1;
    if (size > longestString) return false;
    const prefix = size + 1 < 0x80 ? 1 : size + 1 < 0x4000 ? 2 : 3;
    if (prefix > 1) bytes.copyWithin(start + prefix, start + 1, end);
    this.#position = start;
    this.unsignedVarint(size + 1);
    this.#position = end + prefix - 1;
    return true;
  }

  /** Bytes without their length. Not copied when there are more than a few. */
  piece(piece: Uint8Array): void {
    const size = piece.length;
    if (size < smallestPassedThrough) {
      const start = this.reserve(size);
      this.bytes.set(piece, start);
      return;
    }
    this.#cut();
    this.#buffers.push(piece);
    this.#collected += size;
  }

  pieces(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.piece(piece);
  }

  #utf8(text: string, start: number): number {
    const { length } = text;
    const { bytes } = this;
    if (length > longestPlainLoop) return start + bytes.write(text, start, 'utf8');
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return start + bytes.write(text, start, 'utf8');
      bytes[start + i] = code;
    }
    return start + length;
  }

  /** What is in the chunk and not yet collected becomes a buffer. */
  #cut(): void {
    if (this.#position === this.#start) return;
    this.#buffers.push(this.bytes.subarray(this.#start, this.#position));
    this.#collected += this.#position - this.#start;
    this.#start = this.#position;
  }

  #nextChunk(size: number): void {
    this.#cut();
    // Large messages get large chunks, so that they are few buffers.
    const wanted = Math.min(Math.max(this.#chunkSize, this.#collected), largeChunk);
    this.bytes = Buffer.allocUnsafeSlow(Math.max(wanted, size));
    this.#start = 0;
  }
}

export function byteLengthOf(buffers: readonly Uint8Array[]): number {
  let sum = 0;
  for (const buffer of buffers) sum += buffer.length;
  return sum;
}

/** Below this a buffer of its own costs `writev` more than the copy. */
export const smallestPassedThrough = 512;

const longestString = 32_767;
/** Of 32 bits. */
const longestVarint = 5;
/** Above this V8's own encoder is faster than a loop over characters. */
const longestPlainLoop = 48;
/** A small message keeps the chunk alive that it shares with its neighbours. */
const smallChunk = 16 * 1024;
const largeChunk = 256 * 1024;
const emptyBuffer = Buffer.alloc(0);

/** The total length of what `records` takes; -1 when it is something else. */
export function piecesLength(value: unknown): number {
  if (value instanceof Uint8Array) return value.length;
  if (!Array.isArray(value)) return -1;
  let sum = 0;
  for (const piece of value as readonly unknown[]) {
    if (!(piece instanceof Uint8Array)) return -1;
    sum += piece.length;
  }
  return sum;
}

/** The value is a safe integer. */
export function writeInt64(bytes: Buffer, position: number, value: number): void {
  const high = Math.floor(value / 4_294_967_296);
  bytes[position] = high >>> 24;
  bytes[position + 1] = high >>> 16;
  bytes[position + 2] = high >>> 8;
  bytes[position + 3] = high;
  // Modulo 2^32, whatever the sign.
  bytes[position + 4] = value >>> 24;
  bytes[position + 5] = value >>> 16;
  bytes[position + 6] = value >>> 8;
  bytes[position + 7] = value;
}

export function writeFloat64(bytes: Buffer, position: number, value: number): void {
  bytes.writeDoubleBE(value, position);
}

export function isUuid(value: unknown): value is string {
  return typeof value === 'string' && value.length === 32 && /^[0-9a-f]+$/.test(value);
}

export function writeUuid(bytes: Buffer, position: number, value: string): void {
  bytes.write(value, position, 16, 'hex');
}
