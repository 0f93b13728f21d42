import type { Runtime } from '../../runtime/runtime.ts';
import { bodySizeBytes } from '../body.ts';
import { StoreError } from '../errors.ts';
import type { StoreErrorDetails } from '../errors.ts';
import type {
  Body,
  CallOptions,
  DeleteFailure,
  GetOptions,
  GetResult,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutResult,
} from '../object-store.ts';

/**
 * A handle whose calls end: each is aborted after `timeoutMs` (a PUT later, as its size asks) and then rejects with TIMEOUT, retries inside the store
 * included. Streams are bounded up to their first byte.
 */
export class DeadlineStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #runtime: Runtime;
  readonly #timeoutMs: number;
  /** Whether any put can have left an object. */
  mayHaveWritten = false;

  constructor(store: ObjectStore, runtime: Runtime, timeoutMs: number) {
    this.#store = store;
    this.#runtime = runtime;
    this.#timeoutMs = timeoutMs;
  }

  get name(): string {
    return this.#store.name;
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<PutResult> {
    // Bodies of a race share the line: 64 KiB/s for each is little even then.
    const moreMs = bodySizeBytes(body) / 64;
    const send = (signal: AbortSignal): Promise<PutResult> =>
      this.#store.put(key, body, { ...options, signal });
    try {
      const result = await this.#bounded('put', key, options, send, moreMs);
      if (result.kind === 'written') this.mayHaveWritten = true;
      return result;
    } catch (error) {
      if (!(error instanceof StoreError && error.landed === 'no')) this.mayHaveWritten = true;
      throw error;
    }
  }

  get(key: string, options: GetOptions = {}): Promise<GetResult<Uint8Array>> {
    return this.#bounded('get', key, options, (signal) => this.#store.get(key, { ...options, signal }));
  }

  getStream(key: string, options: GetOptions = {}): Promise<GetResult<AsyncIterable<Uint8Array>>> {
    return this.#bounded('get', key, options, (signal) => this.#store.getStream(key, { ...options, signal }));
  }

  head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    return this.#bounded('head', key, options, (signal) => this.#store.head(key, { ...options, signal }));
  }

  list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    return this.#bounded('list', prefix, options, (signal) =>
      this.#store.list(prefix, { ...options, signal }),
    );
  }

  delete(key: string, options: CallOptions = {}): Promise<void> {
    return this.#bounded('delete', key, options, (signal) => this.#store.delete(key, { ...options, signal }));
  }

  deleteMany(keys: readonly string[], options: CallOptions = {}): Promise<readonly DeleteFailure[]> {
    return this.#bounded('delete', undefined, options, (signal) =>
      this.#store.deleteMany(keys, { ...options, signal }),
    );
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #bounded<T>(
    operation: StoreErrorDetails['operation'],
    key: string | undefined,
    { signal }: CallOptions,
    call: (signal: AbortSignal) => Promise<T>,
    moreMs = 0,
  ): Promise<T> {
    const deadline = new AbortController();
    const timeoutMs = this.#timeoutMs + Math.floor(moreMs);
    const cancel = this.#runtime.after(timeoutMs, () => {
      const what = `no answer within ${timeoutMs} ms; check that the store is up and reachable from here`;
      deadline.abort(new StoreError('TIMEOUT', what, { operation, key, store: this.name }));
    });
    try {
      return await call(signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]));
    } finally {
      cancel();
    }
  }
}
