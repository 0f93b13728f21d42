import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../dataplane/runtime/logger.ts';
import type { Runtime } from '../dataplane/runtime/runtime.ts';
import { transitions, updatedConditions } from './conditions.ts';
import type { Condition, ConditionUpdate } from './conditions.ts';
import { ApiError, hasReason } from './errors.ts';
import type { EventRecorder } from './events.ts';
import type { KubernetesObject } from './kubernetes-object.ts';
import type { OperatorMetrics } from './metrics.ts';
import { UnknownObservationError } from './observation.ts';
import { reasons } from './reasons.ts';
import type { Reason } from './reasons.ts';
import type { WorkResult } from './work-queue.ts';

/** One change to be made, and why. Discriminated by `kind`; `execute` switches over it exhaustively. */
export interface Action {
  readonly kind: string;
  readonly reason: Reason;
  /** What is changed and why, for events and logs. */
  readonly note: string;
}

export interface Plan<A extends Action> {
  /** In this order; the first failure ends them. Empty: nothing to do. */
  readonly actions: readonly A[];
  /** Look again after so long at the latest, for what no watch tells of. */
  readonly recheckAfterMs?: number | undefined;
}

export type Outcome<A extends Action> =
  | { readonly kind: 'converged' }
  /** All of them were carried out. What comes of them is seen in the next run. */
  | { readonly kind: 'acted'; readonly actions: readonly A[] }
  /** `action`: the one that failed; those before it in the plan were carried out. */
  | { readonly kind: 'failed'; readonly step: 'observe' | 'plan'; readonly error: unknown }
  | { readonly kind: 'failed'; readonly step: 'execute'; readonly action: A; readonly error: unknown };

export interface ObjectWithStatus extends KubernetesObject {
  readonly status?:
    | {
        readonly observedGeneration?: number | undefined;
        readonly conditions?: readonly Condition[] | undefined;
      }
    | undefined;
}

export interface DesiredStatus {
  readonly conditions: readonly ConditionUpdate[];
  /** The other fields of `status`, complete: what is not given is removed. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface CompleteStatus extends Readonly<Record<string, unknown>> {
  readonly observedGeneration: number;
  readonly conditions: readonly Condition[];
}

/** What makes one kind of objects what their specs ask for. */
export interface Controller<T extends ObjectWithStatus, Observed, A extends Action> {
  /** The label of metrics and log lines: `broker`. */
  readonly name: string;

  /** As the cache has it. `undefined`: it was deleted. */
  read(key: string): T | undefined;

  /**
   * All that the plan depends on. What may or may not exist comes as an `Observation`; rejecting means that nothing is
   * known, and then nothing is done.
   */
  observe(object: T, signal: AbortSignal): Promise<Observed>;

  /**
   * Pure. Empty when all is as it should be: a plan made from what its own actions lead to has no actions. What it must
   * know it asks with `known()`; what it can do without, it decides by the states of the `Observation`.
   */
  plan(object: T, observed: Observed, nowMs: number): Plan<A>;

  /** Carries out one action. May be repeated: the process can end anywhere, before or after its effect. */
  execute(action: A, object: T, signal: AbortSignal): Promise<void>;

  /** Pure. `observed` is missing when observing failed. */
  status(object: T, observed: Observed | undefined, outcome: Outcome<A>): DesiredStatus;

  /** Writes the status subresource by server-side apply. */
  writeStatus(object: T, status: CompleteStatus, signal: AbortSignal): Promise<unknown>;

  /** The object is gone: forget what is kept of it. */
  forget?(key: string): void;
}

export interface ReconcilerOptions {
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly metrics: OperatorMetrics;
  readonly events: EventRecorder;
  /** Asked before every write; false: this process is not the leader (any more), and nothing is written. */
  readonly mayWrite: () => boolean;
  /** The signal of a run aborts after so long. Default: 120,000. */
  readonly timeoutMs?: number | undefined;
  /** After actions, how soon to see what came of them, unless the plan says. Default: 2,000. */
  readonly settleMs?: number | undefined;
}

/**
 * One run over one object: observe → plan → execute → status. For `WorkQueue.work`, which sees to it that runs of one
 * object do not overlap.
 *
 * ```
 *   read ─▶ observe ─▶ plan ─▶ action, action, … ─▶ status, if it differs ─▶ events, for what has changed
 *     │gone     └─ failed ──┴──────── failed ─────────▲   (one write, whatever happened before)
 *     └─▶ done
 * ```
 *
 * A crash anywhere leaves the object to the next run, here or in another process: actions are repeatable, and everything
 * else is read anew. A conflict (somebody changed what we read) is no failure: the run is repeated, and neither status nor
 * log speaks of it.
 */
export class Reconciler<T extends ObjectWithStatus, Observed, A extends Action> {
  readonly #controller: Controller<T, Observed, A>;
  readonly #options: ReconcilerOptions;
  readonly #logger: Logger;

  constructor(controller: Controller<T, Observed, A>, options: ReconcilerOptions) {
    this.#controller = controller;
    this.#options = options;
    this.#logger = options.logger.child({ controller: controller.name });
  }

  /** Rejects only when the controller's pure parts fail, which is a bug, or the signal aborts. */
  async reconcile(key: string, signal: AbortSignal): Promise<WorkResult> {
    const { runtime, metrics, timeoutMs = 120_000 } = this.#options;
    const controller = this.#controller.name;
    const beganMs = runtime.monotonicMs();
    const limit = new AbortController();
    const cancel = runtime.after(timeoutMs, () =>
      limit.abort(new Error(`the reconciliation of ${controller} ${key} took longer than ${timeoutMs} ms`)),
    );
    const active = metrics.gauge('controller_runtime_active_workers');
    active.inc({ controller });
    let result: 'success' | 'error' | 'requeue' | 'requeue_after' = 'error';
    try {
      const work = await this.#run(key, AbortSignal.any([signal, limit.signal]));
      result = work.result;
      return work.next;
    } finally {
      cancel();
      active.dec({ controller });
      metrics.counter('controller_runtime_reconcile_total').inc({ controller, result });
      if (result === 'error')
        metrics.counter('controller_runtime_reconcile_errors_total').inc({ controller });
      const seconds = (runtime.monotonicMs() - beganMs) / 1000;
      metrics.histogram('controller_runtime_reconcile_time_seconds').observe({ controller }, seconds);
    }
  }

  async #run(
    key: string,
    signal: AbortSignal,
  ): Promise<{
    readonly result: 'success' | 'error' | 'requeue' | 'requeue_after';
    readonly next: WorkResult;
  }> {
    const object = this.#controller.read(key);
    if (object === undefined) {
      this.#controller.forget?.(key);
      return { result: 'success', next: { kind: 'done' } };
    }
    const { observed, plan, outcome } = await this.#body(object, signal);
    if (isOvertaken(outcome)) return { result: 'requeue', next: { kind: 'retry' } };
    if (outcome.kind === 'failed') this.#logFailure(key, outcome);

    const written = await this.#writeStatus(object, observed, outcome, signal);
    if (written === 'overtaken') return { result: 'requeue', next: { kind: 'retry' } };
    if (written === 'failed') return { result: 'error', next: { kind: 'retry' } };
    if (outcome.kind === 'failed') {
      return { result: 'error', next: { kind: 'retry', afterMs: retryAfterOf(outcome.error) } };
    }
    const { settleMs = 2_000 } = this.#options;
    const afterMs = plan?.recheckAfterMs ?? (outcome.kind === 'acted' ? settleMs : undefined);
    if (afterMs === undefined) return { result: 'success', next: { kind: 'done' } };
    return { result: 'requeue_after', next: { kind: 'again', afterMs } };
  }

  async #body(
    object: T,
    signal: AbortSignal,
  ): Promise<{
    readonly observed?: Observed | undefined;
    readonly plan?: Plan<A> | undefined;
    readonly outcome: Outcome<A>;
  }> {
    let observed: Observed;
    try {
      observed = await this.#controller.observe(object, signal);
    } catch (error) {
      return { outcome: { kind: 'failed', step: 'observe', error } };
    }
    let plan: Plan<A>;
    try {
      plan = this.#controller.plan(object, observed, this.#options.runtime.wallMs());
    } catch (error) {
      // `known()` met something that could not be seen: no bug, and nobody planned anything.
      const step = error instanceof UnknownObservationError ? 'observe' : 'plan';
      return { observed, outcome: { kind: 'failed', step, error } };
    }
    for (const action of plan.actions) {
      try {
        await this.#execute(action, object, signal);
      } catch (error) {
        return { observed, plan, outcome: { kind: 'failed', step: 'execute', action, error } };
      }
    }
    const { actions } = plan;
    return {
      observed,
      plan,
      outcome: actions.length === 0 ? { kind: 'converged' } : { kind: 'acted', actions },
    };
  }

  async #execute(action: A, object: T, signal: AbortSignal): Promise<void> {
    this.#requireLeadership();
    await this.#controller.execute(action, object, signal);
    const { kind, reason, note } = action;
    const labels = { controller: this.#controller.name, action: kind, reason };
    this.#options.metrics.counter('firn_reconcile_actions_total').inc(labels);
    this.#logger.info('changed something', { object: object.metadata.name, action: kind, reason, note });
    this.#options.events.record({ regarding: object, type: 'Normal', reason, action: kind, note });
  }

  /** Only when it says something new. Events come after it: an event for a status that was never written would come again. */
  async #writeStatus(
    object: T,
    observed: Observed | undefined,
    outcome: Outcome<A>,
    signal: AbortSignal,
  ): Promise<'written' | 'same' | 'gone' | 'overtaken' | 'failed'> {
    const desired = this.#controller.status(object, observed, outcome);
    const before = object.status?.conditions ?? [];
    const generation = object.metadata.generation ?? 0;
    const conditions = updatedConditions(before, desired.conditions, {
      generation,
      wallMs: this.#options.runtime.wallMs(),
    });
    const status: CompleteStatus = { ...desired.fields, observedGeneration: generation, conditions };
    if (isDeepStrictEqual(withoutUndefined(status), object.status)) return 'same';
    try {
      this.#requireLeadership();
      await this.#controller.writeStatus(object, status, signal);
    } catch (error) {
      if (hasReason(error, 'NotFound')) return 'gone';
      if (hasReason(error, 'Conflict')) return 'overtaken';
      this.#logger.warn('the status could not be written', { object: object.metadata.name, error });
      return 'failed';
    }
    for (const { type: action, reason, message: note } of transitions(before, conditions)) {
      const type = reasons[reason].isWarning ? 'Warning' : 'Normal';
      this.#options.events.record({ regarding: object, type, reason, action, note });
    }
    return 'written';
  }

  #requireLeadership(): void {
    if (this.#options.mayWrite()) return;
    throw new Error('this process is not the leader (any more): nothing is written');
  }

  #logFailure(key: string, outcome: Outcome<A> & { readonly kind: 'failed' }): void {
    const action = outcome.step === 'execute' ? outcome.action.kind : undefined;
    const facts = { key, step: outcome.step, action, error: outcome.error };
    if (outcome.step === 'plan') this.#logger.error('planning failed, which is a bug', facts);
    else this.#logger.warn('a reconciliation failed and is tried again', facts);
  }
}

function retryAfterOf(error: unknown): number | undefined {
  const cause = error instanceof UnknownObservationError ? error.cause : error;
  return cause instanceof ApiError ? cause.retryAfterMs : undefined;
}

function isOvertaken(outcome: Outcome<Action>): boolean {
  return outcome.kind === 'failed' && hasReason(outcome.error, 'Conflict');
}

/** As the API server gives it back: JSON knows no `undefined`. */
function withoutUndefined(status: CompleteStatus): unknown {
  return JSON.parse(JSON.stringify(status));
}
