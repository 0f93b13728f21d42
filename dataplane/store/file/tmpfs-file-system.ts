import * as fs from 'node:fs';
import { statfs } from 'node:fs/promises';
import { realRuntime } from '../../runtime/real-runtime.ts';
import { sleep } from '../../runtime/runtime.ts';
import type { DirectoryEntry, FileStat, FileSystem, OpenFile } from './file-system.ts';
import { kindOf, maxVector, realFileSystem, statOf, unwritten } from './real-file-system.ts';

/** Of `statfs`: tmpfs and ramfs. */
const inMemory: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

/** What moves more bytes than this is left to another thread: it takes longer than to hand it over. */
const maxBytesAtOnce = 64 * 1024;

/** So many calls are made, a few puts, before the event loop goes on. */
const maxCallsInTurn = 100;

/** The file system for a store in this directory, which exists. */
export async function fileSystemOf(directory: string): Promise<FileSystem> {
  const { type } = await statfs(directory);
  return inMemory.has(type) ? tmpfsFileSystem : realFileSystem;
}

/**
 * The machine's file system where it is memory. A call takes a microsecond or two and never waits for a disk, while to hand it
 * to another thread and to hear from that takes twenty or more, most of it for waking up: so it is made here and now.
 */
export const tmpfsFileSystem: FileSystem = {
  openToRead: (path) => now(() => new TmpfsFile(fs.openSync(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW))),
  create: (path) => now(() => new TmpfsFile(fs.openSync(path, O_RDWR | O_CREAT | O_EXCL, 0o666))),
  link: (existingPath, newPath) =>
    now(() => {
      fs.linkSync(existingPath, newPath);
    }),
  symlink: (target, path) =>
    now(() => {
      fs.symlinkSync(target, path);
    }),
  readlink: (path) => now(() => fs.readlinkSync(path)),
  // What it replaces may be large, and is freed then.
  rename: (from, to) => realFileSystem.rename(from, to),
  unlink: (path) =>
    now(() => {
      fs.unlinkSync(path);
    }),
  mkdir: (path) =>
    now(() => {
      fs.mkdirSync(path);
    }),
  rmdir: (path) =>
    now(() => {
      fs.rmdirSync(path);
    }),
  readdir: (path) =>
    now(() =>
      fs
        .readdirSync(path, { withFileTypes: true })
        .map((entry): DirectoryEntry => ({ name: entry.name, kind: kindOf(entry) })),
    ),
  stat: (path) => now(() => statOf(fs.lstatSync(path, { bigint: true }))),
};

const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW, O_RDWR, O_CREAT, O_EXCL } = fs.constants;

let callsInTurn = 0;

/**
 * Makes a call in this thread. Promises that wait for nothing else would keep the event loop from everything else it has to
 * do, as long as one call follows another: after some of them it gets its turn.
 */
async function now<T>(call: () => T): Promise<T> {
  if (callsInTurn === 0) {
    realRuntime.after(0, () => {
      callsInTurn = 0;
    });
  }
  if (++callsInTurn > maxCallsInTurn) await sleep(realRuntime, 0);
  return call();
}

/** Its number is given back to the kernel, for other files, only when no other thread uses it any more. */
class TmpfsFile implements OpenFile {
  readonly #fd: number;
  readonly #underWay = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  constructor(fd: number) {
    this.#fd = fd;
  }

  stat(): Promise<FileStat> {
    return now(() => statOf(fs.fstatSync(this.#openFd('fstat'), { bigint: true })));
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < into.byteLength) {
      const rest = into.subarray(done);
      const count = await this.#readSome(rest, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  async write(pieces: readonly Uint8Array[]): Promise<void> {
    for (let at = 0; at < pieces.length; at += maxVector) {
      let rest = pieces.slice(at, at + maxVector).filter((piece) => piece.byteLength > 0);
      while (rest.length > 0) rest = unwritten(rest, await this.#writeSome(rest));
    }
  }

  /** Nothing for the kernel to do, but for it to say. */
  sync(): Promise<void> {
    return now(() => {
      fs.fsyncSync(this.#openFd('fsync'));
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #readSome(into: Uint8Array, position: number): Promise<number> {
    if (into.byteLength <= maxBytesAtOnce)
      return now(() => fs.readSync(this.#openFd('read'), into, 0, into.byteLength, position));
    return this.#elsewhere('read', (fd, done) => {
      fs.read(fd, into, 0, into.byteLength, position, done);
    });
  }

  #writeSome(pieces: readonly Uint8Array[]): Promise<number> {
    let sizeBytes = 0;
    for (const piece of pieces) sizeBytes += piece.byteLength;
    if (sizeBytes <= maxBytesAtOnce) return now(() => fs.writevSync(this.#openFd('write'), pieces));
    return this.#elsewhere('write', (fd, done) => {
      fs.writev(fd, pieces, done);
    });
  }

  /** In another thread. */
  #elsewhere(
    syscall: string,
    start: (fd: number, done: (error: Error | null, count: number) => void) => void,
  ): Promise<number> {
    const running = new Promise<number>((resolve, reject) => {
      start(this.#openFd(syscall), (error, count) => {
        if (error === null) resolve(count);
        else reject(error);
      });
    });
    this.#underWay.add(running);
    const end = (): void => {
      this.#underWay.delete(running);
    };
    running.then(end, end);
    return running;
  }

  async #close(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    try {
      const { nlink, size } = fs.fstatSync(this.#fd);
      // It ends here, and its memory is given back, which takes a while.
      if (nlink === 0 && size > maxBytesAtOnce) {
        await new Promise((resolve) => {
          fs.close(this.#fd, resolve);
        });
      } else fs.closeSync(this.#fd);
    } catch {
      // Closed all the same.
    }
  }

  #openFd(syscall: string): number {
    if (this.#closed === undefined) return this.#fd;
    throw Object.assign(new Error(`EBADF: the file has been closed, ${syscall}`), { code: 'EBADF', syscall });
  }
}
