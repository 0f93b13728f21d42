import { crc32c } from '../crc32c.ts';
import { isStream } from '../body.ts';
import { StoreError } from '../errors.ts';
import { keyProblem } from '../keys.ts';
import type {
  Body,
  CallOptions,
  DeleteFailure,
  ETag,
  GetOptions,
  GetResult,
  ListOptions,
  ListPage,
  ObjectInfo,
  ObjectStore,
  PutOptions,
  PutResult,
  S3Access,
} from '../object-store.ts';
import { checkGet, checkList, checkPut } from '../request-checks.ts';
import { deleteInBulk } from './bulk-delete.ts';
import { resolveEndpoint } from './endpoint.ts';
import type { S3Endpoint } from './endpoint.ts';
import type { HttpResponse } from './http/http-exchange.ts';
import type { PoolStats } from './http/http-pool.ts';
import type { BodyStream } from './http/response-body.ts';
import { parseListPage } from './list-objects.ts';
import { answeredBytes, etagOf, headInfo, objectInfo, wholeObjectCrc32c } from './object-headers.ts';
import { putPayload } from './payload.ts';
import { S3Client } from './s3-client.ts';
import type { S3Answer } from './s3-client.ts';
import { normalizedPrefix, regionOf } from './s3-options.ts';
import type { S3StoreOptions } from './s3-options.ts';
import { S3Requests } from './s3-requests.ts';
import type { KeyedCall } from './s3-requests.ts';
import { checkCrc32c, VerifiedStream } from './verified-stream.ts';

/**
 * A bucket, or a prefix in one, of AWS S3, MinIO, Ceph RGW, R2, versitygw and whatever else serves conditional writes
 * over the S3 protocol (see `firn probe`). Throws a StoreError when the options cannot be right; nothing is sent yet.
 */
export function createS3Store(options: S3StoreOptions): S3Store {
  try {
    const region = regionOf(options, process.env);
    return new S3Store(options, resolveEndpoint({ ...options, region }), region);
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new StoreError('INVALID_REQUEST', cause.message, {
      operation: 'open',
      store: `s3://${options.bucket}`,
      cause,
    });
  }
}

export class S3Store implements ObjectStore {
  readonly name: string;
  readonly baseLocation: string;
  readonly s3Access: S3Access;
  readonly #client: S3Client;
  readonly #requests: S3Requests;

  /** See `createS3Store`. */
  constructor(options: S3StoreOptions, endpoint: S3Endpoint, region: string) {
    const prefix = normalizedPrefix(options.prefix);
    const problem = prefix === '' ? undefined : keyProblem(prefix.slice(0, -1));
    if (problem !== undefined)
      throw new TypeError(`the prefix ${JSON.stringify(prefix)} cannot be used: ${problem}`);
    const at = options.endpoint === undefined ? '' : ` (${endpoint.url})`;
    this.baseLocation = `s3://${options.bucket}${prefix === '' ? '' : `/${prefix.slice(0, -1)}`}`;
    this.name = `${this.baseLocation}${at}`;
    this.s3Access = {
      endpoint: options.endpoint === undefined ? undefined : endpoint.url,
      region,
      pathStyle: endpoint.pathStyle,
    };
    this.#requests = new S3Requests(this.name, endpoint, prefix, {
      checksums: options.checksums ?? true,
      signPayload: options.signPayload ?? false,
    });
    this.#client = new S3Client(this.name, options, endpoint, region);
  }

  /** For metrics. */
  get stats(): PoolStats {
    return this.#client.stats;
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<PutResult> {
    const call = this.#requests.call('put', key);
    checkPut(call, options);
    this.#requests.checkLength(call);
    this.#client.checkOpen({ call, signal: options.signal });
    if (!isStream(body)) return await this.#put(call, body, options, undefined);
    // When the call is over, whatever the outcome, the body is closed, even if it hangs.
    const over = new AbortController();
    const { signal } = options;
    const closeBody = (): void => {
      over.abort(signal?.reason);
    };
    signal?.addEventListener('abort', closeBody, { once: true });
    try {
      return await this.#put(call, body, options, over.signal);
    } finally {
      signal?.removeEventListener('abort', closeBody);
      closeBody();
    }
  }

  async get(key: string, options: GetOptions = {}): Promise<GetResult<Uint8Array>> {
    const call = this.#requests.call('get', key);
    this.#checkGet(call, options);
    const { range } = options;
    const answer = await this.#client.send(this.#requests.get(call, options, false), (response) => {
      const body = response.body as Uint8Array;
      const crc = range === undefined ? wholeObjectCrc32c(response.head.headers) : undefined;
      if (crc !== undefined) checkCrc32c(crc32c(body), crc);
      return foundResult(response, options, body.byteLength, body);
    });
    return getResult(answer);
  }

  async getStream(key: string, options: GetOptions = {}): Promise<GetResult<AsyncIterable<Uint8Array>>> {
    const call = this.#requests.call('get', key);
    this.#checkGet(call, options);
    const { range, signal } = options;
    const translate = (error: unknown): Error => this.#client.storeError({ call, signal }, error);
    const answer = await this.#client.send(this.#requests.get(call, options, true), (response) => {
      const crc = range === undefined ? wholeObjectCrc32c(response.head.headers) : undefined;
      const body = new VerifiedStream(response.body as BodyStream, crc, translate);
      return foundResult(response, options, undefined, body);
    });
    return getResult(answer);
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    const call = this.#requests.call('head', key);
    this.#requests.checkKey(call);
    const request = this.#requests.head(call, options.signal);
    const answer = await this.#client.send(request, ({ head }) => headInfo(head.headers));
    if (answer.kind === 'ok') return answer.value;
    // The answer to a HEAD has no words: make sure once that it was the key, not the bucket, that does not exist.
    if (!this.#client.sawBucket) await this.#checkBucket(call, options.signal);
    return undefined;
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const call = this.#requests.call('list', prefix);
    checkList(call, options);
    if (!prefix.isWellFormed() || options.startAfter?.isWellFormed() === false)
      throw new StoreError('INVALID_REQUEST', 'prefix or startAfter is not well-formed Unicode', call);
    const answer = await this.#client.send(this.#requests.list(call, options), ({ body }) =>
      parseListPage(Buffer.from(body as Uint8Array).toString(), this.#requests.prefix),
    );
    if (answer.kind !== 'ok') throw new Error(`a list was answered ${answer.kind}`);
    return answer.value;
  }

  async delete(key: string, options: CallOptions = {}): Promise<void> {
    const call = this.#requests.call('delete', key);
    this.#requests.checkKey(call);
    await this.#client.send(this.#requests.delete(call, options.signal), () => undefined);
  }

  async deleteMany(keys: readonly string[], options: CallOptions = {}): Promise<readonly DeleteFailure[]> {
    const { signal } = options;
    this.#client.checkOpen({ call: { operation: 'delete', store: this.name }, signal });
    return await deleteInBulk(this.#client, this.#requests, keys, signal);
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  async #put(
    call: KeyedCall,
    body: Body,
    options: PutOptions,
    over: AbortSignal | undefined,
  ): Promise<PutResult> {
    const payload = await putPayload(body, options.crc32c, this.#requests.payloads, call, over);
    const request = this.#requests.put(call, payload, options, over === undefined ? 'many-times' : 'once');
    const answer = await this.#client.send(request, ({ head }): ETag => etagOf(head.headers));
    if (answer.kind === 'ok') return { kind: 'written', etag: answer.value };
    if (answer.kind === 'condition-failed') return answer;
    throw new Error(`a put was answered ${answer.kind}`);
  }

  #checkGet(call: KeyedCall, options: GetOptions): void {
    checkGet(call, options);
    this.#requests.checkLength(call);
  }

  async #checkBucket(call: KeyedCall, signal: AbortSignal | undefined): Promise<void> {
    try {
      const answer = await this.#client.send(this.#requests.headBucket(call, signal), () => undefined);
      if (answer.kind !== 'absent') return;
    } catch (error) {
      // Who may not see the bucket's head has been told by the object's that there is nothing.
      if (error instanceof StoreError && error.code === 'ACCESS_DENIED') return;
      throw error;
    }
    throw new StoreError('NO_SUCH_STORE', 'the bucket does not exist; create it first', call);
  }
}

interface FoundObject<B> {
  readonly info: ObjectInfo;
  readonly offset: number;
  readonly body: B;
}

/** @param receivedBytes of the body, where it has arrived already. */
function foundResult<B>(
  { head }: HttpResponse,
  { range }: GetOptions,
  receivedBytes: number | undefined,
  body: B,
): FoundObject<B> {
  const { offset, sizeBytes } = answeredBytes(head, range, receivedBytes);
  return { info: objectInfo(head.headers, sizeBytes), offset, body };
}

function getResult<B>(answer: S3Answer<FoundObject<B>>): GetResult<B> {
  if (answer.kind === 'ok') return { kind: 'found', ...answer.value };
  if (answer.kind === 'absent' || answer.kind === 'unchanged') return answer;
  throw new Error(`a get was answered ${answer.kind}`);
}
