import type { Runtime } from '../runtime/runtime.ts';
import { createOnce } from '../store/create-once.ts';
import { keyOfLocation } from '../store/locations.ts';
import type { ObjectStore } from '../store/object-store.ts';
import { TableStop } from './errors.ts';

/** Writes and deletes files of tables in the object store. Every file has a name of its own and is never changed. */
export class TableFiles {
  readonly #store: ObjectStore;
  readonly #runtime: Runtime;

  constructor(store: ObjectStore, runtime: Runtime) {
    this.#store = store;
    this.#runtime = runtime;
  }

  /** A name that no other file has or will have. */
  uniqueName(): string {
    return Buffer.from(this.#runtime.random.bytes(16)).toString('hex');
  }

  /**
   * Puts the file (`If-None-Match: *`), again and again until the store gives a definite answer. False: something else
   * is in its place, or was: take another name.
   */
  async create(location: string, pieces: readonly Uint8Array[], signal: AbortSignal): Promise<boolean> {
    const result = await createOnce(this.#store, this.#keyOf(location), pieces, {
      id: location.slice(-64),
      runtime: this.#runtime,
      signal,
    });
    return result.kind === 'written';
  }

  /** @throws when there is none */
  async read(location: string, signal?: AbortSignal): Promise<Uint8Array> {
    const result = await this.#store.get(this.#keyOf(location), { signal });
    if (result.kind !== 'found') throw new Error(`${location} does not exist`);
    return result.body;
  }

  /** Best effort: what stays is an orphan, which takes room and does no harm. */
  async delete(locations: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#store.deleteMany(
      locations.map((location) => this.#keyOf(location)),
      { signal },
    );
  }

  #keyOf(location: string): string {
    const key = keyOfLocation(this.#store, location);
    if (key !== undefined) return key;
    throw new TableStop(
      'UNSUPPORTED_TABLE',
      `${location} lies outside of the object store ${this.#store.name}: tables elsewhere are not built yet`,
    );
  }
}
