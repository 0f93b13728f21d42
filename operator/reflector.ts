import { inBackground } from '../dataplane/runtime/in-background.ts';
import type { Logger } from '../dataplane/runtime/logger.ts';
import { RunningState } from '../dataplane/runtime/running-state.ts';
import type { BackoffOptions } from '../dataplane/runtime/running-state.ts';
import type { Runtime } from '../dataplane/runtime/runtime.ts';
import type { Service } from '../dataplane/runtime/service.ts';
import { ApiError, hasReason, isExpired } from './errors.ts';
import type { KubernetesApi, Selection, WatchEvent } from './kubernetes-api.ts';
import { keyOf, qualifiedName } from './kubernetes-object.ts';
import type { KubernetesObject, ResourceType } from './kubernetes-object.ts';
import type { OperatorMetrics } from './metrics.ts';
import { ObjectCache } from './object-cache.ts';
import type { ObjectChange, ObjectView } from './object-cache.ts';
import { listAll } from './paged-list.ts';
import { isNotNewer } from './resource-version.ts';

/** What told of a change: somebody changed the object just now (`watch`), or it was found when looking (`list`, `audit`). */
export type ChangeSource = 'watch' | 'list' | 'audit';

/** Called for every change, in order; the cache shows it already, or what has come after it. Must not throw. */
export type ChangeListener<T> = (change: ObjectChange<T>, source: ChangeSource) => void;

export interface ReflectorOptions<T extends KubernetesObject> {
  readonly api: Pick<KubernetesApi, 'list' | 'watch'>;
  readonly type: ResourceType<T>;
  readonly selection?: Selection | undefined;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly metrics: OperatorMetrics;
  readonly onChange: ChangeListener<T>;
  /** Objects a page of a list. Default: 500. */
  readonly pageSize?: number | undefined;
  /** The whole of one page. Default: 60,000. */
  readonly listTimeoutMs?: number | undefined;
  /** A watch lives for a random time between this and twice as long. Default: 300,000, as in client-go. */
  readonly watchTimeoutMs?: number | undefined;
  /**
   * A watch on which nothing came for so long is taken for dead. Default: 90,000. Must be above the interval of the API
   * server's bookmarks, which is 60 s.
   */
  readonly idleMs?: number | undefined;
  /** How often the cache is compared with what the API server has. Default: 900,000. */
  readonly auditMs?: number | undefined;
  /** Between tries after failures. Default: 500 ms, doubling to 30 s. */
  readonly backoff?: BackoffOptions | undefined;
}

/** So many watches in a row that brought neither event nor bookmark: perhaps the server does not know our position. */
const maxSilentWatches = 3;

/**
 * Keeps a cache of one kind of objects equal to what the API server has, for as long as the process lives.
 *
 * ```
 *            ┌───────────── expired, ERROR event, malformed, silent ◀──────────┐
 *            ▼                                                                 │
 *   list all pages ──▶ watch from the list's resourceVersion ──▶ event: cache, then listener
 *            ▲            ▲      │                        │
 *            │            │      ├─ ended, cut, idle: from the last position ────▶ (again)
 *            │            │      └─ audit is due: list at exactly the position, compare
 *            └── (again)  └──────────── every failure waits: jittered, doubling ◀┘
 * ```
 *
 * Whatever the way to the server does, the cache ends up right: an event that comes twice or late is recognised by its
 * resourceVersion and ignored; one that never comes is found by the next audit, which compares with the state at exactly
 * the position the watch has reached, so that every difference is a missed event. Until then the cache is behind, and
 * {@link stalenessMs} says by how much it may be, except for such missed events.
 *
 * `run` never rejects.
 */
export class Reflector<T extends KubernetesObject> implements Service {
  readonly id: string;
  readonly #options: ReflectorOptions<T>;
  readonly #resource: string;
  readonly #state: RunningState;
  readonly #cache = new ObjectCache<T>();
  readonly #firstList = Promise.withResolvers<void>();
  readonly #settled = Promise.withResolvers<void>();
  #hasRun = false;
  #hasSynced = false;
  /** The cache shows this state. `undefined`: list again. */
  #position: string | undefined;
  #listCause: 'start' | 'expired' | 'error' | 'silent' = 'start';
  #silentWatches = 0;
  #heardAtMs: number;
  #auditAtMs = Infinity;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#resource = qualifiedName(options.type);
    this.id = `reflector of ${this.#resource}`;
    this.#state = new RunningState(options.runtime, { initialMs: 500, maxMs: 30_000, ...options.backoff });
    this.#heardAtMs = options.runtime.monotonicMs();
    options.metrics.beforeExpose(() => {
      const labels = { resource: this.#resource };
      options.metrics.gauge('firn_watch_staleness_seconds').set(labels, this.stalenessMs() / 1000);
    });
  }

  get cache(): ObjectView<T> {
    return this.#cache;
  }

  /** The first list is complete: what is not in the cache does not exist, as far as is known. */
  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Resolves when {@link hasSynced}; never, when it is stopped before. */
  synced(): Promise<void> {
    return this.#firstList.promise;
  }

  /** How long ago the server last showed that the cache is up to date. A healthy watch is never above 75 s or so. */
  stalenessMs(): number {
    return this.#options.runtime.monotonicMs() - this.#heardAtMs;
  }

  async run(): Promise<void> {
    this.#hasRun = true;
    while (this.#state.shouldRun()) {
      try {
        await this.#step();
      } catch (error) {
        await this.#failed(error);
      }
    }
    this.#settled.resolve();
  }

  async stop(): Promise<void> {
    this.#state.stop();
    if (this.#hasRun) await this.#settled.promise;
  }

  async #step(): Promise<void> {
    const position = this.#position;
    if (position === undefined) await this.#list();
    else if (this.#options.runtime.monotonicMs() >= this.#auditAtMs) await this.#audit(position);
    else await this.#watch(position);
  }

  async #list(): Promise<void> {
    this.#countList(this.#listCause);
    const { items, resourceVersion } = await listAll(
      this.#options.api,
      this.#options.type,
      this.#listOptions(),
    );
    this.#position = resourceVersion;
    this.#silentWatches = 0;
    this.#heard();
    this.#scheduleAudit();
    this.#emit(this.#cache.replace(items.map(withoutManagedFields)), 'list');
    if (this.#hasSynced) return;
    this.#hasSynced = true;
    this.#firstList.resolve();
  }

  /** Everything that differs from the state at our very position is something that no event has told. */
  async #audit(position: string): Promise<void> {
    this.#countList('audit');
    try {
      const { api, type } = this.#options;
      const { items } = await listAll(api, type, { ...this.#listOptions(), exactly: position });
      this.#heard();
      this.#silentWatches = 0;
      this.#scheduleAudit();
      const changes = this.#cache.replace(items.map(withoutManagedFields));
      if (changes.length === 0) return;
      const labels = { resource: this.#resource };
      this.#options.metrics.counter('firn_watch_missed_events_total').inc(labels, changes.length);
      const facts = { resource: this.#resource, position, missed: changes.length };
      this.#options.logger.warn('an audit found changes that no watch had told of', facts);
      this.#emit(changes, 'audit');
    } catch (error) {
      if (isExpired(error)) throw error;
      // Anything else must not keep the watch from going on: the next audit comes soon.
      this.#scheduleAudit(0.1);
      throw error;
    }
  }

  async #watch(position: string): Promise<void> {
    const { api, type, selection, runtime, watchTimeoutMs = 300_000, idleMs = 90_000 } = this.#options;
    const beganMs = runtime.monotonicMs();
    const untilAuditMs = Math.max(1_000, this.#auditAtMs - beganMs);
    const timeoutMs = Math.min(watchTimeoutMs * (1 + runtime.random.fraction()), untilAuditMs);
    const { signal } = this.#state;
    this.#silentWatches++;
    const options = { ...selection, resourceVersion: position, timeoutMs, idleMs, signal };
    for await (const event of api.watch(type, options)) {
      this.#heard();
      this.#silentWatches = 0;
      this.#state.resetBackoff();
      this.#take(event);
    }
    const livedMs = runtime.monotonicMs() - beganMs;
    // A server, or a proxy, that ends every watch at once must not be asked without a pause.
    if (this.#silentWatches > 0 && livedMs < Math.min(1_000, timeoutMs / 2)) {
      const message = `the watch of ${this.#resource} was ended after ${Math.round(livedMs)} ms without an event`;
      throw new ApiError('Unreachable', message);
    }
    this.#state.resetBackoff();
    if (this.#silentWatches >= maxSilentWatches) this.#relist('silent');
  }

  #take(event: WatchEvent<T>): void {
    const version =
      event.type === 'BOOKMARK' ? event.resourceVersion : (event.object.metadata.resourceVersion ?? '');
    if (this.#position !== undefined && isNotNewer(version, this.#position)) {
      // A bookmark often repeats the position: it says that nothing has happened.
      if (event.type !== 'BOOKMARK') {
        this.#options.metrics.counter('firn_watch_duplicate_events_total').inc({ resource: this.#resource });
      }
      return;
    }
    this.#position = version;
    if (event.type === 'BOOKMARK') return;
    const changes =
      event.type === 'DELETED'
        ? this.#cache.delete(keyOf(event.object.metadata))
        : this.#cache.set(withoutManagedFields(event.object));
    this.#emit(changes, 'watch');
  }

  async #failed(error: unknown): Promise<void> {
    if (!this.#state.shouldRun()) return;
    const reason = error instanceof ApiError ? error.reason : 'Unknown';
    this.#options.metrics.counter('firn_watch_failures_total').inc({ resource: this.#resource, reason });
    const facts = { resource: this.#resource, reason, position: this.#position, error };
    // A cut connection is daily business; what lasts shows in the staleness.
    if (hasReason(error, 'Unreachable', 'NoAnswer', 'Expired', 'Gone', 'TooManyRequests')) {
      this.#options.logger.info('a list or watch failed and is tried again', facts);
    } else this.#options.logger.warn('a list or watch failed and is tried again', facts);

    if (this.#position !== undefined) {
      if (isExpired(error)) this.#relist('expired');
      // The connection says nothing of the position; every other answer puts it in doubt.
      else if (!hasReason(error, 'Unreachable', 'NoAnswer', 'TooManyRequests')) this.#relist('error');
      else if (this.#silentWatches >= maxSilentWatches) this.#relist('silent');
    }
    if (error instanceof ApiError && error.retryAfterMs !== undefined)
      await this.#state.sleep(error.retryAfterMs);
    await this.#state.backoff();
  }

  #relist(cause: 'expired' | 'error' | 'silent'): void {
    this.#position = undefined;
    this.#listCause = cause;
  }

  #emit(changes: readonly ObjectChange<T>[], source: ChangeSource): void {
    for (const change of changes) {
      try {
        this.#options.onChange(change, source);
      } catch (error) {
        // A bug: the change is in the cache and would never be told again. The process must not go on as if it had been.
        inBackground(Promise.reject(new Error('a listener of changes failed', { cause: error })));
      }
    }
  }

  #heard(): void {
    this.#heardAtMs = this.#options.runtime.monotonicMs();
  }

  /** Spread, so that the audits of many reflectors, in many processes, do not meet. */
  #scheduleAudit(share = 1): void {
    const { runtime, auditMs = 900_000 } = this.#options;
    this.#auditAtMs = runtime.monotonicMs() + auditMs * share * (0.8 + 0.4 * runtime.random.fraction());
  }

  #listOptions(): Selection & {
    readonly limit: number;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
  } {
    const { selection, pageSize = 500, listTimeoutMs = 60_000 } = this.#options;
    return { ...selection, limit: pageSize, timeoutMs: listTimeoutMs, signal: this.#state.signal };
  }

  #countList(cause: 'start' | 'expired' | 'error' | 'silent' | 'audit'): void {
    this.#options.metrics.counter('firn_watch_lists_total').inc({ resource: this.#resource, cause });
  }
}

/** Who set which field: often more than the object itself, and nobody here reads it. */
function withoutManagedFields<T extends KubernetesObject>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata as T['metadata'] & { managedFields?: unknown };
  return { ...object, metadata };
}
