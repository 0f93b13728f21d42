import type { Random } from './runtime.ts';

/**
 * A seeded pseudo-random stream (xoshiro128**, 32-bit operations only, so it is fast and the same on every machine).
 * Streams with different names are independent of each other and of how much was drawn from any of them: adding a draw
 * in one process does not shift another one's sequence. Not for secrets.
 */
export class VirtualRandom implements Random {
  readonly #seed: number;
  readonly #stream: string;
  #a: number;
  #b: number;
  #c: number;
  #d: number;
  #spareNormal: number | undefined;

  /** @param seed any safe integer */
  constructor(seed: number, stream: string) {
    if (!Number.isSafeInteger(seed)) throw new RangeError(`the seed ${seed} is not a safe integer`);
    this.#seed = seed;
    this.#stream = stream;
    let state = mix((seed >>> 0) ^ mix(Math.floor(seed / 2 ** 32) | 0));
    for (let i = 0; i < stream.length; i++)
      state = mix(state ^ stream.charCodeAt(i) ^ Math.imul(i + 1, 0x9e3779b9));
    const word = (): number => {
      state = (state + 0x9e3779b9) | 0;
      return mix(state);
    };
    this.#a = word();
    this.#b = word();
    this.#c = word();
    this.#d = word() | 1; // never all zero
    for (let i = 0; i < 8; i++) this.uint32();
  }

  /** The stream `name` below this one. The same name gives the same stream each time. */
  fork(name: string): VirtualRandom {
    return new VirtualRandom(this.#seed, `${this.#stream}/${name}`);
  }

  uint32(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  fraction(): number {
    return this.uint32() / 2 ** 32;
  }

  bytes(count: number): Uint8Array {
    const result = new Uint8Array(count);
    for (let i = 0; i < count; i += 4) {
      const word = this.uint32();
      for (let j = 0; j < 4 && i + j < count; j++) result[i + j] = word >>> (8 * j);
    }
    return result;
  }

  /** An integer in [0, bound), `bound` at most 2^32. The bias of at most bound / 2^32 does not matter to simulations. */
  below(bound: number): number {
    return Math.floor(this.fraction() * bound);
  }

  /** True with this probability. Draws nothing when the answer is certain. */
  chance(probability: number): boolean {
    return probability > 0 && (probability >= 1 || this.fraction() < probability);
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.fraction();
  }

  /** Spread evenly over the orders of magnitude of [low, high], both > 0. */
  logBetween(low: number, high: number): number {
    return low * Math.exp(Math.log(high / low) * this.fraction());
  }

  /** Waiting time of a Poisson process with this mean. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.fraction());
  }

  /** Standard normal (Box-Muller). */
  normal(): number {
    const spare = this.#spareNormal;
    if (spare !== undefined) {
      this.#spareNormal = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.fraction()));
    const angle = 2 * Math.PI * this.fraction();
    this.#spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  pick<T>(values: readonly [T, ...T[]] | readonly T[]): T {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new RangeError('cannot pick from an empty list');
    return value;
  }
}

/** The finalizer of MurmurHash3: every input bit flips every output bit with probability about one half. */
function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
