import type { Runtime } from '../runtime/runtime.ts';

/**
 * Shares the thread between all workers of a broker and everybody else: after so much work without a pause, whichever
 * workers did it, all of them wait until the event loop has gone round. So requests wait for one slice and one batch at
 * most, however many partitions are busy.
 */
export class WorkPace {
  readonly #runtime: Runtime;
  readonly #sliceMs: number;
  #sliceStartMs = -Infinity;
  #pause: Promise<void> | undefined;

  constructor(runtime: Runtime, sliceMs: number) {
    this.#runtime = runtime;
    this.#sliceMs = sliceMs;
  }

  /** Whether a piece of work may begin now, before anything else is waited for. */
  get hasTime(): boolean {
    return this.#runtime.monotonicMs() - this.#sliceStartMs < this.#sliceMs;
  }

  /** Resolves when the event loop has gone round; others may have used up the time again by then. */
  rest(): Promise<void> {
    this.#pause ??= new Promise((resolve) => {
      this.#runtime.after(0, () => {
        this.#sliceStartMs = this.#runtime.monotonicMs();
        this.#pause = undefined;
        resolve();
      });
    });
    return this.#pause;
  }
}
