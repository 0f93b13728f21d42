/**
 * The calls the file store makes, each of them one step that the kernel does as a whole. Nothing else in this folder
 * touches the disk, so that a test can put its own file system underneath, choose the order of the steps of several
 * processes, kill them between any two steps, and lose power.
 *
 * Rejections are errors with the `code` of the system call (`ENOENT`, `EEXIST`, ...).
 */
export interface FileSystem {
  /** Opens what `path` names now. A symbolic link is refused with ELOOP, a device or pipe is opened without waiting. */
  openToRead(path: string): Promise<OpenFile>;
  /** Creates a file that does not exist yet (EEXIST), readable by everybody the umask allows. */
  create(path: string): Promise<OpenFile>;
  /** A second name for a file; EEXIST when the name is taken by anything. */
  link(existingPath: string, newPath: string): Promise<void>;
  /** A symbolic link; EEXIST when the name is taken by anything. */
  symlink(target: string, path: string): Promise<void>;
  readlink(path: string): Promise<string>;
  /** Replaces whatever file `to` names. Does nothing when both are names of one file. */
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  mkdir(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  /** The entries in no order. One call sees all of a small directory (up to some hundred names) at one instant. */
  readdir(path: string): Promise<readonly DirectoryEntry[]>;
  /** Does not follow a symbolic link. */
  stat(path: string): Promise<FileStat>;
}

/** An open file or directory: it keeps the inode, hence the inode's number, from being used again until it is closed. */
export interface OpenFile {
  stat(): Promise<FileStat>;
  /** Fills `into` from `position` on; returns the bytes read, fewer than asked for only at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Appends. */
  write(pieces: readonly Uint8Array[]): Promise<void>;
  /** `fsync`: of a file its bytes, of a directory its entries. */
  sync(): Promise<void>;
  /** Never rejects, and may be called again. */
  close(): Promise<void>;
}

export type FileKind = 'file' | 'directory' | 'symlink' | 'other';

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: FileKind;
}

export interface FileStat {
  readonly kind: FileKind;
  readonly inode: bigint;
  /** How many names the file has. */
  readonly links: number;
  readonly sizeBytes: number;
  readonly modifiedNs: bigint;
  readonly createdNs: bigint;
}

/** Whether `error` is the failure of a system call with one of these codes. */
export function hasErrno(error: unknown, ...codes: readonly string[]): boolean {
  const code = errnoOf(error);
  return code !== undefined && codes.includes(code);
}

export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('syscall' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** `work`, or `undefined` when it fails with one of these codes. */
export async function unlessErrno<T>(work: Promise<T>, ...codes: readonly string[]): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (hasErrno(error, ...codes)) return undefined;
    throw error;
  }
}
