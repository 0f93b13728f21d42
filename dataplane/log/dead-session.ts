import { sleep } from '../runtime/runtime.ts';
import { StoreError } from '../store/errors.ts';
import { LogError } from './errors.ts';
import { decodeCheckpoint } from './format/checkpoint.ts';
import type { Checkpoint } from './format/checkpoint.ts';
import { encodeContainer } from './format/container.ts';
import type { BlockEntry } from './format/container.ts';
import { LogFormatError } from './format/errors.ts';
import { checkpointKey, parseCheckpointKey, slotKey, slotPrefix, trimKey } from './format/keys.ts';
import { decodeTrim } from './format/trim.ts';
import type { LogContext } from './log-context.ts';
import { SlotRanges } from './slot-ranges.ts';
import type { SlotContent } from './wal-reader.ts';

export interface LocatedBlock {
  readonly slot: DataSlot;
  readonly entry: BlockEntry;
}

export type DataSlot = Extract<SlotContent, { kind: 'data' }>;

/**
 * What a taker learns about a dead session, once for all of that session's groups (log.md P1, P5): the slot indexes that
 * replay needs, and the *seal*: the first slot that is not the owner's, held by a FENCE that is never deleted.
 *
 * The seal is found from the slot where the asking group's run starts; every slot from there up to the fence is
 * confirmed present. Two groups may have different seals: a session that was sealed without knowing it may have acquired
 * another group at slots above its fence; that group's run has its own first hole.
 *
 * Atomicity of a FENCE: put-if-absent against the owner's put-if-absent of the same slot. If the owner wins, its slot is
 * part of the log and the next one is tried. If the fence wins, the owner sees 412 with a foreign id and dies.
 */
export class DeadSession {
  readonly sid: string;
  readonly #context: LogContext;
  readonly #signal: AbortSignal;
  readonly #slots = new Map<number, Promise<SlotContent>>();
  readonly #seals: { readonly from: number; readonly seal: number }[] = [];
  #sealing: Promise<unknown> | undefined;
  #trimUnderWay: Promise<number> | undefined;
  #nextTrim: Promise<number> | undefined;
  #checkpoint: Promise<ReadonlyMap<number, DataSlot>> | undefined;
  /** Slots whose blocks are in `#blocks`. */
  readonly #loaded = new SlotRanges();
  #loading: Promise<unknown> = Promise.resolve();
  /** By partition, in slot order. */
  readonly #blocks = new Map<string, LocatedBlock[]>();

  constructor(sid: string, context: LogContext, signal: AbortSignal) {
    this.sid = sid;
    this.#context = context;
    this.#signal = signal;
  }

  /**
   * The session's trim point: no group needs slots below it. Never cached, since the owner may be alive and trimming: the
   * request begins after the call. All who ask while one is under way share the next: a takeover of thousands of groups
   * asks for each.
   */
  readTrim(): Promise<number> {
    const underWay = this.#trimUnderWay;
    if (underWay === undefined) return this.#beginTrim();
    this.#nextTrim ??= underWay.then(
      () => this.#beginTrim(),
      () => this.#beginTrim(),
    );
    return this.#nextTrim;
  }

  #beginTrim(): Promise<number> {
    this.#nextTrim = undefined;
    const reading = this.#readTrimNow().finally(() => {
      if (this.#trimUnderWay === reading) this.#trimUnderWay = undefined;
    });
    this.#trimUnderWay = reading;
    return reading;
  }

  async #readTrimNow(): Promise<number> {
    const key = trimKey(this.sid);
    const found = await this.#context.store.get(key, { signal: this.#signal });
    return found.kind === 'found' ? decodeTrim(found.body, key) : 0;
  }

  /**
   * Fences the session for a run that needs its slots from `from` on. Returns the seal, and the trim read *after* the
   * fence stood: slots below it are in no run any more. One search and fence at a time; groups for which an earlier one
   * stands only read the trim.
   */
  async seal(
    from: number,
    note: { readonly group: string; readonly manifestVersion: number; readonly fencer: string },
  ): Promise<{ seal: number; trim: number }> {
    for (;;) {
      // Only seals that stood before the trim was asked for: the trim must not be older than the fence.
      const standing = [...this.#seals];
      if (standing.length > 0) {
        const trim = await this.readTrim();
        const known = sealOf(standing, Math.max(from, trim));
        if (known !== undefined) return { seal: known, trim };
      }
      if (this.#sealing === undefined) {
        const run = this.#sealFrom(from, note).finally(() => {
          this.#sealing = undefined;
        });
        this.#sealing = run;
        return await run;
      }
      await this.#sealing.catch(() => undefined);
    }
  }

  async #sealFrom(
    from: number,
    note: { group: string; manifestVersion: number; fencer: string },
  ): Promise<{ seal: number; trim: number }> {
    let trim = await this.readTrim();
    for (;;) {
      const start = Math.max(from, trim);
      const known = sealOf(this.#seals, start);
      if (known !== undefined) return { seal: known, trim };
      const seal = await this.#fence(await this.#firstHole(start), note);
      // The hole may have been made by the owner's own clean-up between our two reads; a fence there fences nothing.
      const trimAfter = await this.readTrim();
      if (trimAfter > seal) {
        this.#context.counters.trimRaces += 1;
        trim = trimAfter;
        continue;
      }
      this.#seals.push({ from: start, seal });
      return { seal, trim: trimAfter };
    }
  }

  /**
   * The blocks of one partition in the slots of [from, to), in slot order. Every slot of the range must hold data and
   * continue the one before; that is checked once per slot, however many groups ask, and whatever their ranges.
   */
  async blocks(
    topicId: string,
    partition: number,
    from: number,
    to: number,
  ): Promise<readonly LocatedBlock[]> {
    if (this.#loaded.gapFrom(from) < to) {
      const run = this.#loading.then(() => this.#load(from, to));
      this.#loading = run.catch(() => undefined);
      await run;
    }
    const all = this.#blocks.get(`${topicId}/${partition}`) ?? [];
    return all.filter(({ slot }) => slot.slot >= from && slot.slot < to);
  }

  /** Loads what of [from, to) is not loaded yet. */
  async #load(from: number, to: number): Promise<void> {
    let start = this.#loaded.gapFrom(from);
    while (start < to) {
      const end = Math.min(to, this.#loaded.atLeast(start) ?? to);
      const slots = await this.#dataSlots(start, end);
      this.#checkChain([await this.#loadedSlot(start - 1), ...slots, await this.#loadedSlot(end)]);
      this.#index(slots);
      start = this.#loaded.gapFrom(end);
    }
  }

  async #loadedSlot(slot: number): Promise<SlotContent | undefined> {
    return this.#loaded.has(slot) ? this.#slot(slot) : undefined;
  }

  #index(slots: readonly DataSlot[]): void {
    const unordered = new Set<LocatedBlock[]>();
    for (const slot of slots) {
      this.#loaded.add(slot.slot);
      for (const entry of slot.index) {
        const key = `${entry.topicId}/${entry.partition}`;
        const list = this.#blocks.get(key);
        if (list === undefined) {
          this.#blocks.set(key, [{ slot, entry }]);
          continue;
        }
        if ((list.at(-1)?.slot.slot ?? 0) > slot.slot) unordered.add(list);
        list.push({ slot, entry });
      }
    }
    // Stable: blocks of one slot keep their order.
    for (const list of unordered) list.sort((a, b) => a.slot.slot - b.slot.slot);
  }

  #checkChain(slots: readonly (SlotContent | undefined)[]): void {
    for (const [index, slot] of slots.entries()) {
      const before = slots[index - 1];
      if (slot?.kind !== 'data' || before?.kind !== 'data') continue;
      if (before.footerHash === slot.previousFooterHash) continue;
      throw new LogError(
        'CORRUPT_LOG',
        `${slotKey(this.sid, slot.slot)} does not continue slot ${before.slot} of its session; run 'firn log verify'`,
      );
    }
  }

  async #dataSlots(from: number, to: number): Promise<readonly DataSlot[]> {
    await this.#readCheckpointOnce();
    const slots: DataSlot[] = [];
    const { replayConcurrency } = this.#context.options;
    for (let start = from; start < to; start += replayConcurrency) {
      const end = Math.min(to, start + replayConcurrency);
      const contents = await Promise.all(
        Array.from({ length: end - start }, (_, index) => this.#slot(start + index)),
      );
      for (const [index, content] of contents.entries()) {
        if (content.kind !== 'data')
          throw new LogError('CORRUPT_LOG', missing(slotKey(this.sid, start + index), content.kind, to));
        slots.push(content);
      }
    }
    return slots;
  }

  /** The first slot from `start` on that holds no data. Reads ahead, wider and wider, since most slots will be there. */
  async #firstHole(start: number): Promise<number> {
    const covered = await this.#readCheckpointOnce();
    let next = start;
    while (covered.has(next)) next += 1;
    for (let width = 4; ; width = Math.min(width * 2, this.#context.options.replayConcurrency)) {
      const first = next;
      const reads = Array.from({ length: width }, (_, index) => this.#slot(first + index));
      // In order: what lies above the hole is no part of the log, so it may even be damaged.
      for (const reading of reads) {
        if ((await reading).kind !== 'data') return next;
        next += 1;
      }
    }
  }

  /** Puts a FENCE into the first slot after `last` that the owner has not filled meanwhile. For the sweep. */
  async fenceBehind(
    last: number,
    note: { readonly group: string; readonly manifestVersion: number; readonly fencer: string },
  ): Promise<number> {
    return this.#fence(last + 1, note);
  }

  /** Puts the FENCE into `slot`, or into the first slot after it that the owner has not filled meanwhile. */
  async #fence(
    slot: number,
    note: { group: string; manifestVersion: number; fencer: string },
  ): Promise<number> {
    const { store, runtime, counters } = this.#context;
    for (let failures = 0; ;) {
      const key = slotKey(this.sid, slot);
      const fence = encodeContainer({
        formatVersion: this.#context.formatVersion(),
        kind: 'fence',
        sid: this.sid,
        slot,
        lastCheckpointSlot: 0,
        writerTimeMs: Math.max(0, runtime.wallMs()),
        previousFooterHash: '0'.repeat(32),
        blocks: [],
        note: { ...note, reason: 'takeover' },
      });
      try {
        const put = await store.put(key, fence.pieces, {
          ifAbsent: true,
          id: `fence/${note.fencer}/${slot}`,
          crc32c: fence.crc32c,
          signal: this.#signal,
        });
        if (put.kind === 'written') {
          counters.fencesWritten += 1;
          return slot;
        }
        const content = await this.#context.wal.readSlot(this.sid, slot, this.#signal);
        if (content.kind === 'ended') return slot;
        if (content.kind === 'data') {
          this.#slots.set(slot, Promise.resolve(content));
          slot += 1;
          continue;
        }
        // Refused and yet absent: the owner filled and trimmed it in between. The caller's second look at trim decides.
        const trim = await this.readTrim();
        slot = Math.max(slot, trim);
      } catch (error) {
        if (!(error instanceof StoreError) || !error.retriable) throw error;
      }
      const limitMs = Math.min(2_000, 20 * 2 ** Math.min(failures++, 10));
      await sleep(runtime, 1 + runtime.random.fraction() * limitMs, this.#signal);
    }
  }

  /**
   * What a slot holds. Data is remembered as long as this object lives, because the slot may be gone by the next look: when
   * an acquisition of the session lands late, a sweep may have found no run that needs the slot (see `sweep.ts`), and a
   * group whose seal was found with it must still find it. What was not there is looked for again next time.
   */
  #slot(slot: number): Promise<SlotContent> {
    const known = this.#slots.get(slot);
    if (known !== undefined) return known;
    const reading = this.#context.wal.readSlot(this.sid, slot, this.#signal);
    this.#slots.set(slot, reading);
    reading.then(
      (content) => {
        if (content.kind !== 'data') this.#slots.delete(slot);
      },
      () => {
        this.#slots.delete(slot);
      },
    );
    return reading;
  }

  /**
   * The slot indexes that the session's newest checkpoint holds. The checkpoint proves that all slots below it were
   * acknowledged by their owner; it only saves reads, so a missing, older or damaged one changes nothing.
   */
  async #readCheckpointOnce(): Promise<ReadonlyMap<number, DataSlot>> {
    this.#checkpoint ??= this.#readCheckpoint().then((covered) => {
      for (const [slot, content] of covered) this.#slots.set(slot, Promise.resolve(content));
      return covered;
    });
    try {
      return await this.#checkpoint;
    } catch (error) {
      this.#checkpoint = undefined;
      throw error;
    }
  }

  async #readCheckpoint(): Promise<ReadonlyMap<number, DataSlot>> {
    const covered = new Map<number, DataSlot>();
    const page = await this.#context.store.list(`${slotPrefix(this.sid)}ck-`, { signal: this.#signal });
    const newest = page.objects
      .map(({ key }) => parseCheckpointKey(key)?.slot ?? -1)
      .reduce((latest, slot) => Math.max(latest, slot), -1);
    if (newest < 0) return covered;
    const key = checkpointKey(this.sid, newest);
    const found = await this.#context.store.get(key, { signal: this.#signal });
    if (found.kind !== 'found') return covered;
    let checkpoint: Checkpoint;
    try {
      checkpoint = decodeCheckpoint(found.body, key);
    } catch (error) {
      if (error instanceof LogFormatError) return covered;
      throw error;
    }
    if (checkpoint.sid !== this.sid) return covered;
    for (const slot of checkpoint.slots)
      covered.set(slot.slot, { kind: 'data', timeMs: slot.writerTimeMs, ...slot });
    return covered;
  }
}

function sealOf(
  seals: readonly { readonly from: number; readonly seal: number }[],
  start: number,
): number | undefined {
  return seals.find((candidate) => candidate.from <= start && start <= candidate.seal)?.seal;
}

function missing(key: string, kind: 'absent' | 'ended', to: number): string {
  return `${key} ${kind === 'absent' ? 'is missing' : 'is a fence'}, but a run up to slot ${to} needs it; run 'firn log verify'`;
}
