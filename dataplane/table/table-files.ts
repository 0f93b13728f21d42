import type { Runtime } from '../runtime/runtime.ts';
import { createOnce } from '../store/create-once.ts';
import type { ObjectStore } from '../store/object-store.ts';

/** The files of tables in the store: locations are what Iceberg's metadata says, keys what the store knows. */
export interface TableFilesEnvironment {
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  /** @throws an error that says why, for a location outside of the store */
  readonly keyOf: (location: string) => string;
}

/** Writes and deletes files of tables. Every file has a name of its own and is never changed. */
export class TableFiles {
  readonly #environment: TableFilesEnvironment;

  constructor(environment: TableFilesEnvironment) {
    this.#environment = environment;
  }

  /** A name that no other file has or will have. */
  uniqueName(): string {
    return Buffer.from(this.#environment.runtime.random.bytes(16)).toString('hex');
  }

  /**
   * Puts the file (`If-None-Match: *`), again and again until the store gives a definite answer. False: something else
   * is in its place, or was: take another name.
   */
  async create(location: string, pieces: readonly Uint8Array[], signal: AbortSignal): Promise<boolean> {
    const { store, runtime, keyOf } = this.#environment;
    const result = await createOnce(store, keyOf(location), pieces, {
      id: location.slice(-64),
      runtime,
      signal,
    });
    return result.kind === 'written';
  }

  /** @throws when there is none */
  async read(location: string, signal?: AbortSignal): Promise<Uint8Array> {
    const { store, keyOf } = this.#environment;
    const result = await store.get(keyOf(location), { signal });
    if (result.kind !== 'found') throw new Error(`${location} does not exist`);
    return result.body;
  }

  /** Best effort: what stays is an orphan, which takes room and does no harm. */
  async delete(locations: readonly string[], signal: AbortSignal): Promise<void> {
    const { store, keyOf } = this.#environment;
    await store.deleteMany(locations.map(keyOf), { signal });
  }
}
