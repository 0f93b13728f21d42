import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import type { VirtualTime } from '../../runtime/virtual-time.ts';
import type { Acceptor } from '../net/acceptor.ts';
import type { ByteStream, ByteStreamEvents } from '../net/byte-stream.ts';
import { DialError } from '../net/dialer.ts';
import type { Dialer } from '../net/dialer.ts';

const delayMs = 1;

/**
 * For tests: TCP between simulated processes. Bytes arrive a millisecond later, cut anywhere. A killed process breaks its
 * connections and its address refuses; a paused one says nothing, and its kernel goes on accepting; an address that is cut off
 * swallows everything.
 */
export class PeerNetwork {
  /** Attempts to connect, by address. */
  readonly dials = new Map<string, number>();
  readonly #time: VirtualTime;
  readonly #listeners = new Map<string, Listener>();
  readonly #cutOff = new Set<string>();
  readonly #ends = new Set<End>();

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  listen(process: SimulatedProcess, address: string): Acceptor {
    const listener: Listener = { process, accept: undefined };
    this.#listeners.set(address, listener);
    const close = (): void => {
      if (this.#listeners.get(address) === listener) this.#listeners.delete(address);
    };
    process.onKilled(close);
    return {
      name: 'internal',
      advertised: address,
      accept: (onConnection) => {
        listener.accept = onConnection;
      },
      close: () => {
        close();
        return Promise.resolve();
      },
    };
  }

  dialer(process: SimulatedProcess): Dialer {
    return {
      dial: (address, signal) =>
        new Promise((resolve, reject) => {
          this.dials.set(address, (this.dials.get(address) ?? 0) + 1);
          const giveUp = (): void => {
            reject(new DialError('unreachable', `nobody answers at ${address}`, { cause: signal.reason }));
          };
          if (signal.aborted) giveUp();
          signal.addEventListener('abort', giveUp, { once: true });
          process.send(() => {
            this.#after(2, () => {
              if (this.isCutOff(address)) return;
              const listener = this.#listeners.get(address);
              process.receive(() => {
                if (signal.aborted) return;
                signal.removeEventListener('abort', giveUp);
                if (listener === undefined || !listener.process.isAlive)
                  reject(new DialError('refused', `no process listens at ${address}`));
                else resolve(this.#connect(process, listener, address));
              });
            });
          });
        }),
    };
  }

  /** Ends all connections to it. */
  reset(address: string): void {
    for (const end of this.#ends) if (end.address === address) end.destroy();
  }

  cutOff(address: string): void {
    this.#cutOff.add(address);
  }

  heal(address: string): void {
    this.#cutOff.delete(address);
  }

  /** @internal */
  isCutOff(address: string): boolean {
    return this.#cutOff.has(address);
  }

  /** @internal */
  deliver(address: string, to: SimulatedProcess, arrive: () => void): void {
    this.#after(1, () => {
      if (!this.isCutOff(address)) to.receive(arrive);
    });
  }

  /** @internal Where to cut. */
  cut(length: number): number {
    return length > 1 && this.#time.random.chance(0.3) ? 1 + this.#time.random.below(length - 1) : length;
  }

  #connect(process: SimulatedProcess, listener: Listener, address: string): ByteStream {
    const dialed = new End(this, process, address);
    const accepted = new End(this, listener.process, address);
    this.#ends.add(dialed);
    dialed.other = accepted;
    accepted.other = dialed;
    listener.process.receive(() => {
      listener.accept?.(accepted);
    });
    return dialed;
  }

  #after(times: number, callback: () => void): void {
    this.#time.environment.after(times * delayMs, callback);
  }
}

interface Listener {
  readonly process: SimulatedProcess;
  accept: ((stream: ByteStream) => void) | undefined;
}

class End implements ByteStream {
  readonly remoteAddress = '10.9.9.9';
  readonly unsentBytes = 0;
  readonly #network: PeerNetwork;
  readonly #process: SimulatedProcess;
  readonly address: string;
  other: End | undefined;
  #events: ByteStreamEvents | undefined;
  #early: Uint8Array[] = [];
  #isClosed = false;

  constructor(network: PeerNetwork, process: SimulatedProcess, address: string) {
    this.#network = network;
    this.#process = process;
    this.address = address;
    process.onKilled(() => {
      this.#isClosed = true;
      const { other } = this;
      if (other !== undefined) network.deliver(address, other.#process, () => other.#closedByOther());
    });
  }

  start(events: ByteStreamEvents): void {
    this.#events = events;
    for (const chunk of this.#early.splice(0)) events.data(chunk);
    if (this.#isClosed) events.closed(undefined);
  }

  write(pieces: readonly Uint8Array[]): void {
    const { other } = this;
    if (this.#isClosed || other === undefined) return;
    const bytes = Buffer.concat(pieces);
    this.#process.send(() => {
      const at = this.#network.cut(bytes.length);
      for (const chunk of [bytes.subarray(0, at), bytes.subarray(at)]) {
        if (chunk.length > 0)
          this.#network.deliver(this.address, other.#process, () => {
            other.#arrived(chunk);
          });
      }
    });
  }

  pause(): void {
    throw new Error('brokers do not pause each other');
  }

  resume(): void {
    throw new Error('brokers do not pause each other');
  }

  destroy(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { other } = this;
    this.#process.send(() => {
      if (other !== undefined)
        this.#network.deliver(this.address, other.#process, () => other.#closedByOther());
    });
    queueMicrotask(() => this.#events?.closed(undefined));
  }

  #arrived(chunk: Uint8Array): void {
    if (this.#isClosed) return;
    if (this.#events === undefined) this.#early.push(chunk);
    else this.#events.data(chunk);
  }

  #closedByOther(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#events?.closed(undefined);
  }
}
