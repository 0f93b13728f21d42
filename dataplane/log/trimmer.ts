import { compareAndSwap } from '../store/compare-and-swap.ts';
import type { ETag } from '../store/object-store.ts';
import { LogError } from './errors.ts';
import { encodeCheckpoint } from './format/checkpoint.ts';
import type { CheckpointInput } from './format/checkpoint.ts';
import { checkpointKey, slotKey, trimKey } from './format/keys.ts';
import { decodeTrim, encodeTrim } from './format/trim.ts';
import { create } from './create-object.ts';
import type { LogContext } from './log-context.ts';
import type { WalSession } from './session.ts';

/** A slot as checkpoints keep it. */
export type IndexedSlot = CheckpointInput['slots'][number];

/**
 * Deletes WAL slots of the own, live session that no group needs any more, and writes session checkpoints (log.md 2.5,
 * 2.6).
 *
 * Trim, atomicity: CAS of the session's trim object by its owner alone; it only grows. Boundary before delete: the slots
 * below go only after the boundary is durable, so whoever finds a slot missing can tell a trimmed slot from a hole. Losing
 * the CAS is impossible while sids are unique.
 *
 * A group counts with its first block that no *successful* manifest CAS has moved into segments, as far as this session
 * knows. It may not know yet that it lost a group; then that group's blocks are still unflushed here and hold the trim.
 */
export class Trimmer {
  readonly #session: WalSession;
  readonly #context: LogContext;
  #trim = 0;
  /** Slots below are known to be deleted. */
  #deleted = 0;
  #etag: ETag | 'absent' = 'absent';
  #indexes: IndexedSlot[] = [];
  #previousCheckpoint: number | undefined;
  #running = false;

  constructor(session: WalSession, context: LogContext) {
    this.#session = session;
    this.#context = context;
  }

  get trim(): number {
    return this.#trim;
  }

  /** Remembers a slot's index for the next checkpoint. */
  issued(slot: IndexedSlot): void {
    this.#indexes.push(slot);
  }

  /** Slots that a takeover would have to read one by one. */
  get replaySlots(): number {
    return this.#session.durableEnd - Math.max(this.#trim, this.#session.lastCheckpointSlot);
  }

  /** @param needed first slot that some group still needs, or `undefined` when none does */
  async advance(needed: number | undefined): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      await this.#advance(Math.min(needed ?? Number.MAX_SAFE_INTEGER, this.#session.durableEnd));
      await this.#checkpoint();
    } finally {
      this.#running = false;
    }
  }

  async #advance(target: number): Promise<void> {
    const { store, runtime, counters } = this.#context;
    const { sid, signal } = this.#session;
    if (target > this.#trim) {
      const key = trimKey(sid);
      const result = await compareAndSwap(store, runtime, {
        key,
        expected: this.#etag,
        bytes: encodeTrim(target, this.#context.formatVersion()),
        id: `${sid}/trim/${target}`,
        signal,
        isOurs: (bytes) => decodeTrim(bytes, key) === target,
      }).catch((error: unknown) => {
        // It may have landed all the same; the next one would then be taken for a stranger's.
        this.#session.die(`its trim point ${target} could not be written`, error);
        throw error;
      });
      if (result.kind === 'lost') throw new LogError('CORRUPT_LOG', `${key} was changed by somebody else`);
      this.#trim = target;
      this.#etag = result.etag;
      counters.trims += 1;
      this.#indexes = this.#indexes.filter(({ slot }) => slot >= target);
    }
    if (this.#trim > this.#deleted) {
      const keys = Array.from({ length: this.#trim - this.#deleted }, (_, index) =>
        slotKey(sid, this.#deleted + index),
      );
      const failures = await store.deleteMany(keys, { signal });
      if (failures.length === 0) this.#deleted = this.#trim;
    }
  }

  /**
   * One object with the indexes of all slots from the trim to the acknowledged end. It is a function of the acknowledged
   * prefix of the log, so not even a session that has been fenced unknowingly can write a wrong one.
   */
  async #checkpoint(): Promise<void> {
    if (this.replaySlots < this.#context.options.checkpointSlots) return;
    const { sid, signal, durableEnd } = this.#session;
    const slots = this.#indexes.filter(({ slot }) => slot >= this.#trim && slot < durableEnd);
    const bytes = encodeCheckpoint(
      { sid, slot: durableEnd, from: this.#trim, slots },
      this.#context.formatVersion(),
    );
    await create(
      this.#context,
      this.#session,
      checkpointKey(sid, durableEnd),
      bytes,
      `${sid}/ck/${durableEnd}`,
    );
    this.#session.lastCheckpointSlot = durableEnd;
    this.#context.counters.checkpoints += 1;
    const previous = this.#previousCheckpoint;
    this.#previousCheckpoint = durableEnd;
    // Derived and superseded; the sweep finds it should the delete fail.
    if (previous !== undefined)
      await this.#context.store.delete(checkpointKey(sid, previous), { signal }).catch(() => undefined);
  }
}
