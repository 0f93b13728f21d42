/** `retriable`: another attempt, perhaps by a new connection or at another broker, may succeed. */
export const clientErrorCodes = {
  /** No connection could be made. */
  CONNECT_FAILED: { retriable: true },
  /** The connection ended before the response came: what was asked for may have been done. */
  DISCONNECTED: { retriable: true },
  /** No response came in time: what was asked for may have been done. */
  TIMED_OUT: { retriable: true },
  /** The broker offers no version of the API that we speak. */
  UNSUPPORTED_VERSION: { retriable: false },
  /** The client was closed. */
  CLOSED: { retriable: false },
} as const satisfies Record<string, { retriable: boolean }>;

export type ClientErrorCode = keyof typeof clientErrorCodes;

export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly code: ClientErrorCode;
  readonly retriable: boolean;

  constructor(code: ClientErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retriable = clientErrorCodes[code].retriable;
  }
}
