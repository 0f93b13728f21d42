import { abortReason } from '../../runtime/runtime.ts';

/**
 * Bounds the bytes that GETs under way may bring into memory. Callers enter in arrival order; one that alone exceeds the
 * bound enters when nobody else is in, so that nothing waits for ever.
 */
export class FetchGate {
  readonly #limitBytes: number;
  readonly #waiting: { readonly sizeBytes: number; readonly enter: () => void }[] = [];
  #insideBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get insideBytes(): number {
    return this.#insideBytes;
  }

  /** Whether a caller would enter without waiting. */
  hasRoom(sizeBytes: number): boolean {
    return this.#waiting.length === 0 && this.#fits(sizeBytes);
  }

  /** Resolves when `sizeBytes` have been taken; then {@link leave} must follow. Rejects with `signal.reason`, nothing taken. */
  async enter(sizeBytes: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true) throw abortReason(signal);
    if (this.hasRoom(sizeBytes)) {
      this.#insideBytes += sizeBytes;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        // The one behind may fit where this one did not.
        this.#admit();
        reject(abortReason(signal));
      };
      const waiter = {
        sizeBytes,
        enter: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      this.#waiting.push(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  leave(sizeBytes: number): void {
    this.#insideBytes -= sizeBytes;
    this.#admit();
  }

  #admit(): void {
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined || !this.#fits(next.sizeBytes)) return;
      this.#waiting.shift();
      this.#insideBytes += next.sizeBytes;
      next.enter();
    }
  }

  #fits(sizeBytes: number): boolean {
    return this.#insideBytes === 0 || this.#insideBytes + sizeBytes <= this.#limitBytes;
  }
}
