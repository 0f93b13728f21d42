import { abortReason } from '../../../runtime/runtime.ts';
import type { Cancel, Runtime } from '../../../runtime/runtime.ts';
import { HttpFailure } from './http-failure.ts';
import { BodyCollector, BodyStream } from './response-body.ts';
import type { BodySink } from './response-body.ts';
import type { ResponseHead } from './response-head.ts';

/** One request, ready for the wire. */
export interface HttpRequest {
  readonly method: string;
  /** Request line, header lines and the empty line. All characters are in Latin-1. */
  readonly head: string;
  /** Pieces are sent without being joined; they must not change before the answer is there. */
  readonly body: readonly Uint8Array[] | AsyncIterable<Uint8Array>;
  /** Exactly what `body` holds and `head` declares. */
  readonly bodyBytes: number;
  /**
   * This request is sent once, whatever happens to it: rather lose a millisecond than send it on a connection that the
   * server may have closed a while ago.
   */
  readonly sentOnce: boolean;
}

export interface ExchangeOptions {
  readonly signal: AbortSignal | undefined;
  /** A larger body makes the exchange fail with `too-large`. Does not hold for streamed ones. */
  readonly maxBodyBytes: number;
  /** Hand out the body of an answer with this status while it arrives. */
  readonly streams: (status: number) => boolean;
  /** Memory for the body of a 2xx of known size, if it has room. */
  readonly into?: Uint8Array | undefined;
}

export interface HttpResponse {
  readonly head: ResponseHead;
  readonly body: Uint8Array | BodyStream;
}

/** Limits in milliseconds for one exchange. Sizes count too: whatever is slower than `minBytesPerSecond` is given up. */
export interface TimeLimits {
  /** To establish a connection, including TLS. */
  readonly connectMs: number;
  /** From the request being sent to the complete head of its answer. */
  readonly headMs: number;
  /** Between two pieces of the answer's body. */
  readonly bodyIdleMs: number;
  /** From the request's first byte to the last of the answer, plus the time both bodies may take. Not for streams. */
  readonly totalMs: number;
  readonly minBytesPerSecond: number;
}

/** What an exchange needs from the connection it runs on. */
export interface ExchangeConnection {
  /** Closes the connection: its exchange is over before its answer was complete. */
  abandon(): void;
  resumeReading(): void;
}

/**
 * The life of one request on one connection: its timers, its abort signal, where its answer goes. Settles once; after
 * that, whatever the connection reports is ignored. At most one timer is armed at any time and none after the end.
 */
export class HttpExchange {
  readonly request: HttpRequest;
  readonly #options: ExchangeOptions;
  readonly #limits: TimeLimits;
  readonly #runtime: Runtime;
  readonly #response = Promise.withResolvers<HttpResponse>();
  #state: 'waiting' | 'sent' | 'answering' | 'over' = 'waiting';
  #connection: ExchangeConnection | undefined;
  #cancelTimer: Cancel | undefined;
  #startedMs = 0;
  #progressed = false;
  #head: ResponseHead | undefined;
  #sink: BodyCollector | BodyStream | undefined;
  #onOver: (() => void) | undefined;

  constructor(request: HttpRequest, options: ExchangeOptions, limits: TimeLimits, runtime: Runtime) {
    this.request = request;
    this.#options = options;
    this.#limits = limits;
    this.#runtime = runtime;
    const { signal } = options;
    if (signal?.aborted) this.fail(abortReason(signal));
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Rejects with an HttpFailure or the signal's reason. */
  get response(): Promise<HttpResponse> {
    return this.#response.promise;
  }

  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Called at the end of the exchange if it ends before it was started. */
  set onOverWhileWaiting(listener: () => void) {
    this.#onOver = listener;
  }

  /** The first byte is about to be sent: from here on the request may have been acted on. */
  started(connection: ExchangeConnection): void {
    this.#connection = connection;
    this.#state = 'sent';
    this.#onOver = undefined;
    this.#startedMs = this.#runtime.monotonicMs();
    this.#arm(this.#limits.headMs + this.#transferMs(this.request.bodyBytes), this.#onHeadTimeout);
  }

  /** The last byte was handed to the kernel. */
  flushed(): void {
    if (this.#state === 'sent') this.#arm(this.#limits.headMs, this.#onHeadTimeout);
  }

  /** The head is complete. Returns where its body goes, or `undefined` if the exchange is over. */
  answered(head: ResponseHead): BodySink | undefined {
    if (this.#state !== 'sent') return undefined;
    this.#state = 'answering';
    this.#cancelTimer?.();
    this.#head = head;
    if (this.#options.streams(head.status)) {
      this.#sink = new BodyStream(
        () => {
          // The silence so far was the reader's.
          this.#progressed = true;
          this.#connection?.resumeReading();
        },
        () => {
          this.#finish();
          this.#connection?.abandon();
        },
      );
      this.#response.resolve({ head, body: this.#sink });
      return this.#sink;
    }
    const { framing } = head;
    const sizeBytes = framing.kind === 'sized' ? framing.sizeBytes : framing.kind === 'none' ? 0 : undefined;
    try {
      const into = head.status < 300 ? this.#options.into : undefined;
      this.#sink = new BodyCollector(sizeBytes, this.#options.maxBodyBytes, into);
    } catch (error) {
      this.fail(error as Error);
      return undefined;
    }
    return this.#sink;
  }

  /** There is more of the body to come: watch that it does. */
  bodyPending(): void {
    if (this.#state === 'answering') this.#arm(this.#limits.bodyIdleMs, this.#onBodyTick);
  }

  progressed(): void {
    this.#progressed = true;
  }

  completed(): void {
    if (this.#state !== 'answering') return;
    const [head, sink] = [this.#head, this.#sink];
    this.#finish();
    sink?.end();
    if (head !== undefined && sink instanceof BodyCollector)
      this.#response.resolve({ head, body: sink.bytes });
  }

  fail(error: Error): void {
    if (this.#state === 'over') return;
    const [sink, connection, onOver] = [this.#sink, this.#connection, this.#onOver];
    this.#finish();
    if (sink instanceof BodyStream) sink.fail(error);
    else this.#response.reject(error);
    connection?.abandon();
    onOver?.();
  }

  /** The connection is gone. What that means depends on how far the exchange had come. */
  disconnected(cause: Error | undefined): void {
    const why = cause === undefined ? 'the server closed the connection' : cause.message;
    const options = cause === undefined ? undefined : { cause };
    if (this.#state === 'waiting') this.fail(new HttpFailure('unreachable', why, options));
    else if (this.#state === 'sent') this.fail(new HttpFailure('lost', `${why} before it answered`, options));
    else this.fail(new HttpFailure('truncated', `the body of the answer ended early: ${why}`, options));
  }

  #finish(): void {
    this.#state = 'over';
    this.#cancelTimer?.();
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = (): void => {
    this.fail(abortReason(this.#options.signal));
  };

  #arm(delayMs: number, onTimeout: () => void): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#runtime.after(delayMs, onTimeout);
  }

  readonly #onHeadTimeout = (): void => {
    const afterMs = Math.round(this.#runtime.monotonicMs() - this.#startedMs);
    this.fail(new HttpFailure('timeout', `no answer came within ${afterMs} ms`));
  };

  /** Silence is noticed after one to two times the limit: so one timer serves any number of pieces. */
  readonly #onBodyTick = (): void => {
    const streaming = this.#sink instanceof BodyStream;
    const elapsedMs = this.#runtime.monotonicMs() - this.#startedMs;
    const framing = this.#head?.framing;
    const bodyBytes = framing?.kind === 'sized' ? framing.sizeBytes : 0;
    const allowedMs = this.#limits.totalMs + this.#transferMs(this.request.bodyBytes + bodyBytes);
    const held = this.#sink instanceof BodyStream && this.#sink.paused;
    if (!this.#progressed && !held) {
      this.fail(
        new HttpFailure('timeout', `no more of the answer came within ${this.#limits.bodyIdleMs} ms`),
      );
    } else if (!streaming && elapsedMs > allowedMs) {
      this.fail(new HttpFailure('timeout', `the answer was not complete after ${Math.round(elapsedMs)} ms`));
    } else {
      this.#progressed = false;
      this.#arm(this.#limits.bodyIdleMs, this.#onBodyTick);
    }
  };

  #transferMs(bytes: number): number {
    return (bytes / this.#limits.minBytesPerSecond) * 1000;
  }
}
