import { abortReason } from '../../runtime/runtime.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import type { VirtualRandom } from '../../runtime/virtual-random.ts';
import type { Acceptor } from '../net/acceptor.ts';
import type { ByteStream } from '../net/byte-stream.ts';
import { DialError } from '../net/dialer.ts';
import type { Dialer } from '../net/dialer.ts';
import { SimulatedConnection } from './simulated-connection.ts';
import type { ConnectionNetwork, Place } from './simulated-connection.ts';
import { SimulatedLinks } from './simulated-links.ts';
import { Wire } from './simulated-wire.ts';

/** A client's end of a simulated connection. */
export interface ClientEnd {
  send(bytes: Uint8Array): void;
  close(): void;
}

export interface ClientEvents {
  readonly data: (chunk: Uint8Array) => void;
  readonly closed: () => void;
}

/** TCP sends its first segment again after 1, 3, 7 … seconds. */
const maxSynRetransmitMs = 32_000;

interface Listener {
  readonly process: SimulatedProcess;
  accept: ((stream: ByteStream) => void) | undefined;
  /** Connections that nobody takes yet, as in the backlog of a real listener. */
  readonly waiting: SimulatedConnection[];
  isClosed: boolean;
}

/** The world outside of all hosts. */
const outside: Place = { host: undefined, process: undefined };

/**
 * TCP between simulated brokers, and between them and clients, which live in the world outside of all processes: bytes
 * arrive late, in pieces, in order and once, or the connection breaks. A killed process closes its connections, a paused one
 * leaves them silent. What is wrong with the links between brokers is said by {@link links}; a host is named as its process.
 */
export class SimulatedNetwork {
  /** Probability that a connection breaks when something is sent on it. */
  breakShare = 0;
  readonly links: SimulatedLinks;
  readonly #world: Runtime;
  readonly #random: VirtualRandom;
  readonly #listeners = new Map<string, Listener>();
  /** By address: who listens there, or did. */
  readonly #hosts = new Map<string, string>();
  readonly #watched = new WeakSet<SimulatedProcess>();
  readonly #connections = new Set<SimulatedConnection>();
  readonly #forConnections: ConnectionNetwork;

  constructor(world: Runtime, random: VirtualRandom) {
    this.#world = world;
    this.#random = random;
    this.links = new SimulatedLinks(world);
    const delayMs = (): number => this.#delayMs();
    this.#forConnections = {
      after: (ms, callback) => {
        world.after(ms, callback);
      },
      delayMs,
      fate: (length) => this.#fate(length),
      wire: (from, to) =>
        new Wire({ world, random, links: this.links, from: from.host, to: to.host, delayMs }),
      forget: (connection) => {
        this.#connections.delete(connection);
      },
    };
  }

  /** A listener of a process; another one at the same address takes its place. */
  listen(process: SimulatedProcess, name: string, address: string): Acceptor {
    const listener: Listener = { process, accept: undefined, waiting: [], isClosed: false };
    this.#listeners.set(address, listener);
    this.#hosts.set(address, process.name);
    const close = (): void => {
      listener.isClosed = true;
      if (this.#listeners.get(address) === listener) this.#listeners.delete(address);
      for (const { accepting } of listener.waiting.splice(0)) accepting.shut();
    };
    process.onKilled(close);
    this.#shutsWith(process);
    return {
      name,
      advertised: address,
      accept: (onConnection) => {
        listener.accept = onConnection;
        for (const { accepting } of listener.waiting.splice(0)) onConnection(accepting);
      },
      close: () => {
        process.send(close);
        return Promise.resolve();
      },
    };
  }

  /** `undefined`: nobody listens there. */
  connect(address: string, events: ClientEvents): ClientEnd | undefined {
    const listener = this.#listeners.get(address);
    if (listener === undefined || !listener.process.isAlive) return undefined;
    const { dialing } = this.#establish(outside, listener);
    dialing.start({
      data: events.data,
      room: () => undefined,
      received: () => undefined,
      drained: () => undefined,
      closed: events.closed,
    });
    return {
      send: (bytes) => {
        dialing.write([bytes]);
      },
      close: () => {
        dialing.destroy();
      },
    };
  }

  /** Connects a process to others. */
  dialer(process: SimulatedProcess): Dialer {
    this.#shutsWith(process);
    return { dial: (address, signal) => this.#dial(process, address, signal) };
  }

  /** Breaks all connections of a process, or those between two, or all there are. */
  breakAll(process?: SimulatedProcess, other?: SimulatedProcess): void {
    for (const connection of this.#connections) {
      const processes = connection.ends.map(({ place }) => place.process);
      if (process !== undefined && !processes.includes(process)) continue;
      if (other !== undefined && !processes.includes(other)) continue;
      connection.break();
    }
  }

  /** Its machine closes what a process leaves open when it is killed. */
  #shutsWith(process: SimulatedProcess): void {
    if (this.#watched.has(process)) return;
    this.#watched.add(process);
    process.onKilled(() => {
      for (const { ends } of this.#connections)
        for (const end of ends) if (end.place.process === process) end.shut();
    });
  }

  #dial(process: SimulatedProcess, address: string, signal: AbortSignal): Promise<ByteStream> {
    const { promise, resolve, reject } = Promise.withResolvers<ByteStream>();
    let isOver = false;
    const end = (act: () => void): void => {
      if (isOver) return;
      isOver = true;
      signal.removeEventListener('abort', onAbort);
      act();
    };
    const onAbort = (): void => {
      end(() => {
        const cause = abortReason(signal);
        reject(new DialError('unreachable', `${address} has not answered: ${cause.message}`, { cause }));
      });
    };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const outcome = (connection: SimulatedConnection | undefined): void => {
      if (!process.isAlive) connection?.dialing.shut();
      process.receive(() => {
        if (isOver) connection?.dialing.destroy();
        end(() => {
          if (connection === undefined) reject(new DialError('refused', `nobody listens at ${address}`));
          else resolve(connection.dialing);
        });
      });
    };
    process.send(() => {
      this.#knock({ host: process.name, process }, address, () => isOver, outcome);
    });
    return promise;
  }

  /** The first segment and its answer, sent again for as long as somebody waits. */
  #knock(
    from: Place,
    address: string,
    isOver: () => boolean,
    outcome: (connection: SimulatedConnection | undefined) => void,
    sinceMs = this.#world.monotonicMs(),
  ): void {
    const to = this.#hosts.get(address);
    // Nobody is known there: no answer ever comes.
    if (to === undefined || from.host === undefined || isOver()) return;
    const { host } = from;
    for (const [sender, receiver] of [
      [host, to],
      [to, host],
    ] as const) {
      // prettier-ignore
      if (!this.links.isCut(sender, receiver)) continue;
      this.links.whenOpen(sender, receiver, () => {
        const waitedMs = Math.min(maxSynRetransmitMs, this.#world.monotonicMs() - sinceMs);
        this.#world.after(this.#random.between(0, waitedMs), () => {
          this.#knock(from, address, isOver, outcome, sinceMs);
        });
      });
      return;
    }
    const delayMs = this.#delayMs() + this.links.extraDelayMs(host, to) + this.links.extraDelayMs(to, host);
    this.#world.after(delayMs, () => {
      const listener = this.#listeners.get(address);
      outcome(listener?.process.isAlive === true ? this.#establish(from, listener) : undefined);
    });
  }

  #establish(from: Place, listener: Listener): SimulatedConnection {
    const { process } = listener;
    const connection = new SimulatedConnection(this.#forConnections, from, { host: process.name, process });
    this.#connections.add(connection);
    this.#world.after(this.#delayMs(), () => {
      process.receive(() => {
        if (listener.isClosed) connection.accepting.shut();
        else if (listener.accept === undefined) listener.waiting.push(connection);
        else listener.accept(connection.accepting);
      });
    });
    return connection;
  }

  #delayMs(): number {
    return this.#random.between(0.05, 2);
  }

  #fate(length: number): { readonly cut: number; readonly breaks: boolean } {
    const cut = length > 1 && this.#random.chance(0.3) ? 1 + this.#random.below(length - 1) : length;
    return { cut, breaks: this.#random.chance(this.breakShare) };
  }
}
