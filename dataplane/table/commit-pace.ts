import type { RunningState } from '../runtime/running-state.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { WakeUp } from './wake-up.ts';

/** When a coordinator commits: once in an interval, and sooner when there is a reason. */
export class CommitPace {
  readonly #runtime: Runtime;
  readonly #state: RunningState;
  readonly #intervalMs: () => number;
  readonly #wake = new WakeUp();
  /** A file is full, or something was registered. */
  #isDue = false;
  #intervalStartMs: number;

  /** @param intervalMs asked for anew after every {@link wake} */
  constructor(runtime: Runtime, state: RunningState, intervalMs: () => number) {
    this.#runtime = runtime;
    this.#state = state;
    this.#intervalMs = intervalMs;
    this.#intervalStartMs = runtime.monotonicMs();
  }

  /** Something is worth a look before the interval is over. */
  due(): void {
    this.#isDue = true;
    this.#wake.ring();
  }

  /** The interval, or whether to run at all, has changed. */
  wake(): void {
    this.#wake.ring();
  }

  /** Until the interval is over (true), or something is due, or nothing is to be done any more. */
  async pause(): Promise<boolean> {
    for (;;) {
      const leftMs = this.#intervalStartMs + this.#intervalMs() - this.#runtime.monotonicMs();
      if (leftMs <= 0) {
        this.#intervalStartMs = this.#runtime.monotonicMs();
        this.#isDue = false;
        return true;
      }
      if (this.#isDue || !this.#state.shouldRun()) break;
      await this.#wake.wait(undefined, leftMs, this.#runtime);
    }
    this.#isDue = false;
    return false;
  }

  /** Until something is due, or for so long at most. */
  async untilDue(timeoutMs: number): Promise<void> {
    if (!this.#isDue) await this.#wake.wait(undefined, timeoutMs, this.#runtime);
    this.#isDue = false;
  }
}
