import { Agent, request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

export interface Upstream {
  readonly hostname: string;
  readonly port: number;
}

/** A request as it goes to the server: method, target and headers exactly as the client sent them (SigV4 signs them). */
export interface ForwardedHead {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
}

/**
 * One client connection and the server connection that belongs to it. A pooled server connection shared by all clients
 * would add failures of its own (the server closes one as idle while a request is on its way); so each client
 * connection has its own, made with the first request and closed when either side closes. Both sides see what they would
 * see without the proxy.
 */
export class ConnectionPair {
  readonly #client: Socket;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #known = new WeakSet<Socket>();
  #exchanges = 0;

  constructor(client: Socket) {
    this.#client = client;
    client.once('close', () => {
      this.#closeServerSide();
    });
  }

  get agent(): Agent {
    return this.#agent;
  }

  begin(): void {
    this.#exchanges++;
  }

  end(): void {
    this.#exchanges--;
    this.#closeServerSide();
  }

  /** Closes the client's side, too, once the server has closed an idle connection. */
  follow(forwarded: ClientRequest): void {
    forwarded.once('socket', (socket) => {
      if (this.#known.has(socket)) return;
      this.#known.add(socket);
      socket.once('close', () => {
        if (this.#exchanges === 0) this.#client.destroySoon();
      });
    });
  }

  /** A request that was forwarded whole stays under way when its client goes: the server may act on it, as it would. */
  #closeServerSide(): void {
    if (this.#client.destroyed && this.#exchanges === 0) this.#agent.destroy();
  }
}

/** Begins to send a request; its body is the caller's to write. */
export function openRequest(upstream: Upstream, head: ForwardedHead, agent: Agent | false): ClientRequest {
  return request({
    host: upstream.hostname,
    port: upstream.port,
    method: head.method,
    path: head.target,
    headers: head.rawHeaders,
    agent,
    setHost: false,
  });
}

/** The answer's head. Rejects when the connection fails before it. Later failures show as `error` of the answer. */
export function answerTo(forwarded: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    forwarded.once('response', (answer) => {
      // The answer's reader may come later, or only drain it; a failure until then must not be an uncaught event.
      answer.on('error', () => undefined);
      resolve(answer);
    });
    forwarded.on('error', reject);
    forwarded.once('close', () => {
      reject(new Error('the server closed the connection without an answer'));
    });
  });
}

/** Reads to the end and forgets. False when the sender went away before it. */
export function drained(message: IncomingMessage): Promise<boolean> {
  if (message.readableEnded || message.destroyed) return Promise.resolve(message.readableEnded);
  return new Promise((resolve) => {
    message.once('end', () => {
      resolve(true);
    });
    message.once('close', () => {
      resolve(message.readableEnded);
    });
    message.resume();
  });
}

/** The whole body, or undefined when the sender went away before its end. */
export async function collected(message: IncomingMessage): Promise<Buffer | undefined> {
  const pieces: Buffer[] = [];
  message.on('data', (piece: Buffer) => pieces.push(piece));
  return (await drained(message)) ? Buffer.concat(pieces) : undefined;
}
