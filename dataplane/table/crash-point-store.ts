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
} from '../store/object-store.ts';
import type { CrashPoint, CrashPoints } from './crash-points.ts';

/** Tests only: the store that a catalog is given, with a crash point before and after every write of a commit. */
export class CrashPointStore implements ObjectStore {
  readonly name: string;
  readonly isLocal: boolean | undefined;
  readonly baseLocation: string | undefined;
  readonly #store: ObjectStore;
  readonly #crashPoint: CrashPoints;

  constructor(store: ObjectStore, crashPoint: CrashPoints) {
    this.name = store.name;
    this.isLocal = store.isLocal;
    this.baseLocation = store.baseLocation;
    this.#store = store;
    this.#crashPoint = crashPoint;
  }

  async put(key: string, body: Body, options?: PutOptions): Promise<PutResult> {
    const step = stepOf(key);
    if (step === undefined) return await this.#store.put(key, body, options);
    this.#crashPoint(`catalog.${step}.before` satisfies CrashPoint);
    const result = await this.#store.put(key, body, options);
    this.#crashPoint(`catalog.${step}.after` satisfies CrashPoint);
    return result;
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

  delete(key: string, options?: CallOptions): Promise<void> {
    return this.#store.delete(key, options);
  }

  deleteMany(keys: readonly string[], options?: CallOptions): Promise<readonly DeleteFailure[]> {
    return this.#store.deleteMany(keys, options);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

/** Keys of the embedded catalog: pointers to tables, and the metadata files that they name. */
function stepOf(key: string): 'pointer.swap' | 'metadata.put' | undefined {
  if (key.startsWith('catalog/tables/')) return 'pointer.swap';
  return key.endsWith('.metadata.json') ? 'metadata.put' : undefined;
}
