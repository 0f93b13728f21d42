/**
 * Something that a broker can ask of another. Both sides have the same declaration; `decode…` checks what arrives, and throws
 * where it does not have the shape it should.
 */
export interface PeerMethod<Request, Response> {
  readonly name: string;
  readonly request: PeerShape<Request>;
  readonly response: PeerShape<Response>;
}

/** How a value travels. */
export interface PeerShape<T> {
  /** As a value that JSON can say. */
  readonly encode: (value: T) => unknown;
  readonly decode: (json: unknown) => T;
}

/** Who asks: a session that has introduced itself. */
export interface PeerCaller {
  readonly id: number;
  readonly sid: string;
}

export type PeerHandler<Request, Response> = (
  request: Request,
  caller: PeerCaller,
  /** Nobody waits any more. */
  signal: AbortSignal,
) => Promise<Response>;

export const nothing: PeerShape<undefined> = {
  encode: () => undefined,
  decode: () => undefined,
};
