import type { Cancel, Runtime } from '../../../runtime/runtime.ts';
import { HttpConnection } from './http-connection.ts';
import type { HttpOrigin, SessionCache } from './http-connection.ts';
import { HttpExchange } from './http-exchange.ts';
import type { ExchangeOptions, HttpRequest, HttpResponse, TimeLimits } from './http-exchange.ts';
import { HttpFailure } from './http-failure.ts';

export interface HttpPoolOptions {
  readonly origin: HttpOrigin;
  readonly limits: TimeLimits;
  readonly maxConnections: number;
  /** Requests that may wait for a connection; more are refused. */
  readonly maxWaiting: number;
  /** An idle connection is closed after this time, or earlier where the server says it will. */
  readonly idleMs: number;
  readonly runtime: Runtime;
}

export interface PoolStats {
  readonly connections: number;
  readonly idle: number;
  readonly waiting: number;
}

/** Below this, a connection that was just used is taken to be alive without a look. */
const freshMs = 1_000;
/** Servers count from their side: leave before they do. */
const keepAliveMarginMs = 1_000;

/** Keep-alive connections to one origin, at most `maxConnections`; requests beyond that wait in line, first come first served. */
export class HttpPool {
  readonly #options: HttpPoolOptions;
  readonly #runtime: Runtime;
  readonly #sessions: SessionCache = { session: undefined };
  readonly #all = new Set<HttpConnection>();
  /** The most recently used one last: it is used first, so that the others grow old and are closed. */
  readonly #idle: HttpConnection[] = [];
  readonly #waiting = new Set<HttpExchange>();
  /** Exchanges that have a connection which is being looked at first. */
  readonly #checks = new Map<HttpExchange, Cancel>();
  #cancelReaper: Cancel | undefined;
  #isClosed = false;

  constructor(options: HttpPoolOptions) {
    this.#options = options;
    this.#runtime = options.runtime;
  }

  get stats(): PoolStats {
    return { connections: this.#all.size, idle: this.#idle.length, waiting: this.#waiting.size };
  }

  /** One attempt: rejects with an HttpFailure or the signal's reason. */
  exchange(request: HttpRequest, options: ExchangeOptions): Promise<HttpResponse> {
    const exchange = new HttpExchange(request, options, this.#options.limits, this.#runtime);
    this.#place(exchange);
    return exchange.response;
  }

  /** Fails everything under way with `closed` and resolves when every socket is closed. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelReaper?.();
    for (const cancel of this.#checks.values()) cancel();
    for (const exchange of [...this.#waiting, ...this.#checks.keys()]) exchange.fail(closedFailure());
    this.#waiting.clear();
    this.#checks.clear();
    const closing = [...this.#all].map((connection) => {
      const closed = connection.closed;
      connection.close(closedFailure());
      return closed;
    });
    await Promise.all(closing);
  }

  #place(exchange: HttpExchange): void {
    const { maxConnections, maxWaiting } = this.#options;
    if (exchange.isOver) return;
    if (this.#isClosed) {
      exchange.fail(closedFailure());
      return;
    }
    const idle = this.#takeIdle();
    if (idle !== undefined) {
      this.#use(idle, exchange);
    } else if (this.#all.size < maxConnections) {
      this.#open(exchange);
    } else if (this.#waiting.size < maxWaiting) {
      this.#waiting.add(exchange);
      exchange.onOverWhileWaiting = () => {
        this.#waiting.delete(exchange);
      };
    } else {
      exchange.fail(
        new HttpFailure(
          'unreachable',
          `all ${maxConnections} connections are in use and ${maxWaiting} requests wait for one already`,
        ),
      );
    }
  }

  #use(connection: HttpConnection, exchange: HttpExchange): void {
    const idleMs = this.#runtime.monotonicMs() - connection.idleSinceMs;
    if (!exchange.request.sentOnce || idleMs < freshMs) {
      connection.start(exchange);
      return;
    }
    // Lets the event loop see a close that has arrived in the meantime (this process may have been suspended): between
    // two rounds of timers it looks at the network once.
    this.#check(exchange, () => {
      this.#check(exchange, () => {
        if (!connection.isAlive) this.#place(exchange);
        else if (exchange.isOver) this.#onIdle(connection);
        else connection.start(exchange);
      });
    });
  }

  #check(exchange: HttpExchange, next: () => void): void {
    const cancel = this.#runtime.after(0, () => {
      this.#checks.delete(exchange);
      next();
    });
    this.#checks.set(exchange, cancel);
  }

  #open(exchange: HttpExchange): void {
    const { origin, limits } = this.#options;
    const connection = new HttpConnection(origin, this.#sessions, limits.connectMs, this.#runtime, {
      onIdle: (idle) => {
        this.#onIdle(idle);
      },
      onClosed: (closed) => {
        this.#onClosed(closed);
      },
    });
    this.#all.add(connection);
    connection.start(exchange);
  }

  #takeIdle(): HttpConnection | undefined {
    const now = this.#runtime.monotonicMs();
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (this.#expiresMs(connection) > now) return connection;
      connection.close();
    }
    return undefined;
  }

  #onIdle(connection: HttpConnection): void {
    if (this.#isClosed) return;
    const next = this.#takeWaiting();
    if (next !== undefined) {
      connection.start(next);
      return;
    }
    this.#idle.push(connection);
    if (this.#cancelReaper === undefined) this.#armReaper(this.#options.idleMs);
  }

  #onClosed(connection: HttpConnection): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
    if (this.#isClosed) return;
    const next = this.#takeWaiting();
    if (next !== undefined) this.#open(next);
  }

  #takeWaiting(): HttpExchange | undefined {
    const next = this.#waiting.values().next().value;
    if (next !== undefined) this.#waiting.delete(next);
    return next;
  }

  #armReaper(delayMs: number): void {
    this.#cancelReaper = this.#runtime.after(delayMs, () => {
      this.#cancelReaper = undefined;
      const now = this.#runtime.monotonicMs();
      const expired = this.#idle.filter((connection) => this.#expiresMs(connection) <= now);
      for (const connection of expired) connection.close();
      const next = Math.min(...this.#idle.map((connection) => this.#expiresMs(connection)));
      if (Number.isFinite(next)) this.#armReaper(next - now);
    });
  }

  #expiresMs(connection: HttpConnection): number {
    const { idleMs } = this.#options;
    const { keepAliveMs = Infinity } = connection;
    return connection.idleSinceMs + Math.min(idleMs, keepAliveMs - keepAliveMarginMs);
  }
}

function closedFailure(): HttpFailure {
  return new HttpFailure('closed', 'the connection pool was closed');
}
