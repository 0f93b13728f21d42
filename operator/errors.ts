/**
 * Why the API server, or the way to it, refused. The first group is Kubernetes' own list (`metav1.StatusReason`).
 * `retriable`: the same request may succeed later, without anybody changing the request.
 */
export const apiErrorReasons = {
  /** The credentials are not (or no longer) valid; they are read anew for the next request. */
  Unauthorized: { retriable: true },
  /** RBAC or admission: also what creating something in a namespace that is being deleted gets. */
  Forbidden: { retriable: false },
  NotFound: { retriable: false },
  AlreadyExists: { retriable: false },
  /** Somebody changed the object since it was read, or it is not the one the precondition names: read it and decide again. */
  Conflict: { retriable: true },
  Gone: { retriable: false },
  /** The resourceVersion or page token is too old: list again. */
  Expired: { retriable: false },
  Invalid: { retriable: false },
  BadRequest: { retriable: false },
  MethodNotAllowed: { retriable: false },
  NotAcceptable: { retriable: false },
  RequestEntityTooLarge: { retriable: false },
  UnsupportedMediaType: { retriable: false },
  StoreReadError: { retriable: true },
  TooManyRequests: { retriable: true },
  /** The server gave up within its time; what was asked for may still happen. */
  Timeout: { retriable: true },
  ServerTimeout: { retriable: true },
  ServiceUnavailable: { retriable: true },
  InternalError: { retriable: true },

  /** No connection, or it broke: what was asked for may have been done. */
  Unreachable: { retriable: true },
  /** No answer within our time, or a watch on which nothing came: what was asked for may have been done. */
  NoAnswer: { retriable: true },
  /** What came is no answer of the Kubernetes API: a proxy's page, a broken stream. */
  Malformed: { retriable: true },
  /** An answer that is none of the above. */
  Unknown: { retriable: false },
} as const satisfies Record<string, { readonly retriable: boolean }>;

export type ApiErrorReason = keyof typeof apiErrorReasons;

/** What the server tells of the object or field it refuses (`metav1.StatusDetails`). */
export interface StatusDetails {
  readonly name?: string | undefined;
  readonly group?: string | undefined;
  readonly kind?: string | undefined;
  readonly causes?:
    readonly { readonly reason?: string; readonly message?: string; readonly field?: string }[] | undefined;
}

export interface ApiErrorFacts {
  /** Of HTTP; absent when no answer came. */
  readonly status?: number | undefined;
  readonly details?: StatusDetails | undefined;
  /** The server asks to wait so long before the next try. */
  readonly retryAfterMs?: number | undefined;
  readonly cause?: unknown;
}

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly reason: ApiErrorReason;
  readonly retriable: boolean;
  readonly status: number | undefined;
  readonly details: StatusDetails | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(reason: ApiErrorReason, message: string, facts: ApiErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.reason = reason;
    this.retriable = apiErrorReasons[reason].retriable;
    this.status = facts.status;
    this.details = facts.details;
    this.retryAfterMs = facts.retryAfterMs;
  }
}

/** Whether it is an {@link ApiError} with one of these reasons. */
export function hasReason(error: unknown, ...reasons: readonly ApiErrorReason[]): error is ApiError {
  return error instanceof ApiError && reasons.includes(error.reason);
}

/** The position of a list or watch is no longer known to the server: whoever gets it lists again. */
export function isExpired(error: unknown): error is ApiError {
  return hasReason(error, 'Expired', 'Gone');
}

/** The operator cannot work with what it was given: environment, kubeconfig, service account. The message says what to do. */
export class ClusterAccessError extends Error {
  override readonly name = 'ClusterAccessError';
}

/** This process is no longer the leader, or cannot know that it is. Nothing may be written any more: end the process. */
export class LeadershipLostError extends Error {
  override readonly name = 'LeadershipLostError';
}
