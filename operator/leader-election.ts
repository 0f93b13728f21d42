import type { Logger } from '../dataplane/runtime/logger.ts';
import { RunningState } from '../dataplane/runtime/running-state.ts';
import type { Cancel, Runtime } from '../dataplane/runtime/runtime.ts';
import type { Service } from '../dataplane/runtime/service.ts';
import { hasReason, LeadershipLostError } from './errors.ts';
import type { KubernetesApi, RequestOptions } from './kubernetes-api.ts';
import { keyOf } from './kubernetes-object.ts';
import { leases, microTime } from './lease.ts';
import type { Lease, LeaseSpec } from './lease.ts';
import type { OperatorMetrics } from './metrics.ts';

export interface LeaderElectionOptions {
  readonly api: Pick<KubernetesApi, 'find' | 'create' | 'replace'>;
  readonly runtime: Runtime;
  readonly logger: Logger;
  readonly metrics: OperatorMetrics;
  readonly namespace: string;
  /** Of the Lease. All candidates name the same one. */
  readonly name: string;
  /** Of this process, unlike that of every other one, also of one before it in the same pod. */
  readonly identity: string;
  /** Others may take the lease when they have seen no renewal for so long. Default: 15,000. */
  readonly leaseDurationMs?: number | undefined;
  /** A leader that could not renew for so long is none any more. Below `leaseDurationMs`. Default: 10,000. */
  readonly renewDeadlineMs?: number | undefined;
  /** Between attempts to acquire or renew. Default: 2,000. */
  readonly retryPeriodMs?: number | undefined;
}

type Role =
  | { readonly kind: 'candidate' }
  /** `untilMs`: by our monotonic clock; nobody else can have the lease before. */
  | { readonly kind: 'leader'; readonly untilMs: number; readonly lease: Lease }
  | { readonly kind: 'lost'; readonly why: string };

/**
 * At most one leader among the processes that use the same Lease object.
 *
 * The lease changes hands by compare-and-swap (`replace` with the resourceVersion that was read). A leader's time runs
 * from the moment *before* it sent the renewal that succeeded, a candidate's from the moment *after* it saw the last
 * change, both on their own monotonic clocks: the wall clocks in the Lease are for people. So a leader is over
 * `leaseDuration - renewDeadline` (5 s) before anybody else begins, as long as no clock runs half as fast again as another.
 *
 * That protects what asks {@link isLeader} right before it acts, also after the process stood still (SIGSTOP, a long
 * collection, a sleeping laptop): the clock has gone on meanwhile. A request that is on its way at that moment can still
 * arrive later; writes therefore carry preconditions or are idempotent (server-side apply), as everywhere.
 *
 * `run` resolves after `stop` and rejects with {@link LeadershipLostError} when a leader is none any more: the process has
 * to end then, because work that believes in its leadership may still be under way.
 */
export class LeaderElection implements Service {
  readonly id: string;
  readonly #options: LeaderElectionOptions;
  readonly #leaseDurationMs: number;
  readonly #renewDeadlineMs: number;
  readonly #retryPeriodMs: number;
  readonly #state: RunningState;
  /** Of writes: they end with `run`, not with `stop`, which lets one that is under way finish: the release builds on it. */
  readonly #writes = new AbortController();
  readonly #elected = Promise.withResolvers<void>();
  readonly #lost = Promise.withResolvers<never>();
  readonly #settled = Promise.withResolvers<void>();
  #hasRun = false;
  #role: Role = { kind: 'candidate' };
  #cancelDeadline: Cancel = () => {};
  /** The version of the Lease we saw last, and since when. */
  #seen: { readonly version: string; readonly atMs: number } | undefined;
  #holder: string | undefined;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
    this.#leaseDurationMs = options.leaseDurationMs ?? 15_000;
    this.#renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
    this.#retryPeriodMs = options.retryPeriodMs ?? 2_000;
    if (
      this.#leaseDurationMs <= this.#renewDeadlineMs ||
      this.#renewDeadlineMs <= this.#retryPeriodMs * 1.2
    ) {
      throw new RangeError(
        `leader election: leaseDurationMs ${this.#leaseDurationMs} > renewDeadlineMs ${this.#renewDeadlineMs} > 1.2 × retryPeriodMs ${this.#retryPeriodMs} must hold`,
      );
    }
    this.#state = new RunningState(options.runtime);
    this.id = `leader election of ${keyOf(options)}`;
    // Both are settled in their time, or nobody listens.
    this.#lost.promise.catch(() => undefined);
    options.metrics.beforeExpose(() => {
      const labels = { name: options.name };
      options.metrics.gauge('leader_election_master_status').set(labels, this.isLeader() ? 1 : 0);
    });
  }

  /** Whether this process may act. Ask right before each action. */
  isLeader(): boolean {
    return this.#role.kind === 'leader' && this.#options.runtime.monotonicMs() < this.#role.untilMs;
  }

  /** Resolves when this process becomes the leader; never, when it does not. */
  elected(): Promise<void> {
    return this.#elected.promise;
  }

  /** Who was last seen to hold the lease; empty: nobody, `undefined`: not known yet. */
  get holder(): string | undefined {
    return this.#holder;
  }

  async run(): Promise<void> {
    this.#hasRun = true;
    try {
      await Promise.race([this.#loop(), this.#lost.promise]);
    } finally {
      this.#cancelDeadline();
      this.#state.stop();
      this.#writes.abort(new Error(`${this.id} has ended`));
      this.#settled.resolve();
    }
  }

  /** Gives the lease back, where we have it, so that another one need not wait. Whatever acts as leader ends before. */
  async stop(): Promise<void> {
    this.#state.stop();
    if (this.#hasRun) await this.#settled.promise;
  }

  async #loop(): Promise<void> {
    while (this.#state.shouldRun()) {
      await this.#attempt();
      // Spread, so that candidates do not meet in each of their tries.
      await this.#state.sleep(this.#retryPeriodMs * (1 + 0.2 * this.#options.runtime.random.fraction()));
    }
    await this.#release();
  }

  /** One try to acquire or renew. Never rejects: a leader's time simply goes on. */
  async #attempt(): Promise<void> {
    try {
      await (this.#role.kind === 'leader' ? this.#renew(this.#role.lease) : this.#acquire());
    } catch (error) {
      if (!this.#state.shouldRun()) return;
      if (hasReason(error, 'Conflict', 'AlreadyExists', 'NotFound')) {
        // Somebody changed it: they have it, or our own last write arrived and its answer did not. Look at once.
        await this.#look();
        return;
      }
      const { logger, identity } = this.#options;
      logger.warn('the lease could not be read or written', { lease: keyOf(this.#options), identity, error });
    }
  }

  async #look(): Promise<void> {
    const { logger } = this.#options;
    try {
      await this.#acquire();
    } catch (error) {
      if (this.#state.shouldRun())
        logger.info('the lease changed while it was written', { lease: keyOf(this.#options), error });
    }
  }

  /** Reads the lease, and takes it when it is nobody's, ours, or has not been renewed for its whole duration. */
  async #acquire(): Promise<void> {
    const { api, identity } = this.#options;
    const lease = await api.find(leases, this.#options, this.#requestOptions(this.#state.signal));
    if (lease === undefined) {
      await this.#write(undefined);
      return;
    }
    const { version, atMs } = this.#observe(lease);
    const holder = lease.spec?.holderIdentity ?? '';
    if (this.#role.kind === 'leader' && holder !== identity) {
      this.#lose(`${holder === '' ? 'nobody' : holder} holds the lease at version ${version}`);
      return;
    }
    const durationMs = (lease.spec?.leaseDurationSeconds ?? 0) * 1000;
    const isFree = holder === '' || this.#options.runtime.monotonicMs() >= atMs + durationMs;
    if (isFree || holder === identity) await this.#write(lease);
  }

  /** Without reading: nobody but us writes it, or the version does not match. */
  async #renew(lease: Lease): Promise<void> {
    await this.#write(lease);
  }

  async #write(before: Lease | undefined): Promise<void> {
    const { api, runtime, namespace, name, identity } = this.#options;
    const sentAtMs = runtime.monotonicMs();
    const spec = this.#specAfter(before?.spec);
    const options = this.#requestOptions(this.#writes.signal);
    const written =
      before === undefined
        ? await api.create(
            leases,
            { apiVersion: leases.apiVersion, kind: leases.kind, metadata: { namespace, name }, spec },
            options,
          )
        : await api.replace(leases, { ...before, spec }, options);
    this.#observe(written);
    this.#lead(written, sentAtMs + this.#renewDeadlineMs, identity);
  }

  #specAfter(before: LeaseSpec | undefined): LeaseSpec {
    const { runtime, identity } = this.#options;
    const now = microTime(runtime.wallMs());
    const isOurs = before?.holderIdentity === identity;
    const transitions = before?.leaseTransitions ?? 0;
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(this.#leaseDurationMs / 1000),
      acquireTime: isOurs ? before.acquireTime : now,
      renewTime: now,
      leaseTransitions: isOurs || before === undefined ? transitions : transitions + 1,
    };
  }

  #lead(lease: Lease, untilMs: number, identity: string): void {
    if (this.#role.kind === 'lost') return;
    const { runtime, logger } = this.#options;
    const wasLeader = this.#role.kind === 'leader';
    const leftMs = untilMs - runtime.monotonicMs();
    // The process stood still between the request and its answer: the lease is ours, but its time is over. Once more.
    if (leftMs <= 0 && !wasLeader) return;
    this.#role = { kind: 'leader', untilMs, lease };
    this.#cancelDeadline();
    this.#cancelDeadline = runtime.after(Math.max(0, leftMs), () =>
      this.#lose(`it could not be renewed for ${this.#renewDeadlineMs} ms`),
    );
    if (wasLeader) return;
    logger.info('this process is the leader', { lease: keyOf(this.#options), identity });
    this.#elected.resolve();
  }

  #lose(why: string): void {
    if (this.#role.kind !== 'leader') return;
    this.#role = { kind: 'lost', why };
    this.#lost.reject(
      new LeadershipLostError(`${this.#options.identity} lost the lease ${keyOf(this.#options)}: ${why}`),
    );
  }

  /** Best effort: where it fails, the others wait for the lease to run out. Another's lease has another version. */
  async #release(): Promise<void> {
    if (this.#role.kind !== 'leader') return;
    const { api, logger } = this.#options;
    const { lease } = this.#role;
    this.#role = { kind: 'candidate' };
    const now = microTime(this.#options.runtime.wallMs());
    const spec: LeaseSpec = {
      ...lease.spec,
      holderIdentity: '',
      leaseDurationSeconds: 1,
      acquireTime: now,
      renewTime: now,
    };
    try {
      await api.replace(leases, { ...lease, spec }, { timeoutMs: this.#renewDeadlineMs / 2 });
    } catch (error) {
      logger.warn('the lease could not be given back', { lease: keyOf(this.#options), error });
    }
  }

  #observe(lease: Lease): { readonly version: string; readonly atMs: number } {
    const version = lease.metadata.resourceVersion ?? '';
    if (this.#seen?.version !== version) this.#seen = { version, atMs: this.#options.runtime.monotonicMs() };
    const holder = lease.spec?.holderIdentity ?? '';
    if (holder !== this.#holder) {
      this.#holder = holder;
      this.#options.logger.info('the lease has a holder', { lease: keyOf(this.#options), holder });
    }
    return this.#seen;
  }

  /** Short enough that two tries fit into the time a leader has. */
  #requestOptions(signal: AbortSignal): RequestOptions {
    return { timeoutMs: this.#renewDeadlineMs / 2, signal };
  }
}
