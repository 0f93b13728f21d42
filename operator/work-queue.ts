import { inBackground } from '../dataplane/runtime/in-background.ts';
import type { Logger } from '../dataplane/runtime/logger.ts';
import type { Cancel, Runtime } from '../dataplane/runtime/runtime.ts';
import type { Service } from '../dataplane/runtime/service.ts';
import type { OperatorMetrics } from './metrics.ts';

/** `high`: something changed. `low`: a look to be sure (after a start, an audit, a regular check): it must not delay changes. */
export const priorities = ['high', 'low'] as const;

export type Priority = (typeof priorities)[number];

export type WorkResult =
  /** All is as it should be. */
  | { readonly kind: 'done' }
  /** So far all went well; look again after this time. */
  | { readonly kind: 'again'; readonly afterMs: number }
  /** It failed, or somebody else was faster: again after a pause that doubles with each time in a row, and is at least `afterMs`. */
  | { readonly kind: 'retry'; readonly afterMs?: number | undefined };

export interface WorkQueueOptions {
  /** The label of its metrics. */
  readonly name: string;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly metrics: OperatorMetrics;
  /** Keys worked on at a time. Default 4. */
  readonly workers?: number | undefined;
  /** The bound of the first pause after a failure. Default 200. */
  readonly firstPauseMs?: number | undefined;
  /** Default 120,000. */
  readonly longestPauseMs?: number | undefined;
  /**
   * The work. The signal aborts when the queue is stopped. A rejection counts as `retry` and is logged: results are for
   * what is expected to happen.
   */
  readonly work: (key: string, signal: AbortSignal) => Promise<WorkResult>;
}

interface Delayed {
  readonly atMs: number;
  readonly cancel: Cancel;
}

/** With every so many picks one of low priority comes first, so that a flood of changes does not starve it. */
const lowTurn = 8;

/**
 * Keys of objects that need work. Whatever happens:
 *
 * - one key is worked on at most once at a time;
 * - after each `add` a run of that key begins that did not see the world before the `add`: a key that is added while it
 *   is worked on runs once more afterwards, one that is added many times before its run begins runs once;
 * - a key that failed comes back by itself, later and later, until it succeeds; an `add` in the meantime runs it at once.
 *
 * Size: each key is held once, so it is bounded by the number of objects. Keys may be added before `run` and wait.
 */
export class WorkQueue implements Service {
  readonly id: string;
  readonly #options: WorkQueueOptions;
  readonly #workers: number;
  /** Since when, in order of arrival; a key is in one of the two at most. */
  readonly #waiting: Record<Priority, Map<string, number>> = { high: new Map(), low: new Map() };
  /** Since when. */
  readonly #running = new Map<string, number>();
  readonly #addedWhileRunning = new Map<string, Priority>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #failures = new Map<string, number>();
  readonly #stop = new AbortController();
  readonly #settled = Promise.withResolvers<void>();
  #isStarted = false;
  #picks = 0;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
    this.id = `work queue ${options.name}`;
    this.#workers = options.workers ?? 4;
    options.metrics.beforeExpose(() => this.#setGauges());
  }

  /** Keys that wait for a worker; not those that back off. */
  get depth(): number {
    return this.#waiting.high.size + this.#waiting.low.size;
  }

  /** Works on the key soon. After `stop` nothing happens. */
  add(key: string, priority: Priority = 'high'): void {
    if (this.#stop.signal.aborted) return;
    this.#cancelDelayed(key);
    if (this.#running.has(key)) {
      const before = this.#addedWhileRunning.get(key);
      this.#addedWhileRunning.set(key, before === 'high' ? 'high' : priority);
      return;
    }
    this.#enqueue(key, priority);
    this.#startWork();
  }

  /** Works on the key after `delayMs`, or before when it is added; with several delays the shortest counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#stop.signal.aborted) return;
    const { runtime } = this.#options;
    const atMs = runtime.monotonicMs() + delayMs;
    const before = this.#delayed.get(key);
    if (before !== undefined && before.atMs <= atMs) return;
    before?.cancel();
    const cancel = runtime.after(delayMs, () => {
      this.#delayed.delete(key);
      this.add(key, 'low');
    });
    this.#delayed.set(key, { atMs, cancel });
  }

  async run(): Promise<void> {
    this.#isStarted = true;
    if (this.#stop.signal.aborted) this.#settleWhenIdle();
    else this.#startWork();
    await this.#settled.promise;
  }

  /** Begins nothing more; resolves when what is under way, which is told by its signal, has ended. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error(`${this.id} was stopped`));
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    if (!this.#isStarted) return;
    this.#settleWhenIdle();
    await this.#settled.promise;
  }

  #enqueue(key: string, priority: Priority): void {
    const { high, low } = this.#waiting;
    if (high.has(key) || (low.has(key) && priority === 'low')) return;
    const { metrics, name, runtime } = this.#options;
    const sinceMs = low.get(key);
    low.delete(key);
    if (sinceMs === undefined) metrics.counter('workqueue_adds_total').inc({ name });
    this.#waiting[priority].set(key, sinceMs ?? runtime.monotonicMs());
  }

  #startWork(): void {
    while (this.#isStarted && !this.#stop.signal.aborted && this.#running.size < this.#workers) {
      const key = this.#take();
      if (key === undefined) return;
      inBackground(this.#work(key));
    }
  }

  #take(): string | undefined {
    const { high, low } = this.#waiting;
    const isLowTurn = this.#picks % lowTurn === lowTurn - 1;
    const first = isLowTurn && low.size > 0 ? low : high.size > 0 ? high : low;
    const [entry] = first;
    if (entry === undefined) return undefined;
    this.#picks++;
    const [key, sinceMs] = entry;
    first.delete(key);
    const nowMs = this.#options.runtime.monotonicMs();
    this.#running.set(key, nowMs);
    this.#observe('workqueue_queue_duration_seconds', nowMs - sinceMs);
    return key;
  }

  /** Never rejects. */
  async #work(key: string): Promise<void> {
    const { runtime, work, logger, name } = this.#options;
    const beganMs = runtime.monotonicMs();
    let result: WorkResult;
    try {
      result = await work(key, this.#stop.signal);
    } catch (error) {
      result = { kind: 'retry' };
      if (!this.#stop.signal.aborted)
        logger.error('work on an object broke off', { queue: name, key, error });
    }
    this.#observe('workqueue_work_duration_seconds', runtime.monotonicMs() - beganMs);
    this.#running.delete(key);
    if (this.#stop.signal.aborted) {
      this.#settleWhenIdle();
      return;
    }
    this.#schedule(key, result);
    this.#startWork();
  }

  /** What comes after a run. An `add` that came during it wins over every delay: that run did not see what it was about. */
  #schedule(key: string, result: WorkResult): void {
    const added = this.#addedWhileRunning.get(key);
    this.#addedWhileRunning.delete(key);
    const pauseMs = result.kind === 'retry' ? this.#nextPause(key) : 0;
    if (result.kind !== 'retry') this.#failures.delete(key);
    if (added !== undefined) {
      this.#cancelDelayed(key);
      this.#enqueue(key, added);
    } else if (result.kind === 'retry') this.addAfter(key, Math.max(pauseMs, result.afterMs ?? 0));
    else if (result.kind === 'again') this.addAfter(key, result.afterMs);
  }

  /** Between half and the whole of a bound that doubles, so that many who failed together do not come back together. */
  #nextPause(key: string): number {
    const { metrics, name, runtime, firstPauseMs = 200, longestPauseMs = 120_000 } = this.#options;
    metrics.counter('workqueue_retries_total').inc({ name });
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const boundMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures, 30));
    return boundMs * (0.5 + 0.5 * runtime.random.fraction());
  }

  #cancelDelayed(key: string): void {
    this.#delayed.get(key)?.cancel();
    this.#delayed.delete(key);
  }

  #settleWhenIdle(): void {
    if (this.#running.size === 0) this.#settled.resolve();
  }

  #observe(metric: 'workqueue_queue_duration_seconds' | 'workqueue_work_duration_seconds', ms: number): void {
    this.#options.metrics.histogram(metric).observe({ name: this.#options.name }, ms / 1000);
  }

  #setGauges(): void {
    const { metrics, name, runtime } = this.#options;
    for (const priority of priorities) {
      metrics.gauge('workqueue_depth').set({ name, priority }, this.#waiting[priority].size);
    }
    const nowMs = runtime.monotonicMs();
    const ages = [...this.#running.values()].map((sinceMs) => (nowMs - sinceMs) / 1000);
    const sum = ages.reduce((total, age) => total + age, 0);
    metrics.gauge('workqueue_unfinished_work_seconds').set({ name }, sum);
    metrics.gauge('workqueue_longest_running_processor_seconds').set({ name }, Math.max(0, ...ages));
  }
}
