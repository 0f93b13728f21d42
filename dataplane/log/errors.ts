import { LogFormatError } from './format/errors.ts';

/**
 * What the log refuses or fails with. `retriable`: the same request may succeed later, here or at another broker.
 * Names follow Kafka's error codes where the meaning is the same, so that the protocol layer maps them one to one.
 */
export const logErrorCodes = {
  /** This broker does not (or no longer) own the partition, or its session ended before the record was durable. */
  NOT_LEADER_OR_FOLLOWER: { retriable: true },
  UNKNOWN_TOPIC_OR_PARTITION: { retriable: true },
  OFFSET_OUT_OF_RANGE: { retriable: false },
  CORRUPT_MESSAGE: { retriable: true },
  MESSAGE_TOO_LARGE: { retriable: false },
  INVALID_RECORD: { retriable: false },
  OUT_OF_ORDER_SEQUENCE_NUMBER: { retriable: false },
  DUPLICATE_SEQUENCE_NUMBER: { retriable: false },
  INVALID_PRODUCER_EPOCH: { retriable: false },
  UNSUPPORTED: { retriable: false },
  /** What the store holds contradicts itself. Nothing is repaired or truncated automatically: `firn log verify` says more. */
  CORRUPT_LOG: { retriable: false },
  /** An object was written by a newer release than this one; the cause (FutureVersionError) has key and versions. */
  UNSUPPORTED_FORMAT: { retriable: false },
  /** This process's broker id now belongs to another process. */
  REPLACED: { retriable: false },
  /** Too many appends wait already. Nothing has been appended: the client tries again after a while. */
  OVERLOADED: { retriable: true },
  /** The session is being drained or has ended on purpose. */
  SHUTTING_DOWN: { retriable: true },
} as const satisfies Record<string, { retriable: boolean }>;

export type LogErrorCode = keyof typeof logErrorCodes;

export class LogError extends Error {
  readonly code: LogErrorCode;
  readonly retriable: boolean;

  constructor(code: LogErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LogError';
    this.code = code;
    this.retriable = logErrorCodes[code].retriable;
  }
}

/** Invariants of our own code. A failure is a bug in Firn, never a consequence of input or of the store's state. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${message}`);
}

/** Bytes in the store are not what they must be, or not for this release: no repetition helps. */
export function isDamage(error: unknown): error is Error {
  if (error instanceof LogError) return error.code === 'CORRUPT_LOG' || error.code === 'UNSUPPORTED_FORMAT';
  return error instanceof LogFormatError;
}
