import { StoreError } from '../errors.ts';
import type { StoreErrorCode } from '../errors.ts';
import type { Call } from '../request-checks.ts';
import { errnoOf } from './file-system.ts';
import { RootMissing } from './folders.ts';

const meanings: Readonly<Record<string, readonly [StoreErrorCode, string]>> = {
  ENOSPC: ['STORE_FULL', 'no space is left on the disk; free some'],
  EDQUOT: ['STORE_FULL', 'the disk quota is used up; free space or raise it'],
  EROFS: ['STORE_FULL', 'the file system is read-only; mount it writable'],
  EFBIG: ['INVALID_REQUEST', 'the object is larger than this file system allows; write a smaller one'],
  EACCES: ['ACCESS_DENIED', 'permission denied; let this user read and write the directory and all in it'],
  EPERM: [
    'ACCESS_DENIED',
    'the operation is not permitted; let this user own the files, on a file system with hard links',
  ],
  EMFILE: ['THROTTLED', 'this process has too many open files; raise its limit (ulimit -n)'],
  ENFILE: ['THROTTLED', 'the machine has too many open files; raise its limit'],
  ENAMETOOLONG: ['INVALID_REQUEST', 'the path is too long for the file system; choose a shorter key or root'],
  EXDEV: ['INVALID_REQUEST', 'parts of the directory lie on other file systems; keep it on one'],
};

/** What a failed step means for the caller: only steps before anybody could see the write may be mapped by this. */
export function storeErrorOf(error: unknown, call: Call): unknown {
  if (error instanceof RootMissing) {
    return new StoreError('NO_SUCH_STORE', `${error.message}; create it, or mount what belongs there`, {
      ...call,
      cause: error,
    });
  }
  const errno = errnoOf(error);
  if (errno === undefined || !(error instanceof Error)) return error;
  const [code, what] = meanings[errno] ?? ['SERVER_ERROR', `the file system failed (${error.message})`];
  return new StoreError(code, what, { ...call, serverCode: errno, cause: error });
}

/** Runs steps that follow the one that made a write visible: whatever fails now, the write may stand. */
export async function afterLanding<T>(call: Call, steps: () => Promise<T>): Promise<T> {
  try {
    return await steps();
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw new StoreError(
      'SERVER_ERROR',
      'it took effect, but a later step failed, so that it may not survive a power failure; read it back and repeat it if it is gone',
      { ...call, serverCode: errnoOf(error), cause: error },
    );
  }
}
