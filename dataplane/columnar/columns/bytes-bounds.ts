import { viewOf } from './byte-dictionary.ts';
import type { PageBounds } from './column.ts';

/** Where values differ earlier, which most do, a call into native code costs more than a loop. */
const longestLoop = 32;

/** Of values in PLAIN encoding, one at least. */
export function plainBounds(values: Buffer): PageBounds {
  const bounds = new BytesBounds(values);
  for (let at = 0; at < values.length;) {
    const start = at + 4;
    at = start + values.readInt32LE(at);
    bounds.add(start, at);
  }
  return bounds.result();
}

/** Least and greatest of stretches of one memory. Compares the first four bytes at once. */
export class BytesBounds {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  #minStart = -1;
  #minEnd = 0;
  #minPrefix = 0;
  #maxStart = 0;
  #maxEnd = 0;
  #maxPrefix = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  add(start: number, end: number): void {
    const prefix = end - start >= 4 ? this.#view.getUint32(start, false) : this.#shortPrefix(start, end);
    if (this.#minStart < 0) {
      [this.#minStart, this.#minEnd, this.#minPrefix] = [start, end, prefix];
      [this.#maxStart, this.#maxEnd, this.#maxPrefix] = [start, end, prefix];
      return;
    }
    if (prefix <= this.#minPrefix && this.#compare(start, end, this.#minStart, this.#minEnd) < 0) {
      this.#minStart = start;
      this.#minEnd = end;
      this.#minPrefix = prefix;
    } else if (prefix >= this.#maxPrefix && this.#compare(start, end, this.#maxStart, this.#maxEnd) > 0) {
      this.#maxStart = start;
      this.#maxEnd = end;
      this.#maxPrefix = prefix;
    }
  }

  result(): PageBounds {
    return {
      min: Uint8Array.from(this.#bytes.subarray(this.#minStart, this.#minEnd)),
      max: Uint8Array.from(this.#bytes.subarray(this.#maxStart, this.#maxEnd)),
      nanCount: 0,
    };
  }

  /** Zeros for the bytes that are not there: never more than the prefix of a longer value with the same beginning. */
  #shortPrefix(start: number, end: number): number {
    let prefix = 0;
    for (let i = 0; i < 4; i++) prefix = prefix * 256 + (start + i < end ? (this.#bytes[start + i] ?? 0) : 0);
    return prefix;
  }

  #compare(start: number, end: number, otherStart: number, otherEnd: number): number {
    const bytes = this.#bytes;
    const loopEnd = Math.min(end, start + longestLoop, start + otherEnd - otherStart);
    let at = start;
    let other = otherStart;
    for (; at < loopEnd; at++, other++) {
      const difference = (bytes[at] ?? 0) - (bytes[other] ?? 0);
      if (difference !== 0) return difference;
    }
    if (at === end || other === otherEnd) return end - start - (otherEnd - otherStart);
    return bytes.compare(bytes, other, otherEnd, at, end);
  }
}
