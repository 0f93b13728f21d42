import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Exchange } from './exchange.ts';
import type { ExchangeSurroundings } from './exchange.ts';
import { FaultPlanner } from './fault-plan.ts';
import type { FaultRule } from './fault-rule.ts';
import { ProxyCounter } from './proxy-counts.ts';
import type { ProxyCounts } from './proxy-counts.ts';
import { ConnectionPair } from './server-side.ts';

export interface FaultProxyOptions {
  /** The S3 server: `http://127.0.0.1:9000`. */
  readonly target: string;
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Default: none, everything passes. */
  readonly rules?: readonly FaultRule[];
  /** Decides which requests are hit. Default 1. */
  readonly seed?: number;
}

/**
 * An HTTP proxy that makes the failures a good S3 server on loopback never makes. Clients use its URL as the S3 endpoint;
 * requests pass with their headers as they are, `Host` too, so signatures stay valid. Bodies are streamed; only requests
 * that `late` and `duplicate` rules hit are held in memory.
 */
export class FaultProxy {
  readonly #server: Server;
  readonly #surroundings: ExchangeSurroundings;
  readonly #counter: ProxyCounter;
  readonly #stopping = new AbortController();
  readonly #exchanges = new Set<Promise<void>>();
  /** Work whose client has gone: late requests and second copies. */
  readonly #background = new Set<Promise<void>>();
  readonly #sockets = new Set<Socket>();
  readonly #pairs = new WeakMap<Socket, ConnectionPair>();
  #landNow = new AbortController();
  #planner: FaultPlanner;
  #url = '';

  /** Use {@link startFaultProxy}. */
  constructor(options: FaultProxyOptions) {
    const target = new URL(options.target);
    if (target.protocol !== 'http:' || target.pathname !== '/')
      throw new Error(`the target is ${options.target}; the fault proxy needs an http:// URL without a path`);
    this.#planner = new FaultPlanner(options.rules ?? [], options.seed ?? 1);
    this.#counter = new ProxyCounter();
    this.#surroundings = {
      upstream: { hostname: target.hostname, port: Number(target.port || 80) },
      counter: this.#counter,
      stopping: this.#stopping.signal,
      landNow: () => this.#landNow.signal,
      inBackground: (work) => {
        const tracked = work.finally(() => {
          this.#background.delete(tracked);
        });
        this.#background.add(tracked);
      },
    };
    this.#server = createServer({ keepAlive: true, noDelay: true, maxHeaderSize: 64 * 1024 });
    // How long connections live is the server's to say, and the client's.
    this.#server.keepAliveTimeout = 0;
    this.#server.requestTimeout = 0;
    this.#server.headersTimeout = 0;
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('clientError', (_error, socket) => socket.destroy());
    this.#server.on('request', (request, response) => {
      this.#run(request, response, false);
    });
    this.#server.on('checkContinue', (request, response) => {
      this.#run(request, response, true);
    });
  }

  /** The endpoint for clients: `http://127.0.0.1:PORT`. */
  get url(): string {
    return this.#url;
  }

  listen(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        this.#url = `http://${host}:${(this.#server.address() as AddressInfo).port}`;
        resolve();
      });
    });
  }

  /** Replaces the rules for all requests that come after it; their counts and random sequences start anew. */
  setRules(rules: readonly FaultRule[], seed = 1): void {
    this.#planner = new FaultPlanner(rules, seed);
  }

  counts(): ProxyCounts {
    return this.#counter.counts(this.#planner.counts());
  }

  /** Forgets the counts by method; those of rules stay, since `skip` and `count` depend on them. */
  resetCounts(): void {
    this.#counter.reset();
  }

  /** Lets everything that waits to land late land now, and resolves when it has. */
  async release(): Promise<void> {
    this.#landNow.abort();
    this.#landNow = new AbortController();
    await this.settled();
  }

  /** Resolves when no late request or second copy is still to come. */
  async settled(): Promise<void> {
    while (this.#background.size > 0) await Promise.all(this.#background);
  }

  /** Breaks all connections, cancels what has not landed yet and frees the port. May be called more than once. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(this.#exchanges);
    await this.settled();
    await closed;
  }

  #run(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const pair = this.#pairOf(request.socket);
    const method = request.method ?? 'GET';
    const target = request.url ?? '/';
    const plan = this.#planner.plan({ method, target, headers: request.headers });
    const exchange = new Exchange(this.#surroundings, pair, request, response, expectsContinue);
    pair.begin();
    const run = exchange
      .run(plan)
      .catch((error: unknown) => {
        // The stop of the proxy interrupts exchanges; anything else is a fault of the proxy itself.
        if (!this.#stopping.signal.aborted) throw error;
      })
      .finally(() => {
        pair.end();
        this.#exchanges.delete(run);
      });
    this.#exchanges.add(run);
  }

  #pairOf(socket: Socket): ConnectionPair {
    const known = this.#pairs.get(socket);
    if (known !== undefined) return known;
    const pair = new ConnectionPair(socket);
    this.#pairs.set(socket, pair);
    return pair;
  }
}

export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new FaultProxy(options);
  await proxy.listen(options.host ?? '127.0.0.1', options.port ?? 0);
  return proxy;
}
