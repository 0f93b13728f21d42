import { StoreError } from '../errors.ts';
import type { DeleteFailure } from '../object-store.ts';

const atOnce = 8;

export interface Deletion {
  /** Throws when the call was given up. */
  readonly check: () => void;
  /** Deletes one object; returns the folder that still has to be finished, if any. */
  readonly delete: (key: string) => Promise<string | undefined>;
  /** Makes the deletions in a folder safe. */
  readonly finish: (folder: string) => Promise<void>;
  readonly errorOf: (error: unknown, key: string) => unknown;
}

/** Deletes many objects, some at a time, and finishes each folder once. The failures come in the order of the keys. */
export async function deleteAll(
  keys: readonly string[],
  deletion: Deletion,
): Promise<readonly DeleteFailure[]> {
  const errors = new Map<string, StoreError>();
  const folders = new Map<string, string[]>();
  const fail = (key: string, error: unknown): void => {
    deletion.check();
    const known = deletion.errorOf(error, key);
    if (!(known instanceof StoreError)) throw known;
    errors.set(key, known);
  };
  await eachOf([...new Set(keys)], async (key) => {
    deletion.check();
    try {
      const folder = await deletion.delete(key);
      if (folder !== undefined) push(folders, folder, key);
    } catch (error) {
      fail(key, error);
    }
  });
  await eachOf([...folders], async ([folder, keysInside]) => {
    try {
      await deletion.finish(folder);
    } catch (error) {
      for (const key of keysInside) fail(key, error);
    }
  });
  return keys.flatMap((key) => {
    const error = errors.get(key);
    return error === undefined ? [] : [{ key, error }];
  });
}

function push(lists: Map<string, string[]>, name: string, item: string): void {
  const list = lists.get(name);
  if (list === undefined) lists.set(name, [item]);
  else list.push(item);
}

/** Calls `work` for every item, `atOnce` at a time; ends when all under way have ended, with the first error if any. */
async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const lane = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  const ended = await Promise.allSettled(Array.from({ length: atOnce }, lane));
  for (const result of ended) if (result.status === 'rejected') throw result.reason;
}
