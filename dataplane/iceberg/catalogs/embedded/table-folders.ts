import { forEachLimited } from '../../../runtime/concurrency.ts';
import { keyOfLocation } from '../../../store/locations.ts';
import type { ObjectStore } from '../../../store/object-store.ts';
import type { TableIdentifier } from '../../catalog.ts';
import { CatalogError } from '../../errors.ts';
import type { TableMetadata } from '../../table-metadata.ts';
import { chosenFolderOf, pointerKey, pointersFolder, tableFolder } from './catalog-keys.ts';
import type { ChosenFolder } from './catalog-keys.ts';
import type { TablePointer } from './catalog-record.ts';
import type { MetadataFiles } from './metadata-files.ts';
import { keysOf } from './namespaces.ts';
import { reading } from './record-store.ts';
import type { RecordStore } from './record-store.ts';

const readsAtOnce = 16;

/**
 * Whose files lie where. A table that lies in the folder that this catalog chose for its name and uuid may have files deleted
 * there (a purge, metadata that fell out of the log), so nothing of another table may lie in it: a location inside somebody
 * else's folder is refused, and a folder is taken over from a table that was dropped by one table alone.
 */
export class TableFolders {
  readonly #store: ObjectStore;
  readonly #pointers: RecordStore<TablePointer>;
  readonly #files: MetadataFiles;

  constructor(store: ObjectStore, pointers: RecordStore<TablePointer>, files: MetadataFiles) {
    this.#store = store;
    this.#pointers = pointers;
    this.#files = files;
  }

  /** The folder that was chosen for the table, with a `/`, if the table lies in it; else `undefined`. */
  ownFolder(table: TableIdentifier, { location, tableUuid }: TableMetadata): string | undefined {
    const chosen = this.#chosen(location);
    const own = tableFolder(table, tableUuid);
    return chosen?.folder === own && keyOfLocation(this.#store, location) === own ? `${own}/` : undefined;
  }

  /** Those of the locations that are metadata files in the table's own folder: a log that was adopted may name anything. */
  ownMetadataFiles(
    table: TableIdentifier,
    metadata: TableMetadata,
    locations: readonly string[],
  ): readonly string[] {
    const folder = this.ownFolder(table, metadata);
    if (folder === undefined) return [];
    return locations.filter((location) => {
      const key = keyOfLocation(this.#store, location);
      return key?.startsWith(folder) === true && /\.metadata\.json(\.gz)?$/.test(key);
    });
  }

  /**
   * REFUSED for a location outside of the folder of tables, or in one that was chosen for another table, whether or not that
   * one exists (any more). What the base had already stays: metadata that was registered under another name lies in such a
   * folder.
   */
  checkLocations(table: TableIdentifier, next: TableMetadata, base?: TableMetadata): void {
    const before = new Set(base === undefined ? [] : locationsOf(base));
    for (const location of locationsOf(next)) {
      this.#files.checkInside(location);
      const folder = this.#chosen(location)?.folder;
      if (folder === undefined || folder === tableFolder(table, next.tableUuid) || before.has(location))
        continue;
      throw new CatalogError(
        'REFUSED',
        `${location} cannot be used: ${folder}/ is the folder of another table, whose files may be deleted with that ` +
          `table; name a location outside of it, or leave it out to have one chosen`,
      );
    }
  }

  /**
   * REFUSED when metadata that is to be registered, or what it names, lies in the folder of a table that exists: a drop of
   * that table, or its next commits, would delete files of this one.
   */
  async checkAdoptable(
    table: TableIdentifier,
    metadataLocation: string,
    metadata: TableMetadata,
    signal?: AbortSignal,
  ): Promise<void> {
    const named = [metadataLocation, ...locationsOf(metadata)];
    for (const { manifestList } of metadata.snapshots) named.push(manifestList);
    const folders = new Map<string, ChosenFolder>();
    for (const location of named) {
      const chosen = this.#chosen(location);
      if (chosen !== undefined) folders.set(chosen.folder, chosen);
    }
    for (const chosen of folders.values()) {
      const tenant = await this.#tenantOf(chosen, table, signal);
      if (tenant === undefined) continue;
      throw new CatalogError(
        'REFUSED',
        `${metadataLocation} cannot be registered as ${shown(table)}: files that it names lie in ${chosen.folder}/, where table ` +
          `${shown(tenant)} lies, and would be deleted with that table; drop ${shown(tenant)} first (without purge)`,
      );
    }
  }

  /** The table's own folder, with a `/`, to be deleted; REFUSED when files of others can lie in it. */
  async purgeable(table: TableIdentifier, metadata: TableMetadata, signal?: AbortSignal): Promise<string> {
    const folder = this.ownFolder(table, metadata);
    const chosen = this.#chosen(metadata.location);
    if (folder === undefined || chosen === undefined) {
      throw new CatalogError(
        'REFUSED',
        `files of ${shown(table)} cannot be purged: its location ${metadata.location} was not chosen by this catalog for a ` +
          `table of this name, and others' files may lie in it; drop it without purge and delete what lies there by hand`,
      );
    }
    const tenant = await this.#tenantOf(chosen, table, signal);
    if (tenant === undefined) return folder;
    throw new CatalogError(
      'REFUSED',
      `files of ${shown(table)} cannot be purged: table ${shown(tenant)} lies in ${folder} too; drop it without purge`,
    );
  }

  /**
   * A table other than this one that lies in the folder. One GET for each table that is or was in the catalog, two for those
   * whose metadata lies in no folder of their name: for what is done seldom.
   */
  async #tenantOf(
    { folder }: ChosenFolder,
    except: TableIdentifier,
    signal?: AbortSignal,
  ): Promise<TableIdentifier | undefined> {
    const keys = await reading('list of tables', () => keysOf(this.#store, pointersFolder, signal));
    const own = pointerKey(except);
    const tenants: TableIdentifier[] = [];
    await forEachLimited(keys, readsAtOnce, async (key) => {
      if (key === own || tenants.length > 0) return;
      const pointer = (await this.#pointers.read(key, signal))?.record.value;
      if (pointer?.state !== 'table') return;
      const { namespace, name, metadataLocation } = pointer;
      const chosen = this.#chosen(metadataLocation);
      let isThere = chosen?.folder === folder;
      if (!isThere && chosen?.pointerKey !== key) {
        const locations = locationsOf(await this.#files.read(metadataLocation, signal));
        isThere = locations.some((location) => this.#chosen(location)?.folder === folder);
      }
      if (isThere) tenants.push({ namespace, name });
    });
    return tenants[0];
  }

  #chosen(location: string): ChosenFolder | undefined {
    const key = keyOfLocation(this.#store, location);
    return key === undefined ? undefined : chosenFolderOf(key);
  }
}

/** Where a table has its files written. */
function locationsOf({ location, properties }: TableMetadata): readonly string[] {
  const paths = ['write.metadata.path', 'write.data.path'].flatMap((property) => properties[property] ?? []);
  return [`${location}/metadata`, ...paths];
}

export function shown({ namespace, name }: TableIdentifier): string {
  return [...namespace, name].join('.');
}
