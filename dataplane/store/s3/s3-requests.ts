import { StoreError } from '../errors.ts';
import type { ETag, GetOptions, ListOptions, PutOptions } from '../object-store.ts';
import { checkKey } from '../request-checks.ts';
import type { Call } from '../request-checks.ts';
import { deleteObjectsBody } from './delete-objects.ts';
import type { S3Endpoint } from './endpoint.ts';
import { listQuery } from './list-objects.ts';
import { rangeHeader } from './object-headers.ts';
import { documentPayload, noPayload } from './payload.ts';
import type { Payload, PayloadOptions } from './payload.ts';
import type { RefusedRequest } from './refusal.ts';
import type { Header } from './sigv4.ts';
import { encodeUriPath } from './uri-encoding.ts';

/** One S3 request but for its signature. */
export interface S3Request {
  readonly call: Call;
  readonly method: 'GET' | 'PUT' | 'HEAD' | 'POST' | 'DELETE';
  /** Encoded. */
  readonly path: string;
  /** In canonical form. */
  readonly query: string;
  /** Beyond those of payload and signature. Lower-case names. */
  readonly headers: readonly Header[];
  readonly payload: Payload;
  readonly condition: RefusedRequest['condition'];
  /** `once`: one attempt that counts; it is repeated only after an answer that refused it for good and told the remedy. */
  readonly attempts: 'many' | 'once';
  /** A larger answer is an error. */
  readonly maxAnswerBytes: number;
  /** Hand out the body of a successful answer while it arrives. */
  readonly streamed: boolean;
  /** Where the body of a successful answer may be put. */
  readonly into: Uint8Array | undefined;
  readonly signal: AbortSignal | undefined;
}

export type KeyedCall = Call & { readonly key: string };

/** Answers other than objects: a page of a list has at most 1000 keys of 1024 bytes, escaped. */
const maxDocumentBytes = 16 * 1024 * 1024;
const maxKeyBytes = 1024;

/** Builds the requests of one store: a bucket and a prefix in it. */
export class S3Requests {
  readonly prefix: string;
  readonly payloads: PayloadOptions;
  readonly #store: string;
  readonly #endpoint: S3Endpoint;

  /** @param store its name, for errors. @param prefix empty, or ends in `/`. */
  constructor(store: string, endpoint: S3Endpoint, prefix: string, payloads: PayloadOptions) {
    this.#store = store;
    this.#endpoint = endpoint;
    this.prefix = prefix;
    this.payloads = payloads;
  }

  call(operation: Call['operation'], key: string): KeyedCall {
    return { operation, store: this.#store, key };
  }

  /** Throws INVALID_REQUEST. */
  checkKey(call: KeyedCall): void {
    checkKey(call);
    this.checkLength(call);
  }

  /** Throws INVALID_REQUEST when the key is too long in the bucket, where the prefix counts. */
  checkLength(call: KeyedCall): void {
    const bytes = Buffer.byteLength(this.prefix) + Buffer.byteLength(call.key);
    if (bytes <= maxKeyBytes) return;
    const what = `with the prefix ${JSON.stringify(this.prefix)} the key has ${bytes} bytes, at most ${maxKeyBytes} are allowed`;
    throw new StoreError('INVALID_REQUEST', what, call);
  }

  put(call: KeyedCall, payload: Payload, options: PutOptions, sendable: 'many-times' | 'once'): S3Request {
    const { id, ifAbsent, ifMatch, signal } = options;
    const headers: Header[] = [];
    if (ifAbsent) headers.push(['if-none-match', '*']);
    if (ifMatch !== undefined) headers.push(['if-match', checkedETag(ifMatch, call)]);
    if (id !== undefined) headers.push(['x-amz-meta-id', id]);
    const condition = ifAbsent ? 'if-absent' : ifMatch === undefined ? 'none' : 'if-match';
    const attempts = condition === 'none' && sendable === 'many-times' ? 'many' : 'once';
    return { ...this.#request(call, 'PUT', signal), headers, payload, condition, attempts };
  }

  get(call: KeyedCall, options: GetOptions, streamed: boolean): S3Request {
    const { range, ifNoneMatch, signal } = options;
    const headers: Header[] = [];
    if (range !== undefined) headers.push(['range', rangeHeader(range)]);
    else if (this.payloads.checksums) headers.push(['x-amz-checksum-mode', 'ENABLED']);
    if (ifNoneMatch !== undefined) headers.push(['if-none-match', checkedETag(ifNoneMatch, call)]);
    return {
      ...this.#request(call, 'GET', signal),
      headers,
      condition: ifNoneMatch === undefined ? 'none' : 'if-none-match',
      streamed,
      into: options.into,
      maxAnswerBytes: Infinity,
    };
  }

  head(call: KeyedCall, signal: AbortSignal | undefined): S3Request {
    return this.#request(call, 'HEAD', signal);
  }

  /** Answers `absent` when the bucket does not exist. */
  headBucket(call: KeyedCall, signal: AbortSignal | undefined): S3Request {
    return { ...this.#request(call, 'HEAD', signal), path: this.#endpoint.bucketPath };
  }

  list(call: KeyedCall, options: ListOptions): S3Request {
    return {
      ...this.#request(call, 'GET', options.signal),
      path: this.#endpoint.bucketPath,
      query: listQuery(this.prefix, call.key, options),
    };
  }

  delete(call: KeyedCall, signal: AbortSignal | undefined): S3Request {
    return this.#request(call, 'DELETE', signal);
  }

  deleteMany(call: Call, keys: readonly string[], signal: AbortSignal | undefined): S3Request {
    return {
      ...this.#request({ ...call, key: '' }, 'POST', signal),
      call,
      path: this.#endpoint.bucketPath,
      query: 'delete=',
      payload: documentPayload(deleteObjectsBody(keys.map((key) => this.prefix + key)), this.payloads),
    };
  }

  #request(call: KeyedCall, method: S3Request['method'], signal: AbortSignal | undefined): S3Request {
    return {
      call,
      method,
      path: this.#endpoint.objectPath + encodeUriPath(this.prefix + call.key),
      query: '',
      headers: [],
      payload: noPayload,
      condition: 'none',
      attempts: 'many',
      maxAnswerBytes: maxDocumentBytes,
      streamed: false,
      into: undefined,
      signal,
    };
  }
}

/** An ETag goes into a header as it is: it must not be able to end it. */
function checkedETag(etag: ETag, call: Call): string {
  if (/^[\x21-\x7e]+$/.test(etag)) return etag;
  throw new StoreError('INVALID_REQUEST', `${JSON.stringify(etag)} is not an ETag of this store`, call);
}
