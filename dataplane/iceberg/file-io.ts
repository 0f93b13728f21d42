import { keyOfLocation } from '../store/locations.ts';
import type { Body, ObjectStore } from '../store/object-store.ts';
import { CatalogError, FormatError } from './errors.ts';

/** The files of a table, by location (Iceberg's FileIO). */
export interface FileIo {
  /** Rejects with a `FormatError` when there is none, with the store's error when it cannot be known. */
  read(location: string, signal?: AbortSignal): Promise<Uint8Array>;

  /** Writes an immutable file under a name that nobody else uses. Repeated inside until it is certain. */
  write(location: string, body: Body, signal?: AbortSignal): Promise<void>;
}

/** Files in the object store; a location outside of it is REFUSED. */
export class StoreFileIo implements FileIo {
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  async read(location: string, signal?: AbortSignal): Promise<Uint8Array> {
    const got = await this.#store.get(this.#keyOf(location), { signal });
    if (got.kind === 'found') return got.body;
    throw new FormatError(
      'INVALID',
      { source: location, field: '' },
      'does not exist, though the table names it; was it deleted by hand or by a lifecycle rule of the bucket?',
    );
  }

  async write(location: string, body: Body, signal?: AbortSignal): Promise<void> {
    await this.#store.put(this.#keyOf(location), body, { signal });
  }

  #keyOf(location: string): string {
    const key = keyOfLocation(this.#store, location);
    if (key !== undefined) return key;
    throw new CatalogError('REFUSED', `${location} lies outside of the object store ${this.#store.name}`);
  }
}
