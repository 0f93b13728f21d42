import { once } from 'node:events';
import net from 'node:net';
import type { OnReadOpts } from 'node:net';
import tls from 'node:tls';
import type { Cancel, Runtime } from '../../../runtime/runtime.ts';
import { ChunkedDecoder } from './chunked-decoder.ts';
import type { ExchangeConnection, HttpExchange } from './http-exchange.ts';
import { HttpFailure } from './http-failure.ts';
import type { BodySink } from './response-body.ts';
import { parseResponseHead } from './response-head.ts';
import type { ResponseHead } from './response-head.ts';

export interface HttpOrigin {
  readonly hostname: string;
  readonly port: number;
  readonly secure: boolean;
  /** PEM certificates to trust instead of the ones Node.js brings along. */
  readonly ca?: string | undefined;
}

/** TLS sessions to resume, shared by the connections to one origin. */
export interface SessionCache {
  session: Buffer | undefined;
}

export interface ConnectionEvents {
  /** The connection can take another exchange. */
  onIdle(connection: HttpConnection): void;
  /** The connection is gone. Called once. */
  onClosed(connection: HttpConnection): void;
}

const scratchBytes = 64 * 1024;
const headEnd = Buffer.from('\r\n\r\n');

type ReadState = 'idle' | 'head' | 'sized' | 'chunked' | 'until-close';

/**
 * One keep-alive HTTP/1.1 connection, one exchange at a time, no pipelining, nothing ever sent twice.
 *
 * Bodies of known size are read by the kernel straight into the buffer they are wanted in (`onread` with a buffer that
 * changes), everything else into a scratch buffer: that is what makes a 4 MiB GET three times as fast as with `undici`
 * (`bench/store.bench.ts`, docs/decisions).
 */
export class HttpConnection implements ExchangeConnection {
  /** When the last exchange ended, on the monotonic clock. */
  idleSinceMs = 0;
  /** How long the server said it keeps an idle connection. */
  keepAliveMs: number | undefined;
  readonly #runtime: Runtime;
  readonly #events: ConnectionEvents;
  readonly #scratch = Buffer.allocUnsafeSlow(scratchBytes);
  #scratchUsed = 0;
  #state: ReadState = 'idle';
  #socket: net.Socket;
  #exchange: HttpExchange | undefined;
  #head: ResponseHead | undefined;
  #sink: BodySink | undefined;
  #remaining = 0;
  #decoder = new ChunkedDecoder();
  #unsent = false;
  #error: Error | undefined;
  #cancelConnectTimer: Cancel | undefined;
  #destroyed = false;

  constructor(
    origin: HttpOrigin,
    sessions: SessionCache,
    connectMs: number,
    runtime: Runtime,
    events: ConnectionEvents,
  ) {
    this.#runtime = runtime;
    this.#events = events;
    this.#socket = this.#connect(origin, sessions);
    this.#cancelConnectTimer = runtime.after(connectMs, () => {
      this.#error = new Error(`no connection within ${connectMs} ms`);
      this.#destroy();
    });
  }

  get isAlive(): boolean {
    return !this.#destroyed;
  }

  /** Resolves once the socket is closed. */
  get closed(): Promise<unknown> {
    return this.#socket.closed ? Promise.resolve() : once(this.#socket, 'close');
  }

  /** Sends the request, at once or when connected. Only while no other exchange is under way. */
  start(exchange: HttpExchange): void {
    this.#exchange = exchange;
    if (this.#cancelConnectTimer === undefined) this.#send(exchange);
  }

  abandon(): void {
    this.#destroy();
  }

  /** Ends the connection; an exchange under way fails with `reason`. */
  close(reason?: HttpFailure): void {
    if (reason !== undefined) this.#exchange?.fail(reason);
    this.#destroy();
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  #connect(origin: HttpOrigin, sessions: SessionCache): net.Socket {
    const onread: OnReadOpts = {
      buffer: () => this.#nextBuffer(),
      callback: (bytes) => this.#onRead(bytes),
    };
    const { hostname: host, port } = origin;
    const common = { host, port, onread, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };
    let socket: net.Socket;
    if (origin.secure) {
      const secure = tls.connect({
        ...common,
        ...(net.isIP(host) === 0 ? { servername: host } : {}),
        ...(origin.ca === undefined ? {} : { ca: origin.ca }),
        ...(sessions.session === undefined ? {} : { session: sessions.session }),
        ALPNProtocols: ['http/1.1'],
      });
      secure.on('session', (session) => {
        sessions.session = session;
      });
      socket = secure.once('secureConnect', () => {
        this.#onConnected();
      });
    } else {
      socket = net.connect(common).once('connect', () => {
        this.#onConnected();
      });
    }
    socket.on('error', (error) => {
      this.#error ??= error;
    });
    socket.on('end', () => {
      if (this.#state === 'until-close') this.#completeBody();
      this.#destroy();
    });
    socket.once('close', () => {
      this.#destroy();
    });
    return socket;
  }

  #onConnected(): void {
    this.#cancelConnectTimer?.();
    this.#cancelConnectTimer = undefined;
    // Who asked for the connection may have given up meanwhile; somebody else will use it.
    if (this.#exchange?.isOver === false) {
      this.#send(this.#exchange);
    } else {
      this.#exchange = undefined;
      this.idleSinceMs = this.#runtime.monotonicMs();
      this.#events.onIdle(this);
    }
  }

  #send(exchange: HttpExchange): void {
    const { head, body } = exchange.request;
    this.#state = 'head';
    this.#scratchUsed = 0;
    this.#unsent = true;
    exchange.started(this);
    if (Array.isArray(body)) {
      const pieces = (body as readonly Uint8Array[]).filter((piece) => piece.byteLength > 0);
      const last = pieces.pop();
      if (last === undefined) {
        this.#unsent = false;
        this.#socket.write(head, 'latin1');
        return;
      }
      // Corked: head and all pieces leave in one writev, uncopied.
      this.#socket.cork();
      this.#socket.write(head, 'latin1');
      for (const piece of pieces) this.#socket.write(piece);
      this.#socket.write(last, (error) => {
        if (error === undefined || error === null) this.#flushed(exchange);
      });
      this.#socket.uncork();
    } else {
      this.#socket.write(head, 'latin1');
      this.#pump(exchange, body as AsyncIterable<Uint8Array>).then(
        () => {
          this.#flushed(exchange);
        },
        (error: unknown) => {
          if (this.#exchange === exchange)
            exchange.fail(error instanceof Error ? error : new Error(String(error)));
        },
      );
    }
  }

  /** Sends a streamed body. Ends early, and closes the body, once the exchange is over. */
  async #pump(exchange: HttpExchange, body: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const piece of body) {
      if (this.#exchange !== exchange || this.#destroyed) return;
      if (!this.#socket.write(piece)) await this.#drained();
      if (this.#exchange !== exchange || this.#destroyed) return;
    }
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
  }

  #flushed(exchange: HttpExchange): void {
    if (this.#exchange !== exchange) return;
    this.#unsent = false;
    exchange.flushed();
  }

  /** Where the next bytes go: asked for by the socket before every read. */
  #nextBuffer(): Uint8Array {
    if (this.#state === 'sized' && this.#sink !== undefined) return this.#sink.space(this.#remaining);
    return this.#scratchUsed === 0 ? this.#scratch : this.#scratch.subarray(this.#scratchUsed);
  }

  /** So many bytes were read into the last buffer. `false` stops reading until `resumeReading`. */
  #onRead(bytes: number): boolean {
    const exchange = this.#exchange;
    try {
      switch (this.#state) {
        case 'sized':
          exchange?.progressed();
          return this.#sizedBytes(bytes);
        case 'head':
          return this.#headBytes(bytes);
        case 'chunked':
        case 'until-close':
          exchange?.progressed();
          return this.#codedBytes(this.#scratch.subarray(0, bytes));
        case 'idle':
          // Nobody asked: a 408 before closing, or an answer to nothing. Never to be taken for the next answer.
          this.#destroy();
          return false;
      }
    } catch (error) {
      exchange?.fail(error as Error);
      this.#destroy();
      return false;
    }
  }

  #headBytes(bytes: number): boolean {
    const searchFrom = Math.max(0, this.#scratchUsed - headEnd.length + 1);
    this.#scratchUsed += bytes;
    for (let from = 0, search = searchFrom; ; search = from) {
      const end = this.#scratch.subarray(0, this.#scratchUsed).indexOf(headEnd, search);
      if (end === -1) {
        // Interim answers in front of it are dropped, so that the head may begin at the scratch's start.
        if (from > 0) this.#scratch.copyWithin(0, from, this.#scratchUsed);
        this.#scratchUsed -= from;
        if (this.#scratchUsed < scratchBytes) return true;
        throw new HttpFailure('malformed', `the head of the answer has more than ${scratchBytes} bytes`);
      }
      const head = parseResponseHead(
        this.#scratch.toString('latin1', from, end),
        this.#exchange?.request.method ?? '',
      );
      from = end + headEnd.length;
      if (head.status >= 200) return this.#begin(head, this.#scratch.subarray(from, this.#scratchUsed));
    }
  }

  #begin(head: ResponseHead, rest: Buffer): boolean {
    this.#scratchUsed = 0;
    const exchange = this.#exchange;
    const sink = exchange?.answered(head);
    if (exchange === undefined || sink === undefined) {
      this.#destroy();
      return false;
    }
    this.#head = head;
    this.#sink = sink;
    const { framing } = head;
    if (framing.kind === 'none' || framing.kind === 'sized') {
      this.#remaining = framing.kind === 'none' ? 0 : framing.sizeBytes;
      this.#state = 'sized';
      const mine = rest.subarray(0, this.#remaining);
      let reading = true;
      this.#remaining -= mine.length;
      reading = this.#give(sink, mine);
      if (this.#remaining > 0) exchange.bodyPending();
      else this.#completeBody(rest.length > mine.length);
      return reading;
    }
    this.#state = framing.kind;
    this.#decoder = new ChunkedDecoder();
    const reading = this.#codedBytes(rest);
    if (this.#exchange === exchange) exchange.bodyPending();
    return reading;
  }

  #sizedBytes(bytes: number): boolean {
    this.#remaining -= bytes;
    const reading = this.#sink?.filled(bytes) ?? false;
    if (this.#remaining === 0) {
      this.#completeBody();
      return true;
    }
    return reading;
  }

  #codedBytes(piece: Uint8Array): boolean {
    const sink = this.#sink;
    if (sink === undefined) return false;
    if (this.#state === 'until-close') return this.#give(sink, piece);
    let reading = true;
    const taken = this.#decoder.decode(piece, (data) => {
      reading = this.#give(sink, data);
    });
    if (this.#decoder.done) {
      this.#completeBody(taken < piece.length);
      return true;
    }
    return reading;
  }

  #give(sink: BodySink, data: Uint8Array): boolean {
    let reading = true;
    for (let at = 0; at < data.length;) {
      const space = sink.space(data.length - at);
      space.set(data.subarray(at, at + space.length));
      reading = sink.filled(space.length);
      at += space.length;
    }
    return reading;
  }

  #completeBody(hasSurplus = false): void {
    const [exchange, head] = [this.#exchange, this.#head];
    this.#exchange = undefined;
    this.#head = undefined;
    this.#sink = undefined;
    this.#state = 'idle';
    exchange?.completed();
    // An answer to a request that was not sent to its end leaves the connection in the middle of that request.
    if (head?.keepAlive !== true || this.#unsent || hasSurplus) {
      this.#destroy();
      return;
    }
    this.keepAliveMs = head.keepAliveMs;
    this.idleSinceMs = this.#runtime.monotonicMs();
    this.#events.onIdle(this);
  }

  #destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#cancelConnectTimer?.();
    this.#socket.destroy();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.disconnected(this.#error);
    this.#events.onClosed(this);
  }
}
