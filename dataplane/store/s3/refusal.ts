import type { StoreErrorCode, StoreErrorDetails } from '../errors.ts';
import type { ResponseHeaders } from './http/response-head.ts';
import { parseXml, textOf, XmlError } from './xml.ts';

/** What an answer other than success says, as far as it says it: HEAD has no body, proxies write HTML. */
export interface Refusal {
  readonly status: number;
  /** S3's `<Code>`; empty when there is none. */
  readonly code: string;
  readonly message: string;
  readonly requestId: string | undefined;
  /** Where the bucket is, when the answer is about that. */
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** The server's clock. */
  readonly dateMs: number | undefined;
}

export function readRefusal(status: number, headers: ResponseHeaders, body: Uint8Array): Refusal {
  const error = parseErrorBody(body);
  const date = Date.parse(headers['date'] ?? '');
  return {
    status,
    // MinIO names the error of a HEAD in a header.
    code: error?.code ?? headers['x-minio-error-code'] ?? '',
    message: error?.message ?? headers['x-minio-error-desc'] ?? '',
    requestId: headers['x-amz-request-id'] ?? error?.requestId,
    region: headers['x-amz-bucket-region'] ?? error?.region,
    endpoint: error?.endpoint,
    retryAfterMs: retryAfterMs(headers['retry-after'], date),
    dateMs: Number.isNaN(date) ? undefined : date,
  };
}

/** What a refusal means for the call. Everything but `error` is an answer that some calls expect. */
export type Verdict =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'absent' }
  | { readonly kind: 'condition-failed' }
  | {
      readonly kind: 'error';
      readonly error: StoreErrorCode;
      readonly what: string;
      readonly remedy: Remedy;
    };

/** What can make the same request succeed. Both mean that this one was refused for good: nothing landed, nothing will. */
export type Remedy = 'none' | 'fresh-credentials' | 'right-clock';

export interface RefusedRequest {
  readonly operation: StoreErrorDetails['operation'];
  readonly condition: 'none' | 'if-absent' | 'if-match' | 'if-none-match';
  readonly bucket: string;
  readonly region: string;
  /** The credentials have a session token, so that they can expire. */
  readonly temporaryCredentials: boolean;
  /** How far the request's time stamp was behind the server's `Date`, in milliseconds. */
  readonly skewMs: number;
}

const throttled = new Set([
  'SlowDown',
  // MinIO: a read found too many drives busy. Its SlowDownWrite is not here: a write without quorum may still surface.
  'SlowDownRead',
  'RequestLimitExceeded',
  'Throttling',
  'ThrottlingException',
  'TooManyRequests',
]);
/** The last two: a key pair that was rotated away. */
const expired = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'TokenRefreshRequired',
  'InvalidToken',
  'InvalidAccessKeyId',
]);
const skewed = new Set(['RequestTimeTooSkewed', 'RequestExpired']);
const checksum = new Set([
  'BadDigest',
  'XAmzContentChecksumMismatch',
  'XAmzContentSHA256Mismatch',
  'IncompleteBody',
]);
const full = new Set(['QuotaExceeded', 'XMinioStorageFull', 'XMinioAdminBucketQuotaExceeded', 'StorageFull']);
/** 409s that repeating does not cure. */
const lasting = new Set([
  'ObjectParentIsFile',
  'ExistingObjectIsDirectory',
  'InvalidObjectState',
  'InvalidBucketState',
]);
const allowedSkewMs = 5 * 60_000;

/** Decides by status and S3 error code, never by message. */
export function judge(refusal: Refusal, request: RefusedRequest): Verdict {
  const { status, code } = refusal;
  const said = [code, refusal.message.replace(/[.\s]+$/, '')].filter((part) => part !== '').join(': ');
  const answer = `the store answered ${status}${said === '' ? '' : ` ${said}`}`;
  const error = (error: StoreErrorCode, hint = '', remedy: Remedy = 'none'): Verdict => ({
    kind: 'error',
    error,
    what: hint === '' ? answer : `${answer}; ${hint}`,
    remedy,
  });

  if (status === 304 && request.condition === 'if-none-match') return { kind: 'unchanged' };
  if (status === 412 && request.operation === 'put' && request.condition !== 'none')
    return { kind: 'condition-failed' };
  if (status === 404) return judgeMissing(refusal, request, error);
  if (isAboutRegion(refusal, request)) return error('INVALID_REQUEST', regionHint(refusal, request));
  if (expired.has(code))
    return error('ACCESS_DENIED', 'the credentials have expired or were replaced', 'fresh-credentials');
  if (skewed.has(code)) return error('ACCESS_DENIED', 'set the clock of this machine', 'right-clock');
  if (checksum.has(code)) return error('CHECKSUM_REJECTED');
  if (full.has(code) || status === 507) return error('STORE_FULL', 'make room or raise the quota');
  if (throttled.has(code) || status === 429) return error('THROTTLED');
  // The server stopped waiting for our bytes.
  if (code === 'RequestTimeout' || status === 408) return error('TIMEOUT');
  if (status === 409) return lasting.has(code) ? error('INVALID_REQUEST') : error('CONFLICT');
  if (status === 416) return error('RANGE_NOT_SATISFIABLE', 'read the size with head() first');
  if (status === 401 || status === 403 || (status === 400 && code === ''))
    return judgeDenied(request, status, error);
  if (status === 501) return error('INVALID_REQUEST', notImplementedHint);
  if (status >= 500) return error('SERVER_ERROR');
  return error('INVALID_REQUEST');
}

const notImplementedHint =
  'a store that knows no checksums needs the option checksums=false, one that knows no conditional writes cannot be used';

type MakeError = (error: StoreErrorCode, hint?: string, remedy?: Remedy) => Verdict;

function judgeMissing(refusal: Refusal, request: RefusedRequest, error: MakeError): Verdict {
  if (refusal.code === 'NoSuchBucket')
    return error('NO_SUCH_STORE', `create the bucket ${JSON.stringify(request.bucket)} first`);
  if (refusal.code === 'NoSuchKey' || refusal.code === '') {
    if (request.operation === 'get' || request.operation === 'head' || request.operation === 'delete')
      return { kind: 'absent' };
    if (request.condition === 'if-match') return { kind: 'condition-failed' };
  }
  return error('NO_SUCH_STORE', 'check endpoint and bucket');
}

/** The answer to a HEAD says no more than its status: try what can be cured before giving up. */
function judgeDenied(request: RefusedRequest, status: number, error: MakeError): Verdict {
  const isHead = request.operation === 'head';
  if (isHead && Math.abs(request.skewMs) > allowedSkewMs)
    return error('ACCESS_DENIED', 'set the clock of this machine', 'right-clock');
  if (isHead && request.temporaryCredentials)
    return error('ACCESS_DENIED', 'the credentials may have expired', 'fresh-credentials');
  if (status === 400) return error('INVALID_REQUEST');
  return error(
    'ACCESS_DENIED',
    'check the credentials and their permissions (without s3:ListBucket, AWS answers 403 for keys that do not exist)',
  );
}

function isAboutRegion({ status, code, region }: Refusal, request: RefusedRequest): boolean {
  return (
    status === 301 ||
    status === 307 ||
    status === 308 ||
    code === 'AuthorizationHeaderMalformed' ||
    code === 'IllegalLocationConstraintException' ||
    // All that the answer to a HEAD can say.
    (status === 400 && code === '' && region !== undefined && region !== request.region)
  );
}

function regionHint({ region, endpoint }: Refusal, request: RefusedRequest): string {
  if (region !== undefined && region !== request.region)
    return `the bucket is in region ${region} and requests were signed for ${request.region}: set region=${region}`;
  if (endpoint !== undefined) return `the bucket is served at ${endpoint}: set endpoint`;
  return `check region (${request.region}) and endpoint`;
}

interface ErrorBody {
  readonly code: string | undefined;
  readonly message: string | undefined;
  readonly requestId: string | undefined;
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
}

/** `<Error><Code/><Message/><RequestId/>…</Error>`; `undefined` when the body is something else. */
function parseErrorBody(body: Uint8Array): ErrorBody | undefined {
  if (body.byteLength === 0) return undefined;
  try {
    const root = parseXml(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString());
    if (root.name !== 'Error') return undefined;
    return {
      code: textOf(root, 'Code'),
      message: textOf(root, 'Message'),
      requestId: textOf(root, 'RequestId'),
      region: textOf(root, 'Region'),
      endpoint: textOf(root, 'Endpoint'),
    };
  } catch (error) {
    if (error instanceof XmlError) return undefined;
    throw error;
  }
}

/** RFC 9110 section 10.2.3: seconds, or a date. */
function retryAfterMs(header: string | undefined, serverDateMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^[0-9]{1,6}$/.test(header)) return Number(header) * 1000;
  const atMs = Date.parse(header);
  return Number.isNaN(atMs) || Number.isNaN(serverDateMs) ? undefined : Math.max(0, atMs - serverDateMs);
}
