import type { ChainEntry } from './chain.ts';
import { hasErrno, unlessErrno } from './file-system.ts';
import type { Ground } from './ground.ts';
import { folderOf } from './layout.ts';
import type { TemporaryFiles } from './temporary-files.ts';

const maxRemovals = 64;
/** So often in a row may others write while a view is being refreshed, before it is left to them. */
const maxViewAttempts = 64;

export interface UpkeepOptions {
  readonly wallMs: () => number;
  /** How many overwritten versions stay at least. */
  readonly keepVersions: number;
  /**
   * How long a version stays at least after it was overwritten, by the wall clock. A writer that stands still for longer
   * than this between two steps may not learn whether it won; nothing else depends on it.
   */
  readonly keepMs: number;
}

/**
 * What is done for other programs and for the disk's sake, after the fact: nobody's answer depends on it, every step may
 * fail or be done twice, by any process.
 */
export class Upkeep {
  readonly #ground: Ground;
  readonly #temporaryFiles: TemporaryFiles;
  readonly #options: UpkeepOptions;

  constructor(ground: Ground, temporaryFiles: TemporaryFiles, options: UpkeepOptions) {
    this.#ground = ground;
    this.#temporaryFiles = temporaryFiles;
    this.#options = options;
  }

  /** Makes the plain file of a key that has a chain show what the key holds. */
  async refreshView(key: string): Promise<void> {
    let shown: number | undefined;
    for (let attempt = 0; attempt < maxViewAttempts; attempt++) {
      const top = (await this.#ground.chains.entries(key)).at(-1);
      // Another process may have shown an older version after us: it will find the newer one when it looks again.
      if (top === undefined || top.version === shown) return;
      if (await this.#show(key, top)) shown = top.version;
    }
  }

  /** Removes what was overwritten long ago, oldest first; number 0 is replaced by a mark that keeps its token. */
  async trim(key: string, entries: readonly ChainEntry[]): Promise<void> {
    const top = entries.at(-1)?.version ?? 0;
    let removals = 0;
    for (const [at, entry] of entries.entries()) {
      const next = entries[at + 1];
      if (next === undefined || entry.version > top - this.#options.keepVersions) return;
      if (entry.version === 0 && entry.kind === 'mark') continue;
      if (++removals > maxRemovals || !(await this.#isOld(key, next.version))) return;
      if (entry.version === 0) await this.#markBase(key);
      else await this.#remove(key, entry);
    }
  }

  async #show(key: string, { version, kind }: ChainEntry): Promise<boolean> {
    const path = this.#ground.layout.objectPath(key);
    if (kind === 'mark') {
      await unlessErrno(this.#ground.fs.unlink(path), 'ENOENT', 'ENOTDIR');
      await this.#ground.folders.prune(folderOf(path));
      return true;
    }
    const spare = this.#temporaryFiles.newPath();
    try {
      await this.#temporaryFiles.inFolder(() =>
        this.#ground.fs.link(this.#ground.layout.versionPath(key, version), spare),
      );
      await this.#ground.fs.rename(spare, path);
      return true;
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
      await this.#ground.folders.make(folderOf(path)); // Or the version was removed: the next attempt shows a newer one.
      return false;
    } finally {
      // Still there when the rename failed, or when both were names of one file already.
      await unlessErrno(this.#ground.fs.unlink(spare), 'ENOENT');
    }
  }

  async #isOld(key: string, version: number): Promise<boolean> {
    const stat = await unlessErrno(
      this.#ground.fs.stat(this.#ground.layout.versionPath(key, version)),
      'ENOENT',
    );
    if (stat === undefined) return true;
    return Number(stat.modifiedNs / 1_000_000n) + this.#options.keepMs <= this.#options.wallMs();
  }

  async #remove(key: string, { version, kind }: ChainEntry): Promise<void> {
    const path = this.#ground.layout.versionPath(key, version);
    const file =
      kind === 'mark' ? undefined : await unlessErrno(this.#ground.fs.openToRead(path), 'ENOENT', 'ELOOP');
    try {
      await unlessErrno(this.#ground.fs.unlink(path), 'ENOENT');
      if (file !== undefined) await this.#ground.metadataLinks.removeIfDead(file);
    } finally {
      await file?.close();
    }
  }

  async #markBase(key: string): Promise<void> {
    const path = this.#ground.layout.versionPath(key, 0);
    const file = await unlessErrno(this.#ground.fs.openToRead(path), 'ELOOP');
    if (file === undefined) return;
    try {
      const token = await this.#ground.chains.tokenAt(key, 0);
      const spare = this.#temporaryFiles.newPath();
      await this.#temporaryFiles.inFolder(() => this.#ground.fs.symlink(`base ${token ?? 'unknown'}`, spare));
      await this.#ground.fs.rename(spare, path);
      await this.#ground.metadataLinks.removeIfDead(file);
    } finally {
      await file.close();
    }
  }
}
