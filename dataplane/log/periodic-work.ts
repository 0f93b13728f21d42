import type { Cancel, Runtime } from '../runtime/runtime.ts';

/** Work that is done again and again while a broker runs. No round of a piece begins before its last one has ended. */
export class PeriodicWork {
  readonly #runtime: Runtime;
  readonly #onFailure: (error: unknown) => void;
  readonly #timers = new Set<Cancel>();
  #stopped = false;

  /** @param onFailure a round failed; the next one comes in its time */
  constructor(runtime: Runtime, onFailure: (error: unknown) => void) {
    this.#runtime = runtime;
    this.#onFailure = onFailure;
  }

  /** Calls `work` an interval (0.75 to 1.25 of it, at random) from now, and as long after the end of each round. */
  every(intervalMs: number, work: () => Promise<unknown> | undefined): void {
    if (this.#stopped) return;
    const cancel = this.#runtime.after(intervalMs * (0.75 + this.#runtime.random.fraction() / 2), () => {
      this.#timers.delete(cancel);
      Promise.resolve(work())
        .catch((error: unknown) => {
          if (!this.#stopped) this.#onFailure(error);
        })
        .finally(() => {
          this.every(intervalMs, work);
        });
    });
    this.#timers.add(cancel);
  }

  /** No round begins any more; one that is under way is not interrupted. */
  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }
}
