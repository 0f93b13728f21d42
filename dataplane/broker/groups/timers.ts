import type { Cancel, Runtime } from '../../runtime/runtime.ts';

interface Timer {
  deadlineMs: number;
  delayMs: number;
  callback: () => void;
  /** When the runtime calls back: at the deadline, or before it when the deadline was put off since. */
  wakeUpMs: number;
  /** It was given its delay once more. */
  isExtended: boolean;
  cancel: Cancel;
}

/** A timer that fires this much too late was held up by this process, not by who was to be heard of in time. */
const heldUpMs = 1_000;

/**
 * Timers by name, made for being put off again and again (a session timeout at every heartbeat): that costs no timer of
 * the runtime. A timer that fires late because the process stood still is given its whole delay once more, once: requests that
 * would have put it off may be waiting to be read.
 */
export class Timers {
  readonly #runtime: Runtime;
  readonly #timers = new Map<string, Timer>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  get size(): number {
    return this.#timers.size;
  }

  has(key: string): boolean {
    return this.#timers.has(key);
  }

  /** Calls `callback` once after `delayMs`, instead of what was scheduled under `key`. */
  schedule(key: string, delayMs: number, callback: () => void): void {
    const deadlineMs = this.#runtime.monotonicMs() + delayMs;
    const timer = this.#timers.get(key);
    if (timer !== undefined && timer.wakeUpMs <= deadlineMs) {
      timer.deadlineMs = deadlineMs;
      timer.delayMs = delayMs;
      timer.callback = callback;
      timer.isExtended = false;
      return;
    }
    timer?.cancel();
    this.#timers.set(key, {
      deadlineMs,
      delayMs,
      callback,
      wakeUpMs: deadlineMs,
      isExtended: false,
      cancel: this.#wakeUp(key, delayMs),
    });
  }

  cancel(key: string): void {
    this.#timers.get(key)?.cancel();
    this.#timers.delete(key);
  }

  cancelAll(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #wakeUp(key: string, delayMs: number): Cancel {
    return this.#runtime.after(delayMs, () => {
      const timer = this.#timers.get(key);
      if (timer === undefined) return;
      const nowMs = this.#runtime.monotonicMs();
      if (nowMs - timer.wakeUpMs > heldUpMs && !timer.isExtended) {
        timer.isExtended = true;
        timer.deadlineMs = nowMs + timer.delayMs;
      }
      const restMs = timer.deadlineMs - nowMs;
      if (restMs > 0.5) {
        timer.wakeUpMs = timer.deadlineMs;
        timer.cancel = this.#wakeUp(key, restMs);
        return;
      }
      this.#timers.delete(key);
      timer.callback();
    });
  }
}
