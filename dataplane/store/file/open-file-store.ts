import { realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Runtime } from '../../runtime/runtime.ts';
import { StoreError } from '../errors.ts';
import type { ObjectStore } from '../object-store.ts';
import { newClientName, sweepClients } from './clients.ts';
import { FileStore } from './file-store.ts';
import { unlessErrno } from './file-system.ts';
import type { FileSystem } from './file-system.ts';
import { ensureStore, makeRoot } from './format.ts';
import { Layout } from './layout.ts';
import { MetadataLinks } from './metadata.ts';
import { storeErrorOf } from './system-errors.ts';
import { fileSystemOf } from './tmpfs-file-system.ts';
import { realFileSystem } from './real-file-system.ts';

/** Overwritten versions stay for at least this many writes and this long: see `UpkeepOptions`. */
const keepVersions = 8;
const keepMs = 10_000;

export interface FileStoreOptions {
  readonly runtime: Pick<Runtime, 'wallMs' | 'random'>;
  /** Whether a missing directory is made (the default) or answered with NO_SUCH_STORE. */
  readonly create?: boolean | undefined;
  /** Default: the machine's. */
  readonly fileSystem?: FileSystem | undefined;
}

/**
 * Opens a directory as an object store. Any number of processes of one machine may do so at the same time; they may be
 * killed at any instant. Objects that were created once, and in general also those that are overwritten, lie in it as plain
 * files under their keys, for other programs to read. Not for network file systems.
 *
 * @param directory absolute, or relative to the working directory
 */
export async function openFileStore(directory: string, options: FileStoreOptions): Promise<ObjectStore> {
  const wanted = path.resolve(directory);
  const call = { operation: 'open', store: `file://${wanted}` } as const;
  const { runtime, create = true } = options;
  if (process.platform === 'win32') {
    throw new StoreError('INVALID_REQUEST', 'Windows cannot sync directories; use Linux, macOS or WSL', call);
  }
  if (wanted === '/') {
    throw new StoreError(
      'INVALID_REQUEST',
      'the root of the file system is no place for a store; name a directory',
      call,
    );
  }
  try {
    if (create) await makeRoot(options.fileSystem ?? realFileSystem, wanted);
    const root = await unlessErrno(realpath(wanted), 'ENOENT');
    if (root === undefined)
      throw new StoreError('NO_SUCH_STORE', 'the directory does not exist; create it', call);
    const fs = options.fileSystem ?? (await fileSystemOf(root));
    if ((await fs.stat(root)).kind !== 'directory')
      throw new StoreError('INVALID_REQUEST', 'this is not a directory; name one', call);
    const layout = new Layout(root);
    const client = await newClientName(runtime);
    await ensureStore(fs, layout, client);
    await sweepClients(fs, layout, new MetadataLinks(fs, layout), runtime).catch(() => undefined); // Next time, then.
    return new FileStore({ fs, layout, runtime, client, keepVersions, keepMs });
  } catch (error) {
    throw storeErrorOf(error, call);
  }
}
