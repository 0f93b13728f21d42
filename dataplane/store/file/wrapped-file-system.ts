import type { FileSystem, OpenFile } from './file-system.ts';

/**
 * Runs one call: `what` is the system call and the paths it names (for calls on an open file, the path it was opened
 * by); `call` makes it. To fail it, throw instead.
 */
export type Around = <T>(what: string, call: () => Promise<T>) => Promise<T>;

/** A file system whose calls all go through `around`: for tests that watch them or make them fail. */
export function wrapFileSystem(inner: FileSystem, around: Around): FileSystem {
  const opened = async (path: string, open: Promise<OpenFile>): Promise<OpenFile> => {
    const file = await open;
    return {
      stat: () => around(`fstat ${path}`, () => file.stat()),
      read: (into, position) => around(`read ${path}`, () => file.read(into, position)),
      write: (pieces) => around(`write ${path}`, () => file.write(pieces)),
      sync: () => around(`fsync ${path}`, () => file.sync()),
      close: () => around(`close ${path}`, () => file.close()),
    };
  };
  return {
    openToRead: (path) => around(`open ${path}`, () => opened(path, inner.openToRead(path))),
    create: (path) => around(`create ${path}`, () => opened(path, inner.create(path))),
    link: (from, to) => around(`link ${from} ${to}`, () => inner.link(from, to)),
    symlink: (target, path) => around(`symlink ${path}`, () => inner.symlink(target, path)),
    readlink: (path) => around(`readlink ${path}`, () => inner.readlink(path)),
    rename: (from, to) => around(`rename ${from} ${to}`, () => inner.rename(from, to)),
    unlink: (path) => around(`unlink ${path}`, () => inner.unlink(path)),
    mkdir: (path) => around(`mkdir ${path}`, () => inner.mkdir(path)),
    rmdir: (path) => around(`rmdir ${path}`, () => inner.rmdir(path)),
    readdir: (path) => around(`readdir ${path}`, () => inner.readdir(path)),
    stat: (path) => around(`stat ${path}`, () => inner.stat(path)),
  };
}
