import { sleep } from '../runtime/runtime.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { ClientError } from './errors.ts';
import { KafkaError } from './kafka-error.ts';

export interface RetryOptions {
  readonly runtime: Runtime;
  /** No attempt begins later than this after the first one began. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

const firstPauseMs = 50;
const longestPauseMs = 1_000;

/** Repeats `work` for as long as it fails in a way that another attempt may mend; then rejects as it last did. */
export async function retrying<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { runtime, timeoutMs, signal } = options;
  const endMs = runtime.monotonicMs() + timeoutMs;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    try {
      return await work();
    } catch (error) {
      if (!isRetriable(error) || runtime.monotonicMs() + pauseMs > endMs) throw error;
    }
    await sleep(runtime, pauseMs * (0.5 + runtime.random.fraction() / 2), signal);
  }
}

export function isRetriable(error: unknown): boolean {
  return (error instanceof KafkaError || error instanceof ClientError) && error.retriable;
}
