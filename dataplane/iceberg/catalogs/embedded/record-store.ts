import { abortReason } from '../../../runtime/runtime.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import { compareAndSwap } from '../../../store/compare-and-swap.ts';
import type { SwapResult } from '../../../store/compare-and-swap.ts';
import { StoreError } from '../../../store/errors.ts';
import type { ETag, ObjectStore } from '../../../store/object-store.ts';
import { CatalogError } from '../../errors.ts';
import { decodeRecord, encodeRecord, keptTokens } from './catalog-record.ts';
import type { CatalogRecord, RecordFormat } from './catalog-record.ts';

/** A record as it was read. */
export interface Held<T> {
  readonly etag: ETag;
  readonly record: CatalogRecord<T>;
}

/** PUTs of one swap before an unknown outcome is told to the caller. */
const maxAttempts = 4;

/** Records of one kind in the object store. */
export class RecordStore<T> {
  readonly #store: ObjectStore;
  readonly #runtime: Runtime;
  readonly #format: RecordFormat<T>;

  constructor(store: ObjectStore, runtime: Runtime, format: RecordFormat<T>) {
    this.#store = store;
    this.#runtime = runtime;
    this.#format = format;
  }

  /** `undefined`: there never was one. */
  async read(key: string, signal?: AbortSignal): Promise<Held<T> | undefined> {
    const got = await reading(key, () => this.#store.get(key, { signal }));
    if (got.kind !== 'found') return undefined;
    return { etag: got.info.etag, record: decodeRecord(this.#format, got.body, this.#sourceOf(key)) };
  }

  /**
   * Replaces what was read, or creates it (`If-Match`, `If-None-Match: *`).
   *
   * Atomicity: of any number of callers that read the same record one gets `applied`; the others get `lost`, and nothing of
   * theirs is or will be written. A PUT whose answer is lost is looked for in what the object holds, and sent again while
   * it still holds what was read; when neither helps, an UNKNOWN_OUTCOME is thrown: it may take effect at any later time.
   * UNAVAILABLE: nothing was or will be written.
   */
  async swap(
    key: string,
    held: Held<T> | undefined,
    value: T,
    signal?: AbortSignal,
  ): Promise<'applied' | 'lost'> {
    const token = Buffer.from(this.#runtime.random.bytes(9)).toString('base64url');
    const v = (held?.record.v ?? 0) + 1;
    const tokens = [...(held?.record.tokens ?? []), token].slice(-keptTokens);
    const source = this.#sourceOf(key);
    const swap = await this.#resolved(
      key,
      () =>
        compareAndSwap(this.#store, this.#runtime, {
          key,
          expected: held?.etag ?? 'absent',
          bytes: encodeRecord(this.#format, { v, tokens, value }),
          isOurs: (bytes) => decodeRecord(this.#format, bytes, source).tokens.includes(token),
          maxAttempts,
          signal,
        }),
      signal,
    );
    if (swap.kind === 'applied') return 'applied';
    if (swap.current !== undefined) {
      const current = decodeRecord(this.#format, swap.current.bytes, source);
      if (current.v - current.tokens.length >= v) {
        throw new CatalogError(
          'UNKNOWN_OUTCOME',
          `${source}: ${current.v - v} writes of others have followed ours: whether it landed cannot be told any more`,
        );
      }
    }
    return 'lost';
  }

  async #resolved(
    key: string,
    swap: () => Promise<SwapResult>,
    signal: AbortSignal | undefined,
  ): Promise<SwapResult> {
    try {
      return await swap();
    } catch (error) {
      if (signal?.aborted === true) {
        const what = `${this.#sourceOf(key)}: given up while it was being replaced; it may still be`;
        throw new CatalogError('UNKNOWN_OUTCOME', what, abortReason(signal));
      }
      if (!(error instanceof StoreError)) throw error;
      if (error.landed === 'maybe')
        throw new CatalogError('UNKNOWN_OUTCOME', `it may still be replaced: ${error.message}`, error);
      throw new CatalogError('UNAVAILABLE', `nothing was changed: ${error.message}`, error);
    }
  }

  #sourceOf(key: string): string {
    return `${key} at ${this.#store.name}`;
  }
}

/** A read, or a write that changes nothing until it is pointed to: what fails here can be done again. */
export async function reading<R>(what: string, call: () => Promise<R>): Promise<R> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof StoreError)
      throw new CatalogError('UNAVAILABLE', `${what}: nothing was changed: ${error.message}`, error);
    throw error;
  }
}
