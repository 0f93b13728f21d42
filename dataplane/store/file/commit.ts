import { StoreError } from '../errors.ts';
import type { Call } from '../request-checks.ts';
import type { Chained, Current } from './chain.ts';
import { hasErrno, unlessErrno } from './file-system.ts';
import type { OpenFile } from './file-system.ts';
import type { Folders } from './folders.ts';
import type { Ground } from './ground.ts';
import type { KeyClashes } from './key-clashes.ts';
import { folderOf } from './layout.ts';
import type { OpenObject } from './open-object.ts';
import { afterLanding } from './system-errors.ts';
import type { PreparedVersion } from './temporary-files.ts';
import type { Upkeep } from './upkeep.ts';

/*
 * How several processes agree, without locks, on what a key holds. Every step named below is one system call; a process
 * may stop for ever, or for a long time, between any two.
 *
 * WHAT IS TRUE. P is the plain file <root>/<key>, C the folder of the key's chain with entries 0, 1, 2, ...
 *   C has no entry:  the key holds what P names (nothing, if P does not exist).
 *   C has entries:   the key holds the entry with the highest number (nothing, if that is a mark: a deletion).
 *                    P is then only a view for other programs: it follows, and may be late or missing.
 * A chain, once begun, stays: the highest entry is never removed, and number 0 never becomes free again (it is replaced
 * by a mark with its token). So "no entry now" means "no entry at any time before".
 *
 * READ: open P, then look for C. No entry: none when P was opened either, so P was the truth then. Entries: open the
 *   highest, and look again whether it still is; if not, start over. (A number that was tidied away may come to be given
 *   again, see APPEND, but the highest never is such a one.)
 *
 * CREATE (no chain, P absent): link(temp, P), which fails if P exists; then look for C. No entry: there was none at the
 *   link, so that was the moment of truth. Entries: somebody began a chain, before or after the link.
 *     - Entry 0 is ours: the chain began with our version, after the link. Created (and overwritten since).
 *     - Else, P still is ours: had the link been true, ours would have had to leave P before the chain began with
 *       another, and nobody puts it back. So the link was not true; P is cleared up and the chain consulted.
 *     - Else it cannot be told, and the caller learns just that. It takes a process that stands still beside its link
 *       while others create, overwrite and delete the same key.
 *
 * BEGIN A CHAIN (P present): link(P, C/0), one step: what P names at that instant is what the chain begins with, so
 *   nothing changes for anybody. It fails if there is a chain.
 *
 * APPEND (highest entry n read, condition holds): link(temp, C/n+1), or symlink for a deletion; fails if n+1 exists, that
 *   is, if somebody else was first. Then, because n+1 may have been there before and been tidied away, look again:
 *     - n+1 is the highest: it never was there before, for the highest is never removed. Done.
 *     - Higher ones exist, and n is still the version we read (for n = 0: itself, not the mark that replaces it): entries
 *       are tidied away in ascending order, so n+1 never was. Done (and overwritten since).
 *     - Else it cannot be told. Entries are removed only long after they were overwritten (`Upkeep`), so it takes a
 *       process that stands still for that long between two steps. What it appended too late is below the highest entry
 *       and never seen by anybody.
 *
 * DELETE (no chain, P read): unlink(P), then look for C. No entry: there was none at the unlink, so that was the moment of
 *   truth. Entries: somebody began a chain, before or after the unlink.
 *     - Entry 0 is the version we read: it began the chain while P named it, so before our unlink, which therefore only
 *       removed a view. A deletion is appended.
 *     - Else the version we read left P before the chain began, by our hand or another's: either way the key was absent
 *       at some instant of this call. Done; if our unlink came later, it only removed a view, which is put back.
 *
 * POWER FAILURE. Bytes and metadata are on disk before a link makes them visible; the folder of the link is on disk
 * before success is reported. Others may see a write some milliseconds before it is safe from a power failure.
 */

/** What has to be true of a key for a write to go through. */
export type Condition =
  | { readonly kind: 'none' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'token'; readonly token: string };

export interface CommitParts extends Ground {
  readonly clashes: KeyClashes;
  readonly upkeep: Upkeep;
  /** Makes a token that nobody else makes. */
  readonly newToken: () => string;
}

/** `no chain`: it is worth trying to create the object by its plain file; whether that holds something need not be known. */
export type Known = 'no chain' | 'nothing';

/** Puts prepared versions in their place, and deletes objects. */
export class Commits {
  readonly #parts: CommitParts;

  constructor(parts: CommitParts) {
    this.#parts = parts;
  }

  /**
   * @param known what the key was found to hold earlier in the same call, if it was looked at
   * @param mayCommit throws when the call was given up; asked right before every step that others can see
   */
  async write(
    key: string,
    version: PreparedVersion,
    condition: Condition,
    known: Known,
    call: Call,
    mayCommit: () => void,
  ): Promise<'written' | 'condition-failed'> {
    // A creation finds out by itself whether the key still is absent and without a chain.
    if (known === 'no chain') {
      mayCommit();
      if (await this.#create(key, version, call)) return 'written';
    }
    for (;;) {
      const current = await this.#parts.chains.current(key);
      try {
        if (!holds(condition, current)) return 'condition-failed';
        mayCommit();
        if (current.version !== undefined) {
          const link = (path: string): Promise<void> => this.#parts.fs.link(version.path, path);
          if (await this.#append(key, current, link, call)) return 'written';
        } else if (current.kind === 'present') {
          await this.#beginChain(key);
        } else if (await this.#create(key, version, call)) {
          return 'written';
        }
      } finally {
        if (current.kind === 'present') await current.object.file.close();
      }
    }
  }

  /**
   * What is left to do for the deletion is in the answer. That also goes for a key that is absent already: whoever deleted
   * it may not have come so far.
   */
  async delete(key: string, call: Call, mayCommit: () => void): Promise<Removal> {
    const { fs, layout, chains, newToken } = this.#parts;
    for (;;) {
      const current = await chains.current(key);
      if (current.kind === 'absent') {
        const folder =
          current.version === undefined ? folderOf(layout.objectPath(key)) : layout.chainFolder(key);
        return { folder, file: undefined };
      }
      const { object } = current;
      let kept = false;
      try {
        mayCommit();
        if (current.version !== undefined) {
          const text = `deleted ${newToken()}`;
          const mark = (path: string): Promise<void> => fs.symlink(text, path);
          if (await this.#append(key, current, mark, call)) return { folder: undefined, file: undefined };
        } else if (await this.#removePlain(key, object, call)) {
          kept = true;
          return { folder: folderOf(layout.objectPath(key)), file: object.file };
        }
      } finally {
        if (!kept) await object.file.close();
      }
    }
  }

  async #create(key: string, version: PreparedVersion, call: Call): Promise<boolean> {
    const { fs, layout, folders, chains, clashes, upkeep } = this.#parts;
    const path = layout.objectPath(key);
    try {
      await fs.link(version.path, path);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT', 'EEXIST', 'ENOTDIR')) throw error;
      if (hasErrno(error, 'ENOENT') && (await unlessErrno(fs.stat(version.path), 'ENOENT')) === undefined)
        throw temporaryFileRemoved(version, call, error);
      if (hasErrno(error, 'ENOENT') && (await madeFolder(folders, folderOf(path)))) return false;
      await clashes.resolve(key, call);
      return false;
    }
    return await afterLanding(call, async () => {
      // The folder may be gone again, if others deleted the object and found the folder empty.
      const synced = unlessErrno(folders.sync(folderOf(path)), 'ENOENT');
      const [entries] = await Promise.all([chains.entries(key), synced]);
      if (entries.length === 0 || (await chains.tokenAt(key, 0)) === version.token) return true;
      const stat = await unlessErrno(fs.stat(path), 'ENOENT', 'ENOTDIR');
      if (stat?.inode !== version.inode) throw outcomeUnknown(call);
      await upkeep.refreshView(key);
      return false;
    });
  }

  async #beginChain(key: string): Promise<void> {
    const { fs, layout, folders } = this.#parts;
    const begin = (): Promise<void> => fs.link(layout.objectPath(key), layout.versionPath(key, 0));
    try {
      // EEXIST: somebody else has begun it.
      await unlessErrno(begin(), 'EEXIST');
    } catch (error) {
      // The first time the folder is missing. After that it is the object, deleted meanwhile.
      if (!hasErrno(error, 'ENOENT')) throw error;
      await folders.make(layout.chainFolder(key));
      await unlessErrno(begin(), 'EEXIST', 'ENOENT');
    }
  }

  async #append(
    key: string,
    current: Chained,
    link: (path: string) => Promise<void>,
    call: Call,
  ): Promise<boolean> {
    const { layout, folders, chains, upkeep } = this.#parts;
    const version = current.version + 1;
    try {
      await link(layout.versionPath(key, version));
    } catch (error) {
      if (hasErrno(error, 'EEXIST')) return false;
      throw error;
    }
    return await afterLanding(call, async () => {
      const synced = folders.sync(layout.chainFolder(key));
      const [entries] = await Promise.all([chains.entries(key), synced]);
      if (entries.at(-1)?.version !== version) {
        const token = current.kind === 'present' ? current.object.info.etag : current.token;
        if (!(await chains.isUntidied(key, current.version, token))) throw outcomeUnknown(call);
      }
      const upkept = upkeep.trim(key, entries).then(() => upkeep.refreshView(key));
      await upkept.catch(() => undefined); // The next write tries again.
      return true;
    });
  }

  async #removePlain(key: string, object: OpenObject, call: Call): Promise<boolean> {
    const { fs, layout, chains, upkeep } = this.#parts;
    await unlessErrno(fs.unlink(layout.objectPath(key)), 'ENOENT', 'ENOTDIR');
    return await afterLanding(call, async () => {
      if ((await chains.entries(key)).length === 0) return true;
      if ((await chains.tokenAt(key, 0)) === object.info.etag) return false;
      await upkeep.refreshView(key);
      return true;
    });
  }
}

/** A deletion that everybody can see, but that is not safe from a power failure before `folder` is synced. */
export interface Removal {
  readonly folder: string | undefined;
  /**
   * What was deleted, open: its metadata may be removed once the folder is synced (earlier, a power failure could bring it
   * back without). To be closed by whoever gets it.
   */
  readonly file: OpenFile | undefined;
}

/** Whether the condition is true of what the key holds. */
export function holds(condition: Condition, current: Current): boolean {
  switch (condition.kind) {
    case 'none':
      return true;
    case 'absent':
      return current.kind === 'absent';
    case 'token':
      return current.kind === 'present' && current.object.info.etag === condition.token;
  }
}

/** `false` when a file stands in the way. */
async function madeFolder(folders: Folders, path: string): Promise<boolean> {
  try {
    await folders.make(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'EEXIST', 'ENOTDIR')) return false;
    throw error;
  }
}

function outcomeUnknown(call: Call): StoreError {
  return new StoreError(
    'TIMEOUT',
    'this process stood still for so long that the outcome can no longer be told; read the object back',
    call,
  );
}

function temporaryFileRemoved(version: PreparedVersion, call: Call, cause: unknown): StoreError {
  return new StoreError(
    'SERVER_ERROR',
    `the temporary file ${version.path} was removed by somebody; leave the store's own folder alone and try again`,
    { ...call, cause },
  );
}
