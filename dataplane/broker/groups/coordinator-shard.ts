import { LogError } from '../../log/errors.ts';
import { inBackground } from '../../runtime/in-background.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { StoreError } from '../../store/errors.ts';
import type { TopicsView } from './topics-view.ts';
import type { CoordinatorLog } from './coordinator-log.ts';
import { GroupError, notCoordinator } from './errors.ts';
import { encodeGroupRecord } from './group-record.ts';
import { GroupRegistry } from './group-registry.ts';
import { GroupRequests } from './group-requests.ts';
import { CommittedOffsets } from './offsets/committed-offsets.ts';
import { Operation, Waiter } from './operation.ts';
import type { GroupOptions } from './options.ts';
import type { ShardContext } from './shard-context.ts';
import { loadShard } from './shard-loader.ts';
import { snapshotBatches, toBatch } from './snapshot.ts';
import { Timers } from './timers.ts';

export interface ShardEnvironment {
  readonly partition: number;
  readonly log: CoordinatorLog;
  readonly runtime: Runtime;
  readonly options: GroupOptions;
  readonly topics: () => TopicsView;
  /** The shard has closed itself: an append failed, or the code has a bug. What is in the log counts: load it again. */
  readonly onFailed: (error: unknown) => void;
}

/**
 * The groups of one partition of `__consumer_offsets`: a state machine that takes one step after the other.
 *
 * A write changes the state in memory at once, in the order in which requests arrive; what it has to remember is appended
 * as one batch, and the answer goes out when that, and whatever was appended before for the same group, is durable. When
 * an append fails nobody can tell what is in the log: the shard closes, everybody who waits is sent to ask for the
 * coordinator again, and the state is read from the log anew, if this broker still owns the partition.
 *
 * A read is answered from the state of its arrival, after that state has become durable and after the log has confirmed
 * that nobody else had taken over when it arrived (log.md P6). So answers never go backwards.
 */
export class CoordinatorShard {
  readonly partition: number;
  readonly groups: GroupRegistry;
  readonly offsets = new CommittedOffsets();
  readonly requests: GroupRequests;
  readonly #environment: ShardEnvironment;
  readonly #timers: Timers;
  readonly #waiters = new Set<Waiter<unknown>>();
  readonly #loading = new AbortController();
  /** By group: its last append that is not durable yet. Resolves also when the shard closes. */
  readonly #unsettled = new Map<string, Promise<void>>();
  /** All that are not settled yet. */
  readonly #pendingAppends = new Set<Promise<void>>();
  #lastAppend: Promise<void> = Promise.resolve();
  #phase: 'loading' | 'active' | 'closed' = 'loading';
  #bytesSinceSnapshot = 0;
  #snapshotBytes = 0;
  #snapshotNumber = 0;
  #isSnapshotting = false;

  constructor(environment: ShardEnvironment) {
    this.#environment = environment;
    this.partition = environment.partition;
    const { runtime, options } = environment;
    this.groups = new GroupRegistry(
      options.maxGroupsPerPartition,
      () => this.#snapshotBytes > options.maxStateBytes,
    );
    this.#timers = new Timers(runtime);
    const context: ShardContext = {
      runtime,
      options,
      groups: this.groups,
      offsets: this.offsets,
      topics: environment.topics,
      schedule: (key, groupId, delayMs, step) => {
        this.#timers.schedule(key, delayMs, () => {
          this.#run(groupId, step);
        });
      },
      isScheduled: (key) => this.#timers.has(key),
      unschedule: (key) => {
        this.#timers.cancel(key);
      },
    };
    this.requests = new GroupRequests(context);
  }

  get phase(): 'loading' | 'active' | 'closed' {
    return this.#phase;
  }

  /** Reads the state from the log. Call once. @throws LogError and what bytes that are no records make the codecs throw */
  async load(): Promise<void> {
    const { log, options } = this.#environment;
    const loaded = await loadShard(log, this.partition, this, {
      maxBytes: options.loadBufferBytes,
      signal: this.#loading.signal,
    });
    if (this.#phase !== 'loading') throw notCoordinator(this.partition);
    this.#bytesSinceSnapshot = loaded.bytesSinceSnapshot;
    this.#snapshotBytes = loaded.snapshotBytes;
    this.#snapshotNumber = loaded.lastSnapshotNumber;
    this.#phase = 'active';
    this.requests.resume();
    // The owner before may have got no further than the end of its snapshot.
    if (loaded.snapshotOffset !== undefined) inBackground(this.#dropBefore(loaded.snapshotOffset));
  }

  /** Runs `step` now; settles when its answer may be given. @throws GroupError */
  write<T>(groupId: string, step: (operation: Operation, waiter: Waiter<T>) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#requireActive();
      const waiter = new Waiter<T>({
        resolve,
        reject,
        onSettled: (settled) => this.#waiters.delete(settled as Waiter<unknown>),
      });
      this.#waiters.add(waiter as Waiter<unknown>);
      this.#run(groupId, (operation) => {
        try {
          step(operation, waiter);
        } catch (error) {
          if (!(error instanceof GroupError)) throw error;
          operation.refuse(waiter, error);
        }
      });
    });
  }

  /** A read of one group, or of all. @throws GroupError */
  async read<T>(groupId: string | undefined, query: (shard: CoordinatorShard) => T): Promise<T> {
    this.#requireActive();
    let result: () => T;
    try {
      const value = query(this);
      result = () => value;
    } catch (error) {
      result = () => {
        throw error;
      };
    }
    const durable = groupId === undefined ? this.#lastAppend : this.#unsettled.get(groupId);
    await Promise.all([durable, this.#confirm()]);
    if (this.#phase !== 'active') throw notCoordinator(this.partition);
    return result();
  }

  async #confirm(): Promise<void> {
    try {
      await this.#environment.log.endOffset(this.partition);
    } catch (error) {
      if (error instanceof LogError) throw notCoordinator(this.partition, error);
      throw error;
    }
  }

  /** Everybody who waits is told that this is not the coordinator. */
  close(cause?: unknown): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#timers.cancelAll();
    const error = notCoordinator(this.partition, cause);
    this.#loading.abort(error);
    for (const waiter of this.#waiters) waiter.reject(error);
  }

  /** Resolves when it is settled whether its appends are in the log: who loads the partition earlier may miss some. */
  async drained(): Promise<void> {
    await Promise.all(this.#pendingAppends);
  }

  #requireActive(): void {
    if (this.#phase === 'active') return;
    if (this.#phase === 'closed') throw notCoordinator(this.partition);
    throw new GroupError(
      'COORDINATOR_LOAD_IN_PROGRESS',
      `partition ${this.partition} of __consumer_offsets is being loaded: try again in a moment`,
    );
  }

  #run(groupId: string, step: (operation: Operation) => void): void {
    if (this.#phase !== 'active') return;
    const operation = new Operation();
    try {
      step(operation);
      if (operation.records.length > 0) this.#append(groupId, operation);
    } catch (error) {
      // A bug: the state may be half changed, the log is not.
      this.#fail(error);
      return;
    }
    const durable = this.#unsettled.get(groupId);
    if (durable === undefined) operation.giveAnswers();
    else
      inBackground(
        durable.then(() => {
          // Closed: all have been answered.
          if (this.#phase === 'active') operation.giveAnswers();
        }),
      );
  }

  #append(groupId: string, { records }: Operation): void {
    const { runtime } = this.#environment;
    const batch = toBatch(records.map(encodeGroupRecord), runtime.wallMs());
    const durable = this.#appendBatch(batch);
    this.#unsettled.set(groupId, durable);
    inBackground(
      durable.then(() => {
        if (this.#unsettled.get(groupId) === durable) this.#unsettled.delete(groupId);
      }),
    );
    this.#snapshotWhenDue();
  }

  /** Never rejects: a failure closes the shard. */
  #appendBatch(batch: Buffer, onDurable?: (baseOffset: number) => void): Promise<void> {
    this.#bytesSinceSnapshot += batch.length;
    const durable = this.#environment.log.append(this.partition, batch).then(
      ({ baseOffset }) => onDurable?.(baseOffset),
      (error: unknown) => {
        this.#fail(error);
      },
    );
    this.#lastAppend = durable;
    this.#pendingAppends.add(durable);
    inBackground(durable.then(() => this.#pendingAppends.delete(durable)));
    return durable;
  }

  #fail(error: unknown): void {
    if (this.#phase === 'closed') return;
    this.close(error);
    this.#environment.onFailed(error);
  }

  #snapshotWhenDue(): void {
    const { snapshotMinBytes } = this.#environment.options;
    if (this.#isSnapshotting) return;
    if (this.#bytesSinceSnapshot <= Math.max(snapshotMinBytes, 2 * this.#snapshotBytes)) return;
    this.#isSnapshotting = true;
    inBackground(
      this.#snapshot().finally(() => {
        this.#isSnapshotting = false;
      }),
    );
  }

  async #snapshot(): Promise<void> {
    const { runtime, options } = this.#environment;
    this.#snapshotNumber += 1;
    this.#bytesSinceSnapshot = 0;
    let beginOffset: number | undefined;
    for (const batch of snapshotBatches(this, {
      number: this.#snapshotNumber,
      nowMs: runtime.wallMs(),
      batchBytes: options.snapshotBatchBytes,
    })) {
      inBackground(
        this.#appendBatch(batch, (baseOffset) => {
          beginOffset ??= baseOffset;
        }),
      );
    }
    this.#snapshotBytes = this.#bytesSinceSnapshot;
    // The last batch, hence all of them: a failure of an earlier one has closed the shard.
    await this.#lastAppend;
    if (this.#phase === 'active' && beginOffset !== undefined) await this.#dropBefore(beginOffset);
  }

  /** Best effort: what is not deleted now is deleted after the next snapshot. */
  async #dropBefore(offset: number): Promise<void> {
    const { log } = this.#environment;
    try {
      if (log.startOffset(this.partition) < offset) await log.deleteRecords(this.partition, offset);
    } catch (error) {
      // A flush may come first, and the store may fail it.
      if (!(error instanceof LogError) && !(error instanceof StoreError)) throw error;
    }
  }
}
