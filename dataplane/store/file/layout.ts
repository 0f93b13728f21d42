import { keyProblem } from '../keys.ts';

/** Path segments that begin so are the store's own, at every level. */
const reserved = '.firn';

/**
 * Where things lie below the root:
 *
 *     <root>/<key>                         the object's bytes, a plain file that anybody may read
 *     <root>/.firn/format                  marks a store, and names this layout
 *     <root>/.firn/meta/<h>/<inode>        symbolic link whose text is the metadata of the file with that inode number
 *     <root>/.firn/chain/<key>/.firn-<n>   version n of an object that was overwritten (see `commit.ts`)
 *     <root>/.firn/tmp/<client>/<n>        files that are being written
 */
export class Layout {
  readonly root: string;
  readonly internalFolder: string;
  readonly formatPath: string;
  readonly chainsFolder: string;
  readonly clientsFolder: string;

  /** @param root absolute, without a `/` at its end */
  constructor(root: string) {
    this.root = root;
    this.internalFolder = `${root}/${reserved}`;
    this.formatPath = `${this.internalFolder}/format`;
    this.chainsFolder = `${this.internalFolder}/chain`;
    this.clientsFolder = `${this.internalFolder}/tmp`;
  }

  objectPath(key: string): string {
    return `${this.root}/${key}`;
  }

  chainFolder(key: string): string {
    return `${this.chainsFolder}/${key}`;
  }

  versionPath(key: string, version: number): string {
    return `${this.chainFolder(key)}/${reserved}-${version}`;
  }

  metadataFolder(inode: bigint): string {
    return `${this.internalFolder}/meta/${(inode & 15n).toString(16)}`;
  }

  metadataPath(inode: bigint): string {
    return `${this.metadataFolder(inode)}/${inode}`;
  }
}

/** The version whose file in a chain's folder is called `name`. */
export function versionOf(name: string): number | undefined {
  const digits = /^\.firn-(\d{1,15})$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export function isReservedName(name: string): boolean {
  return name.startsWith(reserved);
}

/** Why this store cannot keep `key` (which has passed `keyProblem`), or `undefined`. */
export function reservedKeyProblem(key: string): string | undefined {
  const segment = key.split('/').find(isReservedName);
  if (segment === undefined) return undefined;
  return `the path segment ${JSON.stringify(segment)} begins with "${reserved}", which a directory store keeps for its own files`;
}

/** Whether a path below the root can be an object at all: others lie there by somebody else's hand. */
export function isStorableKey(key: string): boolean {
  return keyProblem(key) === undefined && reservedKeyProblem(key) === undefined;
}

/** The folder of a path. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
