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
  S3Access,
} from './object-store.ts';

/** A handle that passes everything on to another one: what begins with it says only what it does otherwise. */
export class ForwardingStore implements ObjectStore {
  protected readonly store: ObjectStore;

  constructor(store: ObjectStore) {
    this.store = store;
  }

  get name(): string {
    return this.store.name;
  }

  get isLocal(): boolean | undefined {
    return this.store.isLocal;
  }

  get baseLocation(): string | undefined {
    return this.store.baseLocation;
  }

  get s3Access(): S3Access | undefined {
    return this.store.s3Access;
  }

  put(key: string, body: Body, options?: PutOptions): Promise<PutResult> {
    return this.store.put(key, body, options);
  }

  get(key: string, options?: GetOptions): Promise<GetResult<Uint8Array>> {
    return this.store.get(key, options);
  }

  getStream(key: string, options?: GetOptions): Promise<GetResult<AsyncIterable<Uint8Array>>> {
    return this.store.getStream(key, options);
  }

  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined> {
    return this.store.head(key, options);
  }

  list(prefix: string, options?: ListOptions): Promise<ListPage> {
    return this.store.list(prefix, options);
  }

  delete(key: string, options?: CallOptions): Promise<void> {
    return this.store.delete(key, options);
  }

  deleteMany(keys: readonly string[], options?: CallOptions): Promise<readonly DeleteFailure[]> {
    return this.store.deleteMany(keys, options);
  }

  close(): Promise<void> {
    return this.store.close();
  }
}
