import type { ByteStream } from './byte-stream.ts';

/** Opens connections to other brokers: TCP (`tcp-dialer.ts`), or simulated. */
export interface Dialer {
  /**
   * Connects to `address` (`host:port`). Aborting `signal` gives up.
   *
   * @throws DialError
   */
  dial(address: string, signal: AbortSignal): Promise<ByteStream>;
}

/**
 * `refused`: the machine at that address answers, and no process listens there. `unreachable`: nobody answers, or not in
 * time. `rejected`: somebody answered who is not what was asked for, or who does not trust us.
 */
export class DialError extends Error {
  override readonly name = 'DialError';
  readonly reason: 'refused' | 'unreachable' | 'rejected';

  constructor(reason: DialError['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}
