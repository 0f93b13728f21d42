import type { Runtime } from '../../runtime/runtime.ts';
import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import type { VirtualRandom } from '../../runtime/virtual-random.ts';
import type { Acceptor } from '../net/acceptor.ts';
import type { ByteStream, ByteStreamEvents } from '../net/byte-stream.ts';

/** A client's end of a simulated connection. */
export interface ClientEnd {
  send(bytes: Uint8Array): void;
  close(): void;
}

export interface ClientEvents {
  readonly data: (chunk: Uint8Array) => void;
  readonly closed: () => void;
}

interface Listener {
  readonly process: SimulatedProcess;
  accept: ((stream: ByteStream) => void) | undefined;
}

/**
 * TCP between clients, which live in the world outside of all processes, and simulated brokers: bytes arrive late, in
 * pieces, in order and once, or the connection breaks. A killed process breaks its connections, a paused one leaves them
 * silent.
 */
export class SimulatedNetwork {
  /** Probability that a connection breaks when something is sent on it. */
  breakShare = 0;
  readonly #world: Runtime;
  readonly #random: VirtualRandom;
  readonly #listeners = new Map<string, Listener>();
  readonly #connections = new Set<Connection>();

  constructor(world: Runtime, random: VirtualRandom) {
    this.#world = world;
    this.#random = random;
  }

  /** A listener of a process; another one at the same address takes its place. */
  listen(process: SimulatedProcess, name: string, address: string): Acceptor {
    const listener: Listener = { process, accept: undefined };
    this.#listeners.set(address, listener);
    const close = (): void => {
      if (this.#listeners.get(address) === listener) this.#listeners.delete(address);
    };
    process.onKilled(() => {
      close();
      for (const connection of this.#connections) if (connection.process === process) connection.break();
    });
    return {
      name,
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

  /** `undefined`: nobody listens there. */
  connect(address: string, events: ClientEvents): ClientEnd | undefined {
    const listener = this.#listeners.get(address);
    if (listener === undefined || !listener.process.isAlive) return undefined;
    const connection = new Connection(this, listener.process, events);
    this.#connections.add(connection);
    this.after(this.delayMs(), () => {
      listener.process.receive(() => {
        if (listener.accept === undefined) connection.break();
        else listener.accept(connection);
      });
    });
    return {
      send: (bytes) => {
        connection.fromClient(bytes);
      },
      close: () => {
        connection.closeByClient();
      },
    };
  }

  /** Breaks all connections to a process, or to all. */
  breakAll(process?: SimulatedProcess): void {
    for (const connection of this.#connections)
      if (process === undefined || connection.process === process) connection.break();
  }

  /** @internal */
  forget(connection: Connection): void {
    this.#connections.delete(connection);
  }

  /** @internal */
  after(delayMs: number, callback: () => void): void {
    this.#world.after(delayMs, callback);
  }

  /** @internal */
  delayMs(): number {
    return this.#random.between(0.05, 2);
  }

  /** @internal */
  get nowMs(): number {
    return this.#world.monotonicMs();
  }

  /** @internal Where to cut what is sent, and whether the connection survives it. */
  fate(length: number): { readonly cut: number; readonly breaks: boolean } {
    const cut = length > 1 && this.#random.chance(0.3) ? 1 + this.#random.below(length - 1) : length;
    return { cut, breaks: this.#random.chance(this.breakShare) };
  }
}

class Connection implements ByteStream {
  readonly remoteAddress = '192.0.2.1';
  readonly unsentBytes = 0;
  readonly process: SimulatedProcess;
  readonly #network: SimulatedNetwork;
  readonly #client: ClientEvents;
  #server: ByteStreamEvents | undefined;
  #waiting: Uint8Array[] = [];
  #toServerMs = 0;
  #toClientMs = 0;
  #isPaused = false;
  #isOpen = true;

  constructor(network: SimulatedNetwork, process: SimulatedProcess, client: ClientEvents) {
    this.#network = network;
    this.process = process;
    this.#client = client;
  }

  start(events: ByteStreamEvents): void {
    this.#server = events;
    this.#deliver();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#deliver();
  }

  write(pieces: readonly Uint8Array[], sent?: () => void): void {
    if (!this.#isOpen) {
      sent?.();
      return;
    }
    this.process.send(() => {
      // Not before: what the broker changes too early goes out as it has become.
      const bytes = Buffer.concat(pieces);
      sent?.();
      const { cut, breaks } = this.#network.fate(bytes.length);
      this.#toClient(bytes.subarray(0, cut));
      if (breaks) this.break();
      else if (cut < bytes.length) this.#toClient(bytes.subarray(cut));
    });
  }

  destroy(): void {
    this.process.send(() => {
      this.break();
    });
  }

  fromClient(bytes: Uint8Array): void {
    if (!this.#isOpen) return;
    const { cut, breaks } = this.#network.fate(bytes.length);
    this.#toServer(bytes.subarray(0, cut));
    if (breaks) this.break();
    else if (cut < bytes.length) this.#toServer(bytes.subarray(cut));
  }

  closeByClient(): void {
    this.break();
  }

  /** Both ends learn of it; what is on its way may still arrive at the broker, as with a reset that is overtaken. */
  break(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#network.forget(this);
    this.#network.after(this.#network.delayMs(), () => {
      this.#client.closed();
    });
    this.#toServerMs = Math.max(this.#toServerMs, this.#network.nowMs) + this.#network.delayMs();
    this.#network.after(this.#toServerMs - this.#network.nowMs, () => {
      this.process.receive(() => {
        this.#server?.closed(undefined);
      });
    });
  }

  #toServer(bytes: Uint8Array): void {
    this.#toServerMs = Math.max(this.#toServerMs, this.#network.nowMs + this.#network.delayMs());
    this.#network.after(this.#toServerMs - this.#network.nowMs, () => {
      this.process.receive(() => {
        this.#waiting.push(Buffer.from(bytes));
        this.#deliver();
      });
    });
  }

  #toClient(bytes: Uint8Array): void {
    this.#toClientMs = Math.max(this.#toClientMs, this.#network.nowMs + this.#network.delayMs());
    this.#network.after(this.#toClientMs - this.#network.nowMs, () => {
      if (this.#isOpen) this.#client.data(bytes);
    });
  }

  #deliver(): void {
    while (!this.#isPaused && this.#server !== undefined) {
      const chunk = this.#waiting.shift();
      if (chunk === undefined) return;
      this.#server.data(chunk);
    }
  }
}
