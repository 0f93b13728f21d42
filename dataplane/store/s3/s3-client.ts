import { abortReason, sleep } from '../../runtime/runtime.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { untilAborted } from '../body.ts';
import { StoreError } from '../errors.ts';
import type { StoreErrorCode } from '../errors.ts';
import { CredentialsError, CredentialSource, standardCredentialChain } from './credentials.ts';
import type { S3Credentials } from './credentials.ts';
import type { S3Endpoint } from './endpoint.ts';
import { HttpFailure } from './http/http-failure.ts';
import type { HttpFailureKind } from './http/http-failure.ts';
import type { HttpResponse } from './http/http-exchange.ts';
import { HttpPool } from './http/http-pool.ts';
import type { PoolStats } from './http/http-pool.ts';
import { BodyStream } from './http/response-body.ts';
import { AnswerError } from './object-headers.ts';
import { judge, readRefusal } from './refusal.ts';
import type { Refusal, Remedy, Verdict } from './refusal.ts';
import { backoffMs } from './retry.ts';
import {
  defaultMaxConnections,
  defaultMaxWaiting,
  defaultRetryLimits,
  defaultTimeLimits,
  idleConnectionMs,
} from './s3-options.ts';
import type { RetryLimits, S3StoreOptions } from './s3-options.ts';
import type { S3Request } from './s3-requests.ts';
import { SigV4Signer } from './sigv4.ts';
import { XmlError } from './xml.ts';

/** What a successful answer was read as, or one of the other answers that some calls expect. */
export type S3Answer<T> =
  { readonly kind: 'ok'; readonly value: T } | Exclude<Verdict, { readonly kind: 'error' }>;

interface FailedAttempt {
  readonly kind: 'failed';
  readonly error: StoreError;
  /** Absent when no answer came. */
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
}

type Outcome<T> =
  { readonly kind: 'answered'; readonly answer: S3Answer<T>; readonly status: number } | FailedAttempt;

const failureCodes: Readonly<Record<HttpFailureKind, StoreErrorCode>> = {
  unreachable: 'UNREACHABLE',
  lost: 'CONNECTION_LOST',
  timeout: 'TIMEOUT',
  truncated: 'CORRUPT_RESPONSE',
  malformed: 'CORRUPT_RESPONSE',
  'too-large': 'INVALID_REQUEST',
  closed: 'CLOSED',
};

/** Signs requests, sends them, tells what went wrong, and repeats them where that is allowed. */
export class S3Client {
  readonly storeName: string;
  readonly #endpoint: S3Endpoint;
  readonly #bucket: string;
  readonly #region: string;
  readonly #runtime: Runtime;
  readonly #retries: RetryLimits;
  readonly #onAttempt: S3StoreOptions['onAttempt'];
  readonly #signer: SigV4Signer;
  readonly #pool: HttpPool;
  readonly #credentials: CredentialSource;
  readonly #closing = new AbortController();
  /** How far this machine's clock is behind the server's, as far as a server complained. */
  #clockOffsetMs = 0;
  #sawBucket = false;

  constructor(storeName: string, options: S3StoreOptions, endpoint: S3Endpoint, region: string) {
    this.storeName = storeName;
    const { credentials = standardCredentialChain(), runtime } = options;
    this.#endpoint = endpoint;
    this.#bucket = options.bucket;
    this.#region = region;
    this.#runtime = runtime;
    this.#retries = { ...defaultRetryLimits, ...options.retries };
    this.#onAttempt = options.onAttempt;
    this.#signer = new SigV4Signer({ region, service: 's3' });
    this.#credentials = new CredentialSource(
      typeof credentials === 'function' ? credentials : () => Promise.resolve(credentials),
      runtime,
      () => this.#wallMs(),
    );
    this.#pool = new HttpPool({
      origin: endpoint.origin,
      limits: { ...defaultTimeLimits, ...options.limits },
      maxConnections: options.maxConnections ?? defaultMaxConnections,
      maxWaiting: options.maxWaiting ?? defaultMaxWaiting,
      idleMs: idleConnectionMs,
      runtime,
    });
  }

  monotonicMs(): number {
    return this.#runtime.monotonicMs();
  }

  get stats(): PoolStats {
    return this.#pool.stats;
  }

  /** Some answer has shown that the bucket exists. */
  get sawBucket(): boolean {
    return this.#sawBucket;
  }

  /**
   * Resolves to what `read` makes of the successful answer, or to an exceptional one. `read` may throw AnswerError,
   * XmlError, URIError (the answer is CORRUPT_RESPONSE, and asked for again) or a StoreError.
   */
  async send<T>(request: S3Request, read: (response: HttpResponse) => T): Promise<S3Answer<T>> {
    const startMs = this.#runtime.monotonicMs();
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#attempt(request, read, attempt);
      if (outcome.kind === 'answered') return outcome.answer;
      const { error, retryAfterMs } = outcome;
      if (request.attempts === 'once' || !error.retriable) throw error;
      if (!(await this.waitToRepeat(request, attempt, startMs, retryAfterMs))) throw error;
    }
  }

  /** Resolves to `false` at once when the limits allow no further attempt. */
  async waitToRepeat(
    request: Pick<S3Request, 'call' | 'signal'>,
    attempts: number,
    startMs: number,
    retryAfterMs?: number,
  ): Promise<boolean> {
    const elapsedMs = this.#runtime.monotonicMs() - startMs;
    const { random } = this.#runtime;
    const delayMs = backoffMs(attempts, elapsedMs, retryAfterMs, this.#retries, random);
    if (delayMs === undefined) return false;
    await this.#interruptibly(request, (signal) => sleep(this.#runtime, delayMs, signal));
    return true;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#pool.close();
  }

  async #attempt<T>(
    request: S3Request,
    read: (response: HttpResponse) => T,
    number: number,
  ): Promise<Outcome<T>> {
    const startMs = this.#runtime.monotonicMs();
    const outcome = await this.#trySend(request, read);
    this.#onAttempt?.({
      operation: request.call.operation,
      number,
      durationMs: this.#runtime.monotonicMs() - startMs,
      sentBytes: request.payload.bytes,
      status: outcome.status,
      error: outcome.kind === 'failed' ? outcome.error.code : undefined,
    });
    return outcome;
  }

  async #trySend<T>(request: S3Request, read: (response: HttpResponse) => T): Promise<Outcome<T>> {
    const tried = new Set<Remedy>();
    for (;;) {
      let credentials: S3Credentials;
      let response: HttpResponse;
      try {
        this.checkOpen(request);
        const found = this.#credentials.get();
        credentials = found instanceof Promise ? await this.#interruptibly(request, () => found) : found;
        response = await this.#exchange(request, credentials);
      } catch (error) {
        return failed(this.storeError(request, error));
      }
      const { status, headers } = response.head;
      if (status >= 200 && status < 300) {
        this.#sawBucket = true;
        try {
          return { kind: 'answered', answer: { kind: 'ok', value: read(response) }, status };
        } catch (error) {
          if (response.body instanceof BodyStream) await response.body.return();
          return failed(this.storeError(request, error), status);
        }
      }
      const refusal = readRefusal(status, headers, response.body as Uint8Array);
      const skewMs = refusal.dateMs === undefined ? 0 : refusal.dateMs - this.#wallMs();
      if (status === 304 || status === 412 || refusal.code === 'NoSuchKey') this.#sawBucket = true;
      const temporary = credentials.sessionToken !== undefined;
      const verdict = this.#judge(request, refusal, temporary, skewMs);
      if (verdict.kind !== 'error') return { kind: 'answered', answer: verdict, status };
      const { remedy } = verdict;
      if (remedy !== 'none' && !tried.has(remedy) && Array.isArray(request.payload.body)) {
        tried.add(remedy);
        if (remedy === 'right-clock') {
          this.#clockOffsetMs += skewMs;
          continue;
        }
        try {
          const refused = credentials;
          const fresh = await this.#interruptibly(request, () => this.#credentials.replace(refused));
          if (
            fresh.accessKeyId !== credentials.accessKeyId ||
            fresh.sessionToken !== credentials.sessionToken
          )
            continue;
        } catch (error) {
          return failed(this.storeError(request, error), status);
        }
      }
      return failed(errorOf(request, refusal, verdict), status, refusal.retryAfterMs);
    }
  }

  /** What a refusal that came inside another answer means for `request`. */
  refusalError(request: S3Request, refusal: Refusal): StoreError {
    const verdict = this.#judge(request, refusal, false, 0);
    if (verdict.kind !== 'error') throw new Error(`${refusal.code} is not an error`);
    return errorOf(request, refusal, verdict);
  }

  #judge(
    { call, condition }: S3Request,
    refusal: Refusal,
    temporaryCredentials: boolean,
    skewMs: number,
  ): Verdict {
    const { operation } = call;
    const [bucket, region] = [this.#bucket, this.#region];
    return judge(refusal, { operation, condition, bucket, region, temporaryCredentials, skewMs });
  }

  #exchange(request: S3Request, credentials: S3Credentials): Promise<HttpResponse> {
    const { method, path, query, payload } = request;
    const signed = this.#signer.sign(
      {
        method,
        path,
        query,
        host: this.#endpoint.host,
        headers: payload.headers.length === 0 ? request.headers : [...request.headers, ...payload.headers],
        payloadHash: payload.hash,
      },
      credentials,
      this.#wallMs(),
    );
    const length = method === 'PUT' || method === 'POST' ? `content-length: ${payload.bytes}\r\n` : '';
    const target = query === '' ? path : `${path}?${query}`;
    return this.#pool.exchange(
      {
        method,
        head: `${method} ${target} HTTP/1.1\r\n${signed}user-agent: firn\r\n${length}\r\n`,
        body: payload.body,
        bodyBytes: payload.bytes,
        sentOnce: request.attempts === 'once',
      },
      {
        signal: request.signal,
        maxBodyBytes: request.maxAnswerBytes,
        streams: request.streamed ? isSuccess : never,
        into: request.into,
      },
    );
  }

  /** The best guess at the server's clock. */
  #wallMs(): number {
    return this.#runtime.wallMs() + this.#clockOffsetMs;
  }

  /** Throws when the call was aborted or the store closed. */
  checkOpen({ call, signal }: Pick<S3Request, 'call' | 'signal'>): void {
    if (signal?.aborted) throw abortReason(signal);
    if (this.#closing.signal.aborted)
      throw new StoreError('CLOSED', 'the store was closed; open it again', call);
  }

  /** Waits for something other than an exchange: ends when the call is aborted or the store closed. */
  async #interruptibly<T>(
    request: Pick<S3Request, 'call' | 'signal'>,
    wait: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { signal } = request;
    const closing = this.#closing.signal;
    const either = signal === undefined ? closing : AbortSignal.any([signal, closing]);
    try {
      return await untilAborted(wait(either), either);
    } catch (error) {
      this.checkOpen(request);
      throw error;
    }
  }

  /** Throws what is not the store's failure: the reason of the call's abort signal. */
  storeError({ call, signal }: Pick<S3Request, 'call' | 'signal'>, error: unknown): StoreError {
    if (error instanceof StoreError) return error;
    if (error instanceof HttpFailure)
      return new StoreError(failureCodes[error.kind], error.message, { ...call, cause: error });
    if (error instanceof CredentialsError) {
      const code = error.kind === 'missing' ? 'ACCESS_DENIED' : 'UNREACHABLE';
      return new StoreError(code, error.message, { ...call, cause: error });
    }
    if (error instanceof AnswerError || error instanceof XmlError || error instanceof URIError) {
      return new StoreError('CORRUPT_RESPONSE', `the answer makes no sense: ${error.message}`, {
        ...call,
        cause: error,
      });
    }
    throw signal?.aborted ? abortReason(signal) : error;
  }
}

function errorOf(
  { call }: S3Request,
  { status, code, requestId }: Refusal,
  verdict: Extract<Verdict, { readonly kind: 'error' }>,
): StoreError {
  const serverCode = code === '' ? undefined : code;
  return new StoreError(verdict.error, verdict.what, { ...call, status, serverCode, requestId });
}

function failed(error: StoreError, status?: number, retryAfterMs?: number): FailedAttempt {
  return { kind: 'failed', error, status, retryAfterMs };
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

function never(): boolean {
  return false;
}
