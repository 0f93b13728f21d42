import { access, readdir } from 'node:fs/promises';
import path from 'node:path';
import { directoryOfUrl } from '../../dataplane/store/open.ts';

/** What makes a folder one of ours: the mark of a directory store, or a cluster (a copied bucket has no mark). */
const ourFiles = ['.firn/format', 'meta/cluster'];

/**
 * Why a broker should not be started over the folder that a `file:` URL names: it holds somebody else's files, among
 * which ours would be strewn. `undefined`: it is ours, or empty, or is not there yet. Writes nothing.
 */
export async function foreignFolderProblem(url: string): Promise<string | undefined> {
  if (!/^file:/i.test(url)) return undefined;
  const folder = path.resolve(directoryOfUrl(url));
  // Another process may be making a store of it at this moment.
  const names = (await readdir(folder).catch(() => [])).filter((name) => name !== '.firn');
  if (names.length === 0) return undefined;
  for (const file of ourFiles) if (await exists(path.join(folder, file))) return undefined;
  const some = names
    .toSorted((a, b) => (a < b ? -1 : 1))
    .slice(0, 3)
    .join(', ');
  return (
    `${folder} holds ${names.length === 1 ? 'a file' : `${names.length} files`} that Firn did not put there ` +
    `(${some}${names.length > 3 ? ', …' : ''}): name an empty folder, or one that does not exist yet`
  );
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false;
  }
}
