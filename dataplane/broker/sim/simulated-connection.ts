import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import type { ByteStream, ByteStreamEvents } from '../net/byte-stream.ts';
import type { Wire } from './simulated-wire.ts';

/** What both machines together take of a stream before its sender has to wait. */
const windowBytes = 128 * 1024;

/** Where an end of a connection is: in a process on a host, or, for clients, in the world outside of all of them. */
export interface Place {
  readonly host: string | undefined;
  readonly process: SimulatedProcess | undefined;
}

/** What the ends of a connection need of the network they are in. */
export interface ConnectionNetwork {
  after(delayMs: number, callback: () => void): void;
  delayMs(): number;
  /** Where to cut what is sent, and whether the connection breaks with it. */
  fate(length: number): { readonly cut: number; readonly breaks: boolean };
  wire(from: Place, to: Place): Wire;
  forget(connection: SimulatedConnection): void;
}

/** One TCP connection. */
export class SimulatedConnection {
  readonly dialing: ConnectionEnd;
  readonly accepting: ConnectionEnd;
  readonly #network: ConnectionNetwork;

  constructor(network: ConnectionNetwork, from: Place, to: Place) {
    this.#network = network;
    const ended = (): void => {
      if (!this.dialing.isOpen && !this.accepting.isOpen) network.forget(this);
    };
    this.dialing = new ConnectionEnd(network, from, { remote: to, wire: network.wire(from, to), ended });
    this.accepting = new ConnectionEnd(network, to, { remote: from, wire: network.wire(to, from), ended });
    this.dialing.join(this.accepting, this);
    this.accepting.join(this.dialing, this);
  }

  get ends(): readonly ConnectionEnd[] {
    return [this.dialing, this.accepting];
  }

  /** Something between the two resets it. Both learn of it, wherever they are; what is on its way arrives before or never. */
  break(): void {
    for (const end of this.ends) {
      this.#network.after(this.#network.delayMs(), () => {
        end.reset();
      });
    }
  }
}

/** One end of a connection, as the code of its process has it. */
export class ConnectionEnd implements ByteStream {
  readonly place: Place;
  readonly remoteAddress: string;
  readonly #network: ConnectionNetwork;
  readonly #wire: Wire;
  readonly #ended: () => void;
  #peer: ConnectionEnd | undefined;
  #connection: SimulatedConnection | undefined;
  #events: ByteStreamEvents | undefined;
  #arrived: Uint8Array[] = [];
  #isOver = false;
  #isTold = false;
  #isPaused = false;
  #isDestroyed = false;
  /** Sent by this end and not taken by the code at the other one. */
  #underWayBytes = 0;
  /** For the machine, not for the code: that may learn of the end much later. */
  isOpen = true;

  constructor(
    network: ConnectionNetwork,
    place: Place,
    toPeer: { readonly remote: Place; readonly wire: Wire; readonly ended: () => void },
  ) {
    this.#network = network;
    this.place = place;
    this.remoteAddress = toPeer.remote.host ?? '192.0.2.1';
    this.#wire = toPeer.wire;
    this.#ended = toPeer.ended;
  }

  /** @internal */
  join(peer: ConnectionEnd, connection: SimulatedConnection): void {
    this.#peer = peer;
    this.#connection = connection;
  }

  get unsentBytes(): number {
    return Math.max(0, this.#underWayBytes - windowBytes);
  }

  start(events: ByteStreamEvents): void {
    this.#events = events;
    this.#deliver();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#deliver();
  }

  write(pieces: readonly Uint8Array[]): void {
    if (this.#isDestroyed || this.#isOver) return;
    const bytes = Buffer.concat(pieces);
    this.#underWayBytes += bytes.length;
    this.#leave(() => {
      if (!this.isOpen) return;
      const { cut, breaks } = this.#network.fate(bytes.length);
      this.#transmit(bytes.subarray(0, cut));
      if (breaks) this.#connection?.break();
      if (cut < bytes.length) this.#transmit(bytes.subarray(cut));
    });
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.#arrived = [];
    this.#leave(() => {
      this.shut();
    });
  }

  /** The machine closes this end: its code has asked for it, or its process is gone. The other one is told. */
  shut(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#ended();
    this.#network.after(this.#network.delayMs(), () => {
      this.#learnOfEnd();
    });
    this.#wire.sendLast(() => this.#peer?.reset());
  }

  /** The other end has closed it, or something in between has. */
  reset(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#ended();
    this.#learnOfEnd();
  }

  #transmit(bytes: Uint8Array): void {
    this.#wire.send(() => this.#peer?.arrive(bytes));
  }

  /** @internal Bytes of the other end reach this machine. Where there is no such connection any more it says so. */
  arrive(bytes: Uint8Array): void {
    if (!this.isOpen) {
      this.#wire.sendOnce(() => this.#peer?.reset());
      return;
    }
    this.#enter(() => {
      if (this.#isDestroyed) return;
      this.#arrived.push(bytes);
      this.#deliver();
    });
  }

  #learnOfEnd(): void {
    this.#enter(() => {
      this.#isOver = true;
      this.#deliver();
    });
  }

  #deliver(): void {
    const events = this.#events;
    if (events === undefined || this.#isTold) return;
    while (!this.#isPaused && !this.#isDestroyed) {
      const chunk = this.#arrived.shift();
      if (chunk === undefined) break;
      events.data(chunk);
      this.#peer?.taken(chunk.length);
    }
    if (!this.#isOver) return;
    this.#isTold = true;
    events.closed(undefined);
  }

  /** @internal The code at the other end has taken so much of what this one has sent. */
  taken(count: number): void {
    const hadUnsent = this.unsentBytes > 0;
    this.#underWayBytes -= count;
    if (!hadUnsent || this.unsentBytes > 0) return;
    this.#network.after(this.#network.delayMs(), () => {
      this.#enter(() => {
        if (!this.#isOver) this.#events?.drained();
      });
    });
  }

  #leave(callback: () => void): void {
    const { process } = this.place;
    if (process === undefined) callback();
    else process.send(callback);
  }

  #enter(callback: () => void): void {
    const { process } = this.place;
    if (process === undefined) callback();
    else process.receive(callback);
  }
}
