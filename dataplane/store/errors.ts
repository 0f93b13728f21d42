/**
 * What a store call can fail with. `landed` answers the only question a writer has: can this attempt have taken effect,
 * now or later? `retriable` says whether the same call may succeed if it is repeated.
 */
export const storeErrorCodes = {
  /** 409 ConditionalRequestConflict: a concurrent operation on the key won; nothing was written. */
  CONFLICT: { retriable: true, landed: 'no' },
  /** 503 SlowDown, 429: the store refused before acting. */
  THROTTLED: { retriable: true, landed: 'no' },
  /** 500, 502, 504 and unclear 503s: the store may or may not have acted. */
  SERVER_ERROR: { retriable: true, landed: 'maybe' },
  /** No answer in time. */
  TIMEOUT: { retriable: true, landed: 'maybe' },
  /** The connection broke after the request may have been sent. */
  CONNECTION_LOST: { retriable: true, landed: 'maybe' },
  /** No connection could be made: nothing was sent. */
  UNREACHABLE: { retriable: true, landed: 'no' },
  /** A response body ended early or did not match its checksum. */
  CORRUPT_RESPONSE: { retriable: true, landed: 'maybe' },
  /** The store found that the bytes it received do not match their checksum: nothing was written. */
  CHECKSUM_REJECTED: { retriable: true, landed: 'no' },
  /** 416: the range starts at or beyond the end of the object. */
  RANGE_NOT_SATISFIABLE: { retriable: false, landed: 'no' },
  /** 401, 403, expired or missing credentials. */
  ACCESS_DENIED: { retriable: false, landed: 'no' },
  /** The bucket or root directory does not exist. */
  NO_SUCH_STORE: { retriable: false, landed: 'no' },
  /** No space left, quota exceeded, read-only. */
  STORE_FULL: { retriable: true, landed: 'no' },
  /** The call itself is wrong: bad key, bad option, object too large, 501. */
  INVALID_REQUEST: { retriable: false, landed: 'no' },
  /** The store was closed. */
  CLOSED: { retriable: false, landed: 'maybe' },
} as const satisfies Record<string, { retriable: boolean; landed: 'no' | 'maybe' }>;

export type StoreErrorCode = keyof typeof storeErrorCodes;

export interface StoreErrorDetails {
  readonly operation: 'put' | 'get' | 'head' | 'list' | 'delete' | 'open';
  readonly store: string;
  readonly key?: string | undefined;
  /** HTTP status, where there was one. */
  readonly status?: number | undefined;
  /** The store's own error code and request id, for its operators. */
  readonly serverCode?: string | undefined;
  readonly requestId?: string | undefined;
  readonly cause?: unknown;
}

export class StoreError extends Error {
  readonly code: StoreErrorCode;
  readonly retriable: boolean;
  /** `'no'`: this attempt wrote nothing and never will. `'maybe'`: it may have, or may still. Always `'no'` for reads. */
  readonly landed: 'no' | 'maybe';
  readonly details: StoreErrorDetails;

  /** @param what what failed and what to do about it; operation, key and store are put in front of it. */
  constructor(code: StoreErrorCode, what: string, details: StoreErrorDetails) {
    const { operation, key, store } = details;
    super(`${operation} ${key === undefined ? '' : `${JSON.stringify(key)} `}at ${store}: ${what}`, {
      cause: details.cause,
    });
    this.name = 'StoreError';
    this.code = code;
    this.retriable = storeErrorCodes[code].retriable;
    this.landed = operation === 'put' || operation === 'delete' ? storeErrorCodes[code].landed : 'no';
    this.details = details;
  }
}
