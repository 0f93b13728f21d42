import { hasErrno } from './file-system.ts';
import type { FileStat, FileSystem, OpenFile } from './file-system.ts';
import { folderOf } from './layout.ts';
import type { Layout } from './layout.ts';

const maxKnown = 10_000;
const maxOpen = 64;

/** The root, or the store's own folder in it, is gone: unmounted, or removed by somebody. */
export class RootMissing extends Error {
  constructor(root: string, cause?: unknown) {
    super(`the directory ${root} is not there, or holds no store any more`, { cause });
    this.name = 'RootMissing';
  }
}

/** Makes, syncs and removes folders below the root. It never makes the root, nor the store's own folder in it. */
export class Folders {
  readonly #fs: FileSystem;
  readonly #layout: Layout;
  /**
   * Folders whose own name in their parent this process knows to be on disk, with the identity they had then: another
   * process may remove an empty folder and a third make it again.
   */
  readonly #known: Map<string, string> = new Map();
  /**
   * Folders that were synced last, still open: most writes go to few folders, and opening and closing one costs as much as
   * all else that a sync takes in memory. None of them is being synced. Least recently used first.
   */
  readonly #open: Map<string, OpenFolder> = new Map();
  #isClosed = false;
  readonly #syncs: Map<string, { running: Promise<void>; next: Promise<void> | undefined }> = new Map();

  constructor(fs: FileSystem, layout: Layout) {
    this.#fs = fs;
    this.#layout = layout;
  }

  /** Makes a folder and those above it. Rejects with EEXIST or ENOTDIR when one of them is a file. */
  async make(path: string): Promise<void> {
    for (;;) {
      try {
        await this.#fs.mkdir(path);
        return;
      } catch (error) {
        if (hasErrno(error, 'EEXIST') && (await this.#isFolder(path))) return;
        if (!hasErrno(error, 'ENOENT')) throw error;
        const parent = folderOf(path);
        const { root, internalFolder } = this.#layout;
        if (parent === root || parent === internalFolder) throw new RootMissing(root, error);
      }
      await this.make(folderOf(path));
    }
  }

  /**
   * Returns once everything that was in the folder when this was called is on disk, and the folder itself is reached
   * from the root after a power failure. Calls that come while a sync of the same folder runs share the one after it.
   */
  async sync(path: string): Promise<void> {
    const current = this.#syncs.get(path);
    if (current !== undefined) {
      current.next ??= current.running.then(
        () => this.#start(path),
        () => this.#start(path),
      );
      await current.next;
      return;
    }
    await this.#start(path);
  }

  /** Syncs a folder or, if it is not there, the nearest one above it that is. */
  async syncNearest(path: string): Promise<void> {
    for (let at = path; at.length >= this.#layout.root.length; at = folderOf(at)) {
      try {
        await this.sync(at);
        return;
      } catch (error) {
        if (!hasErrno(error, 'ENOENT', 'ENOTDIR')) throw error;
      }
    }
  }

  /** Removes the folder of an object and those above it as long as they are empty, without the root. */
  async prune(path: string): Promise<void> {
    for (let at = path; at.length > this.#layout.root.length; at = folderOf(at)) {
      try {
        await this.#fs.rmdir(at);
      } catch {
        return;
      }
      this.#known.delete(at);
      await this.#take(at)?.file.close();
    }
  }

  /** Closes what is open. Syncs that are under way, or come later, leave nothing open. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(open.map(({ file }) => file.close()));
  }

  #start(path: string): Promise<void> {
    const state = { running: this.#sync(path), next: undefined };
    this.#syncs.set(path, state);
    const forget = (): void => {
      if (this.#syncs.get(path) === state && state.next === undefined) this.#syncs.delete(path);
    };
    state.running.then(forget, forget);
    return state.running;
  }

  async #sync(path: string): Promise<void> {
    const folder = (await this.#syncAgain(path)) ?? (await this.#syncFresh(path));
    const { identity } = folder;
    await this.#keep(path, folder);
    if (path === this.#layout.root || this.#known.get(path) === identity) return;
    await this.sync(folderOf(path));
    if (this.#known.size >= maxKnown) this.#known.clear();
    this.#known.set(path, identity);
  }

  /**
   * Syncs the folder that is open from the last time. As long as it is open no other has its identity: if `path` names it
   * still, it did so all the time. `undefined` if it does not, or none is open.
   */
  async #syncAgain(path: string): Promise<OpenFolder | undefined> {
    const folder = this.#take(path);
    if (folder === undefined) return undefined;
    // Both have come to an end before it is closed, if one fails.
    const [named, synced] = await Promise.allSettled([this.#fs.stat(path), folder.file.sync()]);
    if (
      named.status === 'fulfilled' &&
      synced.status === 'fulfilled' &&
      identityOf(named.value) === folder.identity
    )
      return folder;
    await folder.file.close();
    if (synced.status === 'rejected') throw synced.reason;
    return undefined;
  }

  async #syncFresh(path: string): Promise<OpenFolder> {
    const file = await this.#fs.openToRead(path);
    // Both of what is open, whatever has its name by now. The second waits for the disk, so the first costs no time.
    const [stat, synced] = await Promise.allSettled([file.stat(), file.sync()]);
    if (stat.status === 'fulfilled' && synced.status === 'fulfilled')
      return { file, identity: identityOf(stat.value) };
    await file.close();
    throw stat.status === 'rejected' ? stat.reason : synced.status === 'rejected' ? synced.reason : undefined;
  }

  #take(path: string): OpenFolder | undefined {
    const folder = this.#open.get(path);
    this.#open.delete(path);
    return folder;
  }

  async #keep(path: string, folder: OpenFolder): Promise<void> {
    if (this.#isClosed) {
      await folder.file.close();
      return;
    }
    this.#open.set(path, folder);
    if (this.#open.size <= maxOpen) return;
    const [oldest] = this.#open.keys();
    if (oldest !== undefined) await this.#take(oldest)?.file.close();
  }

  async #isFolder(path: string): Promise<boolean> {
    try {
      return (await this.#fs.stat(path)).kind === 'directory';
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return true; // Removed since: the caller finds out, and makes it again.
      throw error;
    }
  }
}

interface OpenFolder {
  readonly file: OpenFile;
  readonly identity: string;
}

/** Tells a folder from one that has its name, or the number of its inode, at another time. */
function identityOf({ inode, createdNs }: FileStat): string {
  return `${inode} ${createdNs}`;
}
