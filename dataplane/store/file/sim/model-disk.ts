import type { DirectoryEntry, FileKind, FileStat } from '../file-system.ts';

/** A failed system call, as Node reports it. */
export class SystemCallError extends Error {
  readonly code: string;
  readonly syscall: string;

  constructor(code: string, syscall: string, path: string) {
    super(`${code}: ${syscall} '${path}'`);
    this.name = 'SystemCallError';
    this.code = code;
    this.syscall = syscall;
  }
}

export interface Inode {
  readonly number: bigint;
  readonly kind: FileKind;
  readonly createdNs: bigint;
  links: number;
  opens: number;
  bytes: Uint8Array;
  /** What of the bytes survives a power failure. */
  syncedBytes: Uint8Array;
  modifiedNs: bigint;
  readonly target: string;
  readonly entries: Map<string, Inode>;
  syncedEntries: Map<string, Inode>;
  /** What was done to the entries since they were synced, in order. */
  unsynced: { readonly name: string; readonly inode: Inode | undefined }[];
}

export interface ModelDiskOptions {
  /**
   * Whether the number of a file that is gone is given to the next new one, as ext4 does: the worst case for whoever
   * finds things by number. Not together with power failures, after which files that were gone may be back.
   */
  readonly reuseInodes: boolean;
}

/**
 * A file system in memory with POSIX semantics as far as the file store uses them: hard links, open files that outlive
 * their names, inode numbers that are used again, and a distinction between what is there and what survives a power failure.
 * Time stands still, so that no two files differ by it.
 */
export class ModelDisk {
  readonly root: Inode;
  readonly #options: ModelDiskOptions;
  readonly #freeNumbers: bigint[] = [];
  #lastNumber = 0n;
  #nowNs = 1_000_000_000n;

  constructor(options: ModelDiskOptions) {
    this.#options = options;
    this.root = this.#newInode('directory', '');
    this.root.links = 1;
  }

  /** Moves the clock: what is written from now on is younger. */
  advanceClock(ms: number): void {
    this.#nowNs += BigInt(ms) * 1_000_000n;
  }

  get nowMs(): number {
    return Number(this.#nowNs / 1_000_000n);
  }

  open(path: string): Inode {
    const inode = this.#find(path, 'open');
    if (inode.kind === 'symlink') throw new SystemCallError('ELOOP', 'open', path);
    inode.opens++;
    return inode;
  }

  close(inode: Inode): void {
    inode.opens--;
    this.#freeIfUnused(inode);
  }

  create(path: string): Inode {
    const inode = this.#newInode('file', '');
    this.#enter(path, inode, 'open');
    inode.opens++;
    return inode;
  }

  append(inode: Inode, pieces: readonly Uint8Array[]): void {
    inode.bytes = Buffer.concat([inode.bytes, ...pieces]);
    inode.modifiedNs = this.#nowNs;
  }

  sync(inode: Inode): void {
    inode.syncedBytes = inode.bytes;
    inode.syncedEntries = new Map(inode.entries);
    inode.unsynced = [];
  }

  link(existingPath: string, newPath: string): void {
    const inode = this.#find(existingPath, 'link');
    if (inode.kind === 'directory') throw new SystemCallError('EPERM', 'link', existingPath);
    this.#enter(newPath, inode, 'link');
  }

  symlink(target: string, path: string): void {
    this.#enter(path, this.#newInode('symlink', target), 'symlink');
  }

  readlink(path: string): string {
    const inode = this.#find(path, 'readlink');
    if (inode.kind !== 'symlink') throw new SystemCallError('EINVAL', 'readlink', path);
    return inode.target;
  }

  rename(from: string, to: string): void {
    const inode = this.#find(from, 'rename');
    const [folder, name] = this.#parentOf(to, 'rename');
    const replaced = folder.entries.get(name);
    if (replaced === inode) return;
    if (replaced?.kind === 'directory') throw new SystemCallError('EISDIR', 'rename', to);
    this.#set(folder, name, inode);
    const [fromFolder, fromName] = this.#parentOf(from, 'rename');
    this.#set(fromFolder, fromName, undefined);
  }

  unlink(path: string): void {
    const [folder, name] = this.#parentOf(path, 'unlink');
    const inode = folder.entries.get(name);
    if (inode === undefined) throw new SystemCallError('ENOENT', 'unlink', path);
    if (inode.kind === 'directory') throw new SystemCallError('EISDIR', 'unlink', path);
    this.#set(folder, name, undefined);
  }

  mkdir(path: string): void {
    this.#enter(path, this.#newInode('directory', ''), 'mkdir');
  }

  rmdir(path: string): void {
    const [folder, name] = this.#parentOf(path, 'rmdir');
    const inode = folder.entries.get(name);
    if (inode === undefined) throw new SystemCallError('ENOENT', 'rmdir', path);
    if (inode.kind !== 'directory') throw new SystemCallError('ENOTDIR', 'rmdir', path);
    if (inode.entries.size > 0) throw new SystemCallError('ENOTEMPTY', 'rmdir', path);
    this.#set(folder, name, undefined);
  }

  readdir(path: string): DirectoryEntry[] {
    const inode = this.#find(path, 'scandir');
    if (inode.kind !== 'directory') throw new SystemCallError('ENOTDIR', 'scandir', path);
    return [...inode.entries].map(([name, { kind }]) => ({ name, kind }));
  }

  stat(path: string): FileStat {
    return statOf(this.#find(path, 'lstat'));
  }

  /**
   * Power fails and comes back. Of every folder's changes since its last sync the first few have reached the disk, as
   * many as `chance` says; of a file's unsynced bytes a part.
   *
   * @param chance a random number from 0 (inclusive) to its argument (exclusive)
   */
  losePower(chance: (below: number) => number): void {
    const reached = new Set<Inode>();
    const visit = (inode: Inode): void => {
      if (reached.has(inode)) return;
      reached.add(inode);
      inode.links = 0;
      inode.opens = 0;
      if (inode.bytes !== inode.syncedBytes) {
        const kept = Math.max(inode.syncedBytes.byteLength, chance(inode.bytes.byteLength + 1));
        inode.bytes = inode.bytes.subarray(0, kept);
      }
      inode.entries.clear();
      for (const [name, entry] of inode.syncedEntries) inode.entries.set(name, entry);
      for (const { name, inode: entry } of inode.unsynced.slice(0, chance(inode.unsynced.length + 1))) {
        if (entry === undefined) inode.entries.delete(name);
        else inode.entries.set(name, entry);
      }
      this.sync(inode);
      for (const entry of inode.entries.values()) visit(entry);
    };
    visit(this.root);
    for (const inode of reached) for (const entry of inode.entries.values()) entry.links++;
    this.root.links = 1;
  }

  #enter(path: string, inode: Inode, syscall: string): void {
    const [folder, name] = this.#parentOf(path, syscall);
    if (folder.entries.has(name)) {
      this.#freeIfUnused(inode);
      throw new SystemCallError('EEXIST', syscall, path);
    }
    this.#set(folder, name, inode);
  }

  #set(folder: Inode, name: string, inode: Inode | undefined): void {
    const before = folder.entries.get(name);
    if (inode === undefined) {
      folder.entries.delete(name);
    } else {
      folder.entries.set(name, inode);
      inode.links++;
    }
    folder.unsynced.push({ name, inode });
    if (before === undefined) return;
    before.links--;
    this.#freeIfUnused(before);
  }

  #parentOf(path: string, syscall: string): [folder: Inode, name: string] {
    const at = path.lastIndexOf('/');
    const folder = at === 0 ? this.root : this.#find(path.slice(0, at), syscall);
    if (folder.kind !== 'directory') throw new SystemCallError('ENOTDIR', syscall, path);
    return [folder, path.slice(at + 1)];
  }

  #find(path: string, syscall: string): Inode {
    let inode = this.root;
    for (const name of path.split('/').filter((segment) => segment !== '')) {
      if (inode.kind !== 'directory') throw new SystemCallError('ENOTDIR', syscall, path);
      const next = inode.entries.get(name);
      if (next === undefined) throw new SystemCallError('ENOENT', syscall, path);
      inode = next;
    }
    return inode;
  }

  #newInode(kind: FileKind, target: string): Inode {
    const number = this.#freeNumbers.pop() ?? ++this.#lastNumber;
    const empty = new Uint8Array(0);
    return {
      number,
      kind,
      target,
      links: 0,
      opens: 0,
      bytes: empty,
      syncedBytes: empty,
      modifiedNs: this.#nowNs,
      createdNs: this.#nowNs,
      entries: new Map(),
      syncedEntries: new Map(),
      unsynced: [],
    };
  }

  #freeIfUnused(inode: Inode): void {
    if (inode.links === 0 && inode.opens === 0 && this.#options.reuseInodes)
      this.#freeNumbers.push(inode.number);
  }
}

export function statOf(inode: Inode): FileStat {
  const { kind, number, links, bytes, modifiedNs, createdNs } = inode;
  return { kind, inode: number, links, sizeBytes: bytes.byteLength, modifiedNs, createdNs };
}
