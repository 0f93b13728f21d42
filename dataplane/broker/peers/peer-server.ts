import { inBackground } from '../../runtime/in-background.ts';
import type { Cancel, Runtime } from '../../runtime/runtime.ts';
import type { Acceptor } from '../net/acceptor.ts';
import type { ByteStream } from '../net/byte-stream.ts';
import { PeerProtocolError } from './peer-frame.ts';
import type { PeerFrame } from './peer-frame.ts';
import { decodeHello, helloProblem, peerVersions } from './peer-hello.ts';
import type { PeerHello } from './peer-hello.ts';
import type { PeerCaller, PeerHandler, PeerMethod } from './peer-method.ts';
import { PeerStream } from './peer-stream.ts';

/** Who says nothing for so long is gone: others ask every half second how we are. */
const idleMs = 15_000;
/** A connection that has not introduced itself by then is closed. */
const helloMs = 5_000;
/** Each broker has one; during a restart two. */
const maxConnections = 1_024;
const maxRequestsInFlight = 256;

export interface PeerServerOptions {
  readonly runtime: Runtime;
  /** `undefined` while this broker does not know its cluster yet. */
  readonly self: () => Pick<PeerHello, 'clusterId' | 'id' | 'sid'> | undefined;
  readonly onAnswered: (method: string, outcome: 'answered' | 'failed') => void;
  /** A connection was closed because of what came over it. */
  readonly onRefused: (peer: string, error: Error) => void;
}

type AnyHandler = (body: unknown, caller: PeerCaller, signal: AbortSignal) => Promise<unknown>;

/** Answers what other brokers ask. */
export class PeerServer {
  readonly #options: PeerServerOptions;
  readonly #handlers = new Map<string, AnyHandler>();
  readonly #connections = new Set<ServerConnection>();

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
    acceptor.accept((stream) => {
      if (this.#connections.size >= maxConnections) {
        stream.destroy();
        return;
      }
      const connection = new ServerConnection(stream, this.#options, this.#handlers, () => {
        this.#connections.delete(connection);
      });
      this.#connections.add(connection);
      connection.start();
    });
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
  }
}

class ServerConnection {
  readonly #options: PeerServerOptions;
  readonly #handlers: ReadonlyMap<string, AnyHandler>;
  readonly #stream: PeerStream;
  readonly #gone = new AbortController();
  #caller: PeerCaller | undefined;
  #inFlight = 0;
  #cancelTimer: Cancel;

  constructor(
    stream: ByteStream,
    options: PeerServerOptions,
    handlers: ReadonlyMap<string, AnyHandler>,
    onClosed: () => void,
  ) {
    this.#options = options;
    this.#handlers = handlers;
    this.#stream = new PeerStream(stream, {
      heard: () => {
        if (this.#caller !== undefined) this.#closeAfter(idleMs);
      },
      frame: (frame) => {
        this.#onFrame(frame);
      },
      closed: (error) => {
        this.#cancelTimer();
        this.#gone.abort(new PeerProtocolError('the other broker is gone'));
        if (error instanceof PeerProtocolError) options.onRefused(stream.remoteAddress, error);
        onClosed();
      },
    });
    this.#cancelTimer = () => undefined;
  }

  start(): void {
    this.#closeAfter(helloMs);
    this.#stream.start();
  }

  close(): void {
    this.#stream.close();
  }

  #closeAfter(delayMs: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.runtime.after(delayMs, () => {
      this.#stream.close();
    });
  }

  #onFrame(frame: PeerFrame): void {
    switch (frame.kind) {
      case 'hello':
        this.#greet(frame);
        return;
      case 'ping':
        this.#stream.send({ kind: 'pong', id: frame.id, body: undefined });
        return;
      case 'request':
        this.#begin(frame);
        return;
      default:
        throw new PeerProtocolError(`a ${frame.kind} came from a broker that was not asked anything`);
    }
  }

  #greet({ id, body }: PeerFrame): void {
    const hello = decodeHello(body);
    const self = this.#options.self();
    const problem = self === undefined ? 'this broker is still starting' : helloProblem(self, hello);
    if (problem !== undefined || self === undefined) {
      this.#stream.send({ kind: 'failure', id, body: { message: problem } });
      // What was sent is on its way: the other side closes.
      this.#closeAfter(helloMs);
      return;
    }
    this.#caller = { id: hello.id, sid: hello.sid };
    this.#stream.send({ kind: 'hello', id, body: { ...self, versions: peerVersions, to: hello.id } });
    this.#closeAfter(idleMs);
  }

  #begin({ id, body }: PeerFrame): void {
    const caller = this.#caller;
    if (caller === undefined) throw new PeerProtocolError('a request came before the hello');
    const { method, request } = asRequest(body);
    const handler = this.#handlers.get(method);
    if (this.#inFlight >= maxRequestsInFlight) {
      this.#fail(id, method, `${maxRequestsInFlight} requests of this broker are being worked on`);
    } else if (handler === undefined) this.#fail(id, method, `there is no method ${method} here`);
    else inBackground(this.#answer(id, method, handler, request, caller));
  }

  async #answer(
    id: number,
    method: string,
    handler: AnyHandler,
    request: unknown,
    caller: PeerCaller,
  ): Promise<void> {
    this.#inFlight += 1;
    try {
      this.#stream.send({
        kind: 'response',
        id,
        body: await handler(request, caller, this.#gone.signal),
      });
      this.#options.onAnswered(method, 'answered');
    } catch (error) {
      this.#fail(id, method, error instanceof Error ? error.message : String(error));
    } finally {
      this.#inFlight -= 1;
    }
  }

  #fail(id: number, method: string, message: string): void {
    this.#options.onAnswered(method, 'failed');
    this.#stream.send({ kind: 'failure', id, body: { message: message.slice(0, 4_096) } });
  }
}

function asRequest(body: unknown): { readonly method: string; readonly request: unknown } {
  if (typeof body === 'object' && body !== null && 'method' in body && typeof body.method === 'string')
    return { method: body.method, request: 'request' in body ? body.request : undefined };
  throw new PeerProtocolError('a request names no method');
}
