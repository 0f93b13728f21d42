/**
 * A request to another broker brought no answer. `unreachable`: it was not sent, or nobody knows whether it arrived.
 * `failed`: the other broker says why it could not work on it.
 */
export class PeerError extends Error {
  override readonly name = 'PeerError';
  readonly reason: 'unreachable' | 'failed';

  constructor(reason: PeerError['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
