import type { DelayMs } from './seeded-random.ts';

/**
 * What a rule does to a request that it hits.
 *
 * Faults that only slow down or damage bytes (`latency`, `slow-body`, `corrupt-body`) add up when several rules hit one
 * request. Of all others the first one in rule order decides how the exchange ends; rules after it are not asked.
 */
export type Fault =
  /**
   * Answers with an S3 error document. `effect: 'none'`: the request never reached the server (409 ConditionalRequestConflict,
   * 503 SlowDown, 500 InternalError). `'applied'`: the server did it, and its answer is replaced.
   */
  | {
      readonly kind: 'error';
      readonly status: number;
      /** S3's error code, e.g. `SlowDown`. */
      readonly code: string;
      readonly effect: 'none' | 'applied';
      readonly retryAfterSeconds?: number | undefined;
    }
  /** TCP reset. `'none'`: before anything was forwarded. `'applied'`: the server did it, the answer is lost. */
  | { readonly kind: 'reset'; readonly effect: 'none' | 'applied' }
  /** No answer, connection open, until the client gives up. */
  | { readonly kind: 'black-hole'; readonly effect: 'none' | 'applied' }
  /**
   * The client's connection is reset at once (or left without an answer); the server gets the request `delay` later, or
   * when `release()` is called. `delay: Infinity` waits for that alone.
   */
  | { readonly kind: 'late'; readonly delay: DelayMs; readonly client: 'reset' | 'black-hole' }
  /** The server gets the request again, `delay` after its first answer. The client sees the one or the other answer. */
  | { readonly kind: 'duplicate'; readonly delay: DelayMs; readonly answer: 'first' | 'second' }
  /**
   * The answer's head and at most `afterBytes` of its body, then the end of the connection. An answer with a shorter body
   * passes whole.
   */
  | { readonly kind: 'truncate'; readonly afterBytes: number; readonly ending: 'close' | 'reset' }
  /** Waits before the request is forwarded, or before the answer is. */
  | { readonly kind: 'latency'; readonly before: 'request' | 'answer'; readonly delay: DelayMs }
  | { readonly kind: 'slow-body'; readonly of: 'request' | 'answer'; readonly bytesPerSecond: number }
  /** Flips all bits of one byte of the body; a shorter body passes unharmed. */
  | { readonly kind: 'corrupt-body'; readonly of: 'request' | 'answer'; readonly atByte: number };

export type FaultKind = Fault['kind'];

/** Which requests a fault hits. All given conditions must hold; a request that meets them *matches*. */
export interface FaultRule {
  /** For counts, and the name of the rule's own random sequence. Unique. */
  readonly name: string;
  /** Default: all methods. */
  readonly methods?: readonly string[] | undefined;
  /** Searched in the decoded path, `/bucket/key` with path-style addresses. */
  readonly path?: RegExp | undefined;
  /** Searched in the raw query string (without `?`): `list-type=2` finds LIST, `^$` all plain object requests. */
  readonly query?: RegExp | undefined;
  /** Requests with that header, or with neither. */
  readonly condition?: 'if-none-match' | 'if-match' | 'none' | undefined;
  /** Share of the matching requests that is hit, 0 to 1. Default 1. */
  readonly probability?: number | undefined;
  /** So many matching requests pass first. Default 0. */
  readonly skip?: number | undefined;
  /** At most so many are hit. Default: no bound. */
  readonly count?: number | undefined;
  readonly fault: Fault;
}

/** The errors that S3 sends under load and in races, with its own codes. */
export const s3Errors = {
  conflict: { kind: 'error', status: 409, code: 'ConditionalRequestConflict', effect: 'none' },
  slowDown: { kind: 'error', status: 503, code: 'SlowDown', effect: 'none' },
  internalError: { kind: 'error', status: 500, code: 'InternalError', effect: 'none' },
  internalErrorAfterEffect: { kind: 'error', status: 500, code: 'InternalError', effect: 'applied' },
} as const satisfies Record<string, Fault>;
