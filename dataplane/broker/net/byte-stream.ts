/**
 * One accepted connection as bytes in both directions: a TCP socket (`tcp-listener.ts`), or a simulated one. Nothing is
 * known here of Kafka.
 */
export interface ByteStream {
  /** The address of the peer, without port. */
  readonly remoteAddress: string;
  /** Bytes that were written and that the peer's side has not taken yet. */
  readonly unsentBytes: number;
  /** Begins to deliver. Called once. */
  start(events: ByteStreamEvents): void;
  /**
   * Sends the pieces in order. They must not change until `sent` is called, which happens once, perhaps before this
   * returns: when they have left this process, or when they never will because the stream is closed.
   */
  write(pieces: readonly Uint8Array[], sent?: () => void): void;
  /** Stops `data` soon: what is on its way may still come. */
  pause(): void;
  resume(): void;
  /** Closes at once; what was not sent is lost. `closed` follows. */
  destroy(): void;
}

export interface ByteStreamEvents {
  /** The chunk belongs to the receiver. */
  readonly data: (chunk: Uint8Array) => void;
  /**
   * Asked before a read by streams that can read into memory they are given: where to put what comes next. `undefined`: it
   * comes by `data`.
   */
  readonly room: () => Uint8Array | undefined;
  /** Instead of `data`: so many bytes are at the beginning of what `room` has returned last. */
  readonly received: (count: number) => void;
  /** All that was written is sent. */
  readonly drained: () => void;
  /** Comes once, and last: the peer has closed or is gone, or `destroy` was called. */
  readonly closed: (error: Error | undefined) => void;
}
