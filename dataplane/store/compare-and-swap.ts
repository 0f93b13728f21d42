import { abortReason, sleep } from '../runtime/runtime.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { StoreError } from './errors.ts';
import type { ETag, GetResult, ObjectInfo, ObjectStore, PutResult } from './object-store.ts';
import { withTimeLimit } from './time-limit.ts';

export interface SwapRequest {
  readonly key: string;
  /** What the bytes were computed from: the object's ETag, or that there was no object. */
  readonly expected: ETag | 'absent';
  /** Must differ from every content the object ever had or will get from anybody else: see {@link compareAndSwap}. */
  readonly bytes: Uint8Array;
  /** Kept in the object's metadata. */
  readonly id?: string | undefined;
  /** Stops the waiting, not the write: attempts that were sent may still land. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Whether the object's present content is this write or was derived from it. It must say yes for everything that others
   * build upon this write as long as the caller may ask.
   */
  readonly isOurs: (current: Uint8Array, info: ObjectInfo) => boolean;
  /**
   * How long the first PUT, and the first GET after it, may take before it is given up and repeated; further ones twice
   * as long. For callers that have less time than the store's own time-out. Default: only the store's own.
   */
  readonly attemptTimeoutMs?: number | undefined;
  /** How many PUTs are sent at most before the last error is thrown. Default: no limit; the signal ends it. */
  readonly maxAttempts?: number | undefined;
}

export type SwapResult =
  /** `bytes` is what the object holds under `etag`: ours, or what others have made of it since. */
  | { readonly kind: 'applied'; readonly etag: ETag; readonly bytes: Uint8Array }
  /** This write did not take effect and never will. `current` is what stands there instead, `undefined`: no object. */
  | {
      readonly kind: 'lost';
      readonly current: { readonly bytes: Uint8Array; readonly etag: ETag } | undefined;
    };

const firstDelayMs = 20;
const maxDelayMs = 2_000;
/** So often in a row the store may refuse the condition while showing that it holds, before it is called broken. */
const maxContradictions = 8;

/**
 * One logical compare-and-swap, with every unknown outcome resolved: it returns only what is certain.
 *
 * A PUT whose answer was lost may have landed, or may land at any later time. It is conditional on `expected`, so it can
 * land only while the object is still the expected one. Therefore, after a lost answer or a failed condition, the object
 * is read:
 *
 *  - it is ours → an attempt of ours landed (its answer was lost, or the network delivered a request twice and the
 *    second copy was told 412);
 *  - it is still the expected one → an attempt may still land: the *same bytes* are sent with the *same condition*. Any
 *    number of copies may then be under way; one at most takes effect and it does not matter which;
 *  - it is anything else → nothing of ours landed, and no late copy ever will: its ETag is gone for good.
 *
 * "Gone for good" is the caller's part: no ETag may come back (a store may derive it from the content), so contents must
 * never repeat: they carry a version or epoch that only grows. With `expected: 'absent'` the object must not be deleted
 * while a copy may be under way.
 *
 * Rejects with `signal.reason`; with a {@link StoreError} that is not retriable; or after `maxAttempts`. The error's
 * `landed` covers all attempts, not only the last one.
 */
export async function compareAndSwap(
  store: ObjectStore,
  runtime: Runtime,
  request: SwapRequest,
): Promise<SwapResult> {
  const { key, expected, bytes, signal, maxAttempts = Number.POSITIVE_INFINITY } = request;
  let contradictions = 0;
  /** The last error after which an attempt may still land. */
  let unresolved: StoreError | undefined;

  for (let attempts = 1; ; attempts += 1) {
    const put = await answerOrError(signal, () => putOnce(store, runtime, request, attempts));
    if (!(put instanceof StoreError) && put.kind === 'written')
      return { kind: 'applied', etag: put.etag, bytes };

    const failure = put instanceof StoreError ? put : contradiction(store, key);
    if (failure.landed === 'maybe') unresolved = failure;
    if (!failure.retriable) throw coveringAll(failure, unresolved);

    if (!(put instanceof StoreError) || put.landed === 'maybe') {
      const present = await readWhatIsThere(store, runtime, request, unresolved);
      if (present === 'absent') {
        if (expected !== 'absent') return { kind: 'lost', current: undefined };
      } else if (present !== 'as-expected') {
        const current = { bytes: present.body, etag: present.info.etag };
        return request.isOurs(current.bytes, present.info)
          ? { kind: 'applied', ...current }
          : { kind: 'lost', current };
      }
      contradictions = put instanceof StoreError ? 0 : contradictions + 1;
    }
    if (attempts >= maxAttempts || contradictions >= maxContradictions)
      throw coveringAll(failure, unresolved);
    await sleep(runtime, jitteredDelayMs(runtime, request, attempts), signal);
  }
}

function putOnce(
  store: ObjectStore,
  runtime: Runtime,
  request: SwapRequest,
  attempts: number,
): Promise<PutResult> {
  const { key, bytes, id, expected } = request;
  return limited(store, runtime, request, 'put', attempts, (signal) =>
    expected === 'absent'
      ? store.put(key, bytes, { ifAbsent: true, id, signal })
      : store.put(key, bytes, { ifMatch: expected, id, signal }),
  );
}

function limited<T>(
  store: ObjectStore,
  runtime: Runtime,
  { key, signal, attemptTimeoutMs }: SwapRequest,
  operation: 'put' | 'get',
  attempts: number,
  call: (signal: AbortSignal | undefined) => Promise<T>,
): Promise<T> {
  if (attemptTimeoutMs === undefined) return call(signal);
  const limitMs = attempts === 1 ? attemptTimeoutMs : 2 * attemptTimeoutMs;
  return withTimeLimit(runtime, limitMs, { operation, store: store.name, key }, signal, call);
}

async function readWhatIsThere(
  store: ObjectStore,
  runtime: Runtime,
  request: SwapRequest,
  unresolved: StoreError | undefined,
): Promise<'as-expected' | 'absent' | Extract<GetResult<Uint8Array>, { kind: 'found' }>> {
  const { key, expected, signal } = request;
  const ifNoneMatch = expected === 'absent' ? undefined : expected;
  for (let attempts = 1; ; attempts += 1) {
    const got = await answerOrError(signal, () =>
      limited(store, runtime, request, 'get', attempts, (limit) =>
        store.get(key, { ifNoneMatch, signal: limit }),
      ),
    );
    if (!(got instanceof StoreError)) {
      if (got.kind === 'found' && got.info.etag !== expected) return got;
      return got.kind === 'absent' ? 'absent' : 'as-expected';
    }
    if (!got.retriable) throw coveringAll(got, unresolved);
    await sleep(runtime, jitteredDelayMs(runtime, request, attempts), signal);
  }
}

/** The answer, or the store's error as a value. An abort and our own bugs are thrown. */
async function answerOrError<T>(
  signal: AbortSignal | undefined,
  call: () => Promise<T>,
): Promise<T | StoreError> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof StoreError && !(signal?.aborted ?? false)) return error;
    throw signal?.aborted ? abortReason(signal) : error;
  }
}

function jitteredDelayMs(runtime: Runtime, { attemptTimeoutMs }: SwapRequest, attempts: number): number {
  const longestMs = Math.min(maxDelayMs, attemptTimeoutMs ?? maxDelayMs);
  const ceilingMs = Math.min(longestMs, firstDelayMs * 2 ** Math.min(attempts - 1, 10));
  return ceilingMs * (0.5 + runtime.random.fraction() / 2);
}

function contradiction(store: ObjectStore, key: string): StoreError {
  return new StoreError(
    'CONFLICT',
    'the store says that the precondition failed, yet the object is the one that was expected; if this goes on, the ' +
      'store cannot be trusted with conditional writes: run `firn probe` against it',
    { operation: 'put', store: store.name, key },
  );
}

/** `last` says what to do; when an earlier attempt may still land, the error must not claim that nothing will. */
function coveringAll(last: StoreError, unresolved: StoreError | undefined): StoreError {
  if (unresolved === undefined || last.landed === 'maybe') return last;
  return new StoreError(
    unresolved.code,
    `an earlier attempt may still take effect; it could not be found out because: ${last.message}`,
    { ...unresolved.details, cause: last },
  );
}
