import type { StoreError } from './errors.ts';

/**
 * The object store as Firn sees it: S3 semantics, reduced to what correctness may rest on. Four implementations:
 * `s3/`, `file/`, `memory.ts`, `simulated/`. All of them pass `contract.ts`.
 *
 * What callers may rely on (S3's consistency model; `firn probe` checks a real store for it):
 *  - A PUT is atomic: readers see the whole old or the whole new object, at once and from everywhere.
 *  - Of any number of concurrent PUTs with `ifAbsent`, or with the same `ifMatch`, at most one takes effect; with `ifMatch`
 *    provided that the bytes differ from all that the object held before (an ETag may be a hash of them).
 *  - GET, HEAD and LIST see every write that had completed before they began.
 *
 * What they may not: conditional DELETE, `If-Match: *`, the order of LIST, or that an ETag is a hash.
 *
 * Keys are relative to the store's root (bucket and prefix, or directory); see `keyProblem`.
 * Every method rejects with a {@link StoreError}, or with `signal.reason` when its signal aborts. An aborted write may
 * still land.
 */
export interface ObjectStore {
  /** For messages: e.g. `s3://bucket/prefix (http://127.0.0.1:9000)`. Never holds credentials. */
  readonly name: string;

  /** Nobody is billed for requests, and no network is between: it pays to write often. Default: false. */
  readonly isLocal?: boolean | undefined;

  /**
   * The root as other programs write it, without a `/` at its end: `s3://bucket/prefix`, `file:///srv/firn`. Undefined: no
   * other program can read it. See `locations.ts`.
   */
  readonly baseLocation?: string | undefined;

  /** For stores of the S3 protocol: how other programs reach the same bucket. They bring credentials of their own. */
  readonly s3Access?: S3Access | undefined;

  /**
   * Writes a whole object.
   *
   * Without a condition the same bytes are sent again after a retriable failure; later attempts may therefore undo
   * somebody else's write that came in between: use it for immutable objects under names nobody else uses.
   * With a condition this is *one attempt*: nothing is hidden from the caller, who alone knows whether its own earlier
   * attempt can have landed. A rejection whose `landed` is `'maybe'` may take effect at any later time.
   */
  put(key: string, body: Body, options?: PutOptions): Promise<PutResult>;

  /** Reads an object, or a range of it, into memory. Retried inside: reads are safe to repeat. */
  get(key: string, options?: GetOptions): Promise<GetResult<Uint8Array>>;

  /**
   * Reads an object as a stream. A body that ends early makes the iteration throw. Bytes are checked for length;
   * retries cover the time until the first byte only. Leaving the iteration early closes the connection.
   */
  getStream(key: string, options?: GetOptions): Promise<GetResult<AsyncIterable<Uint8Array>>>;

  /** What is known of an object without its bytes; `undefined` when it does not exist. */
  head(key: string, options?: CallOptions): Promise<ObjectInfo | undefined>;

  /** One page of the keys that start with `prefix` (a plain string prefix), in no promised order. */
  list(prefix: string, options?: ListOptions): Promise<ListPage>;

  /** Deletes an object. Succeeds when it does not exist. */
  delete(key: string, options?: CallOptions): Promise<void>;

  /** Deletes any number of objects in as few requests as the store allows; returns the keys that could not be deleted. */
  deleteMany(keys: readonly string[], options?: CallOptions): Promise<readonly DeleteFailure[]>;

  /** Ends open connections. Calls under way are rejected. */
  close(): Promise<void>;
}

export interface S3Access {
  /** Undefined: AWS S3 in `region`. */
  readonly endpoint: string | undefined;
  readonly region: string;
  readonly pathStyle: boolean;
}

/** Opaque: compare for equality, hand back in `ifMatch` and `ifNoneMatch`, nothing else. */
export type ETag = string & { readonly __brand: 'ETag' };

/** The bytes of an object: in one piece, in several pieces (sent without joining them), or streamed. */
export type Body = Uint8Array | readonly Uint8Array[] | StreamBody;

/** A body whose size is known and whose bytes come one after another. It can be sent once only, so it is never retried. */
export interface StreamBody {
  readonly sizeBytes: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export type PutOptions = CallOptions & {
  /** Names this write: kept in the object's metadata (`x-amz-meta-id`), read back by HEAD and GET. ≤ 256 printable ASCII characters. */
  readonly id?: string | undefined;
  /** CRC32C of the whole body, when the caller has it already; else the store computes it. The receiving store verifies it. */
  readonly crc32c?: number | undefined;
  /**
   * The caller has computed `crc32c` from these bytes, or compared it with them, a moment ago: a store in the same process
   * need not look at them again. Whoever receives them over a network verifies all the same.
   */
  readonly isCrc32cFresh?: boolean | undefined;
} & Precondition;

export type Precondition =
  /** Only when no object has this key (`If-None-Match: *`). */
  | { readonly ifAbsent: true; readonly ifMatch?: undefined }
  /** Only when the object has this ETag (`If-Match`). A missing object fails the condition. */
  | { readonly ifMatch: ETag; readonly ifAbsent?: undefined }
  | { readonly ifAbsent?: undefined; readonly ifMatch?: undefined };

export type PutResult =
  | { readonly kind: 'written'; readonly etag: ETag }
  /** The condition did not hold (412; for `ifMatch` also 404): *this attempt* wrote nothing and never will. */
  | { readonly kind: 'condition-failed' };

export interface GetOptions extends CallOptions {
  readonly range?: ByteRange | undefined;
  /** Answer `unchanged` when the object still has this ETag. */
  readonly ifNoneMatch?: ETag | undefined;
  /**
   * Memory for the body, for callers that use theirs again: `get` reads the body into its beginning when it is large
   * enough, and answers with a view of that; else with memory of its own. Not for `getStream`. It is the store's until the
   * call resolves; after a rejection something may still be written to it: do not use it again.
   */
  readonly into?: Uint8Array | undefined;
}

/** `start` inclusive, `end` exclusive (to the end of the object when absent); or the last `suffix` bytes (> 0). */
export type ByteRange =
  | { readonly start: number; readonly end?: number | undefined; readonly suffix?: undefined }
  | { readonly suffix: number; readonly start?: undefined };

export type GetResult<B> =
  /** `offset`: position of the first returned byte in the object. `info.sizeBytes` is the whole object's size. */
  | { readonly kind: 'found'; readonly info: ObjectInfo; readonly offset: number; readonly body: B }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unchanged' };

export interface ObjectInfo {
  readonly sizeBytes: number;
  readonly etag: ETag;
  /** What `PutOptions.id` said when it was written. */
  readonly id: string | undefined;
  /** The store's clock, milliseconds since 1970, often whole seconds. Information only. */
  readonly lastModifiedMs: number;
}

export interface ListOptions extends CallOptions {
  /** Only keys after this one in UTF-8 byte order. */
  readonly startAfter?: string | undefined;
  /** From `ListPage.next` of the page before. */
  readonly continuation?: string | undefined;
  /** At most this many keys (1 to 1000, default 1000). */
  readonly maxKeys?: number | undefined;
}

export interface ListPage {
  readonly objects: readonly ListedObject[];
  /** Present when there is more. */
  readonly next: string | undefined;
}

export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: ETag;
  readonly lastModifiedMs: number;
}

export interface DeleteFailure {
  readonly key: string;
  readonly error: StoreError;
}
