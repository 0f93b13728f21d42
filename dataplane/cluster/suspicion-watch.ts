import { RunningState } from '../runtime/running-state.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Service } from '../runtime/service.ts';
import { markDead } from './broker-changes.ts';
import type { Change, ChangeOutcome } from './change-batch.ts';
import type { ClusterClient } from './cluster-client.ts';
import { decideSuspicion, noSuspicionMemory, suspicionTimings, watchSuspicions } from './decide-suspicion.ts';
import type { Link, SuspicionAction, SuspicionMemory, SuspicionTimings } from './decide-suspicion.ts';
import { mintHexId } from './new-cluster.ts';
import { accuse, refute, withdraw } from './suspicion-changes.ts';

export interface SuspicionWatchOptions {
  readonly client: ClusterClient;
  readonly runtime: Runtime;
  /** This broker's id; its session is the client's. */
  readonly id: number;
  /** How this broker's connections to the others are at this moment. */
  readonly links: () => ReadonlyMap<number, Link>;
  readonly timings?: SuspicionTimings | undefined;
  /** How often it is asked whether there is something to do. Default 250. */
  readonly tickMs?: number | undefined;
  /** For logs: what was done and what came of it; an error when it was not found out. */
  readonly onAction?: ((action: SuspicionAction, result: ChangeOutcome | Error) => void) | undefined;
}

/**
 * Carries out `decideSuspicion` for one broker: accuses, confirms, refutes, takes back and, in the end, declares dead.
 * The client must be running: its polls are the time that counts against an accused. While one of this broker's own
 * accusations stands it reads at every tick, so that the verdict is not a poll late.
 */
export class SuspicionWatch implements Service {
  readonly id = 'suspicion-watch';
  readonly #options: SuspicionWatchOptions;
  readonly #timings: SuspicionTimings;
  readonly #running: RunningState;
  #memory: SuspicionMemory = noSuspicionMemory;
  #run: Promise<void> | undefined;

  constructor(options: SuspicionWatchOptions) {
    this.#options = options;
    this.#timings = options.timings ?? suspicionTimings;
    this.#running = new RunningState(options.runtime);
  }

  run(): Promise<void> {
    this.#run = this.#watch();
    return this.#run;
  }

  async stop(): Promise<void> {
    this.#running.stop();
    await Promise.allSettled([this.#run]);
  }

  async #watch(): Promise<void> {
    while (this.#running.shouldRun()) {
      if (this.#accusesSomebody()) await this.#refresh();
      for (const action of this.#decide()) {
        if (!this.#running.shouldRun()) break;
        await this.#carryOut(action);
      }
      await this.#running.sleep(this.#options.tickMs ?? 250);
    }
  }

  #decide(): SuspicionAction[] {
    const { client, id, links, runtime } = this.#options;
    const { current, readAtMs, sid } = client;
    if (current === undefined || readAtMs === undefined) return [];
    this.#memory = watchSuspicions(this.#memory, current, readAtMs);
    return decideSuspicion(current, { id, sid }, links(), this.#memory, runtime.monotonicMs(), this.#timings);
  }

  #accusesSomebody(): boolean {
    const { current, sid } = this.#options.client;
    return [...(current?.suspicions.values() ?? [])].some(({ accusations }) =>
      accusations.some(({ bySid }) => bySid === sid),
    );
  }

  async #carryOut(action: SuspicionAction): Promise<void> {
    const { client, onAction } = this.#options;
    if (action.kind === 'mark-dead') {
      await this.#refresh();
      const stands = this.#decide().some((now) => now.kind === 'mark-dead' && now.id === action.id);
      if (!stands) return;
    }
    try {
      const { signal } = this.#running;
      onAction?.(action, await client.change(this.#changeFor(action), { signal, urgent: true }));
    } catch (error) {
      if (this.#running.shouldRun())
        onAction?.(action, error instanceof Error ? error : new Error('failed', { cause: error }));
    }
  }

  #changeFor(action: SuspicionAction): Change {
    const { client, id, runtime } = this.#options;
    const by = { id, sid: client.sid };
    switch (action.kind) {
      case 'refute':
        return (state) => refute(state, by);
      case 'withdraw':
        return (state) => withdraw(state, { accused: action.id, by });
      case 'accuse': {
        const { refutations } = action;
        const accused = { id: action.id, sid: action.sid };
        const nonce = mintHexId(runtime.random);
        const atMs = Math.trunc(runtime.wallMs());
        return (state) => accuse(state, { accused, by, nonce, atMs, refutations });
      }
      case 'mark-dead':
        return (state) => markDead(state, { id: action.id, sid: action.sid, by, evidence: action.evidence });
    }
  }

  /** A failure shows in the age of what is known, and the client's polls report it. */
  async #refresh(): Promise<void> {
    const { client } = this.#options;
    await client.refresh(this.#running.signal).catch(() => undefined);
  }
}
