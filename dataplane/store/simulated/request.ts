import type { StoreErrorCode } from '../errors.ts';
import type { ETag, ListPage, ObjectInfo } from '../object-store.ts';
import type { StoreOperation } from './latency.ts';

export interface StoredObject {
  /** Never changed. */
  readonly bytes: Uint8Array;
  readonly info: ObjectInfo;
  /** When a weak LIST begins to show it. */
  readonly visibleAtMs: number;
}

/** What goes over the wire, with the body as it was when it was sent. */
export interface StoreRequest {
  readonly operation: StoreOperation;
  /** The prefix of a LIST; '' of a batch delete. */
  readonly key: string;
  /** Keys of a batch delete. */
  readonly keys?: readonly string[] | undefined;
  readonly bytes?: Uint8Array | undefined;
  /** CRC32C of `bytes`; absent when bodies are shared, not copied. */
  readonly crc32c?: number | undefined;
  readonly announcedCrc32c?: number | undefined;
  readonly id?: string | undefined;
  readonly ifAbsent?: boolean | undefined;
  readonly ifMatch?: ETag | undefined;
  readonly ifNoneMatch?: ETag | undefined;
  readonly isRanged?: boolean | undefined;
  /** Length of the asked range, as far as the request tells. */
  readonly rangeBytes?: number | undefined;
  /** The time for the answer's body is the reader's to spend. */
  readonly isStreamed?: boolean | undefined;
  readonly startAfter?: string | undefined;
  readonly continuation?: string | undefined;
  readonly maxKeys?: number | undefined;
}

export function isWrite(operation: StoreOperation): boolean {
  return operation === 'put' || operation === 'delete';
}

export type BodyFlaw = 'truncated' | 'corrupt' | 'wrong-range' | 'undetected';

export type StoreAnswer =
  | { readonly kind: 'written'; readonly etag: ETag }
  | { readonly kind: 'condition-failed' }
  | { readonly kind: 'found'; readonly object: StoredObject; readonly flaw?: BodyFlaw | undefined }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'listed'; readonly page: ListPage; readonly omitted: number }
  | { readonly kind: 'deleted' }
  | FailedAnswer;

export interface FailedAnswer {
  readonly kind: 'failed';
  readonly code: StoreErrorCode;
  readonly what: string;
  readonly status?: number | undefined;
  readonly serverCode?: string | undefined;
}
