import { StoreError } from '../../store/errors.ts';
import { listAll } from '../../store/list-all.ts';
import type { ByteRange, ListedObject, ObjectInfo, ObjectStore } from '../../store/object-store.ts';
import { corruptAdvice, LogFormatError } from '../format/errors.ts';
import { WorkLimit } from '../../runtime/concurrency.ts';

/** What came of reading an object. */
export type Read<T> =
  | { readonly kind: 'found'; readonly value: T; readonly info: ObjectInfo }
  | { readonly kind: 'absent' }
  /** It is there, and its bytes are not what they must be. Read twice, so that it was not the way here that hurt them. */
  | { readonly kind: 'damaged'; readonly error: Error };

export interface FoundBytes {
  readonly bytes: Uint8Array;
  /** Position of the first of `bytes` in the object. */
  readonly offset: number;
  readonly info: ObjectInfo;
}

/** Requests of one run under way at a time, of whatever kind. */
export const maxRequests = 32;

/**
 * Reads for `inspect` and `verify`: at most {@link maxRequests} at a time, and what cannot be decoded is an answer, not an
 * error. Rejects when the store cannot be read, or with the signal's reason.
 */
export class ObjectReader {
  readonly store: ObjectStore;
  readonly signal: AbortSignal | undefined;
  readonly counters = { requests: 0, bytes: 0 };
  readonly #limit = new WorkLimit(maxRequests);

  constructor(store: ObjectStore, signal?: AbortSignal) {
    this.store = store;
    this.signal = signal;
  }

  /**
   * Reads an object, or a range of it, and decodes it. Whatever `decode` throws means that the object is damaged: bytes
   * from the store must never end a run.
   */
  async read<T>(key: string, decode: (found: FoundBytes) => T, range?: ByteRange): Promise<Read<T>> {
    const first = await this.#readOnce(key, decode, range);
    return first.kind === 'damaged' ? await this.#readOnce(key, decode, range) : first;
  }

  async #readOnce<T>(key: string, decode: (found: FoundBytes) => T, range?: ByteRange): Promise<Read<T>> {
    const found = await this.#get(key, range);
    if (found === 'absent') return { kind: 'absent' };
    if (found === 'too short') {
      const error = new LogFormatError(
        'TRUNCATED',
        key,
        `it ends before what belongs in it: ${corruptAdvice}`,
      );
      return { kind: 'damaged', error };
    }
    try {
      return { kind: 'found', value: decode(found), info: found.info };
    } catch (error) {
      return { kind: 'damaged', error: error instanceof Error ? error : new Error(String(error)) };
    }
  }

  async #get(key: string, range: ByteRange | undefined): Promise<FoundBytes | 'absent' | 'too short'> {
    try {
      const found = await this.#limit.run(() => {
        this.counters.requests += 1;
        return this.store.get(key, { range, signal: this.signal });
      });
      if (found.kind !== 'found') return 'absent';
      this.counters.bytes += found.body.length;
      return { bytes: found.body, offset: found.offset, info: found.info };
    } catch (error) {
      if (error instanceof StoreError && error.code === 'RANGE_NOT_SATISFIABLE') return 'too short';
      throw error;
    }
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    return await this.#limit.run(() => {
      this.counters.requests += 1;
      return this.store.head(key, { signal: this.signal });
    });
  }

  /** Every object below a prefix, in no promised order. Its requests are one at a time and are not counted. */
  list(prefix: string): AsyncGenerator<ListedObject, void, undefined> {
    return listAll(this.store, prefix, this.signal);
  }
}
