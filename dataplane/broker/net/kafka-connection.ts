import type { Runtime } from '../../runtime/runtime.ts';
import type { ConnectionInfo } from '../request-context.ts';
import type { ByteStream } from './byte-stream.ts';
import { FrameReader } from '../../protocol/frame-reader.ts';
import type { RequestMemory, RequestMemoryHolder } from './request-memory.ts';

/** The frame of a response, its size in front. */
export interface ResponseFrame {
  readonly pieces: readonly Uint8Array[];
  /** Called once: the pieces have been sent, or never will be. Until then they must not change. */
  readonly sent?: (() => void) | undefined;
}

/** Works on requests. */
export interface RequestProcessor {
  /**
   * Begins to work on a request, before it returns, in the order of the calls. Resolves with the response, or with
   * `undefined` when there is none (`acks=0`). Whatever it throws, or rejects with, closes the connection.
   */
  process(
    frame: Uint8Array,
    connection: ConnectionInfo,
    signal: AbortSignal,
  ): Promise<ResponseFrame | undefined>;
  /** Requests whose responses may be large: the next one of this kind begins when the response of the last has gone out. */
  isSerial(frame: Uint8Array): boolean;
}

export interface ConnectionLimits {
  /** Kafka's `socket.request.max.bytes`. */
  readonly maxRequestBytes: number;
  /** Requests of one connection that are worked on at a time. */
  readonly maxRequestsInFlight: number;
  /** Their bytes. One larger request is worked on alone. */
  readonly maxRequestBytesInFlight: number;
  /** Responses that the peer has not taken: above it no further request is begun. */
  readonly maxUnsentResponseBytes: number;
}

export const defaultConnectionLimits: ConnectionLimits = {
  maxRequestBytes: 100 * 1024 * 1024,
  maxRequestsInFlight: 256,
  maxRequestBytesInFlight: 32 * 1024 * 1024,
  maxUnsentResponseBytes: 4 * 1024 * 1024,
};

interface Pending {
  readonly requestBytes: number;
  readonly isSerial: boolean;
  response: ResponseFrame | undefined;
  responseBytes: number;
  isDone: boolean;
}

/**
 * One connection of a Kafka client. Requests are begun in the order of their arrival and worked on side by side; responses
 * go out in the order of the requests, as Kafka promises. A peer that sends without reading, or more than can be worked
 * on, is not read from until it does; one that breaks the protocol is closed. Both cost bounded memory.
 */
export class KafkaConnection implements RequestMemoryHolder {
  readonly info: ConnectionInfo;
  readonly #stream: ByteStream;
  readonly #processor: RequestProcessor;
  readonly #limits: ConnectionLimits;
  readonly #runtime: Runtime;
  readonly #memory: RequestMemory;
  readonly #onClosed: (connection: KafkaConnection, error: Error | undefined) => void;
  readonly #frames: FrameReader;
  readonly #gone = new AbortController();
  readonly #pending: Pending[] = [];
  #requestBytesInFlight = 0;
  /** What is counted as ours in the memory of all requests: in flight, arriving, and waiting to be begun. */
  #countedBytes = 0;
  #finishedResponseBytes = 0;
  #serialInFlight = 0;
  /** A whole request whose turn has not come. */
  #held: Uint8Array | undefined;
  #isPaused = false;
  #isMemoryShort = false;
  #isPumping = false;
  #isClosed = false;
  #failure: Error | undefined;
  #lastActivityMs: number;

  constructor(options: {
    readonly stream: ByteStream;
    readonly info: ConnectionInfo;
    readonly processor: RequestProcessor;
    readonly limits: ConnectionLimits;
    readonly runtime: Runtime;
    readonly memory: RequestMemory;
    readonly onClosed: (connection: KafkaConnection, error: Error | undefined) => void;
  }) {
    this.info = options.info;
    this.#stream = options.stream;
    this.#processor = options.processor;
    this.#limits = options.limits;
    this.#runtime = options.runtime;
    this.#memory = options.memory;
    this.#onClosed = options.onClosed;
    this.#frames = new FrameReader(options.limits.maxRequestBytes);
    this.#lastActivityMs = options.runtime.monotonicMs();
  }

  start(): void {
    this.#memory.join(this);
    this.#stream.start({
      data: (chunk) => {
        if (this.#isClosed) return;
        this.#frames.push(chunk);
        this.#onArrival(chunk.length);
      },
      room: () => (this.#isClosed ? undefined : this.#frames.room()),
      received: (count) => {
        if (this.#isClosed) return;
        this.#frames.received(count);
        this.#onArrival(count);
      },
      drained: () => {
        this.#lastActivityMs = this.#runtime.monotonicMs();
        this.#pump();
      },
      closed: (error) => {
        this.#end(error);
      },
    });
  }

  /** On the monotonic clock: when the peer last sent something, or took something. */
  get lastActivityMs(): number {
    return this.#lastActivityMs;
  }

  get requestsInFlight(): number {
    return this.#pending.length;
  }

  get partialBytes(): number {
    return this.#frames.bufferedBytes;
  }

  close(error?: Error): void {
    if (this.#isClosed) return;
    this.#failure ??= error;
    this.#stream.destroy();
    this.#end(undefined);
  }

  evict(): void {
    this.close(new Error('requests that have not arrived in full take too much memory'));
  }

  resumeReading(): void {
    this.#isMemoryShort = false;
    this.#pump();
  }

  #onArrival(bytes: number): void {
    this.#lastActivityMs = this.#runtime.monotonicMs();
    // What can be begun is no request that is still arriving.
    this.#pump();
    if (this.#isClosed) return;
    this.#countedBytes += bytes;
    if (this.#memory.take(this, bytes)) return;
    this.#isMemoryShort = true;
    this.#readOrPause();
  }

  /** Begins what may begin; reads on when everything that has arrived is begun. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      while (!this.#isClosed && this.#hasRoom()) {
        const frame = this.#held ?? this.#frames.next();
        this.#held = undefined;
        if (frame === undefined) break;
        const isSerial = this.#processor.isSerial(frame);
        if (isSerial && this.#serialInFlight > 0) {
          this.#held = frame;
          break;
        }
        this.#begin(frame, isSerial);
      }
    } catch (error) {
      this.close(error instanceof Error ? error : new Error('a request could not be read', { cause: error }));
    } finally {
      this.#isPumping = false;
    }
    this.#readOrPause();
  }

  #hasRoom(): boolean {
    const { maxRequestsInFlight, maxRequestBytesInFlight, maxUnsentResponseBytes } = this.#limits;
    return (
      this.#pending.length < maxRequestsInFlight &&
      this.#requestBytesInFlight < maxRequestBytesInFlight &&
      this.#finishedResponseBytes + this.#stream.unsentBytes <= maxUnsentResponseBytes
    );
  }

  #readOrPause(): void {
    if (this.#isClosed) return;
    const pause = this.#held !== undefined || this.#isMemoryShort || !this.#hasRoom();
    if (pause === this.#isPaused) return;
    this.#isPaused = pause;
    if (pause) this.#stream.pause();
    else this.#stream.resume();
  }

  #begin(frame: Uint8Array, isSerial: boolean): void {
    const pending: Pending = {
      requestBytes: frame.length + 4,
      isSerial,
      response: undefined,
      responseBytes: 0,
      isDone: false,
    };
    this.#pending.push(pending);
    this.#requestBytesInFlight += pending.requestBytes;
    if (isSerial) this.#serialInFlight += 1;
    this.#processor.process(frame, this.info, this.#gone.signal).then(
      (response) => {
        this.#finish(pending, response);
      },
      (error: unknown) => {
        this.close(error instanceof Error ? error : new Error('a request failed', { cause: error }));
      },
    );
  }

  #finish(pending: Pending, response: ResponseFrame | undefined): void {
    if (this.#isClosed) {
      response?.sent?.();
      return;
    }
    pending.isDone = true;
    if (response !== undefined) {
      for (const piece of response.pieces) pending.responseBytes += piece.length;
      pending.response = response;
      this.#finishedResponseBytes += pending.responseBytes;
    }
    if (this.#pending[0] === pending) this.#sendFinished();
    this.#pump();
  }

  #sendFinished(): void {
    const pieces: Uint8Array[] = [];
    const waiting: (() => void)[] = [];
    let count = 0;
    for (const { isDone, isSerial, requestBytes, response, responseBytes } of this.#pending) {
      if (!isDone) break;
      count += 1;
      if (isSerial) this.#serialInFlight -= 1;
      this.#requestBytesInFlight -= requestBytes;
      this.#finishedResponseBytes -= responseBytes;
      this.#countedBytes -= requestBytes;
      this.#memory.release(requestBytes);
      if (response === undefined) continue;
      for (const piece of response.pieces) pieces.push(piece);
      if (response.sent !== undefined) waiting.push(response.sent);
    }
    this.#pending.splice(0, count);
    if (waiting.length === 0) {
      this.#stream.write(pieces);
      return;
    }
    this.#stream.write(pieces, () => {
      for (const sent of waiting) sent();
    });
  }

  #end(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#memory.leave(this);
    this.#memory.release(this.#countedBytes);
    this.#countedBytes = 0;
    // Those that are not answered yet are told when they are.
    for (const { response } of this.#pending.splice(0)) response?.sent?.();
    this.#held = undefined;
    const reason = this.#failure ?? error;
    this.#gone.abort(reason ?? new Error('the client has closed the connection'));
    this.#onClosed(this, reason);
  }
}
