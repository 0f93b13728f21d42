import { checkedChunks, bodyPieces, isStream } from '../body.ts';
import { crc32c } from '../crc32c.ts';
import { StoreError } from '../errors.ts';
import type { Body } from '../object-store.ts';
import type { Call } from '../request-checks.ts';
import { hasErrno, unlessErrno } from './file-system.ts';
import type { OpenFile } from './file-system.ts';
import type { Ground } from './ground.ts';
import type { Metadata } from './metadata.ts';

/** A version that is on disk with its metadata but has no name yet under which anybody would find it. */
export interface PreparedVersion {
  readonly path: string;
  readonly file: OpenFile;
  readonly inode: bigint;
  readonly token: string;
}

/** One client's own folder, in which nobody else writes. */
export class TemporaryFiles {
  readonly #ground: Ground;
  readonly #client: string;
  #names = 0;

  /** @param client a name that no other client has or had */
  constructor(ground: Ground, client: string) {
    this.#ground = ground;
    this.#client = client;
  }

  get folder(): string {
    return `${this.#ground.layout.clientsFolder}/${this.#client}`;
  }

  /** An unused path in the folder. */
  newPath(): string {
    return `${this.folder}/${++this.#names}`;
  }

  /** Writes body and metadata; both are on disk when this returns. */
  async prepare(
    body: Body,
    metadata: Metadata,
    expectedCrc32c: number | undefined,
    call: Call,
    signal: AbortSignal | undefined,
  ): Promise<PreparedVersion> {
    const path = this.newPath();
    const file = await this.inFolder(() => this.#ground.fs.create(path));
    try {
      await this.#fill(file, body, expectedCrc32c, call, signal);
      const { inode, folder } = await this.#describe(file, metadata);
      // Each waits for the disk. Both are waited for, even if one fails: the file is closed after that.
      const synced = await Promise.allSettled([file.sync(), this.#ground.folders.sync(folder)]);
      for (const outcome of synced) if (outcome.status === 'rejected') throw outcome.reason;
      return { path, file, inode, token: metadata.token };
    } catch (error) {
      await this.discard({ path, file }).catch(() => undefined); // The first error says what is wrong.
      throw error;
    }
  }

  /** Writes the metadata of a file that has all its bytes, and returns where: it is on disk when `folder` has been synced. */
  async #describe(
    file: OpenFile,
    metadata: Metadata,
  ): Promise<{ readonly inode: bigint; readonly folder: string }> {
    const stat = await file.stat();
    const folder = this.#ground.layout.metadataFolder(stat.inode);
    try {
      await this.#ground.metadataLinks.write(metadata, stat, this.newPath());
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
      await this.#ground.folders.make(folder);
      await this.#ground.metadataLinks.write(metadata, stat, this.newPath());
    }
    return { inode: stat.inode, folder };
  }

  /** Gives up a version that was never given another name. */
  async discard({ path, file }: Pick<PreparedVersion, 'path' | 'file'>): Promise<void> {
    try {
      await unlessErrno(this.#ground.fs.unlink(path), 'ENOENT');
      await this.#ground.metadataLinks.removeIfDead(file);
    } finally {
      await file.close();
    }
  }

  /**
   * Removes the temporary name of a version that was given another. Its metadata stays even if it was deleted meanwhile: a
   * power failure might bring it back. What is left behind then is overwritten when the inode's number is used again.
   */
  async release({ path, file }: PreparedVersion): Promise<void> {
    try {
      await unlessErrno(this.#ground.fs.unlink(path), 'ENOENT');
    } finally {
      await file.close();
    }
  }

  /** Does something that needs the client's folder, which it makes when it is missing. */
  async inFolder<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
      await this.#ground.folders.make(this.folder);
      return await work();
    }
  }

  async #fill(
    file: OpenFile,
    body: Body,
    expectedCrc32c: number | undefined,
    call: Call,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    let crc = 0;
    if (isStream(body)) {
      for await (const chunk of checkedChunks(body, call, signal)) {
        if (expectedCrc32c !== undefined) crc = crc32c(chunk, crc);
        await file.write([chunk]);
      }
    } else {
      const pieces = bodyPieces(body);
      if (expectedCrc32c !== undefined) for (const piece of pieces) crc = crc32c(piece, crc);
      await file.write(pieces);
    }
    if (expectedCrc32c !== undefined && crc !== expectedCrc32c) {
      throw new StoreError(
        'CHECKSUM_REJECTED',
        `the body has crc32c ${crc}, ${expectedCrc32c} was announced; nothing was written`,
        call,
      );
    }
  }
}
