import type { ClusterState } from '../../cluster/cluster-state.ts';
import type { Link } from '../../cluster/decide-suspicion.ts';
import { inBackground } from '../../runtime/in-background.ts';
import { RunningState } from '../../runtime/running-state.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Service } from '../../runtime/service.ts';
import type { Dialer } from '../net/dialer.ts';
import type { PeerRequestOptions } from './peer-connection.ts';
import { PeerError } from './peer-error.ts';
import type { PeerOutcome } from './peer-error.ts';
import type { PeerSelf } from './peer-hello.ts';
import { PeerLink, peerLinkTimings } from './peer-link.ts';
import type { PeerLinkTimings } from './peer-link.ts';
import type { PeerMethod } from './peer-method.ts';

export interface PeersOptions {
  readonly runtime: Runtime;
  readonly dialer: Dialer;
  /** This broker as it introduces itself; `undefined` while it has no session. */
  readonly self: () => PeerSelf | undefined;
  /** The newest state that is known. */
  readonly cluster: () => ClusterState | undefined;
  readonly timings?: PeerLinkTimings | undefined;
  /** A connection to another broker has come up. */
  readonly onUp?: ((brokerId: number) => void) | undefined;
  readonly onRequest?: ((method: string, outcome: PeerOutcome) => void) | undefined;
  readonly onProblem: (what: string, error: unknown) => void;
}

/** How often it is looked whether this process stands still, and whether it has another session. */
const tickMs = 250;
/** Nobody has looked for so long: the process stood still. */
const standstillMs = 750;

/** One connection to each other broker that `meta/cluster` does not call dead. */
export class Peers implements Service {
  readonly id = 'peers';
  readonly #options: PeersOptions;
  readonly #running: RunningState;
  readonly #links = new Map<number, PeerLink>();
  readonly #stopping = new Set<Promise<void>>();
  #followedSid: string | undefined;
  #awakeMs: number;
  #run: Promise<void> | undefined;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#running = new RunningState(options.runtime);
    this.#awakeMs = options.runtime.monotonicMs();
  }

  run(): Promise<void> {
    this.#run = this.#tick();
    return this.#run;
  }

  async stop(): Promise<void> {
    this.#running.stop();
    for (const id of this.#links.keys()) this.#end(id);
    await Promise.allSettled([this.#run, ...this.#stopping]);
  }

  /** Call when `meta/cluster` has changed. */
  follow(): void {
    const state = this.#options.cluster();
    const self = this.#options.self();
    if (self === undefined || state === undefined || !this.#running.shouldRun()) return;
    this.#followedSid = self.sid;
    for (const [id, { target }] of this.#links) {
      const entry = state.brokers.get(id);
      if (entry?.sid !== target.sid || entry.address !== target.address || entry.state === 'dead')
        this.#end(id);
    }
    for (const [id, { sid, address, state: brokerState }] of state.brokers) {
      if (id === self.id || brokerState === 'dead') continue;
      const known = this.#links.get(id);
      if (known?.self.sid === self.sid) continue;
      // Another session of ours: it introduces itself anew, and what is known of the other one stays.
      if (known !== undefined) this.#end(id);
      const { runtime, dialer, timings = peerLinkTimings, onProblem, onUp } = this.#options;
      const link = new PeerLink(
        {
          runtime,
          dialer,
          target: { id, sid, address },
          self,
          timings,
          onUp: () => onUp?.(id),
          onProblem: (what, error) => {
            // Who has said that it is about to end may do so.
            if (this.#options.cluster()?.brokers.get(id)?.state !== 'draining') onProblem(what, error);
          },
        },
        known?.heardMs,
      );
      this.#links.set(id, link);
      inBackground(link.run());
    }
  }

  /** How the connections to the others are at this moment. */
  links(): ReadonlyMap<number, Link> {
    this.#noteStandstill();
    return new Map(Array.from(this.#links, ([id, link]) => [id, link.state]));
  }

  /** Those that can be asked now. */
  get reachable(): readonly number[] {
    return [...this.#links].flatMap(
      ([
        id,
        {
          state: { state },
        },
      ]) => (state === 'up' || state === 'storeless' ? [id] : []),
    );
  }

  /**
   * Asks another broker something.
   *
   * @throws PeerError; the reason of the signal
   */
  async request<Request, Response>(
    brokerId: number,
    method: PeerMethod<Request, Response>,
    request: Request,
    options: PeerRequestOptions,
  ): Promise<Response> {
    const link = this.#links.get(brokerId);
    let outcome: PeerOutcome = 'abandoned';
    try {
      if (link === undefined)
        throw new PeerError('unreachable', `broker ${brokerId} is dead, or was never there`);
      const response = await link.request(method, request, options);
      outcome = 'answered';
      return response;
    } catch (error) {
      if (error instanceof PeerError) outcome = error.reason;
      throw error;
    } finally {
      this.#options.onRequest?.(method.name, outcome);
    }
  }

  #end(id: number): void {
    const link = this.#links.get(id);
    if (link === undefined) return;
    this.#links.delete(id);
    const stopping: Promise<void> = link.stop().then(() => {
      this.#stopping.delete(stopping);
    });
    this.#stopping.add(stopping);
    inBackground(stopping);
  }

  async #tick(): Promise<void> {
    while (this.#running.shouldRun()) {
      this.#noteStandstill();
      // A session begins after the change of `meta/cluster` that names it.
      if (this.#options.self()?.sid !== this.#followedSid) this.follow();
      await this.#running.sleep(tickMs);
    }
  }

  /**
   * Who has stood still (a stopped process, a sleeping machine) must not take everybody else for silent. Looked at before
   * links are judged too: which timer comes first after a standstill is not certain.
   */
  #noteStandstill(): void {
    const nowMs = this.#options.runtime.monotonicMs();
    const goneMs = nowMs - this.#awakeMs;
    this.#awakeMs = nowMs;
    if (goneMs > standstillMs) for (const link of this.#links.values()) link.excuse(goneMs);
  }
}
