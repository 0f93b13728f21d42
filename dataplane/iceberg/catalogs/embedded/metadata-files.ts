import { keyOfLocation } from '../../../store/locations.ts';
import type { ObjectStore } from '../../../store/object-store.ts';
import { CatalogError } from '../../errors.ts';
import { StoreFileIo } from '../../file-io.ts';
import { decodeTableMetadata, printTableMetadata } from '../../json/table-metadata-json.ts';
import { metadataFolder } from '../../metadata-folder.ts';
import type { TableMetadata } from '../../table-metadata.ts';
import { tablesFolder } from './catalog-keys.ts';
import { reading } from './record-store.ts';

/** Tables whose metadata is kept decoded. A file never changes, so what is kept is never stale. */
const maxKept = 32;

/** Metadata files: immutable, under names that are used once. */
export class MetadataFiles {
  readonly #store: ObjectStore;
  readonly #io: StoreFileIo;
  /** The least recently used first. */
  readonly #kept: Map<string, TableMetadata> = new Map();

  constructor(store: ObjectStore) {
    this.#store = store;
    this.#io = new StoreFileIo(store);
  }

  async read(location: string, signal?: AbortSignal): Promise<TableMetadata> {
    const kept = this.#kept.get(location);
    if (kept !== undefined) {
      this.#keep(location, kept);
      return kept;
    }
    const bytes = await reading(location, () => this.#io.read(location, signal));
    const metadata = decodeTableMetadata(bytes, location);
    this.#keep(location, metadata);
    return metadata;
  }

  /**
   * Writes metadata beside the table's other metadata files and returns its location. Until a pointer names it, it is
   * nothing: what fails here has changed nothing.
   *
   * @param token what makes the name unique
   */
  async write(metadata: TableMetadata, token: string, signal?: AbortSignal): Promise<string> {
    // Readers of folders of metadata files (not of catalogs) take the file with the highest number as the newest.
    const number = String(nextNumber(metadata)).padStart(5, '0');
    const location = `${metadataFolder(metadata)}/${number}-${token}.metadata.json`;
    this.checkInside(location);
    const bytes = Buffer.from(printTableMetadata(metadata), 'utf8');
    await reading(location, () => this.#io.write(location, bytes, signal));
    this.#keep(location, metadata);
    return location;
  }

  /** Best effort, for files that no pointer names or ever will: what is left behind is garbage and nothing worse. */
  async discard(locations: readonly string[]): Promise<void> {
    for (const location of locations) this.#kept.delete(location);
    const keys = locations.flatMap((location) => keyOfLocation(this.#store, location) ?? []);
    if (keys.length > 0) await this.#store.deleteMany(keys).catch(() => undefined);
  }

  /** REFUSED for a location that is not below the folder of tables: pointers and the log are none of a table's business. */
  checkInside(location: string): void {
    const key = keyOfLocation(this.#store, location);
    if (key?.startsWith(tablesFolder) === true) return;
    const base = this.#store.baseLocation ?? 'memory:';
    throw new CatalogError(
      'REFUSED',
      `${location} cannot be used: files of tables lie below ${base}/${tablesFolder}; leave the location out to have one chosen`,
    );
  }

  #keep(location: string, metadata: TableMetadata): void {
    this.#kept.delete(location);
    this.#kept.set(location, metadata);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > maxKept && oldest !== undefined) this.#kept.delete(oldest);
  }
}

function nextNumber({ metadataLog }: TableMetadata): number {
  const last = metadataLog.at(-1)?.metadataFile ?? '';
  const number = /\/(\d{1,9})-[^/]*$/.exec(last)?.[1];
  return number === undefined ? metadataLog.length : Number(number) + 1;
}
