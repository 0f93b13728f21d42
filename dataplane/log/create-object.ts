import { createOnce } from '../store/create-once.ts';
import { LogError } from './errors.ts';
import type { LogContext } from './log-context.ts';

/** Creates an object under a name that is used once: another object under it means two sessions share a sid. */
export async function create(
  context: LogContext,
  signal: AbortSignal,
  key: string,
  body: Uint8Array | readonly Uint8Array[],
  id: string,
  crc32c?: number,
): Promise<void> {
  const result = await createOnce(context.store, key, body, { id, runtime: context.runtime, crc32c, signal });
  if (result.kind === 'written') return;
  throw new LogError(
    'CORRUPT_LOG',
    `${key} was to be created, but ${result.kind === 'gone' ? 'it was deleted meanwhile' : 'it exists and is not ours'}`,
  );
}
