import { abortReason, sleep } from '../../runtime/runtime.ts';
import type { Cancel } from '../../runtime/runtime.ts';
import { bodyPieces, bodySizeBytes, checkedChunks, copyInto, crc32cOf, isStream } from '../body.ts';
import { spanOf } from '../byte-range.ts';
import { crc32c } from '../crc32c.ts';
import { StoreError, storeErrorCodes } from '../errors.ts';
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
  StreamBody,
} from '../object-store.ts';
import { checkGet, checkKey, checkList, checkPut } from '../request-checks.ts';
import type { Call } from '../request-checks.ts';
import { transferMs } from './latency.ts';
import { Flight } from './flight.ts';
import type { StoreHost } from './flight.ts';
import type { FailedAnswer, StoreAnswer, StoreRequest } from './request.ts';
import { serverFailure } from './server-failure.ts';
import type { StoreTraffic } from './traffic.ts';

const streamPieceBytes = 64 * 1024;
const keysPerDelete = 1000;
const backoffMs = { first: 50, most: 2000 };

export interface ConnectionSettings {
  readonly name: string;
  readonly endpoint: string;
  readonly attemptTimeoutMs: number;
  readonly maxAttempts: number;
  readonly bodies: 'copied' | 'shared';
  readonly onViolation: (violation: Error) => void;
}

type Success = Exclude<StoreAnswer, FailedAnswer>;
type Found = Extract<StoreAnswer, { kind: 'found' }>;

interface CallPlan<T> {
  readonly request: StoreRequest;
  readonly maxAttempts: number;
  readonly signal: AbortSignal | undefined;
  /** The caller's own buffers, to see at the end that they still hold what was sent. */
  readonly pieces?: readonly Uint8Array[] | undefined;
  readonly convert: (answer: Success) => T;
}

/** One process's way to a simulated store: behaves as the S3 client does, as far as its callers can see. */
export class SimulatedConnection implements ObjectStore {
  readonly name: string;
  readonly #traffic: StoreTraffic;
  readonly #host: StoreHost;
  readonly #settings: ConnectionSettings;
  /** For every call under way, what rejects it when the store is closed. */
  readonly #open = new Set<() => void>();
  #isClosed = false;

  constructor(traffic: StoreTraffic, host: StoreHost, settings: ConnectionSettings) {
    this.name = settings.name;
    this.#traffic = traffic;
    this.#host = host;
    this.#settings = settings;
  }

  async put(key: string, body: Body, options: PutOptions = {}): Promise<PutResult> {
    const call = { operation: 'put', store: this.name, key } as const;
    checkPut(call, options);
    const { id, crc32c: announcedCrc32c, ifAbsent, ifMatch, signal } = options;
    this.#check(call, signal);
    const pieces = isStream(body) ? undefined : bodyPieces(body);
    const bytes = isStream(body) ? await collected(body, call, signal) : this.#captured(body);
    const isChecked = this.#settings.bodies === 'copied';
    return await this.#call(call, {
      request: {
        operation: 'put',
        key,
        bytes,
        crc32c: isChecked ? crc32c(bytes) : undefined,
        announcedCrc32c,
        id,
        ifAbsent,
        ifMatch,
      },
      maxAttempts:
        ifAbsent === true || ifMatch !== undefined || isStream(body) ? 1 : this.#settings.maxAttempts,
      signal,
      pieces: isChecked ? pieces : undefined,
      convert: (answer) =>
        answer.kind === 'written' || answer.kind === 'condition-failed' ? answer : unexpected(answer, call),
    });
  }

  async get(key: string, options: GetOptions = {}): Promise<GetResult<Uint8Array>> {
    const call = { operation: 'get', store: this.name, key } as const;
    return await this.#read(call, options, false, ({ object, flaw }, offset, sizeBytes) => {
      const isDamaged = flaw === 'undetected';
      const bytes = isDamaged
        ? this.#traffic.corrupted(object.bytes, offset, sizeBytes)
        : object.bytes.subarray(offset, offset + sizeBytes);
      if (options.into !== undefined) return copyInto(bytes, options.into);
      return this.#settings.bodies === 'copied' && !isDamaged ? bytes.slice() : bytes;
    });
  }

  async getStream(key: string, options: GetOptions = {}): Promise<GetResult<AsyncIterable<Uint8Array>>> {
    const call = { operation: 'get', store: this.name, key } as const;
    return await this.#read(call, options, true, ({ object, flaw }, offset, sizeBytes) => {
      const bytes =
        flaw === 'undetected'
          ? this.#traffic.corrupted(object.bytes, offset, sizeBytes)
          : object.bytes.subarray(offset, offset + sizeBytes);
      return this.#stream(bytes, flaw === 'truncated' || flaw === 'corrupt', call, options.signal);
    });
  }

  async head(key: string, options: CallOptions = {}): Promise<ObjectInfo | undefined> {
    const call = { operation: 'head', store: this.name, key } as const;
    checkKey(call);
    return await this.#call(call, {
      request: { operation: 'head', key },
      maxAttempts: this.#settings.maxAttempts,
      signal: options.signal,
      convert: (answer) => {
        if (answer.kind === 'found') return answer.object.info;
        return answer.kind === 'absent' ? undefined : unexpected(answer, call);
      },
    });
  }

  async list(prefix: string, options: ListOptions = {}): Promise<ListPage> {
    const call = { operation: 'list', store: this.name, key: prefix } as const;
    checkList(call, options);
    const { startAfter, continuation, maxKeys, signal } = options;
    return await this.#call(call, {
      request: { operation: 'list', key: prefix, startAfter, continuation, maxKeys },
      maxAttempts: this.#settings.maxAttempts,
      signal,
      convert: (answer) => (answer.kind === 'listed' ? answer.page : unexpected(answer, call)),
    });
  }

  async delete(key: string, options: CallOptions = {}): Promise<void> {
    const call = { operation: 'delete', store: this.name, key } as const;
    checkKey(call);
    await this.#delete(call, { operation: 'delete', key }, options.signal);
  }

  async deleteMany(keys: readonly string[], options: CallOptions = {}): Promise<readonly DeleteFailure[]> {
    const failures: DeleteFailure[] = [];
    const wellFormed = keys.filter((key) => {
      try {
        checkKey({ operation: 'delete', store: this.name, key });
        return true;
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        failures.push({ key, error });
        return false;
      }
    });
    const call = { operation: 'delete', store: this.name } as const;
    this.#check(call, options.signal);
    for (let at = 0; at < wellFormed.length; at += keysPerDelete) {
      const batch = wellFormed.slice(at, at + keysPerDelete);
      await this.#delete(call, { operation: 'delete', key: '', keys: batch }, options.signal);
    }
    return failures;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    for (const reject of this.#open) reject();
    return Promise.resolve();
  }

  async #delete(call: Call, request: StoreRequest, signal: AbortSignal | undefined): Promise<void> {
    await this.#call(call, {
      request,
      maxAttempts: this.#settings.maxAttempts,
      signal,
      convert: (answer) => (answer.kind === 'deleted' ? undefined : unexpected(answer, call)),
    });
  }

  async #read<B>(
    call: Call & { readonly key: string },
    options: GetOptions,
    isStreamed: boolean,
    bodyOf: (found: Found, offset: number, sizeBytes: number) => B,
  ): Promise<GetResult<B>> {
    checkGet(call, options);
    const { range, ifNoneMatch, signal } = options;
    return await this.#call<GetResult<B>>(call, {
      request: {
        operation: 'get',
        key: call.key,
        ifNoneMatch,
        isRanged: range !== undefined,
        rangeBytes:
          range && (range.suffix ?? (range.end === undefined ? undefined : range.end - range.start)),
        isStreamed,
      },
      maxAttempts: this.#settings.maxAttempts,
      signal,
      convert: (answer) => {
        if (answer.kind === 'absent' || answer.kind === 'unchanged') return answer;
        if (answer.kind !== 'found') return unexpected(answer, call);
        const { info, bytes } = answer.object;
        const { offset, sizeBytes } = spanOf(range, bytes.byteLength, call);
        return { kind: 'found', info, offset, body: bodyOf(answer, offset, sizeBytes) };
      },
    });
  }

  /** Sends the request, again after failures that allow it, until the plan's attempts are used up. */
  #call<T>(call: Call, plan: CallPlan<T>): Promise<T> {
    const { request, maxAttempts, signal, pieces, convert } = plan;
    this.#check(call, signal);
    return new Promise<T>((resolve, reject) => {
      let flight: Flight | undefined;
      let cancelBackoff: Cancel | undefined;
      const end = (): void => {
        this.#open.delete(onClose);
        signal?.removeEventListener('abort', onAbort);
      };
      /** Ends the call before its answer: the request itself goes on. */
      const abandon = (error: Error): void => {
        end();
        cancelBackoff?.();
        if (flight !== undefined) flight.isSettled = true;
        reject(error);
      };
      const onAbort = (): void => {
        abandon(abortReason(signal));
      };
      const onClose = (): void => {
        abandon(closedError(call));
      };
      const send = (): void => {
        const attempt = (flight?.attempt ?? 0) + 1;
        const { endpoint, attemptTimeoutMs } = this.#settings;
        flight = new Flight(this.#host, endpoint, request, attemptTimeoutMs, attempt, onAnswer);
        this.#traffic.submit(flight);
      };
      const onAnswer = (received: StoreAnswer): void => {
        if (pieces !== undefined) this.#checkUnchanged(pieces, request);
        const answer = isVisiblyFlawed(received, request) ? serverFailure('CORRUPT_RESPONSE') : received;
        const attempt = flight?.attempt ?? 1;
        if (answer.kind !== 'failed') {
          end();
          try {
            resolve(convert(answer));
          } catch (error) {
            reject(error instanceof Error ? error : new Error('the answer makes no sense', { cause: error }));
          }
        } else if (storeErrorCodes[answer.code].retriable && attempt < maxAttempts)
          cancelBackoff = this.#host.runtime.after(this.#backoffMs(attempt), send);
        else {
          end();
          reject(errorOf(answer, attempt, call));
        }
      };
      this.#open.add(onClose);
      signal?.addEventListener('abort', onAbort, { once: true });
      send();
    });
  }

  async *#stream(
    bytes: Uint8Array,
    breaks: boolean,
    call: Call,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Uint8Array> {
    const breaksAt = breaks ? Math.floor(bytes.byteLength / 2) : Infinity;
    for (let at = 0; at < bytes.byteLength; at += streamPieceBytes) {
      const piece = bytes.slice(at, at + streamPieceBytes);
      await sleep(this.#host.runtime, transferMs(this.#traffic.latencies.get, piece.byteLength), signal);
      this.#check(call, signal);
      if (!this.#traffic.isOpen(this.#settings.endpoint))
        throw errorOf(serverFailure('CONNECTION_LOST'), 1, call);
      if (at + piece.byteLength > breaksAt) throw errorOf(serverFailure('CORRUPT_RESPONSE'), 1, call);
      yield piece;
    }
    this.#check(call, signal);
  }

  #captured(body: Exclude<Body, StreamBody>): Uint8Array {
    const pieces = bodyPieces(body);
    const [only] = pieces;
    if (this.#settings.bodies === 'shared' && pieces.length === 1 && only !== undefined)
      return new Uint8Array(only.buffer, only.byteOffset, only.byteLength);
    const bytes = new Uint8Array(bodySizeBytes(body));
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.byteLength;
    }
    return bytes;
  }

  #checkUnchanged(pieces: readonly Uint8Array[], request: StoreRequest): void {
    if (crc32cOf(pieces) === request.crc32c) return;
    this.#settings.onViolation(
      new Error(
        `put ${JSON.stringify(request.key)} by ${this.#host.name}: the caller changed the body before the call was over; ` +
          'a real store could have written any mixture of old and new bytes',
      ),
    );
  }

  #backoffMs(attempt: number): number {
    const ceiling = Math.min(backoffMs.first * 2 ** (attempt - 1), backoffMs.most);
    return ceiling * (0.5 + 0.5 * this.#host.runtime.random.fraction());
  }

  #check(call: Call, signal: AbortSignal | undefined): void {
    if (signal?.aborted === true) throw abortReason(signal);
    if (this.#isClosed) throw closedError(call);
  }
}

/** Truncated and corrupt streams are found out while they are read; everything else before the call returns. */
function isVisiblyFlawed(answer: StoreAnswer, request: StoreRequest): boolean {
  if (answer.kind !== 'found' || answer.flaw === undefined || answer.flaw === 'undetected') return false;
  return request.isStreamed !== true || answer.flaw === 'wrong-range';
}

async function collected(body: StreamBody, call: Call, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const bytes = new Uint8Array(body.sizeBytes);
  let at = 0;
  for await (const chunk of checkedChunks(body, call, signal)) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

function errorOf(failure: FailedAnswer, attempts: number, call: Call): StoreError {
  const { code, what, status, serverCode } = failure;
  const whole = attempts > 1 ? `${what} (given up after ${attempts} attempts)` : what;
  return new StoreError(code, whole, { ...call, status, serverCode });
}

function closedError(call: Call): StoreError {
  return new StoreError('CLOSED', 'the store was closed; open it again', call);
}

function unexpected(answer: Success, call: Call): never {
  throw new Error(
    `the simulated store answered a ${call.operation} with ${answer.kind}: this is a bug of it`,
  );
}
