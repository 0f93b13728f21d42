import { request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { abortReason } from '../dataplane/runtime/runtime.ts';
import type { Cancel, Runtime } from '../dataplane/runtime/runtime.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { ApiError } from './errors.ts';
import type { OperatorMetrics } from './metrics.ts';
import { errorOfAnswer } from './status-error.ts';

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query below the server's URL. */
  readonly target: string;
  /** For errors: `get leases.coordination.k8s.io firn/operator`. */
  readonly what: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Default `application/json`. */
  readonly contentType?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ApiConnectionOptions {
  readonly access: ClusterAccess;
  readonly runtime: Runtime;
  readonly metrics: OperatorMetrics;
  readonly userAgent: string;
  /** Called with each warning that the API server adds to an answer: deprecated versions, fields it ignores. */
  readonly onWarning: (warning: string) => void;
}

/** Far above any page of a list we ask for; an object has at most about 1.5 MB. */
const maxAnswerBytes = 256 * 1024 * 1024;
/** One event of a watch. */
const maxLineBytes = 16 * 1024 * 1024;

/** HTTP to the API server: credentials, time limits, bounds, and what is no success as {@link ApiError}. */
export class ApiConnection {
  readonly #access: ClusterAccess;
  readonly #runtime: Runtime;
  readonly #metrics: OperatorMetrics;
  readonly #userAgent: string;
  readonly #onWarning: (warning: string) => void;

  constructor(options: ApiConnectionOptions) {
    this.#access = options.access;
    this.#runtime = options.runtime;
    this.#metrics = options.metrics;
    this.#userAgent = options.userAgent;
    this.#onWarning = options.onWarning;
  }

  /** The parsed answer. `timeoutMs` is for all of it. */
  async json(request: ApiRequest, timeoutMs: number): Promise<unknown> {
    const limit = new TimeLimit(this.#runtime, request, timeoutMs);
    try {
      const answer = await this.#send(request, limit);
      const text = await bodyText(answer);
      if (isSuccess(answer)) return parsed(text, request);
      throw this.#refusal(answer, text, request);
    } catch (error) {
      throw this.#explained(error, request, limit);
    } finally {
      limit.cancel();
    }
  }

  /**
   * The lines of the answer, parsed, as they come. `timeoutMs` is for its head, `idleMs` for the time without a byte
   * afterwards, `endMs` for all of it. Ends without an error only when the server has ended the answer properly.
   */
  async *lines(
    request: ApiRequest,
    limits: { readonly timeoutMs: number; readonly idleMs: number; readonly endMs: number },
  ): AsyncGenerator<unknown, void, undefined> {
    const limit = new TimeLimit(this.#runtime, request, limits.timeoutMs);
    const cancelEnd = this.#runtime.after(limits.endMs, () =>
      limit.giveUp(`the watch did not end within ${limits.endMs} ms, as it was asked to`),
    );
    let answer: IncomingMessage | undefined;
    try {
      answer = await this.#send(request, limit);
      if (!isSuccess(answer)) throw this.#refusal(answer, await bodyText(answer), request);
      const lines = new LineSplitter(request);
      const idle = `nothing came for ${limits.idleMs} ms: the connection is taken for dead`;
      limit.restart(limits.idleMs, idle);
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        limit.restart(limits.idleMs, idle);
        for (const line of lines.push(chunk)) yield parsed(line, request);
      }
      lines.end();
    } catch (error) {
      throw this.#explained(error, request, limit);
    } finally {
      cancelEnd();
      limit.cancel();
      answer?.destroy();
    }
  }

  close(): void {
    this.#access.close();
  }

  /** Resolves with the head of the answer. Reads are sent once more when an idle connection had been closed meanwhile. */
  async #send(request: ApiRequest, limit: TimeLimit): Promise<IncomingMessage> {
    try {
      return await this.#sendOnce(request, limit);
    } catch (error) {
      if (request.method !== 'GET' || !(error instanceof StaleConnection) || limit.signal.aborted)
        throw error;
      return await this.#sendOnce(request, limit);
    }
  }

  async #sendOnce(request: ApiRequest, limit: TimeLimit): Promise<IncomingMessage> {
    const { server } = this.#access;
    const { headers, agent } = await this.#access.credentials();
    const body = request.body === undefined ? undefined : Buffer.from(JSON.stringify(request.body));
    const count = (code: string): void => {
      const labels = { code, method: request.method, host: server.host };
      this.#metrics.counter('rest_client_requests_total').inc(labels);
    };
    return await new Promise((resolve, reject) => {
      const send = server.protocol === 'https:' ? httpsRequest : httpRequest;
      const sent = send({
        protocol: server.protocol,
        hostname: server.hostname.replace(/^\[|\]$/g, ''),
        port: server.port,
        path: server.pathname.replace(/\/$/, '') + request.target,
        method: request.method,
        agent,
        signal: limit.signal,
        headers: {
          accept: 'application/json',
          'user-agent': this.#userAgent,
          ...(body === undefined
            ? {}
            : {
                'content-type': request.contentType ?? 'application/json',
                'content-length': body.byteLength,
              }),
          ...headers,
        },
      });
      // A server that vanished without a word is noticed by the kernel too; the time limits notice it sooner.
      sent.on('socket', (socket) => socket.setKeepAlive(true, 30_000));
      sent.on('response', (answer) => {
        count(String(answer.statusCode ?? 0));
        for (const warning of warningsOf(answer)) this.#onWarning(warning);
        resolve(answer);
      });
      sent.on('error', (error) => {
        count('<error>');
        const isStale = sent.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET';
        reject(isStale ? new StaleConnection('an idle connection was closed', { cause: error }) : error);
      });
      sent.end(body);
    });
  }

  #refusal(answer: IncomingMessage, text: string, request: ApiRequest): ApiError {
    const error = errorOfAnswer(request.what, answer.statusCode ?? 0, answer.headers, text);
    if (error.reason === 'Unauthorized') this.#access.refused();
    return error;
  }

  /** What the caller aborted is rethrown as the reason of the abort; everything else is an ApiError. */
  #explained(error: unknown, request: ApiRequest, limit: TimeLimit): unknown {
    if (request.signal?.aborted === true) return abortReason(request.signal);
    if (limit.expired !== undefined) {
      return new ApiError('NoAnswer', `could not ${request.what}: ${limit.expired}`, { cause: error });
    }
    if (!(error instanceof Error) || !isNetworkError(error)) return error;
    return new ApiError(
      'Unreachable',
      `could not ${request.what}: the connection to the API server at ${this.#access.server.host} failed: ${error.message}`,
      { cause: error },
    );
  }
}

/** The connection had been kept open and turned out to be closed: the request has most likely not been seen. */
class StaleConnection extends Error {}

/** Aborts `signal` when the caller's signal aborts or the time is up, and knows which it was. */
class TimeLimit {
  readonly #controller = new AbortController();
  readonly #runtime: Runtime;
  readonly #callers: AbortSignal | undefined;
  readonly #onAbort: () => void;
  #cancelTimer: Cancel;
  /** Why the time is up. */
  expired: string | undefined;

  constructor(runtime: Runtime, request: ApiRequest, timeoutMs: number) {
    this.#runtime = runtime;
    this.#callers = request.signal;
    this.#onAbort = () => this.#controller.abort(abortReason(request.signal));
    if (request.signal?.aborted === true) this.#onAbort();
    else request.signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#cancelTimer = this.#start(timeoutMs, `no answer within ${timeoutMs} ms`);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  restart(timeoutMs: number, message: string): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#start(timeoutMs, message);
  }

  giveUp(message: string): void {
    this.expired ??= message;
    this.#controller.abort(new Error(message));
  }

  cancel(): void {
    this.#cancelTimer();
    this.#callers?.removeEventListener('abort', this.#onAbort);
  }

  #start(timeoutMs: number, message: string): Cancel {
    return this.#runtime.after(timeoutMs, () => this.giveUp(message));
  }
}

/** Cuts a stream of newline-delimited JSON into lines. */
class LineSplitter {
  readonly #request: ApiRequest;
  #pieces: Buffer[] = [];
  #sizeBytes = 0;

  constructor(request: ApiRequest) {
    this.#request = request;
  }

  *push(chunk: Buffer): Generator<string, void, undefined> {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      this.#pieces.push(chunk.subarray(start, end));
      start = end + 1;
      const line = Buffer.concat(this.#pieces).toString('utf8');
      this.#pieces = [];
      this.#sizeBytes = 0;
      if (line.trim() !== '') yield line;
    }
    if (start === chunk.length) return;
    this.#pieces.push(chunk.subarray(start));
    this.#sizeBytes += chunk.length - start;
    if (this.#sizeBytes > maxLineBytes)
      throw malformed(this.#request, `an event is larger than ${maxLineBytes} bytes`);
  }

  /** The answer is over: what was begun must be complete. */
  end(): void {
    if (this.#sizeBytes > 0) throw malformed(this.#request, 'the answer ended within an event');
  }
}

async function bodyText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    sizeBytes += chunk.length;
    // The loop's exit destroys the answer.
    if (sizeBytes > maxAnswerBytes)
      throw new ApiError('Malformed', `an answer of the API server is larger than ${maxAnswerBytes} bytes`);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string, request: ApiRequest): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw malformed(request, `it is not JSON: ${JSON.stringify(text.slice(0, 200))}`, cause);
  }
}

function malformed(request: ApiRequest, why: string, cause?: unknown): ApiError {
  return new ApiError(
    'Malformed',
    `could not ${request.what}: no answer of the Kubernetes API came: ${why}`,
    {
      cause,
    },
  );
}

function isSuccess(answer: IncomingMessage): boolean {
  return answer.statusCode !== undefined && answer.statusCode >= 200 && answer.statusCode < 300;
}

/** Failures of sockets, TLS and HTTP parsing carry a code; so does the abort of a time limit. */
function isNetworkError(error: Error): boolean {
  return error instanceof StaleConnection || 'code' in error;
}

/** `Warning: 299 - "text"`, several joined with commas (RFC 9111, 5.5 of RFC 7234). */
function warningsOf(answer: IncomingMessage): string[] {
  const header = answer.headers['warning'];
  if (typeof header !== 'string') return [];
  return [...header.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text]) =>
    (text ?? '').replace(/\\(.)/g, '$1'),
  );
}
