import type { Runtime } from '../runtime/runtime.ts';
import { sleep } from '../runtime/runtime.ts';

/**
 * The wait before a request about a slot is repeated: full jitter, 20 ms at first, at most 2 s. Returns early, without
 * throwing, when `signal` is aborted: the slot is resolved or the session has ended, and the caller looks at that next.
 */
export async function backoff(runtime: Runtime, failures: number, signal: AbortSignal): Promise<void> {
  const limitMs = Math.min(2_000, 20 * 2 ** Math.min(failures, 10));
  try {
    await sleep(runtime, 1 + runtime.random.fraction() * limitMs, signal);
  } catch {
    // Aborted.
  }
}
