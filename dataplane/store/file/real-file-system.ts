import { constants, fstatSync, lstatSync } from 'node:fs';
import type { BigIntStats, Dirent } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { FileKind, FileStat, FileSystem, OpenFile } from './file-system.ts';

/** How many buffers one writev takes (IOV_MAX). */
export const maxVector = 1024;

/** The machine's file system. */
export const realFileSystem: FileSystem = {
  openToRead: async (path) =>
    openFileOf(await fs.open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)),
  create: async (path) =>
    openFileOf(await fs.open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o666)),
  link: (existingPath, newPath) => fs.link(existingPath, newPath),
  symlink: (target, path) => fs.symlink(target, path),
  readlink: (path) => fs.readlink(path),
  rename: (from, to) => fs.rename(from, to),
  unlink: (path) => fs.unlink(path),
  mkdir: async (path) => {
    await fs.mkdir(path);
  },
  rmdir: (path) => fs.rmdir(path),
  readdir: async (path) =>
    (await fs.readdir(path, { withFileTypes: true })).map((entry) => ({
      name: entry.name,
      kind: kindOf(entry),
    })),
  // Here and now, as of an open file: both are in memory nearly always, and to hand such a call to another thread takes ten
  // times as long as to make it.
  stat: (path) => atOnce(() => statOf(lstatSync(path, { bigint: true }))),
};

function openFileOf(handle: FileHandle): OpenFile {
  let closed: Promise<void> | undefined;
  return {
    stat: () => atOnce(() => statOf(fstatSync(handle.fd, { bigint: true }))),
    async read(into, position) {
      let done = 0;
      while (done < into.byteLength) {
        const { bytesRead } = await handle.read(into, done, into.byteLength - done, position + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    },
    async write(pieces) {
      for (let at = 0; at < pieces.length; at += maxVector) {
        await writeAll(handle, pieces.slice(at, at + maxVector));
      }
    },
    sync: () => handle.sync(),
    async close() {
      closed ??= handle.close().catch(() => undefined);
      await closed;
    },
  };
}

async function writeAll(handle: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  let rest = pieces.filter((piece) => piece.byteLength > 0);
  while (rest.length > 0) rest = unwritten(rest, (await handle.writev(rest)).bytesWritten);
}

/** What is left to write: a write may be cut short (by a full disk, for one), and goes on until all is taken, or fails. */
export function unwritten(pieces: readonly Uint8Array[], bytesWritten: number): Uint8Array[] {
  let left = bytesWritten;
  let whole = 0;
  for (const piece of pieces) {
    if (left < piece.byteLength) break;
    left -= piece.byteLength;
    whole++;
  }
  const [cut, ...others] = pieces.slice(whole);
  return cut === undefined ? [] : [cut.subarray(left), ...others];
}

export function kindOf(entry: Dirent | BigIntStats): FileKind {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  return entry.isSymbolicLink() ? 'symlink' : 'other';
}

export function statOf(stats: BigIntStats): FileStat {
  return {
    kind: kindOf(stats),
    inode: stats.ino,
    links: Number(stats.nlink),
    sizeBytes: Number(stats.size),
    modifiedNs: stats.mtimeNs,
    createdNs: stats.birthtimeNs,
  };
}

/** Makes a call in this thread; as a promise, which rejects with what it throws. */
export function atOnce<T>(call: () => T): Promise<T> {
  return new Promise((resolve) => {
    resolve(call());
  });
}
