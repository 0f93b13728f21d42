import { setBrokerState } from '../cluster/broker-changes.ts';
import { ChangeRefused } from '../cluster/change-refused.ts';
import { ClusterClient } from '../cluster/cluster-client.ts';
import type { ClusterState, Configs, FormatRange } from '../cluster/cluster-state.ts';
import { moveAway } from '../cluster/reassign.ts';
import { inBackground } from '../runtime/in-background.ts';
import type { Cancel, Runtime } from '../runtime/runtime.ts';
import { untilAborted } from '../store/body.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { AppendOptions, AppendResult } from './append.ts';
import { AppendBudget } from './append-budget.ts';
import { LogError } from './errors.ts';
import { formatVersion as ownFormatVersion } from './format/version.ts';
import { flushGroup } from './flush.ts';
import { HotCache } from './hot-cache.ts';
import { newLogCounters } from './log-context.ts';
import type { LogContext } from './log-context.ts';
import { LogSession } from './log-session.ts';
import { moveLogStart } from './log-start.ts';
import type { Served, ServingListener } from './served-groups.ts';
import type { LogOptions } from './options.ts';
import { defaultLogOptions } from './options.ts';
import type { ColdStore } from './read/cold-store.ts';
import type { EpochEnd } from './read/epoch-end.ts';
import { PartitionReader } from './read/partition-reader.ts';
import type { TimestampedOffset } from './read/timestamp-lookup.ts';
import type { ReadResult } from './read/partition-reader.ts';
import { WalSession } from './session.ts';
import { deleteOrphans } from './orphans.ts';
import { PeriodicWork } from './periodic-work.ts';
import { ProducerIdBlocks } from './producer-id-blocks.ts';
import { applyRetention, retentionLimits } from './retention.ts';
import type { RetentionHold } from './retention.ts';
import { ServingReport } from './serving-report.ts';
import type { BrokerIdentity, SessionReason } from './session-registration.ts';
import { SessionRegistration, newSid } from './session-registration.ts';
import { Sweeper } from './sweep.ts';
import { WalReader } from './wal-reader.ts';

export interface BrokerLogEnvironment {
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  readonly identity: BrokerIdentity;
  readonly options?: Partial<LogOptions> | undefined;
  readonly pollMs?: number | undefined;
  readonly supportedFormat?: FormatRange | undefined;
  /** What retention must not delete yet. Default: nothing. */
  readonly retentionHold?: RetentionHold | undefined;
  /** This process has changed `meta/cluster`: others learn of it with their next poll, or when they are told. */
  readonly onClusterChanged?: ((state: ClusterState) => void) | undefined;
  /** A group was released, for this generation of its assignment: its next owner may have it, and does not know yet. */
  readonly onReleased?: ((group: string, generation: number) => void) | undefined;
  /** Something went wrong that is retried. */
  readonly onProblem: (what: string, error: unknown) => void;
  /** This process must exit: its broker id belongs to another process now. */
  readonly onReplaced: (error: LogError) => void;
}

export interface LogMemory {
  /** Not in segments yet; at most `maxUnflushedBytes`. */
  readonly unflushedBytes: number;
  /** In segments, and kept for consumers close to the end; at most `hotCacheBytes`. */
  readonly hotBytes: number;
  /** Read from the store, and kept for other consumers; at most `coldCacheBytes`. */
  readonly coldBytes: number;
  /** Being read, or free for what will be; at most half of `coldCacheBytes`. */
  readonly readingBytes: number;
}

/**
 * The log of one broker process: everything a broker needs of the object store. It registers under its id, serves the
 * groups that `meta/cluster` assigns to it, and keeps nothing that the store does not have.
 */
export class BrokerLog {
  readonly cluster: ClusterClient;
  readonly context: LogContext;
  readonly budget: AppendBudget;
  /** For InitProducerId. */
  readonly producerIds: ProducerIdBlocks;
  readonly #environment: BrokerLogEnvironment;
  readonly #options: LogOptions;
  readonly #runtime: Runtime;
  readonly #hotCache: HotCache;
  readonly #reader: PartitionReader;
  readonly #stopped = new AbortController();
  readonly #sweeper: Sweeper;
  readonly #registration: SessionRegistration;
  readonly #report: ServingReport;
  readonly #periodic: PeriodicWork;
  readonly #servingListeners = new Set<ServingListener>();
  #log: LogSession | undefined;
  #objectSequence = 0;
  #draining = false;

  constructor(environment: BrokerLogEnvironment) {
    this.#environment = environment;
    this.#runtime = environment.runtime;
    this.#options = { ...defaultLogOptions, ...environment.options };
    this.budget = new AppendBudget({
      bytes: this.#options.maxUnflushedBytes,
      waitingBytes: this.#options.maxWaitingBytes,
      waitingCount: this.#options.maxWaitingAppends,
    });
    this.#hotCache = new HotCache(this.#options.hotCacheBytes);
    const { store, runtime, identity } = environment;
    this.context = {
      store,
      runtime,
      options: this.#options,
      wal: new WalReader(store),
      broker: { id: identity.id, zone: identity.zone },
      formatVersion: () => this.cluster.current?.formatVersion ?? ownFormatVersion,
      nextObjectSequence: () => this.#objectSequence++,
      flushed: (partition, blocks) => {
        this.#log?.flushed(blocks);
        this.#hotCache.add(partition, blocks);
      },
      trimmed: (partition) => {
        this.#hotCache.dropBelow(partition, partition.logStart);
      },
      gone: (group) => {
        for (const partition of group.partitions.values()) this.#hotCache.drop(partition);
      },
      counters: newLogCounters(),
    };
    this.#reader = new PartitionReader(this.context);
    this.#sweeper = new Sweeper(this.context);
    const { formatVersion } = this.context;
    this.producerIds = new ProducerIdBlocks({ store, runtime, formatVersion, signal: this.#stopped.signal });
    this.cluster = new ClusterClient({
      store,
      runtime,
      // Names this process in changes that are not made for a session.
      sid: newSid(runtime),
      pollMs: environment.pollMs,
      onPollFailure: (error) => {
        environment.onProblem('meta/cluster could not be read', error);
      },
      onChanged: environment.onClusterChanged,
    });
    const { cluster } = this;
    const { signal } = this.#stopped;
    const { onProblem, onReplaced, supportedFormat } = environment;
    this.#registration = new SessionRegistration({
      context: this.context,
      cluster,
      identity,
      supportedFormat,
      signal,
      onProblem,
      onReplaced,
    });
    const broker = (): { id: number; sid: string } | undefined =>
      this.sid === undefined ? undefined : { id: identity.id, sid: this.sid };
    this.#report = new ServingReport({ cluster, broker, signal, onProblem });
    this.#periodic = new PeriodicWork(runtime, (error) => {
      onProblem('housekeeping failed', error);
    });
  }

  /** What its records take in memory. For metrics. */
  get memory(): LogMemory {
    const { chunks, gate, memory } = this.#reader.cold;
    return {
      unflushedBytes: this.budget.usedBytes,
      hotBytes: this.#hotCache.sizeBytes,
      coldBytes: chunks.keptBytes,
      readingBytes: gate.insideBytes + memory.freeBytes,
    };
  }

  /** What was read from the store, for all readers of this process. */
  get cold(): ColdStore {
    return this.#reader.cold;
  }

  /** The current session's part; `undefined` while there is none. */
  get log(): LogSession | undefined {
    return this.#log;
  }

  get sid(): string | undefined {
    return this.#log?.session.sid;
  }

  /**
   * Tells from now on which partitions this broker begins and ceases to serve; those it serves already are told before
   * this returns. In calls that must not throw.
   */
  subscribeServing(listener: ServingListener): Cancel {
    this.#servingListeners.add(listener);
    for (const group of this.#log?.groups ?? [])
      for (const { topicId, partition } of group.partitions.values()) listener.serving(topicId, partition);
    return () => {
      this.#servingListeners.delete(listener);
    };
  }

  /** Registers this broker and begins to serve. Resolves when it is registered. */
  async start(): Promise<void> {
    inBackground(this.cluster.run());
    this.cluster.subscribe((state) => {
      this.#onClusterState(state);
    });
    await this.#openSession('start');
    this.#periodic.every(this.#options.housekeepingIntervalMs, () => {
      // Not waited for: what becomes due while many flushes are under way queues up behind them.
      if (this.#log !== undefined) inBackground(this.#log.flushDue());
      return undefined;
    });
    this.#periodic.every(this.#options.housekeepingIntervalMs, () => this.#log?.trim());
    this.#periodic.every(this.#options.retentionCheckIntervalMs, () => this.retain());
    this.#periodic.every(this.#options.sweepIntervalMs, () => this.sweep());
  }

  /**
   * Leaves on purpose, without a moment in which a group belongs to nobody who knows of it:
   *
   *  1. `meta/cluster` says that this broker is draining, and names the next owners of its groups, who wait;
   *  2. every group is flushed and released; as that is told in `meta/cluster`, its next owner goes on;
   *  3. the session ends with END;
   *  4. `meta/cluster` says that this broker is dead, so nobody has to find that out.
   *
   * Groups that no other broker can have stay assigned to this one, released, until some broker comes. Takes as long as
   * the store does; {@link stop} gives up, and what is left is then taken over as after a crash.
   */
  async drain(): Promise<void> {
    await this.#announce('draining');
    this.#draining = true;
    await this.#log?.drain();
    await this.#report.settled();
    await this.#announce('dead');
    await this.stop();
  }

  /** What cannot be told is left for the others to find out. */
  async #announce(to: 'draining' | 'dead'): Promise<void> {
    const { sid } = this;
    if (sid === undefined || this.#stopped.signal.aborted) return;
    const { id } = this.#environment.identity;
    const change = (state: ClusterState): ClusterState | ChangeRefused => {
      const told = setBrokerState(state, { id, sid, to });
      return told instanceof ChangeRefused || to === 'dead' ? told : moveAway(told, { id, sid });
    };
    try {
      await this.cluster.change(change, { signal: this.#stopped.signal });
    } catch (error) {
      if (!this.#stopped.signal.aborted)
        this.#environment.onProblem(`meta/cluster could not be told that broker ${id} is ${to}`, error);
    }
  }

  /** Stops at once, without handing over: what a crash does, but for the timers. */
  async stop(): Promise<void> {
    this.#draining = true;
    this.#stopped.abort(new LogError('SHUTTING_DOWN', 'the broker is shutting down'));
    this.#periodic.stop();
    this.#log?.session.close();
    await this.cluster.stop();
  }

  async #openSession(why: SessionReason): Promise<void> {
    const sid = await this.#registration.open(why);
    if (sid !== undefined) this.#startSession(sid);
  }

  #startSession(sid: string): void {
    const session = new WalSession({
      sid,
      store: this.#environment.store,
      runtime: this.#runtime,
      options: this.#options,
      formatVersion: this.context.formatVersion,
      onDeath: (error) => {
        this.#onDeath(sid, error);
      },
    });
    this.#log = new LogSession({
      session,
      context: this.context,
      budget: this.budget,
      refreshCluster: () => this.#refreshCluster(session.signal),
      serving: {
        serving: (topicId, partition) => {
          for (const listener of this.#servingListeners) listener.serving(topicId, partition);
        },
        lost: (topicId, partition) => {
          for (const listener of this.#servingListeners) listener.lost(topicId, partition);
        },
      },
      onServing: (group, generation) => {
        this.#report.serves(group, generation);
      },
      onReleased: (group, generation) => {
        this.#environment.onReleased?.(group, generation);
        this.#report.released(group, generation);
      },
      onDeleted: (group) => {
        this.#report.deleted(group);
      },
      onProblem: this.#environment.onProblem,
    });
    const { current } = this.cluster;
    if (current !== undefined) this.#onClusterState(current);
  }

  async #refreshCluster(signal: AbortSignal): Promise<ClusterState> {
    const state = await this.cluster.refresh(signal);
    if (state === undefined) throw new LogError('CORRUPT_LOG', 'meta/cluster has disappeared');
    return state;
  }

  #onDeath(sid: string, error: LogError): void {
    this.context.counters.sessionDeaths += 1;
    this.#hotCache.clear();
    this.#environment.onProblem(`session ${sid} died`, error);
    if (!this.#draining) inBackground(this.#openSession({ deadSid: sid }));
  }

  #onClusterState(state: ClusterState): void {
    const log = this.#log;
    if (log?.session.live !== true || this.#draining) return;
    const { id } = this.#environment.identity;
    const entry = state.brokers.get(id);
    if (entry === undefined || entry.sid !== log.session.sid) {
      if (state.applied.has(log.session.sid) || entry !== undefined)
        log.session.die(`broker ${id} has another session, ${entry?.sid ?? 'none'}, in meta/cluster`);
      return;
    }
    if (entry.state === 'dead') {
      log.session.die('meta/cluster says it is dead');
      return;
    }
    log.reconcile(state, id);
  }

  /** Applies retention to all owned groups; cleans up behind the previous owner of those that are new here. */
  async retain(): Promise<void> {
    const log = this.#log;
    if (log?.session.live !== true) return;
    const { current } = this.cluster;
    const topics = new Map<string, Configs>();
    for (const { topicId, configs } of current?.topics.values() ?? []) topics.set(topicId, configs);
    for (const group of log.groups) {
      const configs = topics.get(group.manifest.topicId);
      if (group.phase !== 'serving' || configs === undefined) continue;
      const work = group.exclusive(async () => {
        const limits = retentionLimits(configs, current?.configs ?? {});
        await applyRetention(group, limits, this.context, this.#environment.retentionHold);
        await group.discarded.delete(group.session.signal);
        if (group.isCleanedUp && group.discarded.takeCompleteness()) return;
        group.isCleanedUp = false;
        await deleteOrphans(group, this.context);
        group.isCleanedUp = true;
      });
      // One group's trouble must not keep the others' records for ever.
      await work.catch((error: unknown) => {
        if (log.session.live) this.#environment.onProblem(`retention of group ${group.id} failed`, error);
      });
    }
  }

  /** One sweep of dead sessions' slots. */
  async sweep(): Promise<void> {
    const log = this.#log;
    if (log?.session.live !== true) return;
    const { session } = log;
    await this.#sweeper.sweep({
      knownCluster: () => this.cluster.current,
      refreshCluster: () => this.#refreshCluster(session.signal),
      deadSession: (sid) => log.deadSession(sid),
      fencer: session.sid,
      signal: session.signal,
    });
  }

  /**
   * Appends whole record batches to a partition; resolves when they are durable. Offsets are given in the order of the
   * calls for a partition. The bytes belong to the log from the call on: it patches them in place and keeps them.
   *
   * Waits while {@link LogOptions.maxUnflushedBytes} are taken, or the group is being handed over; OVERLOADED when too
   * many wait already. `signal` ends that waiting only: after a rejection with its reason nothing has been appended. Once
   * admitted, an append is told its outcome whatever becomes of the signal; who must answer earlier stops listening.
   */
  append(
    topicId: string,
    partition: number,
    bytes: Uint8Array,
    options?: AppendOptions,
    signal?: AbortSignal,
  ): Promise<AppendResult> {
    const log = this.#log;
    if (log === undefined)
      return Promise.reject(new LogError('NOT_LEADER_OR_FOLLOWER', 'this broker has no session yet'));
    return log.append(topicId, partition, bytes, options, signal);
  }

  /**
   * Record batches from `offset` on, whole batches, the first of which contains it; empty at the high watermark.
   * OFFSET_OUT_OF_RANGE below the log start, and above the end once it is certain that the end is the end.
   */
  async read(
    topicId: string,
    partition: number,
    offset: number,
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<ReadResult> {
    const served = this.#served(topicId, partition);
    const { session } = served.group;
    if (session.confirmationAgeMs > this.#options.readConfirmationMs)
      await untilAborted(served.group.confirm(), signal);
    else if (session.confirmationAgeMs > this.#options.readConfirmationMs / 2)
      void session.confirm().catch(() => undefined);
    if (offset > served.partition.highWatermark) {
      await untilAborted(served.group.confirm(), signal);
      if (offset > served.partition.highWatermark) {
        throw new LogError(
          'OFFSET_OUT_OF_RANGE',
          `offset ${offset} of ${topicId}/${partition} is above the log end ${served.partition.highWatermark}`,
        );
      }
    }
    return this.#reader.read(served, offset, maxBytes, signal);
  }

  /** The offset after the last durable record. Confirmed: it includes all that any owner acknowledged before the call. */
  async endOffset(topicId: string, partition: number): Promise<number> {
    const served = this.#served(topicId, partition);
    await served.group.confirm();
    return served.partition.highWatermark;
  }

  /**
   * Kafka's DeleteRecords: moves the log start to `offset` (-1: the high watermark). Resolves with the new log start when
   * it is durable. Records that are not in segments yet are flushed first.
   */
  async deleteRecords(topicId: string, partition: number, offset: number): Promise<number> {
    const { group, partition: owned } = this.#served(topicId, partition);
    const target = offset === -1 ? owned.highWatermark : offset;
    // No answer for good by an owner that may have been replaced.
    if (target > owned.highWatermark) await group.confirm();
    if (!(target >= 0 && target <= owned.highWatermark)) {
      throw new LogError(
        'OFFSET_OUT_OF_RANGE',
        `records of ${topicId}/${partition} cannot be deleted up to ${target}: the high watermark is ${owned.highWatermark}`,
      );
    }
    await group.exclusive(async () => {
      if (target <= owned.logStart) return;
      if (target > group.partitionManifest(partition).segmentEnd) await flushGroup(group, this.context);
      await moveLogStart(group, new Map([[partition, target]]), this.context);
    });
    return owned.logStart;
  }

  /** ListOffsets by time: the first batch with a record at or after `timestampMs`; `undefined`: there is none. */
  async offsetForTimestamp(
    topicId: string,
    partition: number,
    timestampMs: number,
    signal?: AbortSignal,
  ): Promise<TimestampedOffset | undefined> {
    return this.#reader.offsetForTimestamp(this.#served(topicId, partition), timestampMs, signal);
  }

  /** Kafka's OffsetForLeaderEpoch: where the records of `epoch`, or of the last one before it with records, end. */
  async offsetForLeaderEpoch(
    topicId: string,
    partition: number,
    epoch: number,
    signal?: AbortSignal,
  ): Promise<EpochEnd | undefined> {
    return this.#reader.offsetForLeaderEpoch(this.#served(topicId, partition), epoch, signal);
  }

  startOffset(topicId: string, partition: number): number {
    return this.#served(topicId, partition).partition.logStart;
  }

  /** Its old owner says that it has released the group: a hint to look now. */
  released(group: string): void {
    this.#log?.released(group);
  }

  /** A partition that is served here; `undefined`: it is not. Asking for one that is being acquired lets it go first. */
  served(topicId: string, partition: number): Served | undefined {
    const served = this.#log?.served(topicId, partition);
    if (served === undefined) this.#log?.askFor(topicId, partition);
    return served;
  }

  #served(topicId: string, partition: number): Served {
    const served = this.#log?.served(topicId, partition);
    if (served === undefined) {
      this.#log?.askFor(topicId, partition);
      throw new LogError(
        'NOT_LEADER_OR_FOLLOWER',
        `this broker does not serve partition ${topicId}/${partition}`,
      );
    }
    return served;
  }
}
