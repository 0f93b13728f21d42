import type { ClusterState } from '../../cluster/cluster-state.ts';
import type { Link } from '../../cluster/decide-suspicion.ts';
import { inBackground } from '../../runtime/in-background.ts';
import { RunningState } from '../../runtime/running-state.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Service } from '../../runtime/service.ts';
import type { Dialer } from '../net/dialer.ts';
import { PeerError } from './peer-error.ts';
import type { PeerHello } from './peer-hello.ts';
import { PeerLink, peerLinkTimings } from './peer-link.ts';
import type { PeerLinkTimings, PeerRequestOptions } from './peer-link.ts';
import type { PeerMethod } from './peer-method.ts';

export interface PeersOptions {
  readonly runtime: Runtime;
  readonly dialer: Dialer;
  /** This broker as it introduces itself; `undefined` while it has no session. */
  readonly self: () => Pick<PeerHello, 'clusterId' | 'id' | 'sid'> | undefined;
  readonly timings?: PeerLinkTimings | undefined;
  /** A connection to another broker has come up. */
  readonly onUp?: ((brokerId: number) => void) | undefined;
  readonly onRequest?: ((method: string, outcome: 'answered' | 'failed') => void) | undefined;
  readonly onProblem: (what: string, error: unknown) => void;
}

/** How often it is looked whether this process stands still. */
const tickMs = 250;
/** A tick that comes so late says that it did. */
const standstillMs = 750;

/** One connection to each other broker that `meta/cluster` does not call dead. */
export class Peers implements Service {
  readonly id = 'peers';
  readonly #options: PeersOptions;
  readonly #running: RunningState;
  readonly #links = new Map<number, PeerLink>();
  #run: Promise<void> | undefined;
  /** When this process was last seen to run. */
  #ranMs: number;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#ranMs = options.runtime.monotonicMs();
    this.#running = new RunningState(options.runtime);
  }

  run(): Promise<void> {
    this.#run = this.#watchOurselves();
    return this.#run;
  }

  async stop(): Promise<void> {
    this.#running.stop();
    const links = [...this.#links.values()];
    this.#links.clear();
    await Promise.allSettled([this.#run, ...links.map((link) => link.stop())]);
  }

  /** Call with every state of the cluster. */
  follow(state: ClusterState): void {
    const self = this.#options.self();
    if (self === undefined || !this.#running.shouldRun()) return;
    for (const [id, link] of this.#links) {
      const entry = state.brokers.get(id);
      const { sid, address } = link.target;
      if (entry?.sid === sid && entry.address === address && entry.state !== 'dead') continue;
      this.#links.delete(id);
      inBackground(link.stop());
    }
    for (const [id, { sid, address, state: brokerState }] of state.brokers) {
      if (id === self.id || brokerState === 'dead' || this.#links.has(id)) continue;
      const { runtime, dialer, timings = peerLinkTimings, onUp, onProblem } = this.#options;
      const link = new PeerLink({
        runtime,
        dialer,
        target: { id, sid, address },
        self: this.#options.self,
        timings,
        onUp: () => onUp?.(id),
        onProblem,
      });
      this.#links.set(id, link);
      inBackground(link.run());
    }
  }

  /** How the connections to the others are at this moment. */
  links(): ReadonlyMap<number, Link> {
    this.#excuseStandstill();
    return new Map(Array.from(this.#links, ([id, link]) => [id, link.state]));
  }

  /** Those that can be asked now. */
  get reachable(): readonly number[] {
    return [...this.#links].flatMap(([id, { state }]) => (state.state === 'up' ? [id] : []));
  }

  /**
   * Asks another broker something.
   *
   * @throws PeerError; what the signal was aborted with
   */
  async request<Request, Response>(
    brokerId: number,
    method: PeerMethod<Request, Response>,
    request: Request,
    options: PeerRequestOptions,
  ): Promise<Response> {
    const link = this.#links.get(brokerId);
    try {
      if (link === undefined)
        throw new PeerError('unreachable', `broker ${brokerId} is dead, or was never there`);
      const response = await link.request(method, request, options);
      this.#options.onRequest?.(method.name, 'answered');
      return response;
    } catch (error) {
      this.#options.onRequest?.(method.name, 'failed');
      throw error;
    }
  }

  /** Who has stood still (a stopped process, a sleeping machine) must not take everybody else for silent. */
  async #watchOurselves(): Promise<void> {
    while (this.#running.shouldRun()) {
      await this.#running.sleep(tickMs);
      this.#excuseStandstill();
    }
  }

  /** Also before every judgement: whoever asks may come before the tick does. */
  #excuseStandstill(): void {
    const nowMs = this.#options.runtime.monotonicMs();
    const stoodMs = nowMs - this.#ranMs;
    this.#ranMs = nowMs;
    if (stoodMs > standstillMs) for (const link of this.#links.values()) link.excuse(stoodMs);
  }
}
