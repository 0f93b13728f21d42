import { StoreError } from '../errors.ts';
import { hasErrno, unlessErrno } from './file-system.ts';
import type { FileSystem } from './file-system.ts';
import { folderOf } from './layout.ts';
import type { Layout } from './layout.ts';

const formatText = 'firn file store 1\n';

/**
 * Makes sure that the root holds a store of this format, and makes one where there is none: also in a directory that
 * exists and has files in it, which become objects. Any number of processes may do it at once.
 *
 * @param nonce for the name of a temporary file
 */
export async function ensureStore(fs: FileSystem, layout: Layout, nonce: string): Promise<void> {
  const found = await readFormat(fs, layout);
  if (found === undefined) await makeStore(fs, layout, nonce);
  const text = found ?? (await readFormat(fs, layout));
  if (text !== formatText) {
    throw new StoreError(
      'INVALID_REQUEST',
      `${layout.formatPath} says ${JSON.stringify(text)}, this program knows ${JSON.stringify(formatText)}; ` +
        'use the version of the program that made the store, or another directory',
      { operation: 'open', store: `file://${layout.root}` },
    );
  }
}

async function makeStore(fs: FileSystem, layout: Layout, nonce: string): Promise<void> {
  const { root, internalFolder, formatPath } = layout;
  await unlessErrno(fs.mkdir(internalFolder), 'EEXIST');
  const temporaryPath = `${formatPath}-${nonce}`;
  const file = await fs.create(temporaryPath);
  try {
    await file.write([Buffer.from(formatText)]);
    await file.sync();
    // By link as objects are: it shows here and now whether the file system has hard links.
    await unlessErrno(fs.link(temporaryPath, formatPath), 'EEXIST');
  } finally {
    await fs.unlink(temporaryPath);
    await file.close();
  }
  await syncFolder(fs, internalFolder);
  await syncFolder(fs, root);
}

/** Makes the root and the folders above it as far as they are missing. */
export async function makeRoot(fs: FileSystem, root: string): Promise<void> {
  try {
    await fs.mkdir(root);
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return;
    const parent = folderOf(root);
    if (!hasErrno(error, 'ENOENT') || parent === '') throw error;
    await makeRoot(fs, parent);
    await unlessErrno(fs.mkdir(root), 'EEXIST');
  }
  await syncFolder(fs, folderOf(root) || '/');
}

async function syncFolder(fs: FileSystem, path: string): Promise<void> {
  const folder = await fs.openToRead(path);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function readFormat(fs: FileSystem, layout: Layout): Promise<string | undefined> {
  const file = await unlessErrno(fs.openToRead(layout.formatPath), 'ENOENT');
  if (file === undefined) return undefined;
  try {
    const bytes = new Uint8Array(100);
    return Buffer.from(bytes.subarray(0, await file.read(bytes, 0))).toString();
  } finally {
    await file.close();
  }
}
