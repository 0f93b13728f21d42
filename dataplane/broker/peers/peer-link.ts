import type { Link } from '../../cluster/decide-suspicion.ts';
import { RunningState } from '../../runtime/running-state.ts';
import { sleep } from '../../runtime/runtime.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Service } from '../../runtime/service.ts';
import type { Dialer } from '../net/dialer.ts';
import { DialError } from '../net/dialer.ts';
import { PeerError } from './peer-error.ts';
import { PeerProtocolError } from './peer-frame.ts';
import type { PeerFrame } from './peer-frame.ts';
import { decodeHello, helloProblem, peerVersions } from './peer-hello.ts';
import type { PeerHello } from './peer-hello.ts';
import type { PeerMethod } from './peer-method.ts';
import { PeerStream } from './peer-stream.ts';

/** Another broker as `meta/cluster` names it. */
export interface PeerTarget {
  readonly id: number;
  readonly sid: string;
  readonly address: string;
}

export interface PeerLinkTimings {
  readonly pingMs: number;
  /** Without a byte for so long the other broker counts as silent: two pings have gone unanswered. */
  readonly silentMs: number;
  readonly connectMs: number;
  /** Between two refused attempts that together say: there is no such process. */
  readonly refusedTwiceMs: number;
  /** Between two attempts at most. */
  readonly maxPauseMs: number;
}

export const peerLinkTimings: PeerLinkTimings = {
  pingMs: 500,
  silentMs: 1_100,
  connectMs: 1_000,
  refusedTwiceMs: 200,
  maxPauseMs: 500,
};

export interface PeerRequestOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface PeerLinkOptions {
  readonly runtime: Runtime;
  readonly dialer: Dialer;
  readonly target: PeerTarget;
  readonly self: () => Pick<PeerHello, 'clusterId' | 'id' | 'sid'> | undefined;
  readonly timings: PeerLinkTimings;
  /** It is connected, and the other side is who it should be. */
  readonly onUp: () => void;
  readonly onProblem: (what: string, error: unknown) => void;
}

interface Waiting {
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: PeerError) => void;
}

/**
 * The connection to one session of another broker: kept up, asked every half second whether the other side lives, and
 * opened again when it breaks. Its state is evidence for the suspicion of brokers (`cluster/decide-suspicion.ts`).
 */
export class PeerLink implements Service {
  readonly id: string;
  readonly target: PeerTarget;
  readonly #options: PeerLinkOptions;
  readonly #runtime: Runtime;
  readonly #running: RunningState;
  readonly #waiting = new Map<number, Waiting>();
  #stream: PeerStream | undefined;
  #isUp = false;
  /** When bytes of the other side last came, or when it was first looked for. */
  #heardMs: number;
  #firstRefusalMs: number | undefined;
  #isRefusedTwice = false;
  #requestIds = 0;
  /** The last problem that was reported: each once, not at every attempt. */
  #reported = '';
  #run: Promise<void> | undefined;

  constructor(options: PeerLinkOptions) {
    const { target, runtime, timings } = options;
    this.id = `peer-link ${target.id}`;
    this.target = target;
    this.#options = options;
    this.#runtime = runtime;
    this.#running = new RunningState(runtime, {
      initialMs: timings.refusedTwiceMs * 2,
      maxMs: timings.maxPauseMs,
    });
    this.#heardMs = runtime.monotonicMs();
  }

  get state(): Link {
    if (this.#isRefusedTwice) return { state: 'refused-twice' };
    const isSilent = this.#runtime.monotonicMs() - this.#heardMs > this.#options.timings.silentMs;
    return this.#isUp && !isSilent ? { state: 'up' } : { state: 'down', sinceMs: this.#heardMs };
  }

  /** This process stood still for a while: what it did not hear meanwhile says nothing of the other side. */
  excuse(forMs: number): void {
    this.#heardMs = Math.min(this.#runtime.monotonicMs(), this.#heardMs + forMs);
  }

  run(): Promise<void> {
    this.#run = this.#keepUp();
    return this.#run;
  }

  async stop(): Promise<void> {
    this.#running.stop();
    this.#stream?.close();
    await Promise.allSettled([this.#run]);
  }

  /**
   * Asks the other broker something.
   *
   * @throws PeerError; what the signal was aborted with
   */
  async request<Request, Response>(
    method: PeerMethod<Request, Response>,
    request: Request,
    { timeoutMs, signal }: PeerRequestOptions,
  ): Promise<Response> {
    signal?.throwIfAborted();
    const stream = this.#isUp ? this.#stream : undefined;
    if (stream === undefined)
      throw new PeerError('unreachable', `there is no connection to broker ${this.target.id} now`);
    const id = this.#nextId();
    const body = await this.#exchange(stream, id, method.name, method.request.encode(request), {
      timeoutMs,
      signal,
    });
    try {
      return method.response.decode(body);
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      throw new PeerError(
        'failed',
        `the answer of broker ${this.target.id} to ${method.name} is wrong: ${problem}`,
        { cause: error },
      );
    }
  }

  async #exchange(
    stream: PeerStream,
    id: number,
    method: string,
    request: unknown,
    { timeoutMs, signal }: PeerRequestOptions,
  ): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const onAbort = (): void => {
      reject(signal?.reason);
    };
    const cancel = this.#runtime.after(timeoutMs, () => {
      reject(
        new PeerError(
          'unreachable',
          `broker ${this.target.id} did not answer ${method} within ${timeoutMs} ms`,
        ),
      );
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#waiting.set(id, { resolve, reject });
    try {
      try {
        stream.send({ kind: 'request', id, body: { method, request } });
      } catch (error) {
        throw new PeerError('failed', `${method} cannot be sent to broker ${this.target.id}`, {
          cause: error,
        });
      }
      return await promise;
    } finally {
      cancel();
      signal?.removeEventListener('abort', onAbort);
      this.#waiting.delete(id);
    }
  }

  #nextId(): number {
    this.#requestIds = (this.#requestIds + 1) % 2 ** 32;
    return this.#requestIds;
  }

  async #keepUp(): Promise<void> {
    while (this.#running.shouldRun()) {
      try {
        await this.#connected();
        this.#running.resetBackoff();
      } catch (error) {
        if (!this.#running.shouldRun()) break;
        this.#note(error);
      }
      await this.#pause();
    }
  }

  /** The first refusal is followed by another attempt as soon as it may count. */
  #pause(): Promise<void> {
    const { refusedTwiceMs } = this.#options.timings;
    const isFirst = this.#firstRefusalMs !== undefined && !this.#isRefusedTwice;
    return isFirst ? this.#running.sleep(refusedTwiceMs) : this.#running.backoff();
  }

  #note(error: unknown): void {
    const nowMs = this.#runtime.monotonicMs();
    if (error instanceof DialError && error.reason === 'refused') {
      this.#firstRefusalMs ??= nowMs;
      this.#isRefusedTwice = nowMs - this.#firstRefusalMs >= this.#options.timings.refusedTwiceMs;
    } else {
      this.#firstRefusalMs = undefined;
      this.#isRefusedTwice = false;
    }
    const what = error instanceof Error ? error.message : String(error);
    if (what === this.#reported) return;
    this.#reported = what;
    this.#options.onProblem(`broker ${this.target.id} at ${this.target.address} cannot be reached`, error);
  }

  /** Connects, introduces itself, and pings until the connection ends. */
  async #connected(): Promise<void> {
    const { dialer, timings } = this.#options;
    const attempt = new AbortController();
    const cancel = this.#runtime.after(timings.connectMs, () => {
      attempt.abort(new DialError('unreachable', `no connection within ${timings.connectMs} ms`));
    });
    const signal = AbortSignal.any([attempt.signal, this.#running.signal]);
    const closed = Promise.withResolvers<void>();
    try {
      const bytes = await dialer.dial(this.target.address, signal);
      const greeted = Promise.withResolvers<void>();
      const stream = new PeerStream(bytes, {
        heard: () => {
          this.#heardMs = this.#runtime.monotonicMs();
        },
        frame: (frame) => {
          this.#onFrame(frame, greeted);
        },
        closed: (error) => {
          const gone =
            error ?? new PeerError('unreachable', `broker ${this.target.id} has closed the connection`);
          greeted.reject(gone);
          closed.reject(gone);
        },
      });
      this.#stream = stream;
      closed.promise.catch(() => undefined);
      const abandon = (): void => {
        stream.close(
          new PeerError('unreachable', `broker ${this.target.id} did not introduce itself in time`),
        );
      };
      signal.addEventListener('abort', abandon, { once: true });
      stream.start();
      this.#greet(stream);
      await greeted.promise;
      cancel();
      this.#firstRefusalMs = undefined;
      this.#isRefusedTwice = false;
      this.#reported = '';
      this.#isUp = true;
      this.#options.onUp();
      await this.#ping(stream, closed.promise);
    } finally {
      cancel();
      this.#isUp = false;
      this.#stream?.close();
      this.#stream = undefined;
      for (const { reject } of this.#waiting.values())
        reject(new PeerError('unreachable', `the connection to broker ${this.target.id} broke`));
      this.#waiting.clear();
    }
  }

  #greet(stream: PeerStream): void {
    const self = this.#options.self();
    if (self === undefined) throw new PeerError('unreachable', 'this broker is still starting');
    const hello: PeerHello = { ...self, versions: peerVersions, to: this.target.id };
    stream.send({ kind: 'hello', id: 0, body: hello });
  }

  /** Until the connection ends. One that is silent for long is given up: a new one may do better. */
  async #ping(stream: PeerStream, closed: Promise<void>): Promise<void> {
    const { pingMs, silentMs } = this.#options.timings;
    const isOver = closed.then(
      () => true,
      () => true,
    );
    for (;;) {
      stream.send({ kind: 'ping', id: 0, body: undefined });
      const waited = sleep(this.#runtime, pingMs, this.#running.signal).then(() => false);
      if (await Promise.race([isOver, waited])) break;
      if (this.#runtime.monotonicMs() - this.#heardMs > 4 * silentMs)
        stream.close(new PeerError('unreachable', `broker ${this.target.id} does not answer`));
    }
    await closed;
  }

  #onFrame(frame: PeerFrame, greeted: PromiseWithResolvers<void>): void {
    switch (frame.kind) {
      case 'hello':
        this.#onHello(frame.body, greeted);
        return;
      case 'pong':
        return;
      case 'response':
        this.#waiting.get(frame.id)?.resolve(frame.body);
        return;
      case 'failure': {
        const message = messageOf(frame.body);
        const waiting = this.#waiting.get(frame.id);
        if (waiting !== undefined)
          waiting.reject(new PeerError('failed', `broker ${this.target.id}: ${message}`));
        else if (!this.#isUp) greeted.reject(new DialError('rejected', message));
        return;
      }
      default:
        throw new PeerProtocolError(`a ${frame.kind} came from the broker that is to be asked`);
    }
  }

  #onHello(body: unknown, greeted: PromiseWithResolvers<void>): void {
    const hello = decodeHello(body);
    const self = this.#options.self();
    const { id, sid, address } = this.target;
    const problem =
      self === undefined
        ? 'this broker has no session'
        : hello.id !== id
          ? `at ${address} there is broker ${hello.id}, not broker ${id}`
          : hello.sid !== sid
            ? `session ${sid} of broker ${id} is not at ${address} any more`
            : helloProblem(self, hello);
    if (problem === undefined) greeted.resolve();
    else greeted.reject(new DialError('rejected', problem));
  }
}

function messageOf(body: unknown): string {
  return typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : 'it failed';
}
