import { inBackground } from '../../runtime/in-background.ts';
import { sleep } from '../../runtime/runtime.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { ColdStore, DataSlot, SlotGet } from '../read/cold-store.ts';
import type { ZoneReadOptions } from './zone-read-options.ts';

/** A group of a session that is followed. All in calls that must not throw. */
export interface TailMember {
  /**
   * A slot of the session is there, and so are all before it since the member joined: it is part of the log for ever.
   * Called in the order of the slots.
   *
   * @returns how many bytes of it somebody wants
   */
  slot(content: DataSlot): number;
  /** The log does not go on where it was looked for: the session has ended, or slots are gone. The manifest says more. */
  lost(): void;
}

export interface SessionTailEnvironment {
  readonly cold: Pick<ColdStore, 'slot' | 'slotAhead'>;
  readonly runtime: Runtime;
  readonly options: ZoneReadOptions;
  /** As {@link DurableWait}, of the broker that has the session. */
  readonly durable: (slot: number, waitMs: number, signal: AbortSignal) => Promise<number | undefined>;
  /** The session's trim, read now. */
  readonly readTrim: (signal: AbortSignal) => Promise<number>;
  readonly onProblem: (what: string, error: unknown) => void;
}

/** So many slots are read at the same time when it is known that they are there. */
const maxAhead = 8;
/** Slots are read whole unless less than this share of them is wanted … */
const leastWantedShare = 0.25;
/** … and they are larger than this. */
const largeSlotBytes = 512 * 1024;
/** How much the newest slot counts in what is expected of the next one. */
const newestWeight = 0.25;

/**
 * Follows the WAL of a session of another broker for all groups of it that somebody reads: each slot is fetched once, as
 * soon as it is known to be there, and every member is told of it. There is one for a session, so at most one long poll
 * is out to its broker; where that fails, the store is looked at, at a bounded rate.
 */
export class SessionTail {
  readonly sid: string;
  readonly counters = { looks: 0, slots: 0, polls: 0 };
  readonly #environment: SessionTailEnvironment;
  readonly #members = new Set<TailMember>();
  #next: number;
  /** Slots below are there, or were, as somebody said. */
  #knownEnd: number;
  readonly #stopped = new AbortController();
  #isStarted = false;
  #hasEnded = false;
  /** Somebody cannot wait for the next look. */
  #isAskedFor = false;
  #woken = Promise.withResolvers<void>();
  #lastLookMs = -Infinity;
  #lastFoundMs = -Infinity;
  #lastTrimCheckMs: number;
  #misses = 0;
  /** Was not there although it should have been. */
  #doubtfulSlot = -1;
  #gapMs: number;
  #wantedShare = 1;
  #slotBytes = 0;

  constructor(sid: string, slot: number, environment: SessionTailEnvironment) {
    this.sid = sid;
    this.#environment = environment;
    this.#next = slot;
    this.#knownEnd = slot;
    this.#gapMs = environment.options.pollMinMs;
    this.#lastTrimCheckMs = environment.runtime.monotonicMs();
  }

  /** Members are told of the slots from here on. */
  get next(): number {
    return this.#next;
  }

  /** A FENCE or END was met: nothing more comes. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  join(member: TailMember): void {
    this.#members.add(member);
    if (this.#isStarted) return;
    this.#isStarted = true;
    inBackground(this.#run(this.#stopped.signal));
  }

  /** @returns whether it was the last one: the tail has stopped for good then */
  leave(member: TailMember): boolean {
    this.#members.delete(member);
    if (this.#members.size > 0) return false;
    this.stop();
    return true;
  }

  stop(): void {
    this.#stopped.abort(new Error(`session ${this.sid} is not followed any more`));
  }

  /** All slots below `slot` have been seen, by a walk over the log of one of the groups. */
  seen(slot: number): void {
    if (slot <= this.#knownEnd) return;
    this.#knownEnd = slot;
    this.#wake();
  }

  /** Somebody asks for records that can only be in slots that have not been seen: looks at once, unless it just has. */
  look(): void {
    const { runtime, options } = this.#environment;
    if (runtime.monotonicMs() - this.#lastLookMs < options.pollMinMs) return;
    this.#isAskedFor = true;
    this.#wake();
  }

  #wake(): void {
    this.#woken.resolve();
    this.#woken = Promise.withResolvers();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { runtime, options, onProblem } = this.#environment;
    let failures = 0;
    while (!signal.aborted) {
      try {
        if (this.#next >= this.#knownEnd) await this.#untilMore(signal);
        await this.#step(signal);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        onProblem(`slot ${this.#next} of session ${this.sid} could not be read`, error);
        failures += 1;
        const delayMs = Math.min(options.pollMaxMs, options.pollMinMs * 2 ** failures);
        await sleep(runtime, delayMs, signal).catch(() => undefined);
      }
    }
  }

  /** Looks at the next slot. */
  async #step(signal: AbortSignal): Promise<void> {
    const { cold, runtime } = this.#environment;
    const slot = this.#next;
    const how = this.#how();
    this.counters.looks += 1;
    this.#lastLookMs = runtime.monotonicMs();
    const reading = cold.slot(this.sid, slot, how, signal);
    for (let ahead = slot + 1; ahead < Math.min(this.#knownEnd, slot + maxAhead); ahead++)
      cold.slotAhead(this.sid, ahead, how);
    const content = await reading;
    if (signal.aborted) return;
    switch (content.kind) {
      case 'data':
        this.#found(content);
        return;
      case 'ended':
        this.#hasEnded = true;
        this.stop();
        this.#lost();
        return;
      case 'absent':
        await this.#missed(slot, signal);
    }
  }

  #found(content: DataSlot): void {
    this.#next = content.slot + 1;
    this.#knownEnd = Math.max(this.#knownEnd, this.#next);
    this.counters.slots += 1;
    this.#misses = 0;
    const nowMs = this.#environment.runtime.monotonicMs();
    const { pollMaxMs } = this.#environment.options;
    this.#gapMs += (Math.min(pollMaxMs, nowMs - this.#lastFoundMs) - this.#gapMs) * newestWeight;
    this.#lastFoundMs = nowMs;
    this.#lastTrimCheckMs = nowMs;
    let wantedBytes = 0;
    for (const member of this.#members) wantedBytes += member.slot(content);
    let sizeBytes = 0;
    for (const entry of content.index) sizeBytes += entry.sizeBytes;
    this.#slotBytes += (sizeBytes - this.#slotBytes) * newestWeight;
    this.#wantedShare += (wantedBytes / Math.max(1, sizeBytes) - this.#wantedShare) * newestWeight;
  }

  async #missed(slot: number, signal: AbortSignal): Promise<void> {
    const { runtime, options, readTrim } = this.#environment;
    this.#misses += 1;
    const nowMs = runtime.monotonicMs();
    if (this.#knownEnd > slot && this.#doubtfulSlot !== slot) {
      // The answer may be that of a read which somebody began before the slot was there.
      this.#doubtfulSlot = slot;
      return;
    }
    if (this.#knownEnd <= slot) {
      if (nowMs - this.#lastTrimCheckMs < options.trimCheckMs) return;
      this.#lastTrimCheckMs = nowMs;
      const trim = await readTrim(signal);
      if (signal.aborted || trim <= slot) return;
      this.#knownEnd = Math.max(this.#knownEnd, trim);
    }
    // It was there, and has been trimmed. Members look for themselves what has become of it.
    this.#next = this.#knownEnd;
    this.#lost();
  }

  #lost(): void {
    for (const member of this.#members) member.lost();
  }

  #how(): SlotGet {
    return this.#wantedShare < leastWantedShare && this.#slotBytes > largeSlotBytes ? 'index' : 'whole';
  }

  /** Resolves when it makes sense to look for the next slot. */
  async #untilMore(signal: AbortSignal): Promise<void> {
    const { runtime, options, durable } = this.#environment;
    if (this.#isAskedFor) {
      this.#isAskedFor = false;
      return;
    }
    const woken = this.#woken.promise.then(() => 'woken' as const);
    const over = new AbortController();
    const abort = (): void => over.abort(signal.reason);
    signal.addEventListener('abort', abort);
    try {
      const begunMs = runtime.monotonicMs();
      const asking = durable(this.#next - 1, options.durableWaitMs, over.signal);
      const last = await Promise.race([asking, woken]);
      if (last === 'woken') return;
      if (last !== undefined && last >= this.#next) {
        this.#knownEnd = Math.max(this.#knownEnd, last + 1);
        return;
      }
      // Nothing has come for as long as was asked for: one look makes sure that it is not just a broker that is cut off.
      if (last !== undefined && runtime.monotonicMs() - begunMs >= options.pollMinMs) return;
      this.counters.polls += 1;
      await Promise.race([sleep(runtime, this.#pollDelayMs(), over.signal), woken]);
    } finally {
      signal.removeEventListener('abort', abort);
      over.abort(new Error('the wait is over'));
      this.#isAskedFor = false;
    }
  }

  #pollDelayMs(): number {
    const { pollMinMs, pollMaxMs } = this.#environment.options;
    const wantedMs = this.#misses === 0 ? this.#gapMs / 2 : pollMinMs * 1.5 ** this.#misses;
    return Math.min(pollMaxMs, Math.max(pollMinMs, wantedMs));
  }
}
