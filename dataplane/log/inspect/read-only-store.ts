import { StoreError } from '../../store/errors.ts';
import type { StoreErrorDetails } from '../../store/errors.ts';
import type {
  CallOptions,
  DeleteFailure,
  GetOptions,
  GetResult,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  PutResult,
} from '../../store/object-store.ts';

/** A store that answers reads and refuses everything else, before anything is sent: INVALID_REQUEST, nothing landed. */
export class ReadOnlyStore implements ObjectStore {
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  get name(): string {
    return this.#store.name;
  }

  put(key: string): Promise<PutResult> {
    return Promise.reject(this.#refusal({ operation: 'put', store: this.name, key }));
  }

  delete(key: string): Promise<void> {
    return Promise.reject(this.#refusal({ operation: 'delete', store: this.name, key }));
  }

  deleteMany(): Promise<readonly DeleteFailure[]> {
    return Promise.reject(this.#refusal({ operation: 'delete', store: this.name }));
  }

  get(key: string, options?: GetOptions): Promise<GetResult<Uint8Array>> {
    return this.#store.get(key, options);
  }

  getStream(key: string, options?: GetOptions): Promise<GetResult<AsyncIterable<Uint8Array>>> {
    return this.#store.getStream(key, options);
  }

  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    return this.#store.head(key, options);
  }

  list(prefix: string, options?: ListOptions): Promise<ListPage> {
    return this.#store.list(prefix, options);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #refusal(details: StoreErrorDetails): StoreError {
    return new StoreError('INVALID_REQUEST', 'it was opened for reading only: nothing was written', details);
  }
}
