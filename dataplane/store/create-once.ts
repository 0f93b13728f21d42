import { sleep } from '../runtime/runtime.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { StoreError } from './errors.ts';
import type { Body, ETag, ObjectInfo, ObjectStore, StreamBody } from './object-store.ts';

export interface CreateOnceOptions {
  /** Names this write among all that may ever be tried under the key: see `PutOptions.id`. */
  readonly id: string;
  readonly runtime: Runtime;
  readonly crc32c?: number | undefined;
  /** The only limit to how long it goes on. */
  readonly signal?: AbortSignal | undefined;
  /** The delay before repetition n is uniformly random between 0 and min(maxDelayMs, baseDelayMs · 2ⁿ⁻¹). Default 20. */
  readonly baseDelayMs?: number | undefined;
  /** Default 1000. */
  readonly maxDelayMs?: number | undefined;
  /** Told about every failure that is followed by a repetition. */
  readonly onRetry?: ((error: StoreError, attempt: number) => void) | undefined;
}

export type CreateOnceResult =
  /** The object under the key is ours. */
  | { readonly kind: 'written'; readonly etag: ETag }
  /** It is somebody else's, and was there first. */
  | { readonly kind: 'foreign'; readonly info: ObjectInfo }
  /**
   * An object was there when we tried and is not there now. Whose it was cannot be known: ours, if an earlier attempt
   * landed and somebody has deleted it since.
   */
  | { readonly kind: 'gone' };

const defaultBaseDelayMs = 20;
const defaultMaxDelayMs = 1_000;
/** A wire damages a body now and then; bytes that are refused this often in a row are not what was announced. */
const maxChecksumRejections = 5;

/**
 * Puts bytes under a key that must not exist yet, and finds out what came of it. One attempt cannot tell: its answer may
 * get lost, and then the 412 of the next attempt may be about the first. So the *same bytes* are sent again, without
 * limit, until the store gives a definite answer, and a failed condition is settled by the id in the object's metadata.
 *
 * Atomicity: `If-None-Match: *`. Of any number of callers with different ids at most one gets `written`, as long as
 * nobody deletes the object; callers that share an id may all get it. `body` must not change until this settles.
 *
 * Rejects with `signal.reason` when aborted: then an attempt may have landed or may still. Rejects with a
 * {@link StoreError} when repeating cannot help; its `landed` covers all attempts, not only the last one.
 */
export async function createOnce(
  store: ObjectStore,
  key: string,
  body: Exclude<Body, StreamBody>,
  options: CreateOnceOptions,
): Promise<CreateOnceResult> {
  const { id, crc32c, signal } = options;
  const attempts: Attempts = { unresolved: undefined };
  const put = await untilAnswered(options, attempts, () =>
    store.put(key, body, { ifAbsent: true, id, crc32c, signal }),
  );
  if (put.kind === 'written') return put;
  const info = await untilAnswered(options, attempts, () => store.head(key, { signal }));
  if (info === undefined) return { kind: 'gone' };
  return info.id === id ? { kind: 'written', etag: info.etag } : { kind: 'foreign', info };
}

interface Attempts {
  /** The last error after which a put may still land. */
  unresolved: StoreError | undefined;
}

async function untilAnswered<T>(
  options: CreateOnceOptions,
  attempts: Attempts,
  call: () => Promise<T>,
): Promise<T> {
  const { runtime, signal, baseDelayMs = defaultBaseDelayMs, maxDelayMs = defaultMaxDelayMs } = options;
  let checksumRejections = 0;
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (error.landed === 'maybe') attempts.unresolved = error;
      checksumRejections = error.code === 'CHECKSUM_REJECTED' ? checksumRejections + 1 : 0;
      if (!error.retriable || checksumRejections >= maxChecksumRejections)
        throw coveringAll(error, attempts.unresolved);
      options.onRetry?.(error, attempt);
    }
    const ceilingMs = Math.min(maxDelayMs, baseDelayMs * 2 ** (attempt - 1));
    await sleep(runtime, runtime.random.fraction() * ceilingMs, signal);
  }
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
