import type { StoreErrorCode } from '../errors.ts';
import type { FailedAnswer } from './request.ts';

const failures: Partial<Record<StoreErrorCode, FailedAnswer>> = {
  CONFLICT: failed(
    'CONFLICT',
    'a concurrent operation on the key won; nothing was written: try again',
    409,
    'ConditionalRequestConflict',
  ),
  THROTTLED: failed(
    'THROTTLED',
    'the store asks to slow down; nothing was done: try again later',
    503,
    'SlowDown',
  ),
  SERVER_ERROR: failed(
    'SERVER_ERROR',
    'the store failed inside and may or may not have acted',
    500,
    'InternalError',
  ),
  TIMEOUT: failed('TIMEOUT', 'no answer in time; the request may still be under way'),
  CONNECTION_LOST: failed(
    'CONNECTION_LOST',
    'the connection broke before the answer came; the request may still be under way',
  ),
  UNREACHABLE: failed('UNREACHABLE', 'no connection could be made; nothing was sent'),
  CORRUPT_RESPONSE: failed(
    'CORRUPT_RESPONSE',
    'the body is truncated, or not what its headers say; ask again',
    200,
  ),
  CHECKSUM_REJECTED: failed(
    'CHECKSUM_REJECTED',
    'the body does not have the announced crc32c; nothing was written',
    400,
    'BadDigest',
  ),
  ACCESS_DENIED: failed(
    'ACCESS_DENIED',
    'the store refuses; check credentials and policy',
    403,
    'AccessDenied',
  ),
  STORE_FULL: failed(
    'STORE_FULL',
    'the store takes no writes (quota, space, or read-only); nothing was written',
    507,
    'QuotaExceeded',
  ),
};

export function serverFailure(code: StoreErrorCode): FailedAnswer {
  return failures[code] ?? failed(code, 'the simulated store was told to answer so');
}

function failed(code: StoreErrorCode, what: string, status?: number, serverCode?: string): FailedAnswer {
  return { kind: 'failed', code, what, status, serverCode };
}
