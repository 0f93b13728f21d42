/**
 * A question to another broker brought no answer. `unreachable`: there is no connection, nothing was sent. `lost`, `timeout`: the
 * connection broke, or nothing came in time: nobody knows whether it was worked on. `failed`: the other broker says why it
 * could not work on it, or what it says is wrong.
 */
export class PeerError extends Error {
  override readonly name = 'PeerError';
  readonly reason: 'unreachable' | 'lost' | 'timeout' | 'failed';

  constructor(reason: PeerError['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** How a question ended: for metrics. `abandoned`: who asked it waits no more. */
export type PeerOutcome = 'answered' | 'abandoned' | PeerError['reason'];
