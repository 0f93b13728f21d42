import { inBackground } from '../runtime/in-background.ts';
import type { AppendBudget } from './append-budget.ts';
import { LogError, isDamage } from './errors.ts';
import { flushGroup, hasClosedRuns } from './flush.ts';
import { FlushTurns } from './flush-turns.ts';
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
  /** Groups that are being flushed, or wait for that. */
  readonly #flushing = new Set<string>();
  readonly #turns: FlushTurns;
  /** Groups whose last flush met damaged bytes, with what was said of them. */
  readonly #unflushable = new Map<string, Error>();

  constructor(environment: {
    readonly session: WalSession;
    readonly context: LogContext;
    readonly budget: AppendBudget;
    readonly groups: ServedGroups;
    /** Groups are being acquired that somebody may wait for: flushes leave the store to that. */
    readonly isAcquiring: () => boolean;
    /** A flush failed and will be tried again. */
    readonly onProblem: (what: string, error: unknown) => void;
  }) {
    this.#session = environment.session;
    this.#context = environment.context;
    this.#budget = environment.budget;
    this.#groups = environment.groups;
    this.#onProblem = environment.onProblem;
    const { maxFlushes, maxFlushBytes } = this.#context.options;
    this.#turns = new FlushTurns({
      maxFlushes,
      maxBytes: maxFlushBytes,
      isUnderPressure: () => this.#isUnderPressure,
      isStoreNeeded: environment.isAcquiring,
    });
  }

  /** `sizeBytes` have been admitted to a partition of this group. */
  count(group: OwnedGroup, sizeBytes: number): void {
    const { options, runtime } = this.#context;
    let pending = this.#pending.get(group.id);
    if (pending === undefined) {
      pending = { bytes: 0, sinceMs: runtime.monotonicMs() };
      this.#pending.set(group.id, pending);
    }
    pending.bytes += sizeBytes;
    if (pending.bytes >= options.flushGroupBytes) inBackground(this.flush(group));
  }

  /**
   * Makes room before appends have to wait. Called when records have become durable (only then can a flush take them),
   * and when a flush has taken some: with all room taken there may be no other occasion.
   */
  relieve(): void {
    if (this.#isUnderPressure && !this.#turns.isBusy) inBackground(this.#flushLargest());
  }

  get #isUnderPressure(): boolean {
    return this.#budget.usedBytes > this.#context.options.maxUnflushedBytes / 2;
  }

  async #flushLargest(): Promise<void> {
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

  /**
   * Flushes one group when its turn has come; a no-op while it is being flushed already, or waits for that. Never rejects:
   * a failure is reported and retried.
   */
  async flush(group: OwnedGroup): Promise<void> {
    if (this.#flushing.has(group.id) || group.phase === 'gone') return;
    this.#flushing.add(group.id);
    let flushedBytes = 0;
    await this.#turns.run(group.id, group.unflushedBytes(), async () => {
      flushedBytes = await this.#flushNow(group);
    });
    if (flushedBytes > 0) this.relieve();
  }

  async #flushNow(group: OwnedGroup): Promise<number> {
    const beganMs = this.#context.runtime.monotonicMs();
    const sinceMs = this.#pending.get(group.id)?.sinceMs ?? beganMs;
    try {
      // It may have been released, or the session have ended, while it waited.
      if (group.phase === 'gone' || !this.#session.live) return 0;
      const { flushedBytes } = await group.exclusive(() => flushGroup(group, this.#context));
      // What was not durable yet is still to be flushed.
      this.#recount(group, flushedBytes > 0 ? beganMs : sinceMs);
      this.#unflushable.delete(group.id);
      return flushedBytes;
    } catch (error) {
      if (isDamage(error)) this.#unflushable.set(group.id, error);
      if (this.#session.live) this.#onProblem(`group ${group.id} could not be flushed`, error);
      return 0;
    } finally {
      this.#flushing.delete(group.id);
    }
  }

  /**
   * Flushes what is due by size, by age, or because it still lies in sessions of earlier owners. Resolves when all that
   * was due at the call has been tried; what becomes due meanwhile is for the next call, which need not wait for this one.
   */
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
    await Promise.all(due.map((group) => this.flush(group)));
  }

  /**
   * A group of which a record in the WAL is damaged cannot be flushed until somebody brings the bytes back. It takes no
   * more records: they would stay in memory until there is no room left for those of any other group.
   */
  refuseUnflushable(group: OwnedGroup): void {
    const damage = this.#unflushable.get(group.id);
    if (damage === undefined) return;
    const what = `group ${group.id} takes no more records, since those it has cannot be flushed`;
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

  /** The group is not served any more: all it had is durable elsewhere, or nobody's. */
  forget(group: OwnedGroup): void {
    this.#unflushable.delete(group.id);
    this.#pending.delete(group.id);
    let bytes = 0;
    for (const partition of group.partitions.values())
      bytes += partition.dropOpenBlocks() + dropTail(partition);
    if (bytes > 0) this.#budget.release(bytes);
  }
}

/** Returns how many bytes of it counted. */
function dropTail(partition: OwnedPartition): number {
  let bytes = 0;
  for (const block of partition.tail) {
    if (!block.flushed && block.pieces !== undefined) bytes += block.entry.sizeBytes;
    // A flush that is about to end would give the same bytes back once more.
    block.pieces = undefined;
  }
  partition.tail.length = 0;
  return bytes;
}
