import { RunningState } from '../runtime/running-state.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Service } from '../runtime/service.ts';
import type { ClusterClient } from './cluster-client.ts';
import type { ClusterState } from './cluster-state.ts';
import { clusterConfigOf } from './config/cluster-configs.ts';
import type { GroupLoads } from './group-loads.ts';
import {
  handoversUnderWay,
  lostZones,
  noPlacementMemory,
  placementTimings,
  steadyBrokers,
  watchPlacement,
} from './placement-memory.ts';
import type { PlacementMemory, PlacementTimings } from './placement-memory.ts';
import { applyPlan, planPlacement } from './plan-placement.ts';
import type { PlacementPlan } from './plan-placement.ts';
import { RememberedLoads } from './remembered-loads.ts';

export interface PlacementWorkOptions {
  readonly client: ClusterClient;
  readonly runtime: Runtime;
  /** This broker's id; its session is the client's. */
  readonly id: number;
  /** What the groups of all brokers take, as far as it is known. */
  readonly loads: () => Promise<GroupLoads>;
  readonly timings?: Partial<PlacementTimings> | undefined;
  /** How often it is asked whether something has to move. Default 5000. */
  readonly intervalMs?: number | undefined;
  /** How many hand-overs may be under way for the next ones to begin. Default 10. */
  readonly maxUnderWay?: number | undefined;
  /** A plan was carried out: its moves are hand-overs that have begun. */
  readonly onPlan: (plan: PlacementPlan) => void;
  /** Something went wrong that is tried again. */
  readonly onProblem: (what: string, error: unknown) => void;
}

/** Of a large cluster a decision takes a moment in which nothing else is done: at most this share of the time. */
const maxShareOfTime = 0.02;
const maxIntervalMs = 20_000;

/**
 * Moves partition groups where they belong (`planPlacement`), gracefully and a few at a time.
 *
 * Of the brokers that are alive the one with the lowest id does it; the others watch, so that any of them can go on. That
 * is for peace only, no election: when two believe it of themselves, each computes its moves anew from the state that its
 * compare-and-swap finds, hand-overs that the other has begun included. Whoever loses that race has moved nothing.
 */
export class PlacementWork implements Service {
  readonly id = 'placement';
  readonly #options: PlacementWorkOptions;
  readonly #timings: PlacementTimings;
  readonly #intervalMs: number;
  readonly #running: RunningState;
  readonly #loads = new RememberedLoads();
  #memory: PlacementMemory = noPlacementMemory;
  #run: Promise<void> | undefined;

  constructor(options: PlacementWorkOptions) {
    this.#options = options;
    this.#timings = { ...placementTimings, ...options.timings };
    this.#intervalMs = options.intervalMs ?? 5_000;
    this.#running = new RunningState(options.runtime);
  }

  run(): Promise<void> {
    this.#run = this.#work();
    return this.#run;
  }

  async stop(): Promise<void> {
    this.#running.stop();
    await Promise.allSettled([this.#run]);
  }

  async #work(): Promise<void> {
    const { runtime, onProblem } = this.#options;
    let intervalMs = this.#intervalMs;
    while (this.#running.shouldRun()) {
      // Not all brokers of a cluster at the same moment.
      await this.#running.sleep(intervalMs * (0.75 + 0.5 * runtime.random.fraction()));
      if (!this.#running.shouldRun()) break;
      try {
        const tookMs = await this.#round();
        intervalMs = Math.max(this.#intervalMs, Math.min(maxIntervalMs, tookMs / maxShareOfTime));
      } catch (error) {
        if (this.#running.shouldRun())
          onProblem('partition groups could not be moved where they belong', error);
      }
    }
  }

  /** Resolves with how long deciding took. */
  async #round(): Promise<number> {
    const { client, runtime, onPlan } = this.#options;
    const { current, readAtMs } = client;
    if (current === undefined || readAtMs === undefined) return 0;
    this.#memory = watchPlacement(this.#memory, current, readAtMs);
    if (!this.#acts(current)) return 0;
    const loads = await this.#knownLoads();
    const state = client.current ?? current;
    const beganMs = runtime.monotonicMs();
    let plan = this.#plan(state, loads);
    const tookMs = runtime.monotonicMs() - beganMs;
    if (isEmpty(plan) || !this.#running.shouldRun()) return tookMs;
    const outcome = await client.change(
      (now) => {
        if (now !== state) plan = this.#acts(now) ? this.#plan(now, loads) : nothing;
        return isEmpty(plan) ? now : applyPlan(now, plan);
      },
      { signal: this.#running.signal },
    );
    if (outcome.kind === 'applied') onPlan(plan);
    return tookMs;
  }

  #acts(state: ClusterState): boolean {
    const { id, client } = this.#options;
    if (state.brokers.get(id)?.sid !== client.sid) return false;
    const alive = [...state.brokers].filter(([, broker]) => broker.state === 'alive');
    return alive.length > 0 && Math.min(...alive.map(([other]) => other)) === id;
  }

  /** `undefined`: not now. Then nothing is evened out. */
  async #knownLoads(): Promise<GroupLoads | undefined> {
    const { loads, runtime, onProblem } = this.#options;
    try {
      return this.#loads.update(await loads(), runtime.monotonicMs());
    } catch (error) {
      if (this.#running.shouldRun()) onProblem('the loads of partition groups are not known', error);
      return undefined;
    }
  }

  #plan(state: ClusterState, loads: GroupLoads | undefined): PlacementPlan {
    const memory = this.#memory;
    const { maxUnderWay = 10 } = this.#options;
    const lostAfterMs = clusterConfigOf(state.configs)['firn.zone.lost.after.ms'];
    const isOperators = state.placedBy === 'operator';
    return planPlacement(state, {
      steady: steadyBrokers(state, memory, this.#timings),
      lostZones: lostZones(memory, lostAfterMs),
      loads,
      isWithheld: {
        balance: isOperators || loads === undefined,
        home: (topicId) => isOperators && !this.#hasStrayedLong(topicId),
      },
      maxMoves: Math.max(0, maxUnderWay - handoversUnderWay(state, memory, this.#timings)),
    });
  }

  #hasStrayedLong(topicId: string): boolean {
    const { strayedSinceMs, readAtMs } = this.#memory;
    const sinceMs = strayedSinceMs.get(topicId);
    return sinceMs !== undefined && readAtMs - sinceMs >= this.#timings.strayAfterMs;
  }
}

const nothing: PlacementPlan = { homes: [], moves: [] };

function isEmpty({ homes, moves }: PlacementPlan): boolean {
  return homes.length + moves.length === 0;
}
