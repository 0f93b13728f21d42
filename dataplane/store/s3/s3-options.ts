import type { Runtime } from '../../runtime/runtime.ts';
import type { StoreErrorCode, StoreErrorDetails } from '../errors.ts';
import type { CredentialProvider, S3Credentials } from './credentials.ts';
import type { TimeLimits } from './http/http-exchange.ts';

export interface S3StoreOptions {
  readonly bucket: string;
  /** Put in front of every key, with a `/` between them. Default: none. */
  readonly prefix?: string | undefined;
  /** Default: `AWS_REGION`, `AWS_DEFAULT_REGION`; with an `endpoint`, `us-east-1`, which other stores accept. */
  readonly region?: string | undefined;
  /** `http://` or `https://` URL of a store that is not AWS S3. Default: AWS S3 in `region`. */
  readonly endpoint?: string | undefined;
  /** The bucket in the path instead of the host name. Default: with an `endpoint`, and for bucket names that need it. */
  readonly pathStyle?: boolean | undefined;
  /** PEM certificates to trust instead of the public ones. */
  readonly ca?: string | undefined;
  /** Fixed, or looked up when needed. Default: the standard chain of AWS clients. */
  readonly credentials?: S3Credentials | CredentialProvider | undefined;
  /**
   * Send a CRC32C with every PUT and verify those that come with whole objects. Default true; `false` for stores that
   * answer 501 to it.
   */
  readonly checksums?: boolean | undefined;
  /**
   * Sign the SHA-256 of bodies too. Default false: over TLS it adds nothing, and over plain HTTP, where anybody on the
   * way can read the data anyhow, the CRC32C still finds accidents. Costs about a CPU-second per GB; streamed bodies are
   * then refused.
   */
  readonly signPayload?: boolean | undefined;
  readonly limits?: Partial<TimeLimits> | undefined;
  readonly retries?: Partial<RetryLimits> | undefined;
  /** Connections, and so requests in flight, at a time. Default 64. */
  readonly maxConnections?: number | undefined;
  /** Requests that may wait for a connection; beyond them calls fail with UNREACHABLE. Default 10 000. */
  readonly maxWaiting?: number | undefined;
  readonly runtime: Runtime;
  /** Told about every attempt, successful or not: for metrics and logs. */
  readonly onAttempt?: ((attempt: S3Attempt) => void) | undefined;
}

/** For calls that may be repeated. */
export interface RetryLimits {
  /** Attempts in all. */
  readonly attempts: number;
  /** No attempt begins later than this after the first one began. */
  readonly totalMs: number;
  /** The delay before attempt n+1 is uniformly random between 0 and min(maxDelayMs, baseDelayMs · 2ⁿ⁻¹), and no shorter than `Retry-After`. */
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

export interface S3Attempt {
  readonly operation: StoreErrorDetails['operation'];
  /** 1 for the first attempt of a call. */
  readonly number: number;
  readonly durationMs: number;
  /** Of the request's body. */
  readonly sentBytes: number;
  /** Absent when no answer came. */
  readonly status: number | undefined;
  /** Absent when the attempt ended the call as it should. */
  readonly error: StoreErrorCode | undefined;
}

export const defaultTimeLimits: TimeLimits = {
  connectMs: 5_000,
  headMs: 10_000,
  bodyIdleMs: 10_000,
  totalMs: 60_000,
  minBytesPerSecond: 256 * 1024,
};

export const defaultRetryLimits: RetryLimits = {
  attempts: 6,
  totalMs: 60_000,
  baseDelayMs: 50,
  maxDelayMs: 5_000,
};

export const defaultMaxConnections = 64;
export const defaultMaxWaiting = 10_000;
/** S3 closes idle connections after about 20 s, some proxies after 10. */
export const idleConnectionMs = 5_000;

/** What a URL can say: `s3://bucket[/prefix][?endpoint=…&region=…&pathStyle=true|false&checksums=…&signPayload=…]`. */
export type S3UrlOptions = Pick<
  S3StoreOptions,
  'bucket' | 'prefix' | 'endpoint' | 'region' | 'pathStyle' | 'checksums' | 'signPayload'
>;

/** Throws a TypeError that says what is wrong with the URL. */
export function parseS3Url(text: string): S3UrlOptions {
  const url = URL.parse(text);
  if (url === null || url.protocol !== 's3:' || url.host === '')
    throw new TypeError(`${JSON.stringify(text)} is not a URL of the form s3://bucket/prefix`);
  if (url.username !== '' || url.password !== '')
    throw new TypeError(
      `the URL of s3://${url.host} has credentials in it; use AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`,
    );
  const known = ['endpoint', 'region', 'pathStyle', 'checksums', 'signPayload'];
  for (const name of url.searchParams.keys()) {
    if (!known.includes(name))
      throw new TypeError(`${JSON.stringify(name)} in ${text} is not one of ${known.join(', ')}`);
  }
  const value = (name: string): string | undefined => url.searchParams.get(name) ?? undefined;
  const flag = (name: string): boolean | undefined => {
    const given = value(name);
    if (given !== undefined && given !== 'true' && given !== 'false')
      throw new TypeError(`${name} in ${text} is ${JSON.stringify(given)}, not true or false`);
    return given === undefined ? undefined : given === 'true';
  };
  return {
    bucket: url.host,
    prefix: decodeURIComponent(url.pathname),
    endpoint: value('endpoint'),
    region: value('region'),
    pathStyle: flag('pathStyle'),
    checksums: flag('checksums'),
    signPayload: flag('signPayload'),
  };
}

/** Throws a TypeError when AWS is meant and nothing says which region. */
export function regionOf(
  { region, endpoint, bucket }: Pick<S3StoreOptions, 'region' | 'endpoint' | 'bucket'>,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const found = region ?? (env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || undefined);
  if (found !== undefined) return found;
  if (endpoint !== undefined) return 'us-east-1';
  throw new TypeError(
    `the region of bucket ${JSON.stringify(bucket)} is not known; set region or AWS_REGION`,
  );
}

/** Ends in `/` unless it is empty, and does not begin with one. */
export function normalizedPrefix(prefix: string | undefined): string {
  const inner = (prefix ?? '').replace(/^\/+|\/+$/g, '');
  return inner === '' ? '' : `${inner}/`;
}
