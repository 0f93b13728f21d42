import type { Random } from '../../runtime/runtime.ts';
import type { RetryLimits } from './s3-options.ts';

/**
 * How long to wait before the next attempt ("full jitter"), or `undefined` when there shall be none.
 * @param attempts made so far.
 * @param elapsedMs since the first one began.
 * @param retryAfterMs what the server asked for.
 */
export function backoffMs(
  attempts: number,
  elapsedMs: number,
  retryAfterMs: number | undefined,
  limits: RetryLimits,
  random: Random,
): number | undefined {
  if (attempts >= limits.attempts) return undefined;
  const ceilingMs = Math.min(limits.maxDelayMs, limits.baseDelayMs * 2 ** (attempts - 1));
  const delayMs = Math.max(random.fraction() * ceilingMs, retryAfterMs ?? 0);
  return elapsedMs + delayMs > limits.totalMs ? undefined : delayMs;
}
