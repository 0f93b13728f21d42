import { sleep } from '../runtime/runtime.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { StoreError } from './errors.ts';
import type { Body, ObjectStore, PutResult } from './object-store.ts';

export interface CreateRequest {
  readonly key: string;
  /** Sent again as it is after a failure, so it must not change and cannot be a stream. */
  readonly body: Exclude<Body, { readonly sizeBytes: number; readonly chunks: unknown }>;
  /** Names this write; nobody else may use it. */
  readonly id: string;
  readonly crc32c?: number | undefined;
  /** Stops the waiting; an attempt that was sent may still land. */
  readonly signal?: AbortSignal | undefined;
}

export type CreateResult =
  /** The object exists and is this write. */
  | { readonly kind: 'ours' }
  /** The object exists and is somebody else's; this write never landed and never will while that object exists. */
  | { readonly kind: 'foreign'; readonly id: string | undefined }
  /** There was an object when we tried to create ours and there is none now: ours or another's was deleted. */
  | { readonly kind: 'gone' };

/**
 * Creates an object that must not exist, with every unknown outcome resolved: a 412 after a lost answer is told from a
 * real one by the id in the object's metadata.
 *
 * Atomicity: put-if-absent, so of all who try one succeeds. The same bytes are sent again until an answer is certain; a
 * late copy finds the object there. Rejects with `signal.reason` or with a {@link StoreError} that is not retriable.
 */
export async function createOnce(store: ObjectStore, runtime: Runtime, request: CreateRequest): Promise<CreateResult> {
  const { key, body, id, crc32c, signal } = request;
  let refused = false;
  for (let failures = 0; ; failures += 1) {
    try {
      if (!refused) {
        const put: PutResult = await store.put(key, body, { ifAbsent: true, id, crc32c, signal });
        if (put.kind === 'written') return { kind: 'ours' };
        refused = true;
      }
      const info = await store.head(key, { signal });
      if (info === undefined) return { kind: 'gone' };
      return info.id === id ? { kind: 'ours' } : { kind: 'foreign', id: info.id };
    } catch (error) {
      if (!(error instanceof StoreError) || !error.retriable) throw error;
    }
    const limitMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures, 10));
    await sleep(runtime, 1 + runtime.random.fraction() * limitMs, signal);
  }
}

const FIRST_DELAY_MS = 20;
const MAX_DELAY_MS = 2_000;
