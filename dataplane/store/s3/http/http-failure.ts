/** How an exchange can fail below the meaning of its answer. */
export type HttpFailureKind =
  /** No connection could be made, or none was tried: not one byte of the request was sent. */
  | 'unreachable'
  /** The connection broke after the request may have been sent and before the head of an answer was complete. */
  | 'lost'
  /** The request may have been sent; no answer, or no more of it, came in time. */
  | 'timeout'
  /** The head of an answer came, but not all of its body. */
  | 'truncated'
  /** What came is not HTTP/1.1. */
  | 'malformed'
  /** The body is larger than the caller allows, or than memory does. */
  | 'too-large'
  /** The pool was closed. */
  | 'closed';

export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly kind: HttpFailureKind;

  constructor(kind: HttpFailureKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
