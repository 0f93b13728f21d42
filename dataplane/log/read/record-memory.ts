import { invariant } from '../errors.ts';

/**
 * Memory for record bytes that are read from the store, used again when nobody needs what is in it any more. Fresh memory
 * for every GET costs as much as the GET: the kernel zeroes each page, and V8 runs a full collection for every 64 MiB of
 * buffers, on the cores that the store's answers need too (`bench/README.md`).
 *
 * What is free and what is being filled take at most `limitBytes` together, so that a burst of GETs finds the memory that
 * the burst before it gave back.
 */
export class RecordMemory {
  readonly counters: RecordMemoryCounters = { allocated: 0, reused: 0, freed: 0 };
  /** For tests, which scribble over it: called with memory that nobody may look at any more. */
  onFree: ((memory: Uint8Array) => void) | undefined;
  readonly #options: RecordMemoryOptions;
  /** The one that was used last comes last, and is used first. */
  readonly #free: Uint8Array[] = [];
  #freeBytes = 0;

  constructor(options: RecordMemoryOptions) {
    this.#options = options;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Memory of at least `sizeBytes`, with anything in it; `undefined`: so little comes from elsewhere. */
  take(sizeBytes: number): Uint8Array | undefined {
    if (sizeBytes < this.#options.leastBytes) return undefined;
    const capacity = capacityFor(sizeBytes);
    const at = this.#free.findLastIndex(({ byteLength }) => byteLength === capacity);
    const [found] = at === -1 ? [] : this.#free.splice(at, 1);
    if (found === undefined) {
      this.counters.allocated += 1;
      return Buffer.allocUnsafeSlow(capacity);
    }
    this.counters.reused += 1;
    this.#freeBytes -= capacity;
    return found;
  }

  /** Nobody looks at this memory any more, nor writes to it. */
  free(memory: Uint8Array): void {
    this.counters.freed += 1;
    this.onFree?.(memory);
    this.#free.push(memory);
    this.#freeBytes += memory.byteLength;
    const roomBytes = Math.max(0, this.#options.limitBytes - this.#options.underWayBytes());
    while (this.#freeBytes > roomBytes) this.#freeBytes -= this.#free.shift()?.byteLength ?? Infinity;
  }
}

export interface RecordMemoryOptions {
  readonly limitBytes: number;
  /** Smaller pieces are not worth it. */
  readonly leastBytes: number;
  /** Of GETs under way. */
  readonly underWayBytes: () => number;
}

export interface RecordMemoryCounters {
  allocated: number;
  reused: number;
  freed: number;
}

/**
 * Rounded up by at most a sixteenth, so that chunks of about the same size use each other's memory. What is not written to
 * costs address space only.
 */
function capacityFor(sizeBytes: number): number {
  const step = 2 ** Math.max(0, Math.floor(Math.log2(sizeBytes)) - 4);
  return Math.ceil(sizeBytes / step) * step;
}

/**
 * Record bytes that several may hold: the cache, and every answer they are part of. When the last one has released them
 * their memory is used again, so a release is a promise not to look at them any more. Whoever forgets to release does no
 * harm: the memory is then left to the garbage collector.
 */
export class RecordBytes {
  readonly bytes: Uint8Array;
  readonly #from: { readonly pool: RecordMemory; readonly memory: Uint8Array } | undefined;
  #holders = 1;

  /**
   * The first hold is the creator's.
   *
   * @param from where their memory goes; absent: to the garbage collector
   */
  constructor(bytes: Uint8Array, from?: { readonly pool: RecordMemory; readonly memory: Uint8Array }) {
    this.bytes = bytes;
    this.#from = from;
  }

  /** What they take. */
  get memoryBytes(): number {
    return this.#from?.memory.byteLength ?? this.bytes.byteLength;
  }

  hold(): void {
    invariant(this.#holders > 0, 'record bytes are held after everybody had released them');
    this.#holders += 1;
  }

  release(): void {
    invariant(this.#holders > 0, 'record bytes are released more often than they were held');
    this.#holders -= 1;
    if (this.#holders === 0 && this.#from !== undefined) this.#from.pool.free(this.#from.memory);
  }
}
