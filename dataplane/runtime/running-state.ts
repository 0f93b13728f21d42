import { abortReason, sleep } from './runtime.ts';
import type { Runtime } from './runtime.ts';

export interface BackoffOptions {
  /** The upper bound of the first delay. Default: 100. */
  readonly initialMs?: number | undefined;
  /** What the doubling upper bound grows to. Default: 10,000. */
  readonly maxMs?: number | undefined;
}

/**
 * The life cycle of a service's main loop: whether to go on, waiting that ends when it is stopped, and delays between
 * retries.
 *
 * ```ts
 * async run() {
 *   while (this.#state.shouldRun()) {
 *     try {
 *       await this.#step(this.#state.signal);
 *       this.#state.resetBackoff();
 *     } catch (error) {
 *       await this.#state.backoff();
 *     }
 *   }
 * }
 * ```
 */
export class RunningState {
  readonly #runtime: Runtime;
  readonly #initialMs: number;
  readonly #maxMs: number;
  readonly #stop = new AbortController();
  #boundMs: number;

  constructor(runtime: Runtime, options: BackoffOptions = {}) {
    this.#runtime = runtime;
    this.#initialMs = options.initialMs ?? 100;
    this.#maxMs = options.maxMs ?? 10_000;
    this.#boundMs = this.#initialMs;
  }

  /** Aborts when the service is stopped: pass it to everything the loop waits for. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** True until `stop` is called. */
  shouldRun(): boolean {
    return !this.#stop.signal.aborted;
  }

  /** Ends all waits of this state at once. Further calls change nothing. */
  stop(reason: Error = new Error('the service was stopped')): void {
    this.#stop.abort(reason);
  }

  /** Resolves when `stop` is called. */
  stopped(): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  /** Waits; resolves early, and never rejects, when the service is stopped. */
  async sleep(delayMs: number): Promise<void> {
    try {
      await sleep(this.#runtime, delayMs, this.#stop.signal);
    } catch (error) {
      if (error !== abortReason(this.#stop.signal)) throw error;
    }
  }

  /**
   * Waits before a retry: a random time between half and the whole of a bound that doubles from call to call, so that
   * many who failed together do not come back together. Ends early like `sleep`.
   */
  backoff(): Promise<void> {
    const boundMs = this.#boundMs;
    this.#boundMs = Math.min(boundMs * 2, this.#maxMs);
    return this.sleep(boundMs * (0.5 + 0.5 * this.#runtime.random.fraction()));
  }

  /** Something went well: the next `backoff` is a first one again. */
  resetBackoff(): void {
    this.#boundMs = this.#initialMs;
  }
}
