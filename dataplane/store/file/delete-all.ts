import { StoreError } from '../errors.ts';
import type { DeleteFailure } from '../object-store.ts';
import type { Removal } from './commit.ts';

const atOnce = 8;
/** So many files are open at most: each stays open until its folder is synced. */
const batchKeys = 64;

export interface DeleteSteps {
  /** Throws when the call was given up. */
  readonly check: () => void;
  readonly remove: (key: string) => Promise<Removal>;
  /** Makes the removals in a folder safe from a power failure. */
  readonly makeSafe: (folder: string) => Promise<void>;
  /** Removes what is known of a removed file. */
  readonly forget: (removal: Removal) => Promise<void>;
  readonly errorOf: (error: unknown, key: string) => unknown;
}

/** Deletes many objects, some at a time, with one sync a folder and batch. The failures come in the order of the keys. */
export async function deleteAll(
  keys: readonly string[],
  steps: DeleteSteps,
): Promise<readonly DeleteFailure[]> {
  const errors = new Map<string, StoreError>();
  const fail = (key: string, error: unknown): void => {
    steps.check();
    const known = steps.errorOf(error, key);
    if (!(known instanceof StoreError)) throw known;
    errors.set(key, known);
  };
  const distinct = [...new Set(keys)];
  for (let at = 0; at < distinct.length; at += batchKeys) {
    const batch = new Batch();
    try {
      await eachOf(distinct.slice(at, at + batchKeys), async (key) => {
        steps.check();
        try {
          batch.add(key, await steps.remove(key));
        } catch (error) {
          fail(key, error);
        }
      });
      await eachOf([...batch.folders], async ([folder, removed]) => {
        try {
          await steps.makeSafe(folder);
        } catch (error) {
          for (const { key } of removed) fail(key, error);
          return;
        }
        for (const { removal } of removed) await steps.forget(removal);
      });
    } finally {
      await batch.close();
    }
  }
  return keys.flatMap((key) => {
    const error = errors.get(key);
    return error === undefined ? [] : [{ key, error }];
  });
}

interface Removed {
  readonly key: string;
  readonly removal: Removal;
}

class Batch {
  readonly folders: Map<string, Removed[]> = new Map();

  add(key: string, removal: Removal): void {
    if (removal.folder === undefined) return;
    const inside = this.folders.get(removal.folder);
    if (inside === undefined) this.folders.set(removal.folder, [{ key, removal }]);
    else inside.push({ key, removal });
  }

  async close(): Promise<void> {
    for (const { removal } of [...this.folders.values()].flat()) await removal.file?.close();
  }
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
