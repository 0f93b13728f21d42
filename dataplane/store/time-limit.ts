import { abortReason } from '../runtime/runtime.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { StoreError } from './errors.ts';
import type { StoreErrorDetails } from './errors.ts';

/**
 * Makes one store call with a shorter patience than the store's own: after `limitMs` it is aborted and fails with TIMEOUT
 * (a write may then still land). Rejects with `signal.reason` when `signal` aborts first. Leaves no timer behind.
 */
export async function withTimeLimit<T>(
  runtime: Runtime,
  limitMs: number,
  details: StoreErrorDetails,
  signal: AbortSignal | undefined,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const giveUp = (): void => {
    limit.abort(abortReason(signal));
  };
  if (signal?.aborted) throw abortReason(signal);
  signal?.addEventListener('abort', giveUp, { once: true });
  const cancel = runtime.after(limitMs, () => {
    limit.abort(new StoreError('TIMEOUT', `no answer within ${Math.round(limitMs)} ms`, details));
  });
  try {
    return await call(limit.signal);
  } finally {
    cancel();
    signal?.removeEventListener('abort', giveUp);
  }
}
