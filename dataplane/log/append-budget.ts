/**
 * Bounds the record bytes that are held in memory because they are not in segments yet. Callers wait in arrival order;
 * one batch is admitted even when it alone exceeds the bound, so that nothing waits for ever.
 */
export class AppendBudget {
  readonly #limitBytes: number;
  readonly #waiting: { readonly sizeBytes: number; readonly admit: () => void }[] = [];
  #usedBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Takes room for `sizeBytes` at once (`undefined`), or returns a promise that resolves when the room has been taken. */
  take(sizeBytes: number): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#fits(sizeBytes)) {
      this.#usedBytes += sizeBytes;
      return undefined;
    }
    return new Promise((resolve) => {
      this.#waiting.push({ sizeBytes, admit: resolve });
    });
  }

  release(sizeBytes: number): void {
    this.#usedBytes -= sizeBytes;
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined || !this.#fits(next.sizeBytes)) return;
      this.#waiting.shift();
      this.#usedBytes += next.sizeBytes;
      next.admit();
    }
  }

  #fits(sizeBytes: number): boolean {
    return this.#usedBytes === 0 || this.#usedBytes + sizeBytes <= this.#limitBytes;
  }
}
