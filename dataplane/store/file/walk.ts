import { compareUtf8 } from '../utf8-order.ts';
import { unlessErrno } from './file-system.ts';
import type { DirectoryEntry, FileSystem } from './file-system.ts';
import type { Ground } from './ground.ts';
import { isReservedName } from './layout.ts';

/** Which keys a walk is about: those that start with `prefix` and come after `after`. */
export interface KeySpan {
  readonly prefix: string;
  readonly after: string | undefined;
}

/** Keys that may exist, in UTF-8 byte order: of files below the root, and of chains. Each once. */
export async function* candidateKeys(
  { fs, layout }: Pick<Ground, 'fs' | 'layout'>,
  span: KeySpan,
): AsyncGenerator<string, void, undefined> {
  const plain = walk(fs, layout.root, '', span, (entry) => entry.kind === 'file');
  // A folder among the chains may hold a chain, be on the way to one, or both.
  const chained = walk(fs, layout.chainsFolder, '', span, (entry) => entry.kind === 'directory');
  yield* merged(plain, chained);
}

async function* walk(
  fs: FileSystem,
  top: string,
  folder: string,
  span: KeySpan,
  isKey: (entry: DirectoryEntry) => boolean,
): AsyncGenerator<string, void, undefined> {
  const entries = (await unlessErrno(fs.readdir(`${top}/${folder}`), 'ENOENT', 'ENOTDIR')) ?? [];
  const items = entries
    .filter(({ name }) => !isReservedName(name))
    .flatMap((entry) => {
      const path = `${folder}${entry.name}`;
      const items = isKey(entry) && isInSpan(path, span) ? [path] : [];
      // A folder sorts as the keys below it do: with the slash.
      if (entry.kind === 'directory' && mayHoldKeys(`${path}/`, span)) items.push(`${path}/`);
      return items;
    })
    .sort(compareUtf8);
  for (const item of items) {
    if (item.endsWith('/')) yield* walk(fs, top, item, span, isKey);
    else yield item;
  }
}

function isInSpan(key: string, { prefix, after }: KeySpan): boolean {
  return key.startsWith(prefix) && (after === undefined || compareUtf8(key, after) > 0);
}

/** @param folder with a slash at its end */
function mayHoldKeys(folder: string, { prefix, after }: KeySpan): boolean {
  if (!folder.startsWith(prefix) && !prefix.startsWith(folder)) return false;
  return after === undefined || after.startsWith(folder) || compareUtf8(folder, after) > 0;
}

async function* merged(
  left: AsyncGenerator<string, void, undefined>,
  right: AsyncGenerator<string, void, undefined>,
): AsyncGenerator<string, void, undefined> {
  let [a, b] = await Promise.all([left.next(), right.next()]);
  for (;;) {
    if (a.done === true) {
      if (b.done === true) return;
      yield b.value;
      b = await right.next();
    } else if (b.done === true || compareUtf8(a.value, b.value) < 0) {
      yield a.value;
      a = await left.next();
    } else if (a.value === b.value) {
      yield a.value;
      [a, b] = await Promise.all([left.next(), right.next()]);
    } else {
      yield b.value;
      b = await right.next();
    }
  }
}
