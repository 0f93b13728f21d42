import type { ClusterState, GroupLayout } from '../cluster/cluster-state.ts';
import { groupOf, groupsOf } from '../cluster/partition-groups.ts';
import type { PartitionGroup } from '../cluster/partition-groups.ts';
import type { BatchHeader } from '../protocol/record-batch.ts';
import {
  RecordBatchError,
  isControl,
  isTransactional,
  lastSequence,
  parseBatches,
} from '../protocol/record-batch.ts';
import { inBackground } from '../runtime/in-background.ts';
import { sleep } from '../runtime/runtime.ts';
import { acquireGroup } from './acquire.ts';
import type { AppendBudget } from './append-budget.ts';
import { DeadSession } from './dead-session.ts';
import { LogError } from './errors.ts';
import { flushGroup, hasClosedRuns } from './flush.ts';
import { LogFormatError } from './format/errors.ts';
import type { LogContext } from './log-context.ts';
import { deleteGroup } from './orphans.ts';
import type { OwnedGroup } from './owned-group.ts';
import type { OwnedPartition, TailBlock } from './owned-partition.ts';
import { releaseGroup } from './release.ts';
import type { SequenceVerdict } from './producer-table.ts';
import { SlotAssembler } from './slot-assembler.ts';
import { Trimmer } from './trimmer.ts';
import type { WalSession } from './session.ts';

export interface AppendOptions {
  /** Kafka's `message.timestamp.type=LogAppendTime`: batches get the broker's time. */
  readonly logAppendTime?: boolean | undefined;
  /** Kafka's `max.message.bytes` of the topic. */
  readonly maxMessageBytes?: number | undefined;
}

export interface AppendResult {
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** -1 unless the topic uses LogAppendTime. */
  readonly logAppendTimeMs: number;
  readonly logStartOffset: number;
  /** The batch had been appended before; the offsets are those of the first time. */
  readonly duplicate: boolean;
}

export interface LogSessionEnvironment {
  readonly session: WalSession;
  readonly context: LogContext;
  readonly budget: AppendBudget;
  readonly refreshCluster: () => Promise<ClusterState>;
  /** Called when a group has begun to serve, or has ended to. */
  readonly onServing: (group: string, generation: number) => void;
  readonly onReleased: (group: string) => void;
  readonly onDeleted: (group: string) => void;
  /** Something went wrong that is retried; the message names what and why. */
  readonly onProblem: (what: string, error: unknown) => void;
}

/** A partition this session serves, with its group. */
export interface Served {
  readonly group: OwnedGroup;
  readonly partition: OwnedPartition;
}

/**
 * What one WAL session owns and does: its groups come by {@link reconcile} from `meta/cluster` and go by hand-over, or all
 * at once when the session dies. Nothing survives the session: a broker that goes on gets a new session and a new object.
 */
export class LogSession {
  readonly session: WalSession;
  readonly assembler: SlotAssembler;
  readonly trimmer: Trimmer;
  readonly #environment: LogSessionEnvironment;
  readonly #context: LogContext;
  readonly #budget: AppendBudget;
  readonly #groups = new Map<string, { group: OwnedGroup; generation: number }>();
  readonly #partitions = new Map<string, Served>();
  /** What `meta/cluster` gives to this broker, as last seen. */
  readonly #assigned = new Map<string, { readonly topicId: string; readonly group: PartitionGroup }>();
  readonly #layouts = new Map<string, GroupLayout>();
  readonly #acquiring = new Set<string>();
  /** Groups whose acquisition waits for its turn, in order; those that somebody asked for go first. */
  readonly #waitingToAcquire = new Map<string, () => void>();
  readonly #askedToAcquire = new Map<string, () => void>();
  #acquiresUnderWay = 0;
  readonly #waitingToRelease: (() => void)[] = [];
  #releasesUnderWay = 0;
  readonly #moving = new Set<string>();
  readonly #flushing = new Set<string>();
  /** Groups whose last flush met damaged bytes, with what was said of them. */
  readonly #unflushable = new Map<string, Error>();
  readonly #pendingBytes = new Map<string, { bytes: number; sinceMs: number }>();
  readonly #deadSessions = new Map<string, DeadSession>();
  /** Released partitions: an append that was waiting goes on when this changes. */
  readonly #blocked: (() => void)[] = [];
  #wanted: ClusterState | undefined;
  #draining = false;

  constructor(environment: LogSessionEnvironment) {
    this.#environment = environment;
    this.session = environment.session;
    this.#context = environment.context;
    this.#budget = environment.budget;
    this.assembler = new SlotAssembler(this.session, this.#context.runtime, this.#context.options, (slot) => {
      this.trimmer.issued(slot);
    });
    this.trimmer = new Trimmer(this.session, this.#context);
    this.session.signal.addEventListener('abort', () => {
      this.#abandonAll(this.session.deathReason);
    });
  }

  get groups(): Iterable<OwnedGroup> {
    return [...this.#groups.values()].map(({ group }) => group);
  }

  served(topicId: string, partition: number): Served | undefined {
    return this.#partitions.get(`${topicId}/${partition}`);
  }

  deadSession(sid: string): DeadSession {
    let known = this.#deadSessions.get(sid);
    if (known === undefined) {
      known = new DeadSession(sid, this.#context, this.session.signal);
      this.#deadSessions.set(sid, known);
    }
    return known;
  }

  /** Starts what brings the owned groups in line with the cluster state. Call after every change of it; returns at once. */
  reconcile(state: ClusterState, brokerId: number): void {
    if (!this.session.live || this.#draining) return;
    this.#wanted = state;
    this.#layouts.clear();
    for (const topic of state.topics.values()) {
      this.#layouts.set(topic.topicId, topic);
      for (const group of groupsOf(topic)) this.#want(state, topic.topicId, group, brokerId);
    }
    for (const topic of state.deletedTopics.values()) {
      for (const group of groupsOf(topic)) this.#want(state, topic.topicId, group, brokerId);
    }
    for (const [id, { group }] of this.#groups) {
      if (state.assignments.get(id)?.broker !== brokerId) inBackground(this.#release(id, group));
      else if (state.deletedTopics.has(group.manifest.topicId)) inBackground(this.#delete(id, group));
    }
  }

  #want(state: ClusterState, topicId: string, group: PartitionGroup, brokerId: number): void {
    const assignment = state.assignments.get(group.id);
    if (assignment?.broker !== brokerId) {
      this.#assigned.delete(group.id);
      return;
    }
    this.#assigned.set(group.id, { topicId, group });
    if (this.#acquiring.has(group.id)) return;
    const owned = this.#groups.get(group.id);
    if (owned !== undefined) {
      if (assignment.from !== undefined && owned.generation === assignment.generation)
        this.#environment.onServing(group.id, owned.generation);
      return;
    }
    inBackground(this.#acquire(topicId, group, brokerId));
  }

  /** Acquires, again and again until the group is ours or somebody else's by a newer assignment. */
  async #acquire(topicId: string, group: PartitionGroup, brokerId: number): Promise<void> {
    const { id } = group;
    this.#acquiring.add(id);
    const { options, runtime, counters } = this.#context;
    try {
      for (let failures = 0; this.session.live; failures++) {
        const assignment = this.#wanted?.assignments.get(id);
        if (assignment?.broker !== brokerId) return;
        if (this.#draining) return;
        const outcome = await this.#withAcquireTurn(id, () =>
          acquireGroup({
            topicId,
            group,
            generation: assignment.generation,
            session: this.session,
            context: this.#context,
            refreshCluster: this.#environment.refreshCluster,
            deadSession: (sid) => this.deadSession(sid),
          }),
        ).catch((error: unknown) => {
          if (this.session.live) this.#environment.onProblem(`group ${id} could not be acquired`, error);
          return undefined;
        });
        if (outcome?.kind === 'owned') {
          if (outcome.how === 'takeover') counters.takeovers += 1;
          if (outcome.how === 'handover') counters.handovers += 1;
          this.#serve(id, outcome.group, assignment.generation);
          return;
        }
        if (outcome?.kind === 'deleted') {
          this.#environment.onDeleted(id);
          return;
        }
        const limitMs =
          outcome?.kind === 'wait'
            ? options.retryBackoffMs
            : options.retryBackoffMs * 2 ** Math.min(failures, 5);
        await sleep(runtime, limitMs * (0.5 + runtime.random.fraction() / 2), this.session.signal);
      }
    } catch {
      // The session has ended.
    } finally {
      this.#acquiring.delete(id);
    }
  }

  async #withAcquireTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    if (this.#acquiresUnderWay >= this.#context.options.acquireConcurrency) {
      await new Promise<void>((resolve) => {
        this.#waitingToAcquire.set(id, resolve);
      });
    }
    this.#acquiresUnderWay += 1;
    try {
      return await work();
    } finally {
      this.#acquiresUnderWay -= 1;
      this.#nextAcquireTurn();
    }
  }

  #nextAcquireTurn(): void {
    for (const queue of [this.#askedToAcquire, this.#waitingToAcquire]) {
      for (const [id, go] of queue) {
        queue.delete(id);
        go();
        return;
      }
    }
  }

  /** Somebody wants this partition, which is not served yet: its group goes before those that only wait. */
  askFor(topicId: string, partition: number): void {
    if (this.#waitingToAcquire.size === 0) return;
    const layout = this.#layouts.get(topicId);
    const id = layout === undefined ? undefined : groupOf(layout, partition)?.id;
    const go = id === undefined ? undefined : this.#waitingToAcquire.get(id);
    if (id === undefined || go === undefined) return;
    this.#waitingToAcquire.delete(id);
    this.#askedToAcquire.set(id, go);
  }

  #serve(id: string, group: OwnedGroup, generation: number): void {
    if (!this.session.live) return;
    this.#groups.set(id, { group, generation });
    for (const partition of group.partitions.values())
      this.#partitions.set(`${partition.topicId}/${partition.partition}`, { group, partition });
    this.#environment.onServing(id, generation);
    // The assignment may have moved on while we were acquiring.
    if (this.#wanted !== undefined && this.#wanted.assignments.get(id)?.broker !== this.#context.broker.id)
      inBackground(this.#release(id, group));
  }

  async #release(id: string, group: OwnedGroup): Promise<void> {
    if (this.#moving.has(id)) return;
    this.#moving.add(id);
    try {
      await this.#withReleaseTurn(() => releaseGroup(group, this.assembler, this.#context));
      this.#forget(id, group);
      this.#environment.onReleased(id);
    } catch (error) {
      if (group.phase === 'releasing') group.phase = 'serving';
      if (this.session.live) this.#environment.onProblem(`group ${id} could not be released`, error);
    } finally {
      this.#moving.delete(id);
      for (const wake of this.#blocked.splice(0)) wake();
      this.#returned(id);
    }
  }

  /** All groups of a broker may have to go at a time. */
  async #withReleaseTurn(work: () => Promise<void>): Promise<void> {
    if (this.#releasesUnderWay >= this.#context.options.acquireConcurrency)
      await new Promise<void>((resolve) => this.#waitingToRelease.push(resolve));
    this.#releasesUnderWay += 1;
    try {
      await work();
    } finally {
      this.#releasesUnderWay -= 1;
      this.#waitingToRelease.shift()?.();
    }
  }

  /** The group may have been given back while it was on its way out. */
  #returned(id: string): void {
    const assigned = this.#assigned.get(id);
    if (this.#draining) return;
    if (assigned === undefined || !this.session.live || this.#groups.has(id) || this.#acquiring.has(id))
      return;
    inBackground(this.#acquire(assigned.topicId, assigned.group, this.#context.broker.id));
  }

  async #delete(id: string, group: OwnedGroup): Promise<void> {
    if (this.#moving.has(id)) return;
    this.#moving.add(id);
    try {
      await group.exclusive(() => deleteGroup(group, this.#context));
      group.abandon(new LogError('UNKNOWN_TOPIC_OR_PARTITION', `the topic of group ${id} has been deleted`));
      this.#forget(id, group);
      this.#environment.onDeleted(id);
    } catch (error) {
      if (this.session.live) this.#environment.onProblem(`group ${id} could not be deleted`, error);
    } finally {
      this.#moving.delete(id);
    }
  }

  #forget(id: string, group: OwnedGroup): void {
    if (this.#groups.get(id)?.group !== group) return;
    this.#unflushable.delete(id);
    this.#groups.delete(id);
    this.#pendingBytes.delete(id);
    for (const partition of group.partitions.values()) {
      this.#partitions.delete(`${partition.topicId}/${partition.partition}`);
      this.#dropMemory(partition);
    }
  }

  #dropMemory(partition: OwnedPartition): void {
    let bytes = 0;
    for (const block of partition.tail) {
      if (!block.flushed && block.pieces !== undefined) bytes += block.entry.sizeBytes;
      // A flush that is about to end would give the same bytes back once more.
      block.pieces = undefined;
    }
    if (bytes > 0) this.#budget.release(bytes);
    partition.tail.length = 0;
  }

  #abandonAll(error: LogError): void {
    for (const { group } of this.#groups.values()) {
      group.abandon(error);
      for (const partition of group.partitions.values()) {
        if (partition.openBytes > 0) this.#budget.release(partition.openBytes);
        this.#dropMemory(partition);
      }
    }
    this.#groups.clear();
    this.#partitions.clear();
    for (const wake of this.#blocked.splice(0)) wake();
    for (const queue of [this.#askedToAcquire, this.#waitingToAcquire]) {
      for (const go of queue.values()) go();
      queue.clear();
    }
  }

  /**
   * Appends whole record batches to a partition; resolves when they are durable. Offsets are given out in the order of
   * the calls for a partition. The bytes belong to the log from the call on: they are patched in place and kept.
   */
  async append(
    topicId: string,
    partition: number,
    bytes: Uint8Array,
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    const headers = this.#checkBatches(bytes, options);
    this.#refuseUnflushable(topicId, partition);
    const room = this.#budget.take(bytes.length);
    if (room !== undefined) await room;
    let admitted = false;
    try {
      let served = this.served(topicId, partition);
      while (served?.group.phase === 'releasing') {
        await new Promise<void>((resolve) => this.#blocked.push(resolve));
        served = this.served(topicId, partition);
      }
      // 'gone' for the moment between its last manifest and its removal here: nobody would find what it admits.
      if (served === undefined || served.group.phase === 'gone' || !this.session.live) {
        this.askFor(topicId, partition);
        throw this.session.live ? notLeader(topicId, partition) : this.session.deathReason;
      }
      const verdict = this.#idempotence(served.partition, headers);
      if (verdict.kind === 'refused') {
        // A producer takes this for final, and an owner that was fenced without knowing it would say so wrongly.
        await this.session.confirm();
        throw new LogError(verdict.code, verdict.message);
      }
      if (verdict.kind === 'duplicate') {
        await served.partition.durable(verdict.batch.lastOffset, true);
        return this.#appended(served.partition, verdict.batch, undefined, true);
      }
      const timeMs =
        options.logAppendTime === true
          ? Math.max(served.partition.timeMs, this.#context.runtime.wallMs())
          : undefined;
      admitted = true;
      const range = served.partition.admit(bytes, headers, timeMs);
      this.#count(served.group, bytes.length);
      this.assembler.added(served.partition, bytes.length);
      await served.partition.durable(range.lastOffset);
      this.#relieve();
      return this.#appended(served.partition, range, timeMs, false);
    } finally {
      if (!admitted) this.#budget.release(bytes.length);
    }
  }

  #appended(
    partition: OwnedPartition,
    range: { baseOffset: number; lastOffset: number },
    timeMs: number | undefined,
    duplicate: boolean,
  ): AppendResult {
    return {
      baseOffset: range.baseOffset,
      lastOffset: range.lastOffset,
      logAppendTimeMs: timeMs ?? -1,
      logStartOffset: partition.logStart,
      duplicate,
    };
  }

  #checkBatches(bytes: Uint8Array, options: AppendOptions): readonly BatchHeader[] {
    const limit = options.maxMessageBytes ?? this.#context.options.maxMessageBytes;
    let headers: readonly BatchHeader[];
    try {
      headers = parseBatches(bytes, { verifyCrc: true });
    } catch (error) {
      if (error instanceof RecordBatchError)
        throw new LogError('CORRUPT_MESSAGE', error.message, { cause: error });
      throw error;
    }
    if (headers.length === 0) throw new LogError('INVALID_RECORD', 'an append without record batches');
    for (const header of headers) {
      if (header.sizeBytes > limit) {
        throw new LogError(
          'MESSAGE_TOO_LARGE',
          `a batch of ${header.sizeBytes} bytes exceeds max.message.bytes=${limit}; send smaller batches or raise the setting`,
        );
      }
      if (isTransactional(header.attributes) || isControl(header.attributes)) {
        throw new LogError(
          'UNSUPPORTED',
          'transactional batches are not supported by this version; produce without transactional.id',
        );
      }
      if (header.producerId >= 0 && headers.length > 1) {
        throw new LogError(
          'INVALID_RECORD',
          `an idempotent append must hold exactly one batch, this one holds ${headers.length}`,
        );
      }
    }
    return headers;
  }

  /** A retry of a batch that was accepted before gets its original offsets (log.md 2.8). */
  #idempotence(partition: OwnedPartition, headers: readonly BatchHeader[]): SequenceVerdict {
    const [header] = headers;
    if (header === undefined || header.producerId < 0) return { kind: 'append' };
    const { producerId, producerEpoch, baseSequence } = header;
    const batch = { producerId, producerEpoch, baseSequence, lastSequence: lastSequence(header) };
    return partition.producers.check(batch, partition.timeMs);
  }

  #count(group: OwnedGroup, sizeBytes: number): void {
    const { options, runtime } = this.#context;
    const pending = this.#pendingBytes.get(group.id) ?? { bytes: 0, sinceMs: runtime.monotonicMs() };
    pending.bytes += sizeBytes;
    this.#pendingBytes.set(group.id, pending);
    if (pending.bytes >= options.flushGroupBytes) inBackground(this.flush(group));
  }

  get #isUnderPressure(): boolean {
    return this.#budget.usedBytes > this.#context.options.maxUnflushedBytes / 2;
  }

  /**
   * Makes room before appends have to wait. Called when records have become durable (only then can a flush take them),
   * and when a flush has taken some: with all room taken there may be no other occasion.
   */
  #relieve(): void {
    if (this.#isUnderPressure) inBackground(this.#flushLargest());
  }

  async #flushLargest(): Promise<void> {
    if (this.#flushing.size >= FLUSHES_AT_A_TIME) return;
    let largest: OwnedGroup | undefined;
    let bytes = 0;
    for (const [id, pending] of this.#pendingBytes) {
      const owned = this.#groups.get(id);
      if (owned !== undefined && pending.bytes > bytes && !this.#flushing.has(id)) {
        largest = owned.group;
        bytes = pending.bytes;
      }
    }
    if (largest !== undefined) await this.flush(largest);
  }

  /** Flushes one group; a no-op while it is being flushed already. Never rejects: a failure is reported and retried. */
  async flush(group: OwnedGroup): Promise<void> {
    if (this.#flushing.has(group.id) || group.phase === 'gone') return;
    this.#flushing.add(group.id);
    const beganMs = this.#context.runtime.monotonicMs();
    const sinceMs = this.#pendingBytes.get(group.id)?.sinceMs ?? beganMs;
    try {
      const { flushedBytes } = await group.exclusive(() => flushGroup(group, this.#context));
      // What was not durable yet is still to be flushed.
      this.#recount(group, flushedBytes > 0 ? beganMs : sinceMs);
      this.#unflushable.delete(group.id);
      this.#flushing.delete(group.id);
      if (flushedBytes > 0) this.#relieve();
    } catch (error) {
      if (isDamage(error)) this.#unflushable.set(group.id, error);
      if (this.session.live) this.#environment.onProblem(`group ${group.id} could not be flushed`, error);
    } finally {
      this.#flushing.delete(group.id);
    }
  }

  /**
   * A group of which a record in the WAL is damaged cannot be flushed until somebody brings the bytes back. It takes no
   * more records: they would stay in memory until there is no room left for those of any other group.
   */
  #refuseUnflushable(topicId: string, partition: number): void {
    if (this.#unflushable.size === 0) return;
    const id = this.served(topicId, partition)?.group.id;
    const damage = id === undefined ? undefined : this.#unflushable.get(id);
    if (damage === undefined) return;
    const what = `partition ${topicId}/${partition} takes no more records, since those it has cannot be flushed`;
    throw new LogError('CORRUPT_LOG', `${what}: ${damage.message}`, { cause: damage });
  }

  #recount(group: OwnedGroup, sinceMs: number): void {
    let bytes = group.unflushedBytes();
    for (const partition of group.partitions.values()) bytes += partition.openBytes;
    if (bytes > 0 && this.#groups.get(group.id)?.group === group)
      this.#pendingBytes.set(group.id, { bytes, sinceMs });
    else this.#pendingBytes.delete(group.id);
  }

  /** Called by the flush: the blocks are in segments, their memory may go. */
  flushed(blocks: readonly TailBlock[]): void {
    let bytes = 0;
    for (const block of blocks) if (block.pieces !== undefined) bytes += block.entry.sizeBytes;
    if (bytes > 0) this.#budget.release(bytes);
  }

  /** One round of what keeps the log short: flush what is due, then trim, then checkpoint. */
  async housekeeping(): Promise<void> {
    if (!this.session.live) return;
    const { options, runtime } = this.#context;
    const nowMs = runtime.monotonicMs();
    // What failed is tried again: releases, deletions, reports of what is served.
    if (this.#wanted !== undefined) this.reconcile(this.#wanted, this.#context.broker.id);
    // An acquisition uses one of these throughout; afterwards all it found out is in the group.
    if (this.#acquiring.size === 0) this.#deadSessions.clear();
    this.#relieve();
    const due: OwnedGroup[] = [];
    for (const { group } of this.#groups.values()) {
      const pending = this.#pendingBytes.get(group.id);
      const isDue =
        pending !== undefined &&
        (pending.bytes >= options.flushGroupBytes || nowMs - pending.sinceMs >= options.flushIntervalMs);
      if (isDue || hasClosedRuns(group.manifest)) due.push(group);
    }
    await this.#flushAll(due);
    if (!this.session.live) return;
    await this.trimmer.advance(this.neededSlot());
  }

  /** A few at a time: after a takeover every group has something to flush, and records are served meanwhile. */
  async #flushAll(groups: readonly OwnedGroup[]): Promise<void> {
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let group = groups[next++]; group !== undefined && this.session.live; group = groups[next++])
        await this.flush(group);
    };
    await Promise.all(Array.from({ length: Math.min(FLUSHES_AT_A_TIME, groups.length) }, worker));
  }

  /** The first slot that some group of this session still needs. */
  neededSlot(): number | undefined {
    let needed: number | undefined;
    for (const { group } of this.#groups.values()) {
      const slot = group.firstUnflushedSlot();
      if (slot !== undefined && (needed === undefined || slot < needed)) needed = slot;
    }
    return needed;
  }

  /** Hands all groups over to nobody (whole-broker shutdown, P4) and writes END. */
  async drain(): Promise<void> {
    this.#draining = true;
    do {
      await Promise.all([...this.#groups].map(([id, { group }]) => this.#release(id, group)));
      // An acquisition under way may succeed yet. Nothing is served when END is written: what came after it in a run that
      // begins before it would be acknowledged and lost.
    } while (await this.#isMoving());
    if (this.session.live && this.#groups.size === 0) {
      await this.session.end();
      this.session.close();
    }
  }

  /** Whether groups are on their way here or away; then it waits a little first. */
  async #isMoving(): Promise<boolean> {
    if (!this.session.live || this.#acquiring.size + this.#moving.size === 0) return false;
    await sleep(this.#context.runtime, this.#context.options.retryBackoffMs, this.session.signal).catch(
      () => undefined,
    );
    return true;
  }
}

const FLUSHES_AT_A_TIME = 4;

/** Bytes in the store are not what they must be: no repetition helps. */
function isDamage(error: unknown): error is Error {
  return error instanceof LogFormatError || (error instanceof LogError && error.code === 'CORRUPT_LOG');
}

function notLeader(topicId: string, partition: number): LogError {
  return new LogError(
    'NOT_LEADER_OR_FOLLOWER',
    `this broker does not serve partition ${topicId}/${partition}`,
  );
}
