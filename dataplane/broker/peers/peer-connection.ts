import { abortReason } from '../../runtime/runtime.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { ByteStream } from '../net/byte-stream.ts';
import { DialError } from '../net/dialer.ts';
import type { Dialer } from '../net/dialer.ts';
import { PeerError } from './peer-error.ts';
import { PeerProtocolError } from './peer-frame.ts';
import type { PeerFrame } from './peer-frame.ts';
import { decodeHello, helloProblem, peerVersions } from './peer-hello.ts';
import type { PeerHello, PeerSelf } from './peer-hello.ts';
import type { PeerMethod } from './peer-method.ts';
import { decodePong } from './peer-pong.ts';
import { PeerStream } from './peer-stream.ts';

/** Another broker as `meta/cluster` names it. */
export interface PeerTarget {
  readonly id: number;
  readonly sid: string;
  readonly address: string;
}

export interface PeerRequestOptions {
  readonly timeoutMs: number;
  /** Ends the waiting; the other broker is told. */
  readonly signal?: AbortSignal | undefined;
}

export interface PeerConnectionOptions {
  readonly dialer: Dialer;
  readonly target: PeerTarget;
  readonly self: PeerSelf;
  readonly runtime: Runtime;
  /** For all until the other side is known. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Called when bytes come, from the hello on: what an impostor says is no sign of life. */
  readonly onHeard: () => void;
  /** The other side has said how long ago it has last read the store. */
  readonly onStoreAge: (storeAgeMs: number) => void;
}

interface Waiting {
  readonly resolve: (body: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Our connection to one session of another broker, for any number of questions at a time. */
export class PeerConnection {
  readonly #target: PeerTarget;
  readonly #self: PeerSelf;
  readonly #runtime: Runtime;
  readonly #stream: PeerStream;
  readonly #onStoreAge: (storeAgeMs: number) => void;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ended = Promise.withResolvers<Error>();
  /** Until the other side has introduced itself. */
  #greeting: PromiseWithResolvers<undefined> | undefined = Promise.withResolvers();
  #end: Error | undefined;
  #lastId = 0;

  private constructor(
    bytes: ByteStream,
    {
      target,
      self,
      runtime,
      onHeard,
      onStoreAge,
    }: Omit<PeerConnectionOptions, 'dialer' | 'signal' | 'timeoutMs'>,
  ) {
    this.#target = target;
    this.#self = self;
    this.#runtime = runtime;
    this.#onStoreAge = onStoreAge;
    this.#stream = new PeerStream(bytes, {
      heard: () => {
        if (this.#greeting === undefined) onHeard();
      },
      frame: (frame) => {
        this.#onFrame(frame);
        if (frame.kind === 'hello') onHeard();
      },
      closed: (error) => {
        this.#onClosed(error ?? new PeerError('lost', `broker ${target.id} has closed the connection`));
      },
    });
  }

  /**
   * Connects, and makes sure that it is `target` that answers.
   *
   * @throws DialError; the reason of `signal`
   */
  static async open(options: PeerConnectionOptions): Promise<PeerConnection> {
    const { dialer, target, runtime, timeoutMs, signal } = options;
    if (signal.aborted) throw abortReason(signal);
    const attempt = new AbortController();
    const onAbort = (): void => {
      attempt.abort(abortReason(signal));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const cancel = runtime.after(timeoutMs, () => {
      attempt.abort(
        new DialError('unreachable', `${target.address} did not answer as a broker within ${timeoutMs} ms`),
      );
    });
    try {
      const bytes = await dialer.dial(target.address, attempt.signal);
      const connection = new PeerConnection(bytes, options);
      await connection.#greet(attempt.signal);
      return connection;
    } catch (error) {
      if (attempt.signal.aborted) throw abortReason(attempt.signal);
      if (error instanceof DialError) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new DialError('rejected', `${target.address} does not answer as a broker: ${why}`, {
        cause: error,
      });
    } finally {
      cancel();
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Resolves with the reason when the connection has ended. */
  get ended(): Promise<Error> {
    return this.#ended.promise;
  }

  ping(): void {
    this.#stream.send({ kind: 'ping', id: 0, body: undefined });
  }

  /** Questions that wait for their answers are told `reason`. */
  close(reason: Error): void {
    this.#stream.close(reason);
  }

  /**
   * Asks the other broker something.
   *
   * @throws PeerError; the reason of `signal`
   */
  async request<Request, Response>(
    method: PeerMethod<Request, Response>,
    request: Request,
    options: PeerRequestOptions,
  ): Promise<Response> {
    const body = await this.#exchange(method.name, method.request.encode(request), options);
    try {
      return method.response.decode(body);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new PeerError(
        'failed',
        `the answer of broker ${this.#target.id} to ${method.name} is wrong: ${why}`,
        { cause: error },
      );
    }
  }

  async #exchange(
    method: string,
    request: unknown,
    { timeoutMs, signal }: PeerRequestOptions,
  ): Promise<unknown> {
    if (signal?.aborted === true) throw abortReason(signal);
    if (this.#end !== undefined)
      throw new PeerError('unreachable', `there is no connection to broker ${this.#target.id} now`);
    const id = this.#nextId();
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const giveUp = (error: Error): void => {
      this.#stream.send({ kind: 'cancel', id, body: undefined });
      reject(error);
    };
    const onAbort = (): void => {
      giveUp(abortReason(signal));
    };
    const cancel = this.#runtime.after(timeoutMs, () => {
      giveUp(
        new PeerError('timeout', `broker ${this.#target.id} did not answer ${method} within ${timeoutMs} ms`),
      );
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#waiting.set(id, { resolve, reject });
    try {
      this.#send(method, { kind: 'request', id, body: { method, request } });
      return await promise;
    } finally {
      cancel();
      signal?.removeEventListener('abort', onAbort);
      this.#waiting.delete(id);
    }
  }

  #send(method: string, frame: PeerFrame): void {
    try {
      this.#stream.send(frame);
    } catch (error) {
      if (!(error instanceof PeerProtocolError)) throw error;
      throw new PeerError(
        'failed',
        `${method} cannot be asked of broker ${this.#target.id}: ${error.message}`,
        {
          cause: error,
        },
      );
    }
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId + 1) % 2 ** 32;
    while (this.#waiting.has(this.#lastId));
    return this.#lastId;
  }

  async #greet(signal: AbortSignal): Promise<void> {
    const onAbort = (): void => {
      this.close(abortReason(signal));
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const greeted = this.#greeting?.promise;
    this.#stream.start();
    const hello: PeerHello = { ...this.#self, versions: peerVersions, to: this.#target.id };
    this.#stream.send({ kind: 'hello', id: 0, body: hello });
    if (signal.aborted) onAbort();
    try {
      await greeted;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #onFrame({ kind, id, body }: PeerFrame): void {
    if (this.#greeting !== undefined) {
      if (kind === 'failure') throw new PeerProtocolError(messageOf(body));
      if (kind !== 'hello') throw new PeerProtocolError(`it answers a hello with a ${kind}`);
      const problem = this.#problemOf(decodeHello(body));
      if (problem !== undefined) throw new PeerProtocolError(problem);
      this.#stream.accepted();
      this.#greeting.resolve(undefined);
      this.#greeting = undefined;
      return;
    }
    switch (kind) {
      case 'pong': {
        const storeAgeMs = decodePong(body);
        if (storeAgeMs !== undefined) this.#onStoreAge(storeAgeMs);
        return;
      }
      case 'response':
        this.#waiting.get(id)?.resolve(body);
        return;
      case 'failure':
        this.#waiting
          .get(id)
          ?.reject(new PeerError('failed', `broker ${this.#target.id}: ${messageOf(body)}`));
        return;
      default:
        throw new PeerProtocolError(`a ${kind} came from the broker that is asked`);
    }
  }

  #problemOf(hello: PeerHello): string | undefined {
    const { id, sid, address } = this.#target;
    if (hello.id !== id) return `at ${address} there is broker ${hello.id}, not broker ${id}`;
    return hello.sid === sid
      ? helloProblem(this.#self, hello)
      : `at ${address} there is session ${hello.sid} of broker ${id}, not ${sid}: that process is gone`;
  }

  #onClosed(reason: Error): void {
    this.#end = reason;
    this.#greeting?.reject(reason);
    this.#greeting = undefined;
    const lost = new PeerError('lost', `the connection to broker ${this.#target.id} has ended`, {
      cause: reason,
    });
    for (const { reject } of this.#waiting.values()) reject(lost);
    this.#ended.resolve(reason);
  }
}

function messageOf(body: unknown): string {
  return typeof body === 'object' && body !== null && 'message' in body ? String(body.message) : 'it failed';
}
