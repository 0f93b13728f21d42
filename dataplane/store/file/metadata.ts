import { hasErrno, unlessErrno } from './file-system.ts';
import type { FileStat, FileSystem, OpenFile } from './file-system.ts';
import type { Layout } from './layout.ts';

/** What is known of a version beside its bytes. */
export interface Metadata {
  /** Names the version; never used twice. It is the version's ETag. */
  readonly token: string;
  readonly id: string | undefined;
}

/**
 * The text of a symbolic link (made in one step, whole or not at all):
 * `1 <token> <size in bytes> <modified, ns> [<id>]`. Size and time tell a file from an earlier one with the same inode
 * number, or from one that somebody else copied here or changed in place.
 */
function encode({ token, id }: Metadata, stat: FileStat): string {
  return `1 ${token} ${stat.sizeBytes} ${stat.modifiedNs}${id === undefined ? '' : ` ${id}`}`;
}

function decode(text: string, stat: FileStat): Metadata | undefined {
  const match = /^1 (\S+) (\d+) (\d+)(?: (.+))?$/.exec(text);
  const [, token, sizeBytes, modifiedNs, id] = match ?? [];
  if (token === undefined || sizeBytes !== `${stat.sizeBytes}` || modifiedNs !== `${stat.modifiedNs}`)
    return undefined;
  return { token, id };
}

/**
 * Metadata is found by inode number. That is safe because whoever asks has the file open: the number cannot come to
 * mean another file before it is closed. Whoever writes or removes metadata must have the file open too.
 *
 * Why not in the file: Parquet files must stay plain files. Why not extended attributes: Node has no call for them.
 */
export class MetadataLinks {
  readonly #fs: FileSystem;
  readonly #layout: Layout;

  constructor(fs: FileSystem, layout: Layout) {
    this.#fs = fs;
    this.#layout = layout;
  }

  /**
   * Writes the metadata of a file that is open, has all its bytes and no name that readers know. What is there already
   * belonged to a file that is gone.
   *
   * @param sparePath an unused name on the same file system
   */
  async write(metadata: Metadata, stat: FileStat, sparePath: string): Promise<void> {
    const path = this.#layout.metadataPath(stat.inode);
    const text = encode(metadata, stat);
    try {
      await this.#fs.symlink(text, path);
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
      await this.#fs.symlink(text, sparePath);
      await this.#fs.rename(sparePath, path);
    }
  }

  /** The metadata of an open file; `undefined` when this store did not write it, or it lost its last name. */
  async read(stat: FileStat): Promise<Metadata | undefined> {
    const text = await unlessErrno(
      this.#fs.readlink(this.#layout.metadataPath(stat.inode)),
      'ENOENT',
      'EINVAL',
    );
    return text === undefined ? undefined : decode(text, stat);
  }

  /** Removes the metadata of an open file once its last name is gone. Call it after removing a name. */
  async removeIfDead(file: OpenFile): Promise<void> {
    const { links, inode } = await file.stat();
    if (links > 0) return;
    await unlessErrno(this.#fs.unlink(this.#layout.metadataPath(inode)), 'ENOENT');
  }
}
