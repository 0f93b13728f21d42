export interface FlushTurnsOptions {
  /** At most so many flushes at a time. */
  readonly maxFlushes: number;
  /** At most so many bytes in the flushes of a time; a single larger one goes alone. */
  readonly maxBytes: number;
  /** Whether room for appends is short: then those go first that give back most. */
  readonly isUnderPressure: () => boolean;
  /** Whether something else asks more of the store than usual, that is waited for: then few flushes go at a time, unless room is short. */
  readonly isStoreNeeded: () => boolean;
}

interface Waiting {
  readonly sizeBytes: number;
  readonly go: () => void;
}

/**
 * Whose flush goes when. A few go at a time while few wait, so that they take little from appends; the more wait (after a
 * takeover, or with ten thousand groups), the more go. Each flush costs a request a segment, one for the producer state
 * and one for the manifest, so the number of flushes bounds the requests under way. In order of arrival, unless memory is
 * short.
 */
export class FlushTurns {
  readonly #options: FlushTurnsOptions;
  readonly #waiting = new Map<string, Waiting>();
  #underWay = 0;
  #bytesUnderWay = 0;

  constructor(options: FlushTurnsOptions) {
    this.#options = options;
  }

  /** Whether another flush would have to wait. */
  get isBusy(): boolean {
    return this.#waiting.size > 0 || this.#underWay >= this.#limit;
  }

  /** Flushes of a group must not overlap: `id` neither waits nor is under way. */
  async run(id: string, sizeBytes: number, work: () => Promise<void>): Promise<void> {
    if (this.#waiting.size > 0 || !this.#hasRoomFor(sizeBytes)) {
      await new Promise<void>((resolve) => {
        this.#waiting.set(id, { sizeBytes, go: resolve });
        // One more that waits may be what lets another one go.
        this.#next();
      });
    } else {
      this.#begin(sizeBytes);
    }
    try {
      await work();
    } finally {
      this.#underWay -= 1;
      this.#bytesUnderWay -= sizeBytes;
      this.#next();
    }
  }

  get #limit(): number {
    const { maxFlushes, isStoreNeeded, isUnderPressure } = this.#options;
    if (isStoreNeeded() && !isUnderPressure()) return Math.min(maxFlushes, fewFlushes);
    return Math.min(maxFlushes, Math.max(fewFlushes, Math.ceil(this.#waiting.size / 16)));
  }

  #hasRoomFor(sizeBytes: number): boolean {
    if (this.#underWay === 0) return true;
    return this.#underWay < this.#limit && this.#bytesUnderWay + sizeBytes <= this.#options.maxBytes;
  }

  #begin(sizeBytes: number): void {
    this.#underWay += 1;
    this.#bytesUnderWay += sizeBytes;
  }

  #next(): void {
    for (let id = this.#first(); id !== undefined; id = this.#first()) {
      const waiting = this.#waiting.get(id);
      if (waiting === undefined || !this.#hasRoomFor(waiting.sizeBytes)) return;
      this.#waiting.delete(id);
      this.#begin(waiting.sizeBytes);
      waiting.go();
    }
  }

  #first(): string | undefined {
    let first: string | undefined;
    let bytes = -1;
    for (const [id, { sizeBytes }] of this.#waiting) {
      if (!this.#options.isUnderPressure()) return id;
      if (sizeBytes <= bytes) continue;
      first = id;
      bytes = sizeBytes;
    }
    return first;
  }
}

const fewFlushes = 4;
