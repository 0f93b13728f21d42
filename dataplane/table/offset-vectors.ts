import { createOnce } from '../store/create-once.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { OffsetObjects } from './ingest-state.ts';

/**
 * Offset vectors that are too long for a summary.
 *
 * ```
 * topic-table/<topic id>/offsets-<32 hexadecimal digits>     JSON, see `ingest-state.ts`     put-if-absent, immutable
 * ```
 *
 * They lie beside the registration, not in the table's folder: engines that look for orphan files there would delete them,
 * since no metadata of Iceberg names them.
 */
export class OffsetVectors implements OffsetObjects {
  readonly #store: ObjectStore;
  readonly #runtime: Runtime;
  readonly #topicId: string;
  readonly #signal: AbortSignal;

  constructor(store: ObjectStore, runtime: Runtime, topicId: string, signal: AbortSignal) {
    this.#store = store;
    this.#runtime = runtime;
    this.#topicId = topicId;
    this.#signal = signal;
  }

  async put(bytes: Uint8Array): Promise<string> {
    for (;;) {
      const id = Buffer.from(this.#runtime.random.bytes(16)).toString('hex');
      const key = `topic-table/${this.#topicId}/offsets-${id}`;
      const options = { id, runtime: this.#runtime, signal: this.#signal };
      const result = await createOnce(this.#store, key, bytes, options);
      if (result.kind === 'written') return key;
    }
  }

  async get(key: string): Promise<Uint8Array> {
    const found = await this.#store.get(key, { signal: this.#signal });
    if (found.kind === 'found') return found.body;
    throw new Error(`object ${key}, which has the offsets of a table's last commit, does not exist`);
  }

  /** Best effort: what stays takes room and does no harm. */
  async delete(keys: readonly string[]): Promise<void> {
    await this.#store.deleteMany(keys, { signal: this.#signal });
  }
}
