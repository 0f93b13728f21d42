import type { Link } from '../../cluster/decide-suspicion.ts';
import { RunningState } from '../../runtime/running-state.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Service } from '../../runtime/service.ts';
import type { Dialer } from '../net/dialer.ts';
import { DialError } from '../net/dialer.ts';
import { PeerConnection } from './peer-connection.ts';
import type { PeerRequestOptions, PeerTarget } from './peer-connection.ts';
import { PeerError } from './peer-error.ts';
import type { PeerSelf } from './peer-hello.ts';
import type { PeerMethod } from './peer-method.ts';

export interface PeerLinkTimings {
  readonly pingMs: number;
  /** Without a byte for so long the other broker counts as silent: two pings have gone unanswered. */
  readonly silentMs: number;
  /** One that has not read the store for so long counts as cut from it: two of its polls have failed. */
  readonly storelessMs: number;
  /** A connection that has been silent for so long is given up for a new one, which may do better. */
  readonly abandonMs: number;
  readonly connectMs: number;
  /** Between two refused attempts that together say: there is no such process. */
  readonly refusedTwiceMs: number;
  /** A connection that has lasted so long was a good one: the next attempt begins at once. */
  readonly steadyMs: number;
  /** Between two attempts at most. */
  readonly maxPauseMs: number;
}

export const peerLinkTimings: PeerLinkTimings = {
  pingMs: 500,
  silentMs: 1_100,
  storelessMs: 2_500,
  abandonMs: 4_000,
  connectMs: 1_000,
  refusedTwiceMs: 200,
  steadyMs: 1_000,
  maxPauseMs: 500,
};

/** Bound of the first pause between two attempts. */
const firstPauseMs = 50;
/** When a process dies all others come back at once: not in the very same moment. */
const maxAtOnceMs = 20;

export interface PeerLinkOptions {
  readonly runtime: Runtime;
  readonly dialer: Dialer;
  readonly target: PeerTarget;
  readonly self: PeerSelf;
  readonly timings: PeerLinkTimings;
  readonly onUp: () => void;
  /** Told once for each problem, not at every attempt. */
  readonly onProblem: (what: string, error: unknown) => void;
}

/**
 * The connection of this session to one session of another broker: kept up, asked every half second whether the other side
 * lives, and opened again when it breaks. Its state is evidence for the suspicion of brokers (`cluster/decide-suspicion.ts`),
 * and errs on one side: what is no answer of that session is silence, whoever it comes from.
 */
export class PeerLink implements Service {
  readonly id: string;
  readonly target: PeerTarget;
  /** As this broker has introduced itself. */
  readonly self: PeerSelf;
  readonly #options: PeerLinkOptions;
  readonly #runtime: Runtime;
  readonly #running: RunningState;
  #connection: PeerConnection | undefined;
  /** When bytes of the other side last came, or when it was first looked for. */
  #heardMs: number;
  /** When the other side has last read the store, by our clock; `undefined`: it has not said. */
  #storeReadMs: number | undefined;
  #firstRefusalMs: number | undefined;
  #isRefusedTwice = false;
  #isSteady = false;
  #reported = '';
  #run: Promise<void> | undefined;

  /** @param heardMs when another session of ours has last heard of the target */
  constructor(options: PeerLinkOptions, heardMs?: number) {
    const { target, self, runtime, timings } = options;
    this.id = `peer-link ${target.id}`;
    this.target = target;
    this.self = self;
    this.#options = options;
    this.#runtime = runtime;
    this.#running = new RunningState(runtime, { initialMs: firstPauseMs, maxMs: timings.maxPauseMs });
    this.#heardMs = heardMs ?? runtime.monotonicMs();
  }

  get state(): Link {
    if (this.#isRefusedTwice) return { state: 'refused-twice' };
    const { silentMs, storelessMs } = this.#options.timings;
    const nowMs = this.#runtime.monotonicMs();
    if (this.#connection === undefined || nowMs - this.#heardMs > silentMs)
      return { state: 'down', sinceMs: this.#heardMs };
    const isStoreless = this.#storeReadMs !== undefined && nowMs - this.#storeReadMs > storelessMs;
    return isStoreless ? { state: 'storeless', sinceMs: this.#storeReadMs ?? nowMs } : { state: 'up' };
  }

  get heardMs(): number {
    return this.#heardMs;
  }

  /** This process stood still for a while: what it did not hear meanwhile says nothing of the other side. */
  excuse(forMs: number): void {
    const nowMs = this.#runtime.monotonicMs();
    this.#heardMs = Math.min(nowMs, this.#heardMs + forMs);
    if (this.#storeReadMs !== undefined) this.#storeReadMs = Math.min(nowMs, this.#storeReadMs + forMs);
  }

  run(): Promise<void> {
    this.#run = this.#keepUp();
    return this.#run;
  }

  async stop(): Promise<void> {
    const reason = new PeerError('lost', `broker ${this.target.id} is not a peer of this session any more`);
    this.#running.stop(reason);
    this.#connection?.close(reason);
    await Promise.allSettled([this.#run]);
  }

  /** @throws PeerError; the reason of the signal */
  async request<Request, Response>(
    method: PeerMethod<Request, Response>,
    request: Request,
    options: PeerRequestOptions,
  ): Promise<Response> {
    if (this.#connection === undefined)
      throw new PeerError('unreachable', `there is no connection to broker ${this.target.id} now`);
    return await this.#connection.request(method, request, options);
  }

  async #keepUp(): Promise<void> {
    while (this.#running.shouldRun()) {
      this.#isSteady = false;
      try {
        await this.#connected();
      } catch (error) {
        if (this.#running.shouldRun()) this.#note(error);
      }
      if (this.#running.shouldRun()) await this.#pause();
    }
  }

  /** Connects, and pings until the connection ends. */
  async #connected(): Promise<void> {
    const { dialer, timings, target, self } = this.#options;
    const connection = await PeerConnection.open({
      dialer,
      target,
      self,
      runtime: this.#runtime,
      timeoutMs: timings.connectMs,
      signal: this.#running.signal,
      onHeard: () => {
        this.#heardMs = this.#runtime.monotonicMs();
      },
      onStoreAge: (storeAgeMs) => {
        this.#storeReadMs = this.#runtime.monotonicMs() - storeAgeMs;
      },
    });
    this.#storeReadMs = undefined;
    this.#firstRefusalMs = undefined;
    this.#isRefusedTwice = false;
    this.#reported = '';
    this.#connection = connection;
    this.#options.onUp();
    const beganMs = this.#runtime.monotonicMs();
    const stopPinging = this.#ping(connection);
    const reason = await connection.ended;
    stopPinging();
    this.#connection = undefined;
    this.#isSteady = this.#runtime.monotonicMs() - beganMs >= timings.steadyMs;
    throw reason;
  }

  #ping(connection: PeerConnection): () => void {
    const { pingMs, abandonMs } = this.#options.timings;
    let cancel = (): void => undefined;
    const next = (): void => {
      if (this.#runtime.monotonicMs() - this.#heardMs > abandonMs) {
        const reason = new PeerError('lost', `broker ${this.target.id} has not answered for ${abandonMs} ms`);
        connection.close(reason);
        return;
      }
      connection.ping();
      cancel = this.#runtime.after(pingMs, next);
    };
    next();
    return () => {
      cancel();
    };
  }

  /** Once after a connection that has lasted at once; after a first refusal as soon as a second one counts. */
  async #pause(): Promise<void> {
    const { refusedTwiceMs } = this.#options.timings;
    if (this.#isSteady) {
      this.#running.resetBackoff();
      await this.#running.sleep(maxAtOnceMs * this.#runtime.random.fraction());
    } else if (this.#firstRefusalMs !== undefined && !this.#isRefusedTwice) {
      await this.#running.sleep(refusedTwiceMs);
    } else await this.#running.backoff();
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
}
