import type { Runtime } from '../../runtime/runtime.ts';
import type { Acceptor } from '../net/acceptor.ts';
import type { PeerSelf } from './peer-hello.ts';
import type { PeerHandler, PeerMethod } from './peer-method.ts';
import { ServedConnection } from './served-connection.ts';
import type { AnyHandler } from './served-connection.ts';

/** Each broker has one; during a restart two. */
const maxConnections = 2_048;
/** Of these, those that have not introduced themselves. More: the oldest goes, a broker introduces itself at once. */
const maxStrangers = 64;

export interface PeerServerOptions {
  readonly runtime: Runtime;
  /** `undefined` while this broker has no session. */
  readonly self: () => PeerSelf | undefined;
  /** How long ago this broker has last read the store; `undefined`: never. */
  readonly storeAgeMs: () => number | undefined;
  readonly onAnswered: (method: string, outcome: 'answered' | 'failed') => void;
  /** A connection was closed, or not accepted, because of what came over it. */
  readonly onRefused: (remoteAddress: string, why: string) => void;
}

/** Answers what other brokers ask. */
export class PeerServer {
  readonly #options: PeerServerOptions;
  readonly #handlers = new Map<string, AnyHandler>();
  readonly #connections = new Set<ServedConnection>();
  readonly #strangers = new Set<ServedConnection>();
  #isClosed = false;

  constructor(options: PeerServerOptions) {
    this.#options = options;
  }

  serve<Request, Response>(
    method: PeerMethod<Request, Response>,
    handler: PeerHandler<Request, Response>,
  ): void {
    this.#handlers.set(method.name, async (body, caller, signal) =>
      method.response.encode(await handler(method.request.decode(body), caller, signal)),
    );
  }

  accept(acceptor: Acceptor): void {
    const { onRefused } = this.#options;
    acceptor.accept((stream) => {
      if (this.#isClosed || this.#connections.size >= maxConnections) {
        stream.destroy();
        onRefused(stream.remoteAddress, `${this.#connections.size} connections are open`);
        return;
      }
      const [oldest] = this.#strangers;
      if (this.#strangers.size >= maxStrangers) oldest?.close('too many have not introduced themselves');
      const connection = new ServedConnection(stream, {
        ...this.#options,
        handlers: this.#handlers,
        onIntroduced: () => {
          this.#strangers.delete(connection);
        },
        onClosed: () => {
          this.#strangers.delete(connection);
          this.#connections.delete(connection);
        },
      });
      this.#connections.add(connection);
      this.#strangers.add(connection);
      connection.start();
    }, onRefused);
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** Ends all connections, and takes no more. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections) connection.close();
  }
}
