import { tablePointerFormat, decodeRecord } from '../../iceberg/catalogs/embedded/catalog-record.ts';
import { decodeTableMetadata } from '../../iceberg/json/table-metadata-json.ts';
import { readManifest } from '../../iceberg/manifest/manifest-file.ts';
import { readManifestList } from '../../iceberg/manifest/manifest-list.ts';
import type { Snapshot, TableMetadata } from '../../iceberg/table-metadata.ts';
import type { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import { readRows } from './table-rows.ts';
import type { TableRow } from './table-rows.ts';
import { TableViolation } from './violation.ts';

export const pointersPrefix = 'catalog/tables/';

/** What the store holds of tables, at this moment: without requests, and remembered where it cannot change. */
export class TableView {
  readonly #store: SimulatedStore;
  readonly #keyOf: (location: string) => string;
  readonly #metadata = new Map<string, TableMetadata>();
  readonly #files = new Map<string, { readonly all: readonly string[]; readonly data: readonly string[] }>();
  readonly #rows = new Map<string, readonly TableRow[]>();

  constructor(store: SimulatedStore, keyOf: (location: string) => string) {
    this.#store = store;
    this.#keyOf = keyOf;
  }

  /** `undefined`: it was dropped, or there never was one. */
  metadataLocation(pointerKey: string): string | undefined {
    const object = this.#store.peek(pointerKey);
    if (object === undefined) return undefined;
    const { value } = decodeRecord(tablePointerFormat, object.bytes, pointerKey);
    return value.state === 'dropped' ? undefined : value.metadataLocation;
  }

  /** The table that a pointer names, if any. */
  table(pointerKey: string): TableMetadata | undefined {
    const location = this.metadataLocation(pointerKey);
    if (location === undefined) return undefined;
    let metadata = this.#metadata.get(location);
    if (metadata === undefined) {
      metadata = decodeTableMetadata(this.#bytes(location), location);
      this.#metadata.set(location, metadata);
    }
    return metadata;
  }

  /** Keys of all files that a snapshot reaches. */
  reachable(snapshot: Snapshot): readonly string[] {
    return this.#filesOf(snapshot).all;
  }

  /** The live data files of a snapshot. */
  dataFiles(snapshot: Snapshot): readonly string[] {
    return this.#filesOf(snapshot).data;
  }

  async rows(location: string): Promise<readonly TableRow[]> {
    const known = this.#rows.get(location);
    if (known !== undefined) return known;
    const rows = await readRows(this.#bytes(location));
    this.#rows.set(location, rows);
    return rows;
  }

  #filesOf({ manifestList }: Snapshot): {
    readonly all: readonly string[];
    readonly data: readonly string[];
  } {
    const known = this.#files.get(manifestList);
    if (known !== undefined) return known;
    const all = [manifestList];
    const data: string[] = [];
    for (const { manifestPath } of readManifestList(this.#bytes(manifestList), manifestList)) {
      all.push(manifestPath);
      for (const { status, file } of readManifest(this.#bytes(manifestPath), manifestPath).entries)
        if (status !== 'deleted') data.push(file.filePath);
    }
    const files = { all: [...all, ...data].map(this.#keyOf), data };
    this.#files.set(manifestList, files);
    return files;
  }

  #bytes(location: string): Uint8Array {
    const object = this.#store.peek(this.#keyOf(location));
    if (object === undefined)
      throw new TableViolation('reference safety', `a table references ${location}, which does not exist`);
    return object.bytes;
  }
}
