import { abortReason } from '../runtime/runtime.ts';
import { crc32c } from './crc32c.ts';
import { StoreError } from './errors.ts';
import type { Body, StreamBody } from './object-store.ts';
import type { Call } from './request-checks.ts';

export function isStream(body: Body): body is StreamBody {
  return 'chunks' in body;
}

export function bodySizeBytes(body: Body): number {
  if (isStream(body)) return body.sizeBytes;
  return body instanceof Uint8Array
    ? body.byteLength
    : body.reduce((sum, piece) => sum + piece.byteLength, 0);
}

/** The pieces of a body that is in memory. */
export function bodyPieces(body: Exclude<Body, StreamBody>): readonly Uint8Array[] {
  return body instanceof Uint8Array ? [body] : body;
}

export function crc32cOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((crc, piece) => crc32c(piece, crc), 0);
}

/** A copy, in `into` (`GetOptions.into`) where that has room. */
export function copyInto(bytes: Uint8Array, into: Uint8Array | undefined): Uint8Array {
  if (into === undefined || into.byteLength < bytes.byteLength) return Uint8Array.from(bytes);
  into.set(bytes);
  return into.subarray(0, bytes.byteLength);
}

/**
 * The chunks of a streamed body, held to its declared size. Throws INVALID_REQUEST when the body is longer, shorter, or
 * fails (its error is the `cause`), and `signal.reason` as soon as `signal` aborts, even while the body produces
 * nothing. The body's iterator is closed in every case; one that hangs is not waited for.
 */
export async function* checkedChunks(
  body: StreamBody,
  call: Call,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let seenBytes = 0;
  const iterator = body.chunks[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await nextChunk(iterator, call, signal);
      if (next.done === true) {
        ended = true;
        break;
      }
      seenBytes += next.value.byteLength;
      if (seenBytes > body.sizeBytes) {
        throw new StoreError(
          'INVALID_REQUEST',
          `the streamed body has more than the ${body.sizeBytes} bytes it declared; nothing was written`,
          call,
        );
      }
      yield next.value;
    }
  } finally {
    // Not awaited: a generator that is busy in next() would answer only after it, and it may hang.
    if (!ended) void iterator.return?.().catch(() => undefined);
  }
  if (seenBytes < body.sizeBytes) {
    throw new StoreError(
      'INVALID_REQUEST',
      `the streamed body ended after ${seenBytes} of the ${body.sizeBytes} bytes it declared; nothing was written`,
      call,
    );
  }
}

async function nextChunk(
  iterator: AsyncIterator<Uint8Array>,
  call: Call,
  signal: AbortSignal | undefined,
): Promise<IteratorResult<Uint8Array, unknown>> {
  const next = iterator.next().catch((error: unknown) => {
    throw new StoreError('INVALID_REQUEST', 'the streamed body failed; nothing was written', {
      ...call,
      cause: error,
    });
  });
  return await untilAborted(next, signal);
}

/** Waits for `work`, or rejects with `signal.reason` once `signal` aborts; `work` is then left to end unheard. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    const onAbort = (): void => {
      reject(abortReason(signal));
    };
    stop = () => {
      signal.removeEventListener('abort', onAbort);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([aborted, work]);
  } finally {
    stop();
    work.catch(() => undefined);
  }
}
