import { constants } from 'node:fs';
import type { BigIntStats, Dirent } from 'node:fs';
import * as fs from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { FileKind, FileStat, FileSystem, OpenFile } from './file-system.ts';

/** How many buffers one writev takes (IOV_MAX). */
const maxVector = 1024;

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
  stat: async (path) => statOf(await fs.lstat(path, { bigint: true })),
};

function openFileOf(handle: FileHandle): OpenFile {
  let closed: Promise<void> | undefined;
  return {
    stat: async () => statOf(await handle.stat({ bigint: true })),
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

/** A write may be cut short (by a full disk, for one): goes on after what was taken until all is, or it fails. */
async function writeAll(handle: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  let rest = pieces.filter((piece) => piece.byteLength > 0);
  while (rest.length > 0) {
    let { bytesWritten } = await handle.writev(rest);
    let whole = 0;
    for (const piece of rest) {
      if (bytesWritten < piece.byteLength) break;
      bytesWritten -= piece.byteLength;
      whole++;
    }
    const [cut, ...others] = rest.slice(whole);
    rest = cut === undefined ? [] : [cut.subarray(bytesWritten), ...others];
  }
}

function kindOf(entry: Dirent | BigIntStats): FileKind {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  return entry.isSymbolicLink() ? 'symlink' : 'other';
}

function statOf(stats: BigIntStats): FileStat {
  return {
    kind: kindOf(stats),
    inode: stats.ino,
    links: Number(stats.nlink),
    sizeBytes: Number(stats.size),
    modifiedNs: stats.mtimeNs,
    createdNs: stats.birthtimeNs,
  };
}
