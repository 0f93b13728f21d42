import type { FileSystem, OpenFile } from '../file-system.ts';
import { statOf, SystemCallError } from './model-disk.ts';
import type { Inode, ModelDisk } from './model-disk.ts';
import type { StepScheduler } from './step-scheduler.ts';

/** One process's view of a model disk: each call waits for its turn. */
export class ModelFileSystem implements FileSystem {
  readonly #disk: ModelDisk;
  readonly #scheduler: StepScheduler;
  readonly #client: number;
  /** Asked before each call; a returned code makes it fail with that. */
  readonly #failure: (syscall: string) => string | undefined;
  readonly #open: Set<{ readonly inode: Inode }> = new Set();

  constructor(
    disk: ModelDisk,
    scheduler: StepScheduler,
    client: number,
    failure: (syscall: string) => string | undefined = () => undefined,
  ) {
    this.#disk = disk;
    this.#scheduler = scheduler;
    this.#client = client;
    this.#failure = failure;
  }

  /** The process is gone: the kernel closes its files. */
  kill(): void {
    this.#scheduler.kill(this.#client);
    for (const { inode } of this.#open) this.#disk.close(inode);
    this.#open.clear();
  }

  openToRead(path: string): Promise<OpenFile> {
    return this.#step('open', path, () => this.#opened(this.#disk.open(path), path));
  }

  create(path: string): Promise<OpenFile> {
    return this.#step('create', path, () => this.#opened(this.#disk.create(path), path));
  }

  link(existingPath: string, newPath: string): Promise<void> {
    return this.#step('link', `${existingPath} ${newPath}`, () => {
      this.#disk.link(existingPath, newPath);
    });
  }

  symlink(target: string, path: string): Promise<void> {
    return this.#step('symlink', `${path} (${target})`, () => {
      this.#disk.symlink(target, path);
    });
  }

  readlink(path: string): Promise<string> {
    return this.#step('readlink', path, () => this.#disk.readlink(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#step('rename', `${from} ${to}`, () => {
      this.#disk.rename(from, to);
    });
  }

  unlink(path: string): Promise<void> {
    return this.#step('unlink', path, () => {
      this.#disk.unlink(path);
    });
  }

  mkdir(path: string): Promise<void> {
    return this.#step('mkdir', path, () => {
      this.#disk.mkdir(path);
    });
  }

  rmdir(path: string): Promise<void> {
    return this.#step('rmdir', path, () => {
      this.#disk.rmdir(path);
    });
  }

  readdir(path: string): ReturnType<FileSystem['readdir']> {
    return this.#step('readdir', path, () => this.#disk.readdir(path));
  }

  stat(path: string): ReturnType<FileSystem['stat']> {
    return this.#step('stat', path, () => this.#disk.stat(path));
  }

  #opened(inode: Inode, path: string): OpenFile {
    const handle = { inode };
    this.#open.add(handle);
    const use = <T>(syscall: string, call: () => T): Promise<T> =>
      this.#step(syscall, path, () => {
        if (!this.#open.has(handle)) throw new SystemCallError('EBADF', syscall, path);
        return call();
      });
    return {
      stat: () => use('fstat', () => statOf(inode)),
      read: (into, position) =>
        use('read', () => {
          const bytes = inode.bytes.subarray(position, position + into.byteLength);
          into.set(bytes);
          return bytes.byteLength;
        }),
      write: (pieces) =>
        use('write', () => {
          this.#disk.append(inode, pieces);
        }),
      sync: () =>
        use('fsync', () => {
          this.#disk.sync(inode);
        }),
      close: () =>
        this.#step('close', path, () => {
          if (this.#open.delete(handle)) this.#disk.close(inode);
        }).catch(() => undefined),
    };
  }

  #step<T>(syscall: string, what: string, call: () => T): Promise<T> {
    return this.#scheduler.step(this.#client, `${syscall} ${what}`, () => {
      const code = this.#failure(syscall);
      if (code !== undefined) throw new SystemCallError(code, syscall, what);
      return call();
    });
  }
}
