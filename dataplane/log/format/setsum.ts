/**
 * A hash of a *multiset* of record batches: order does not matter, hashes add and subtract. So "everything ever appended
 * equals what is live plus what retention removed" can be checked without listing anything (invariant 12 of the log).
 * Two independent 32-bit lanes, written as 16 hexadecimal digits. It finds bugs (a batch lost, doubled or moved), it does
 * not resist an attacker: batches cost nothing to make and two lanes can be searched.
 *
 * What stands for a batch is its CRC (of everything but base offset and leader epoch), its base offset and its size, all
 * of which are the same in a WAL slot and in a segment.
 */
export type Setsum = string;

export const emptySetsum: Setsum = '0000000000000000';

export interface FingerprintedBatch {
  readonly crc: number;
  readonly baseOffset: number;
  readonly sizeBytes: number;
}

/** The two lanes of one batch, each an unsigned 32-bit number. */
export function batchFingerprint(batch: FingerprintedBatch): { a: number; b: number } {
  return { a: lane(batch, laneA), b: lane(batch, laneB) };
}

export function batchSetsum(crc: number, baseOffset: number, sizeBytes: number): Setsum {
  const batch = { crc, baseOffset, sizeBytes };
  return formatLanes(lane(batch, laneA), lane(batch, laneB));
}

export function addSetsum(a: Setsum, b: Setsum): Setsum {
  return formatLanes(laneOf(a, 0) + laneOf(b, 0), laneOf(a, 8) + laneOf(b, 8));
}

/** `subtractSetsum(addSetsum(a, b), b)` is `a`. */
export function subtractSetsum(a: Setsum, b: Setsum): Setsum {
  return formatLanes(laneOf(a, 0) - laneOf(b, 0), laneOf(a, 8) - laneOf(b, 8));
}

export function isSetsum(value: string): boolean {
  return /^[0-9a-f]{16}$/.test(value);
}

/** Adds up many batches or sums without a string for each. */
export class SetsumAccumulator {
  #a = 0;
  #b = 0;

  addBatch(batch: FingerprintedBatch): void {
    this.#a = (this.#a + lane(batch, laneA)) >>> 0;
    this.#b = (this.#b + lane(batch, laneB)) >>> 0;
  }

  addSum(sum: Setsum): void {
    this.#a = (this.#a + laneOf(sum, 0)) >>> 0;
    this.#b = (this.#b + laneOf(sum, 8)) >>> 0;
  }

  get sum(): Setsum {
    return formatLanes(this.#a, this.#b);
  }
}

interface LaneConstants {
  readonly seed: number;
  readonly multiplier: number;
}

const laneA: LaneConstants = { seed: 0x6669726e, multiplier: 0xcc9e2d51 };
const laneB: LaneConstants = { seed: 0x9e3779b9, multiplier: 0x1b873593 };

/** MurmurHash3's 32-bit mixing over (crc, low and high half of the offset, size). */
function lane(batch: FingerprintedBatch, { seed, multiplier }: LaneConstants): number {
  const offsetHigh = Math.floor(batch.baseOffset / 2 ** 32);
  let hash = mixIn(seed, batch.crc, multiplier);
  hash = mixIn(hash, batch.baseOffset >>> 0, multiplier);
  hash = mixIn(hash, offsetHigh, multiplier);
  hash = mixIn(hash, batch.sizeBytes, multiplier);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function mixIn(hash: number, word: number, multiplier: number): number {
  let mixed = Math.imul(word, multiplier);
  mixed = (mixed << 15) | (mixed >>> 17);
  mixed = hash ^ Math.imul(mixed, 0x85ebca77);
  mixed = (mixed << 13) | (mixed >>> 19);
  return (Math.imul(mixed, 5) + 0xe6546b64) | 0;
}

function laneOf(sum: Setsum, start: number): number {
  return Number.parseInt(sum.slice(start, start + 8), 16);
}

function formatLanes(a: number, b: number): Setsum {
  return hex(a) + hex(b);
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}
