import { inBackground } from '../runtime/in-background.ts';
import type { AppendBudget } from './append-budget.ts';
import { LogError, isDamage } from './errors.ts';
import { flushGroup, hasClosedRuns } from './flush.ts';
import type { LogContext } from './log-context.ts';
import type { OwnedGroup } from './owned-group.ts';
import type { OwnedPartition, TailBlock } from './owned-partition.ts';
import type { ServedGroups } from './served-groups.ts';
import type { WalSession } from './session.ts';

/**
 * What of a session's records is not in segments yet: how much it is in each group, which group is flushed when, and when
 * the memory it takes is given back.
 */
export class UnflushedRecords {
  readonly #session: WalSession;
  readonly #context: LogContext;
  readonly #budget: AppendBudget;
  readonly #groups: ServedGroups;
  readonly #onProblem: (what: string, error: unknown) => void;
  readonly #pending = new Map<string, { bytes: number; sinceMs: number }>();
  readonly #flushing = new Set<string>();
  /** Groups whose last flush met damaged bytes, with what was said of them. */
  readonly #unflushable = new Map<string, Error>();

  constructor(environment: {
    readonly session: WalSession;
    readonly context: LogContext;
    readonly budget: AppendBudget;
    readonly groups: ServedGroups;
    /** A flush failed and will be tried again. */
    readonly onProblem: (what: string, error: unknown) => void;
  }) {
    this.#session = environment.session;
    this.#context = environment.context;
    this.#budget = environment.budget;
    this.#groups = environment.groups;
    this.#onProblem = environment.onProblem;
  }

  /** `sizeBytes` have been admitted to a partition of this group. */
  count(group: OwnedGroup, sizeBytes: number): void {
    const { options, runtime } = this.#context;
    const pending = this.#pending.get(group.id) ?? { bytes: 0, sinceMs: runtime.monotonicMs() };
    pending.bytes += sizeBytes;
    this.#pending.set(group.id, pending);
    if (pending.bytes >= options.flushGroupBytes) inBackground(this.flush(group));
  }

  /**
   * Makes room before appends have to wait. Called when records have become durable (only then can a flush take them),
   * and when a flush has taken some: with all room taken there may be no other occasion.
   */
  relieve(): void {
    if (this.#budget.usedBytes > this.#context.options.maxUnflushedBytes / 2)
      inBackground(this.#flushLargest());
  }

  async #flushLargest(): Promise<void> {
    if (this.#flushing.size >= FLUSHES_AT_A_TIME) return;
    let largest: OwnedGroup | undefined;
    let bytes = 0;
    for (const [id, pending] of this.#pending) {
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
    const sinceMs = this.#pending.get(group.id)?.sinceMs ?? beganMs;
    try {
      const { flushedBytes } = await group.exclusive(() => flushGroup(group, this.#context));
      // What was not durable yet is still to be flushed.
      this.#recount(group, flushedBytes > 0 ? beganMs : sinceMs);
      this.#unflushable.delete(group.id);
      this.#flushing.delete(group.id);
      if (flushedBytes > 0) this.relieve();
    } catch (error) {
      if (isDamage(error)) this.#unflushable.set(group.id, error);
      if (this.#session.live) this.#onProblem(`group ${group.id} could not be flushed`, error);
    } finally {
      this.#flushing.delete(group.id);
    }
  }

  /** Flushes what is due by size, by age, or because it still lies in sessions of earlier owners. */
  async flushDue(): Promise<void> {
    this.relieve();
    const { options, runtime } = this.#context;
    const nowMs = runtime.monotonicMs();
    const due = this.#groups.all().filter((group) => {
      const pending = this.#pending.get(group.id);
      const isDue =
        pending !== undefined &&
        (pending.bytes >= options.flushGroupBytes || nowMs - pending.sinceMs >= options.flushIntervalMs);
      return isDue || hasClosedRuns(group.manifest);
    });
    await this.#flushAll(due);
  }

  /** A few at a time: after a takeover every group has something to flush, and records are served meanwhile. */
  async #flushAll(groups: readonly OwnedGroup[]): Promise<void> {
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let group = groups[next++]; group !== undefined && this.#session.live; group = groups[next++])
        await this.flush(group);
    };
    await Promise.all(Array.from({ length: Math.min(FLUSHES_AT_A_TIME, groups.length) }, worker));
  }

  /**
   * A group of which a record in the WAL is damaged cannot be flushed until somebody brings the bytes back. It takes no
   * more records: they would stay in memory until there is no room left for those of any other group.
   */
  refuseUnflushable(topicId: string, partition: number): void {
    if (this.#unflushable.size === 0) return;
    const id = this.#groups.partition(topicId, partition)?.group.id;
    const damage = id === undefined ? undefined : this.#unflushable.get(id);
    if (damage === undefined) return;
    const what = `partition ${topicId}/${partition} takes no more records, since those it has cannot be flushed`;
    throw new LogError('CORRUPT_LOG', `${what}: ${damage.message}`, { cause: damage });
  }

  #recount(group: OwnedGroup, sinceMs: number): void {
    let bytes = group.unflushedBytes();
    for (const partition of group.partitions.values()) bytes += partition.openBytes;
    if (bytes > 0 && this.#groups.get(group.id)?.group === group)
      this.#pending.set(group.id, { bytes, sinceMs });
    else this.#pending.delete(group.id);
  }

  /** Called by the flush: the blocks are in segments, their memory may go. */
  flushed(blocks: readonly TailBlock[]): void {
    let bytes = 0;
    for (const block of blocks) if (block.pieces !== undefined) bytes += block.entry.sizeBytes;
    if (bytes > 0) this.#budget.release(bytes);
  }

  /** The group has been released or deleted: all it had is durable elsewhere, or nobody's. */
  forget(group: OwnedGroup): void {
    this.#unflushable.delete(group.id);
    this.#pending.delete(group.id);
    for (const partition of group.partitions.values()) this.#dropMemory(partition);
  }

  /** The session has ended; what its groups had in open blocks never gets a slot. */
  abandon(group: OwnedGroup): void {
    for (const partition of group.partitions.values()) {
      if (partition.openBytes > 0) this.#budget.release(partition.openBytes);
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
}

const FLUSHES_AT_A_TIME = 4;
