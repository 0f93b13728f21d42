import { createOnce } from '../store/create-once.ts';
import { LogError } from './errors.ts';
import type { LogContext } from './log-context.ts';
import type { WalSession } from './session.ts';

/**
 * Creates an object under a name that is used once: another object under it means two sessions share a sid.
 *
 * Race: of a session that does not know yet that it was fenced, the attempt lands and its answer is lost; the next owner
 * or the sweep finds an orphan and deletes it; the second attempt is refused by the first and finds nothing. Only a session
 * that is still the owner has lost something by that. Rejects, with the session dead, when it is not.
 */
export async function create(
  context: LogContext,
  session: Pick<WalSession, 'signal' | 'confirm'>,
  key: string,
  body: Uint8Array | readonly Uint8Array[],
  id: string,
  crc32c?: number,
): Promise<void> {
  const { store, runtime } = context;
  const result = await createOnce(store, key, body, { id, runtime, crc32c, signal: session.signal });
  if (result.kind === 'written') return;
  if (result.kind === 'gone') await session.confirm();
  throw new LogError(
    'CORRUPT_LOG',
    `${key} was to be created, but ${result.kind === 'gone' ? 'it was deleted meanwhile' : 'it exists and is not ours'}`,
  );
}
