import type { IncomingHttpHeaders } from 'node:http';
import { ApiError, apiErrorReasons } from './errors.ts';
import type { ApiErrorReason, StatusDetails } from './errors.ts';

/** A `metav1.Status`: what the API server answers instead of an object. */
interface Status {
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
  readonly details?: StatusDetails & { readonly retryAfterSeconds?: number };
}

/** A `Retry-After` of hours, from some proxy, would be no advice: by then another try has cost nothing. */
const maxRetryAfterMs = 60_000;

/** From an answer that is no success. */
export function errorOfAnswer(
  what: string,
  httpStatus: number,
  headers: IncomingHttpHeaders,
  body: string,
): ApiError {
  const status = statusOf(body);
  const seconds = Number(headers['retry-after'] ?? status?.details?.retryAfterSeconds ?? Number.NaN);
  return toError(what, httpStatus, status, seconds, body);
}

/** From the object of an ERROR event of a watch. */
export function errorOfStatus(what: string, object: unknown): ApiError {
  const status = object as Status;
  return toError(
    what,
    status.code ?? 0,
    status,
    status.details?.retryAfterSeconds ?? Number.NaN,
    JSON.stringify(object) ?? '',
  );
}

function toError(
  what: string,
  code: number,
  status: Status | undefined,
  retryAfterSeconds: number,
  body: string,
): ApiError {
  const reason = reasonOf(status?.reason, code);
  const said = status?.message ?? body.slice(0, 300);
  const text = `could not ${what}: ${reason}${code === 0 ? '' : ` (${code})`}: ${said}`;
  return new ApiError(reason, text, {
    status: code === 0 ? undefined : code,
    details: status?.details,
    // A date instead of seconds is NaN here, and a wait that is none.
    retryAfterMs: retryAfterSeconds >= 0 ? Math.min(retryAfterSeconds * 1000, maxRetryAfterMs) : undefined,
  });
}

function statusOf(body: string): Status | undefined {
  try {
    const value = JSON.parse(body) as { kind?: unknown } | null;
    return value?.kind === 'Status' ? (value as Status) : undefined;
  } catch {
    return undefined;
  }
}

/** Answers of proxies and load balancers have no reason, but a status. */
const reasonByStatus: Readonly<Record<number, ApiErrorReason>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  502: 'ServiceUnavailable',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** 404 is in no table: without the API server's own word for it, nothing is known about the object. */
function reasonOf(reason: string | undefined, code: number): ApiErrorReason {
  if (reason !== undefined && Object.hasOwn(apiErrorReasons, reason)) return reason as ApiErrorReason;
  return reasonByStatus[code] ?? 'Unknown';
}
