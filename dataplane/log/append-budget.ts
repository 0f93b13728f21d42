/** Something that waits for room. */
export interface RoomWaiter {
  readonly sizeBytes: number;
  /** Called at once when the room has been taken for it, so that nobody who comes later can be faster. Must not throw. */
  readonly admit: () => void;
}

export interface AppendBudgetLimits {
  /** Record bytes held in memory. */
  readonly bytes: number;
  /** Of these, how many more may wait for room: what waits is in memory too. */
  readonly waitingBytes: number;
  readonly waitingCount: number;
}

/**
 * Bounds the record bytes that are held in memory because they are not in segments yet, and what waits to be among them.
 * Room is given in the order of arrival; one append is admitted even when it alone exceeds the bound, so that nothing
 * waits for ever.
 */
export class AppendBudget {
  readonly #limits: AppendBudgetLimits;
  readonly #waiting = new Set<RoomWaiter>();
  #usedBytes = 0;
  #waitingBytes = 0;
  #isAdmitting = false;

  constructor(limits: AppendBudgetLimits) {
    this.#limits = limits;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** How many wait for room. */
  get waiting(): number {
    return this.#waiting.size;
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** False: there is no room, or others wait for it. */
  tryTake(sizeBytes: number): boolean {
    if (this.#waiting.size > 0 || !this.#fits(sizeBytes)) return false;
    this.#usedBytes += sizeBytes;
    return true;
  }

  /** Call after {@link tryTake} has failed. False: too much waits already. */
  wait(waiter: RoomWaiter): boolean {
    const { waitingBytes, waitingCount } = this.#limits;
    const isFull =
      this.#waiting.size >= waitingCount ||
      (this.#waiting.size > 0 && this.#waitingBytes + waiter.sizeBytes > waitingBytes);
    if (isFull) return false;
    this.#waiting.add(waiter);
    this.#waitingBytes += waiter.sizeBytes;
    return true;
  }

  /** It does not wait any more; a no-op when it has been admitted. */
  cancel(waiter: RoomWaiter): void {
    if (!this.#waiting.delete(waiter)) return;
    this.#waitingBytes -= waiter.sizeBytes;
    this.#admit();
  }

  release(sizeBytes: number): void {
    this.#usedBytes -= sizeBytes;
    this.#admit();
  }

  /** Whoever is admitted may give room back at once: that is for the loop that is running. */
  #admit(): void {
    if (this.#isAdmitting || this.#waiting.size === 0) return;
    this.#isAdmitting = true;
    try {
      for (const waiter of this.#waiting) {
        if (!this.#fits(waiter.sizeBytes)) break;
        this.#waiting.delete(waiter);
        this.#waitingBytes -= waiter.sizeBytes;
        this.#usedBytes += waiter.sizeBytes;
        waiter.admit();
      }
    } finally {
      this.#isAdmitting = false;
    }
  }

  #fits(sizeBytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + sizeBytes <= this.#limits.bytes;
  }
}
