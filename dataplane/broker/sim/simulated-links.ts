import type { Runtime } from '../../runtime/runtime.ts';
import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import type { VirtualRandom } from '../../runtime/virtual-random.ts';
import { abortReason } from '../../runtime/runtime.ts';
import type { Acceptor } from '../net/acceptor.ts';
import type { ByteStream, ByteStreamEvents } from '../net/byte-stream.ts';
import { DialError } from '../net/dialer.ts';
import type { Dialer } from '../net/dialer.ts';

interface Listener {
  readonly node: number;
  readonly process: SimulatedProcess;
  accept: ((stream: ByteStream) => void) | undefined;
}

/**
 * TCP between simulated brokers. What is sent through a link that is cut arrives when it is mended, as TCP repeats it; who
 * dials through it gets no answer. A link has two directions, each of which may be cut alone. A killed process resets its
 * connections, a paused one leaves them silent; where nobody listens a connection is refused.
 */
export class SimulatedLinks {
  readonly #world: Runtime;
  readonly #random: VirtualRandom;
  readonly #listeners = new Map<string, Listener>();
  readonly #streams = new Set<LinkStream>();
  /** `from>to` */
  readonly #cut = new Set<string>();

  constructor(world: Runtime, random: VirtualRandom) {
    this.#world = world;
    this.#random = random;
  }

  listen(node: number, process: SimulatedProcess, address: string): Acceptor {
    const listener: Listener = { node, process, accept: undefined };
    this.#listeners.set(address, listener);
    const close = (): void => {
      if (this.#listeners.get(address) === listener) this.#listeners.delete(address);
    };
    process.onKilled(() => {
      close();
      for (const stream of this.#streams) if (stream.process === process) stream.reset();
    });
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

  dialer(node: number, process: SimulatedProcess): Dialer {
    return {
      dial: (address, signal) =>
        new Promise((resolve, reject) => {
          const onAbort = (): void => {
            reject(
              new DialError('unreachable', `nobody answers at ${address}`, { cause: abortReason(signal) }),
            );
          };
          signal.addEventListener('abort', onAbort, { once: true });
          const answer = (settle: () => void): void => {
            process.receive(() => {
              signal.removeEventListener('abort', onAbort);
              if (!signal.aborted) settle();
            });
          };
          process.send(() => {
            this.#dial(node, process, address, resolve, reject, answer);
          });
        }),
    };
  }

  /** Cuts what goes from one broker to another, in this direction. */
  cut(from: number, to: number): void {
    this.#cut.add(`${from}>${to}`);
  }

  mend(from: number, to: number): void {
    this.#cut.delete(`${from}>${to}`);
    for (const stream of this.#streams) stream.flow();
  }

  mendAll(): void {
    this.#cut.clear();
    for (const stream of this.#streams) stream.flow();
  }

  /** Resets all connections of a process, as a restarted switch might. */
  resetAll(process: SimulatedProcess): void {
    for (const stream of this.#streams) if (stream.process === process) stream.reset();
  }

  /** @internal */
  isCut(from: number, to: number): boolean {
    return this.#cut.has(`${from}>${to}`);
  }

  /** @internal */
  forget(stream: LinkStream): void {
    this.#streams.delete(stream);
  }

  /** @internal */
  later(callback: () => void): void {
    this.#world.after(this.#random.between(0.05, 2), callback);
  }

  #dial(
    from: number,
    process: SimulatedProcess,
    address: string,
    resolve: (stream: ByteStream) => void,
    reject: (error: Error) => void,
    answer: (settle: () => void) => void,
  ): void {
    this.later(() => {
      const listener = this.#listeners.get(address);
      if (listener === undefined) {
        answer(() => {
          reject(new DialError('refused', `no process listens at ${address}`));
        });
        return;
      }
      if (this.isCut(from, listener.node) || this.isCut(listener.node, from)) return;
      const near = new LinkStream(this, process, from, listener.node);
      const far = new LinkStream(this, listener.process, listener.node, from);
      near.join(far);
      far.join(near);
      this.#streams.add(near).add(far);
      // The kernel answers, also for a process that stands still.
      this.later(() => {
        answer(() => {
          resolve(near);
        });
      });
      listener.process.receive(() => {
        if (listener.accept === undefined) far.reset();
        else listener.accept(far);
      });
    });
  }
}

class LinkStream implements ByteStream {
  readonly remoteAddress: string;
  readonly unsentBytes = 0;
  readonly process: SimulatedProcess;
  readonly #links: SimulatedLinks;
  readonly #from: number;
  readonly #to: number;
  #other: LinkStream | undefined;
  #events: ByteStreamEvents | undefined;
  /** Sent, and not arrived at the other side. */
  readonly #onTheWay: Uint8Array[] = [];
  readonly #arrived: Uint8Array[] = [];
  #isFlowing = false;
  #isPaused = false;
  #isOpen = true;
  #isEndTold = false;

  constructor(links: SimulatedLinks, process: SimulatedProcess, from: number, to: number) {
    this.#links = links;
    this.process = process;
    this.#from = from;
    this.#to = to;
    this.remoteAddress = `broker-${to}`;
  }

  join(other: LinkStream): void {
    this.#other = other;
  }

  start(events: ByteStreamEvents): void {
    this.#events = events;
    this.#deliver();
    if (!this.#isOpen) this.#tellEnd();
  }

  write(pieces: readonly Uint8Array[]): void {
    if (!this.#isOpen) return;
    const bytes = Buffer.concat(pieces);
    this.process.send(() => {
      this.#onTheWay.push(bytes);
      this.flow();
    });
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#deliver();
  }

  destroy(): void {
    this.process.send(() => {
      this.reset();
    });
  }

  /** One piece after the other, as long as the link carries them. */
  flow(): void {
    if (this.#isFlowing || this.#onTheWay.length === 0 || this.#links.isCut(this.#from, this.#to)) return;
    this.#isFlowing = true;
    this.#links.later(() => {
      this.#isFlowing = false;
      if (this.#links.isCut(this.#from, this.#to)) return;
      const bytes = this.#onTheWay.shift();
      if (bytes !== undefined) this.#other?.arrive(bytes);
      this.flow();
    });
  }

  arrive(bytes: Uint8Array): void {
    this.process.receive(() => {
      if (!this.#isOpen) return;
      this.#arrived.push(Buffer.from(bytes));
      this.#deliver();
    });
  }

  /** The end of it: this side learns at once, the other one when the link carries it. */
  reset(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#links.forget(this);
    this.process.receive(() => {
      this.#tellEnd();
    });
    const other = this.#other;
    if (other === undefined || this.#links.isCut(this.#from, this.#to)) return;
    this.#links.later(() => {
      other.reset();
    });
  }

  #tellEnd(): void {
    if (this.#isEndTold || this.#events === undefined) return;
    this.#isEndTold = true;
    this.#events.closed(undefined);
  }

  #deliver(): void {
    while (!this.#isPaused && this.#events !== undefined && this.#isOpen) {
      const chunk = this.#arrived.shift();
      if (chunk === undefined) return;
      this.#events.data(chunk);
    }
  }
}
