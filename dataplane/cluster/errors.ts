/** What can go wrong around the cluster state, other than the store itself and refused changes. */
export const clusterErrorCodes = {
  /** `meta/cluster` cannot be read: damaged, foreign, or of a version that this release does not know. */
  UNREADABLE: { retriable: false },
  /** The object is gone, or an older one than was read before: another bucket, or a restored copy of it. */
  WENT_BACK: { retriable: false },
  /** The session that made the change was replaced before it could be seen whether the change had landed. */
  OUTCOME_UNKNOWN: { retriable: false },
  /** Too many changes of this process are waiting already. */
  BUSY: { retriable: true },
  /** The client was stopped. */
  STOPPED: { retriable: false },
} as const satisfies Record<string, { retriable: boolean }>;

export type ClusterErrorCode = keyof typeof clusterErrorCodes;

export class ClusterError extends Error {
  readonly code: ClusterErrorCode;
  readonly retriable: boolean;

  constructor(code: ClusterErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ClusterError';
    this.code = code;
    this.retriable = clusterErrorCodes[code].retriable;
  }
}
