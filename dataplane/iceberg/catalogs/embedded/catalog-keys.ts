import { createHash } from 'node:crypto';
import type { TableIdentifier } from '../../catalog.ts';
import { CatalogError } from '../../errors.ts';

/**
 * Where things lie below the store's root. Pointers and files are apart, so that files can be given to engines that must
 * not see pointers:
 *
 *     catalog/namespaces/<namespace>                      that a namespace exists, its properties
 *     catalog/tables/<namespace>/<table>                  pointer to the table's current metadata file
 *     tables/<namespace>/<table>-<8 of the uuid>/data     data files
 *     tables/<namespace>/<table>-<8 of the uuid>/metadata metadata files, manifest lists, manifests
 *
 * `<namespace>`: its levels, encoded, joined by dots.
 */
export const tablesFolder = 'tables/';
const namespacesFolder = 'catalog/namespaces/';
export const pointersFolder = 'catalog/tables/';

const maxNameBytes = 1024;
/** A segment of a key has at most 255 bytes, and `-<uuid8>` follows. */
const maxSegment = 200;

export function namespaceKey(namespace: readonly string[]): string {
  return `${namespacesFolder}${namespaceSegment(namespace)}`;
}

export function namespacesPrefix(): string {
  return namespacesFolder;
}

export function pointerKey({ namespace, name }: TableIdentifier): string {
  return `${pointersPrefix(namespace)}${encodedName(name)}`;
}

export function pointersPrefix(namespace: readonly string[]): string {
  return `${pointersFolder}${namespaceSegment(namespace)}/`;
}

export function tableFolder({ namespace, name }: TableIdentifier, uuid: string): string {
  return `${tablesFolder}${namespaceSegment(namespace)}/${encodedName(name)}-${uuid.slice(0, 8)}`;
}

export interface ChosenFolder {
  /** No `/` at the end. */
  readonly folder: string;
  /** Of the table that it was chosen for, when it was. */
  readonly pointerKey: string;
}

/**
 * The folder of a table that a key lies in, or is, by its form: {@link tableFolder} read backwards. What follows the last
 * `-` is of a uuid and has none itself, so no two tables have one folder.
 */
export function chosenFolderOf(key: string): ChosenFolder | undefined {
  const [, folder, namespace, name] = /^(tables\/([^/]+)\/([^/]+)-[0-9a-f]{8})(?:\/|$)/.exec(key) ?? [];
  if (folder === undefined) return undefined;
  return { folder, pointerKey: `${pointersFolder}${namespace}/${name}` };
}

/** REFUSED with a sentence for what cannot be a name. */
export function checkIdentifier({ namespace, name }: TableIdentifier): void {
  checkNamespace(namespace);
  checkName('table name', name);
}

export function checkNamespace(namespace: readonly string[]): void {
  if (namespace.length === 0)
    throw new CatalogError('REFUSED', 'the empty namespace cannot be used; name one');
  for (const level of namespace) checkName('level of a namespace', level);
}

function checkName(what: string, name: string): void {
  const problem =
    name === ''
      ? 'is empty'
      : Buffer.byteLength(name) > maxNameBytes
        ? `has more than ${maxNameBytes} bytes`
        : /\p{Cc}/u.test(name)
          ? 'has control characters'
          : undefined;
  if (problem !== undefined)
    throw new CatalogError('REFUSED', `the ${what} ${JSON.stringify(name)} ${problem}`);
}

function namespaceSegment(namespace: readonly string[]): string {
  return shortened(namespace.map((level) => escaped(level).replaceAll('.', '~2e')).join('.'));
}

/**
 * A name as one segment of a key; two names never share one. Small letters, digits, `_`, `-` and inner dots stand for
 * themselves; every other byte of its UTF-8 is `~` and two hexadecimal digits: capitals too, because directories of some
 * systems do not tell them apart, and nothing that an engine would read as part of a URL. What gets too long ends in `~~`
 * and its SHA-256.
 */
export function encodedName(name: string): string {
  return shortened(escaped(name));
}

function escaped(name: string): string {
  let text = '';
  for (const [at, byte] of Buffer.from(name, 'utf8').entries()) {
    const char = String.fromCharCode(byte);
    const isPlain = byte < 0x80 && (/[a-z0-9_-]/.test(char) || (char === '.' && at > 0));
    text += isPlain ? char : `~${byte.toString(16).padStart(2, '0')}`;
  }
  return text;
}

function shortened(segment: string): string {
  if (segment.length <= maxSegment) return segment;
  const hash = createHash('sha256').update(segment).digest('hex');
  return `${segment.slice(0, maxSegment - hash.length - 2)}~~${hash}`;
}
