import type { ByteStream } from './byte-stream.ts';

/** A listener of a broker: where connections come from. TCP (`tcp-acceptor.ts`), or simulated. */
export interface Acceptor {
  /** The listener's name, as in `BrokerEntry.listeners`. */
  readonly name: string;
  /** The zone whose clients come through it, where only those of one zone do. */
  readonly zone?: string | undefined;
  /** `host:port` that clients are told. */
  readonly advertised: string;
  /**
   * Hands connections over from now on, also those that have waited. Called once.
   *
   * @param onRefused told of connections whose other end could not prove who it is
   */
  accept(
    onConnection: (stream: ByteStream) => void,
    onRefused?: (remoteAddress: string, why: string) => void,
  ): void;
  /** Takes no further connections. Those that were handed over stay. */
  close(): Promise<void>;
}
