/**
 * Everything a process takes from its surroundings other than the network and the object store: two clocks, timers and
 * randomness. Code below `cli/` gets one of these passed in and reads no global clock, so the same code runs on the
 * real machine (`real-runtime.ts`) and in virtual time (`virtual-time.ts`).
 */
export interface Runtime {
  /** Wall clock, milliseconds since 1970. May jump in both directions: only for time stamps that people or clients see. */
  wallMs(): number;
  /** Monotonic clock, milliseconds since an arbitrary origin, with fractions. For durations and deadlines of one process. */
  monotonicMs(): number;
  /** Calls `callback` once after `delayMs` (≥ 0). The returned function cancels it and may be called any number of times. */
  after(delayMs: number, callback: () => void): Cancel;
  /** How much later than asked a timer of an idle process may come. Absent: not at all. */
  readonly timerLateMs?: number | undefined;
  readonly random: Random;
}

export type Cancel = () => void;

export interface Random {
  /** A uniformly distributed integer in [0, 2^32). */
  uint32(): number;
  /** A uniformly distributed number in [0, 1). */
  fraction(): number;
  /** `count` random bytes. Cryptographically strong in the real runtime. */
  bytes(count: number): Uint8Array;
}

/** Resolves after `delayMs`; rejects with `signal.reason` at once when `signal` aborts, and leaves no timer behind. */
export function sleep(runtime: Runtime, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(abortReason(signal));
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(abortReason(signal));
    };
    const cancel = runtime.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** The reason of an aborted signal as an Error, so that it can always be thrown. */
export function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new Error('aborted', { cause: reason });
}
