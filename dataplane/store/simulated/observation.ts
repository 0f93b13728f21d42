import type { Cancel } from '../../runtime/runtime.ts';
import type { StoreErrorCode } from '../errors.ts';
import type { ETag } from '../object-store.ts';
import type { Flight } from './flight.ts';
import type { StoreOperation } from './latency.ts';
import type { StoreAnswer } from './request.ts';

/** A request as hooks and interceptions see it. */
export interface RequestEvent {
  readonly atMs: number;
  readonly process: string;
  readonly endpoint: string;
  readonly operation: StoreOperation;
  /** The prefix of a LIST; the first key of a batch delete. */
  readonly key: string;
  readonly condition: 'none' | 'absent' | ETag;
  readonly id: string | undefined;
  readonly sizeBytes: number;
  readonly attempt: number;
}

/** The instant at which a request took effect at the store: the linearization point. A batch delete gives one event a key. */
export interface ApplyEvent extends RequestEvent {
  readonly result: 'written' | 'condition-failed' | 'found' | 'absent' | 'unchanged' | 'listed' | 'deleted';
  /** The object's ETag after a write, or as read; for `condition-failed` that of the object in the way. */
  readonly etag: ETag | undefined;
  /** Nobody waits for the answer any more: the client gave up, or its process is dead. */
  readonly isLate: boolean;
  /** The second application of one request. */
  readonly isDuplicate: boolean;
  /** A lingering write whose key was deleted after it had been sent. */
  readonly keyWasDeleted: boolean;
}

/** An answer, just before the client's code gets it. */
export interface AnswerEvent extends RequestEvent {
  readonly answer: StoreAnswer['kind'] | StoreErrorCode;
}

export function requestEvent(flight: Flight, atMs: number, key = flight.request.key): RequestEvent {
  const { operation, keys, ifAbsent, ifMatch, id, bytes } = flight.request;
  return {
    atMs,
    process: flight.host.name,
    endpoint: flight.endpoint,
    operation,
    key: key === '' ? (keys?.[0] ?? '') : key,
    condition: ifAbsent === true ? 'absent' : (ifMatch ?? 'none'),
    id,
    sizeBytes: bytes?.byteLength ?? 0,
    attempt: flight.attempt,
  };
}

/** Callbacks of one kind of event. */
export class Hooks<E> {
  readonly #callbacks: ((event: E) => void)[] = [];

  get isEmpty(): boolean {
    return this.#callbacks.length === 0;
  }

  add(callback: (event: E) => void): Cancel {
    this.#callbacks.push(callback);
    return () => {
      const at = this.#callbacks.indexOf(callback);
      if (at >= 0) this.#callbacks.splice(at, 1);
    };
  }

  call(event: E): void {
    for (const callback of this.#callbacks.slice()) callback(event);
  }
}
