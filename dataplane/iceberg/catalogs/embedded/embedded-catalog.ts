import { forEachLimited } from '../../../runtime/concurrency.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import { locationOf } from '../../../store/locations.ts';
import type { ObjectStore } from '../../../store/object-store.ts';
import type { Catalog, CreateTable, LoadedTable, TableIdentifier } from '../../catalog.ts';
import { CatalogError } from '../../errors.ts';
import { newTableUpdates } from '../../new-table.ts';
import { randomUuid } from '../../random-ids.ts';
import type { TableMetadata } from '../../table-metadata.ts';
import type { TableRequirement, TableUpdate } from '../../table-update.ts';
import { applyUpdates } from '../../update/apply-updates.ts';
import { checkIdentifier, pointerKey, pointersPrefix, tableFolder } from './catalog-keys.ts';
import { tablePointerFormat } from './catalog-record.ts';
import type { TablePointer } from './catalog-record.ts';
import { MetadataFiles } from './metadata-files.ts';
import { compare, keysOf, Namespaces, noSuchNamespace } from './namespaces.ts';
import { reading, RecordStore } from './record-store.ts';
import type { Held } from './record-store.ts';
import { shown, TableFolders } from './table-folders.ts';

const readsAtOnce = 16;
/** How often a commit is checked against, and tried on, what others have made of the table meanwhile. */
const maxRounds = 20;

/**
 * An Iceberg catalog in the object store itself: no server has a state of its own, any number of processes may serve and
 * change it at a time.
 *
 * A table is a pointer object that names a metadata file. A commit reads the pointer, checks its requirements against that
 * metadata, writes a new metadata file under a name that is used once, and replaces the pointer by `If-Match`. Of any number of
 * commits on one pointer one wins; a loser reads again and is applied after it, if its requirements still hold, or is told
 * CONFLICT. A pointer is never deleted (a dropped table leaves a tombstone), so its bytes never repeat (`catalog-record.ts`).
 */
export class EmbeddedCatalog implements Catalog {
  readonly name: string;
  readonly namespaces: Namespaces;
  readonly #store: ObjectStore;
  readonly #runtime: Runtime;
  readonly #pointers: RecordStore<TablePointer>;
  readonly #files: MetadataFiles;
  readonly #folders: TableFolders;

  constructor(store: ObjectStore, runtime: Runtime) {
    this.name = `embedded catalog in ${store.name}`;
    this.#store = store;
    this.#runtime = runtime;
    this.namespaces = new Namespaces(store, runtime);
    this.#pointers = new RecordStore(store, runtime, tablePointerFormat);
    this.#files = new MetadataFiles(store);
    this.#folders = new TableFolders(store, this.#pointers, this.#files);
  }

  async ensureNamespace(namespace: readonly string[], signal?: AbortSignal): Promise<void> {
    for (let levels = 1; levels <= namespace.length; levels += 1) {
      const part = namespace.slice(0, levels);
      if (await this.namespaces.exists(part, signal)) continue;
      try {
        await this.namespaces.create(part, {}, signal);
      } catch (error) {
        if (!(error instanceof CatalogError && error.code === 'ALREADY_EXISTS')) throw error;
      }
    }
  }

  async loadTable(table: TableIdentifier, signal?: AbortSignal): Promise<LoadedTable> {
    const { metadataLocation } = await this.#require(table, signal);
    return { metadata: await this.#files.read(metadataLocation, signal), metadataLocation };
  }

  async tableExists(table: TableIdentifier, signal?: AbortSignal): Promise<boolean> {
    checkIdentifier(table);
    return isTable(await this.#pointers.read(pointerKey(table), signal));
  }

  /** Field ids, partition field ids and uuid are the catalog's own; see `newTableUpdates`. */
  async createTable(
    table: TableIdentifier,
    request: CreateTable,
    signal?: AbortSignal,
  ): Promise<LoadedTable> {
    return await this.#create(table, this.#newTable(table, request), signal);
  }

  /** What `createTable` would make, without making it: the client commits it later, with what else it has to say. */
  async stageTable(
    table: TableIdentifier,
    request: CreateTable,
    signal?: AbortSignal,
  ): Promise<TableMetadata> {
    await this.#checkCreatable(table, signal);
    return this.#newTable(table, request);
  }

  async commitTable(
    table: TableIdentifier,
    requirements: readonly TableRequirement[],
    updates: readonly TableUpdate[],
    signal?: AbortSignal,
  ): Promise<LoadedTable> {
    checkIdentifier(table);
    const isCreation = requirements.some(({ type }) => type === 'assert-create');
    for (let round = 1; round <= maxRounds; round += 1) {
      const held = await this.#pointers.read(pointerKey(table), signal);
      if (isCreation && !isTable(held)) {
        const context = { nowMs: this.#runtime.wallMs(), metadataLocation: undefined };
        return await this.#create(
          table,
          unlessError(applyUpdates(undefined, requirements, updates, context)),
          signal,
        );
      }
      if (!isTable(held)) throw noSuchTable(table);
      const { metadataLocation } = held.record.value;
      const base = await this.#files.read(metadataLocation, signal);
      const context = { nowMs: this.#runtime.wallMs(), metadataLocation };
      const next = unlessError(applyUpdates(base, requirements, updates, context));
      if (next === base) return { metadata: base, metadataLocation };
      this.#folders.checkLocations(table, next, base);
      const loaded = await this.#replace(table, held, next, signal);
      if (loaded !== undefined) {
        await this.#trim(table, base, next);
        return loaded;
      }
    }
    throw new CatalogError(
      'UNAVAILABLE',
      `table ${shown(table)} was changed by others ${maxRounds} times in a row; nothing was changed by this commit`,
    );
  }

  /**
   * Adopts metadata that lies in this store already, e.g. of a table that was dropped; REFUSED when it is in the folder of
   * one that was not. Of several that adopt one folder at a time at most one succeeds: each looks again once its pointer is
   * written, and takes it back when it finds another.
   */
  async registerTable(
    table: TableIdentifier,
    metadataLocation: string,
    signal?: AbortSignal,
  ): Promise<LoadedTable> {
    const held = await this.#checkCreatable(table, signal);
    this.#files.checkInside(metadataLocation);
    const metadata = await this.#files.read(metadataLocation, signal);
    const check = (): Promise<void> =>
      this.#folders.checkAdoptable(table, metadataLocation, metadata, signal);
    await check();
    if ((await this.#swap(table, held, metadataLocation, signal)) === 'lost') throw alreadyExists(table);
    await this.#confirm(table, check, signal);
    return { metadata, metadataLocation };
  }

  /**
   * Replaces the pointer by a tombstone; a commit that races it wins before it or is told NO_SUCH_TABLE. Files stay, unless
   * `purge` asks for them to be deleted too: after the tombstone is written, best effort, and only where the location was
   * chosen by this catalog for this very table, so that nobody else's files can lie in it ({@link TableFolders}).
   */
  async dropTable(
    table: TableIdentifier,
    { purge }: { readonly purge: boolean },
    signal?: AbortSignal,
  ): Promise<void> {
    checkIdentifier(table);
    const { namespace, name } = table;
    for (let round = 1; round <= maxRounds; round += 1) {
      const held = await this.#pointers.read(pointerKey(table), signal);
      if (!isTable(held)) throw noSuchTable(table);
      const folder = purge
        ? await this.#folders.purgeable(
            table,
            await this.#files.read(held.record.value.metadataLocation, signal),
            signal,
          )
        : undefined;
      const swapped = await this.#pointers.swap(
        pointerKey(table),
        held,
        { state: 'dropped', namespace, name },
        signal,
      );
      if (swapped === 'lost') continue;
      if (folder !== undefined) await this.#deleteFolder(folder, signal);
      return;
    }
    throw new CatalogError(
      'UNAVAILABLE',
      `table ${shown(table)} was changed by others ${maxRounds} times in a row`,
    );
  }

  async dropNamespace(namespace: readonly string[], signal?: AbortSignal): Promise<void> {
    const hasTables = async (): Promise<boolean> => (await this.#tableNames(namespace, signal)).length > 0;
    await this.namespaces.drop(namespace, hasTables, signal);
  }

  /** Sorted by name. One GET for each table that is or was there. */
  async listTables(namespace: readonly string[], signal?: AbortSignal): Promise<readonly TableIdentifier[]> {
    await this.namespaces.properties(namespace, signal);
    return (await this.#tableNames(namespace, signal)).map((name) => ({ namespace, name }));
  }

  async #tableNames(namespace: readonly string[], signal?: AbortSignal): Promise<readonly string[]> {
    const keys = await reading('list of tables', () =>
      keysOf(this.#store, pointersPrefix(namespace), signal),
    );
    const names: string[] = [];
    await forEachLimited(keys, readsAtOnce, async (key) => {
      const held = await this.#pointers.read(key, signal);
      if (isTable(held)) names.push(held.record.value.name);
    });
    return names.sort(compare);
  }

  #newTable(table: TableIdentifier, request: CreateTable): TableMetadata {
    const uuid = randomUuid(this.#runtime.random);
    const location = request.location ?? locationOf(this.#store, tableFolder(table, uuid));
    const context = { nowMs: this.#runtime.wallMs(), metadataLocation: undefined };
    const metadata = unlessError(
      applyUpdates(
        undefined,
        [{ type: 'assert-create' }],
        newTableUpdates(request, { uuid, location }),
        context,
      ),
    );
    this.#folders.checkLocations(table, metadata);
    return metadata;
  }

  /** Of several creators of one name one succeeds, the others are told ALREADY_EXISTS. */
  async #create(table: TableIdentifier, metadata: TableMetadata, signal?: AbortSignal): Promise<LoadedTable> {
    const held = await this.#checkCreatable(table, signal);
    this.#folders.checkLocations(table, metadata);
    const loaded = await this.#replace(table, held, metadata, signal);
    if (loaded === undefined) throw alreadyExists(table);
    await this.#confirm(table, () => Promise.resolve(), signal);
    return loaded;
  }

  async #checkCreatable(
    table: TableIdentifier,
    signal?: AbortSignal,
  ): Promise<Held<TablePointer> | undefined> {
    checkIdentifier(table);
    await this.namespaces.properties(table.namespace, signal);
    const held = await this.#pointers.read(pointerKey(table), signal);
    if (isTable(held)) throw alreadyExists(table);
    return held;
  }

  /**
   * After the pointer is written: a table in a namespace that was dropped meanwhile (see {@link Namespaces}), or for which
   * `check` says REFUSED, is taken back.
   */
  async #confirm(table: TableIdentifier, check: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    let refusal: CatalogError;
    try {
      const refused = await refusalOf(check);
      if (refused === undefined && (await this.namespaces.confirm(table.namespace, signal))) return;
      refusal = refused ?? noSuchNamespace(table.namespace);
      await this.dropTable(table, { purge: false }, signal);
    } catch (error) {
      // The table stands, so "nothing was changed" would be wrong.
      const message = error instanceof Error ? error.message : String(error);
      throw new CatalogError(
        'UNKNOWN_OUTCOME',
        `table ${shown(table)} may have been created: ${message}`,
        error,
      );
    }
    throw refusal;
  }

  /** `undefined`: somebody else replaced the pointer first; the metadata file is deleted again. */
  async #replace(
    table: TableIdentifier,
    held: Held<TablePointer> | undefined,
    metadata: TableMetadata,
    signal?: AbortSignal,
  ): Promise<LoadedTable | undefined> {
    const metadataLocation = await this.#files.write(metadata, randomUuid(this.#runtime.random), signal);
    if ((await this.#swap(table, held, metadataLocation, signal)) === 'applied')
      return { metadata, metadataLocation };
    await this.#files.discard([metadataLocation]);
    return undefined;
  }

  async #swap(
    { namespace, name }: TableIdentifier,
    held: Held<TablePointer> | undefined,
    metadataLocation: string,
    signal?: AbortSignal,
  ): Promise<'applied' | 'lost'> {
    const pointer: TablePointer = { state: 'table', namespace, name, metadataLocation };
    return await this.#pointers.swap(pointerKey({ namespace, name }), held, pointer, signal);
  }

  /**
   * `write.metadata.delete-after-commit.enabled`: metadata files that fell out of the log are deleted, where they lie in the
   * table's own folder.
   */
  async #trim(table: TableIdentifier, base: TableMetadata, next: TableMetadata): Promise<void> {
    if (next.properties['write.metadata.delete-after-commit.enabled'] !== 'true') return;
    const kept = new Set(next.metadataLog.map(({ metadataFile }) => metadataFile));
    const fallen = base.metadataLog.map(({ metadataFile }) => metadataFile).filter((file) => !kept.has(file));
    await this.#files.discard(this.#folders.ownMetadataFiles(table, next, fallen));
  }

  async #deleteFolder(folder: string, signal?: AbortSignal): Promise<void> {
    const keys = await keysOf(this.#store, folder, signal).catch(() => []);
    await this.#store.deleteMany(keys).catch(() => undefined);
  }

  async #require(
    table: TableIdentifier,
    signal?: AbortSignal,
  ): Promise<TablePointer & { readonly state: 'table' }> {
    checkIdentifier(table);
    const held = await this.#pointers.read(pointerKey(table), signal);
    if (!isTable(held)) throw noSuchTable(table);
    return held.record.value;
  }
}

function isTable(
  held: Held<TablePointer> | undefined,
): held is Held<TablePointer & { readonly state: 'table' }> {
  return held?.record.value.state === 'table';
}

async function refusalOf(check: () => Promise<void>): Promise<CatalogError | undefined> {
  try {
    await check();
    return undefined;
  } catch (error) {
    if (error instanceof CatalogError && error.code === 'REFUSED') return error;
    throw error;
  }
}

function unlessError(result: TableMetadata | CatalogError): TableMetadata {
  if (result instanceof CatalogError) throw result;
  return result;
}

/** These two in the words of the reference implementation, which people and tools search for. */
function noSuchTable(table: TableIdentifier): CatalogError {
  return new CatalogError('NO_SUCH_TABLE', `Table does not exist: ${shown(table)}`);
}

function alreadyExists(table: TableIdentifier): CatalogError {
  return new CatalogError('ALREADY_EXISTS', `Table already exists: ${shown(table)}`);
}
