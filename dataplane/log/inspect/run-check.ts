import type { BlockEntry } from '../format/container.ts';
import { slotKey, trimKey } from '../format/keys.ts';
import type { Run } from '../format/manifest.ts';
import type { GroupCheck } from './group-check.ts';
import type { VerifyContext } from './verify-context.ts';

/**
 * One run of a group: the slots of one session from which the group's newest records are read, as long as they are in no
 * segment. Follows the group's partitions through these slots.
 */
export class RunCheck {
  readonly group: GroupCheck;
  readonly run: Run;
  /** Slots below hold nothing that is not in segments. */
  readonly from: number;
  /**
   * active: slots are still to come. done: the run's end was reached. outdated: the manifest that names the run has been
   * replaced, so the group has to be looked at again.
   */
  state: 'active' | 'done' | 'outdated' = 'active';
  /** Where an open run ended: the first slot that holds no data. */
  endedAt: number | undefined;
  readonly #context: VerifyContext;
  #isSealSeen = false;
  #isGivenUp = false;

  constructor(group: GroupCheck, run: Run, context: VerifyContext) {
    this.group = group;
    this.run = run;
    this.from = Math.max(run.from, run.flushedTo);
    this.#context = context;
    if (run.to !== undefined && this.from >= run.to) this.state = 'done';
  }

  /** The session's trim point, as of when the walk begins. */
  begin(trim: number): void {
    const { sid } = this.run;
    // As a rule these slots held nothing of this group. Should offsets be missing in what follows, they did.
    if (trim > this.from) this.group.trimmed ??= { sid, trim, from: this.from };
  }

  needs(slot: number): boolean {
    return this.state === 'active' && slot >= this.from && (this.run.to === undefined || slot < this.run.to);
  }

  /** The first slot from `from` on that it needs. */
  firstNeeded(from: number): number | undefined {
    const slot = Math.max(from, this.from);
    return this.needs(slot) ? slot : undefined;
  }

  /** A block of one of the group's partitions, in a slot that {@link needs} says yes to. */
  async see(block: BlockEntry, slot: number, trim: number): Promise<void> {
    const { group, run } = this;
    const key = slotKey(run.sid, slot);
    const expected = group.tailEnd(block.partition);
    const where = `partition ${block.partition} of group ${group.id}`;
    if (slot < trim) {
      await this.#report(
        'TRIM_TOO_HIGH',
        trimKey(run.sid),
        `the trim point is ${trim}, but slot ${slot} holds offsets ${block.baseOffset} to ${block.lastOffset} of ${where}, which are in no segment`,
      );
    } else if (expected !== undefined && block.baseOffset !== expected) {
      const what = `it continues ${where} at offset ${block.baseOffset}, but ${expected} comes next`;
      const { trimmed } = group;
      if (block.baseOffset > expected && trimmed !== undefined) {
        const why = `the trim point is ${trimmed.trim}, above slot ${trimmed.from}, from which on the group needs the session`;
        await this.#report(
          'TRIM_TOO_HIGH',
          trimKey(trimmed.sid),
          `${why}; and slot ${slot} of session ${run.sid}: ${what}`,
        );
      } else {
        await this.#report('OFFSETS_NOT_DENSE', key, what);
      }
    }
    if (block.leaderEpoch !== run.epoch) {
      await this.#report(
        'EPOCH_WRONG',
        key,
        `it holds a block of ${where} with leader epoch ${block.leaderEpoch}, the session had epoch ${run.epoch}`,
      );
    }
    if (this.state !== 'active') return;
    const { counters, findings } = this.#context;
    const chain = group.chain(block.partition);
    if (block.lastOffset >= chain.end) {
      counters.records += block.recordCount;
      counters.batches += block.batches.length;
    }
    for (const batch of block.batches) {
      const broken = chain.see(batch, block.leaderEpoch);
      if (broken !== undefined)
        findings.add(broken.code, key, `partition ${block.partition} of group ${group.id}: ${broken.what}`);
    }
    group.setTailEnd(block.partition, block.lastOffset + 1);
  }

  /** Slots [from, to) do not exist, or hold no data: `what` says which. `trim` was read afterwards. */
  async seeGap(
    from: number,
    to: number | undefined,
    trim: number,
    what: 'do not exist' | 'hold a fence',
  ): Promise<void> {
    const first = Math.max(from, trim, this.from);
    if (!this.needs(first) || (to !== undefined && first >= to)) return;
    if (this.run.to === undefined) {
      this.endedAt = first;
      this.state = 'done';
      return;
    }
    const end = Math.min(to ?? this.run.to, this.run.to);
    const slots = end === first + 1 ? `slot ${first}` : `slots ${first} to ${end - 1}`;
    await this.#report(
      'SLOT_MISSING',
      slotKey(this.run.sid, first),
      `${slots} of session ${this.run.sid} ${what}, but group ${this.group.id} needs the session's slots up to ${this.run.to - 1}`,
    );
    this.group.loseTail();
  }

  /** Something that cannot be read, or belongs elsewhere, stands in a slot: what it held of this group is not known. */
  seeDamage(slot: number): void {
    if (this.needs(slot)) this.group.loseTail();
    this.seeSeal(slot);
  }

  /** Nothing can be said about the session's slots. */
  giveUp(): void {
    this.group.loseTail();
    this.#isGivenUp = true;
    this.state = 'done';
  }

  /** A FENCE or END: what a closed run ends at, and what stands there for ever. */
  seeSeal(slot: number): void {
    if (slot === this.run.to) this.#isSealSeen = true;
  }

  /** All slots have been walked. */
  async end(): Promise<void> {
    const { sid, to } = this.run;
    if (to !== undefined && !this.#isSealSeen && !this.#isGivenUp) {
      const what = `slot ${to} of session ${sid} is no fence, but the session was fenced there: its runs end at this slot`;
      await this.#report('FENCE_MISSING', slotKey(sid, to), what);
    }
    if (this.state === 'active') this.state = 'done';
  }

  /** Reports what rests on the manifest, unless that has been replaced: then all of it has to be looked at again. */
  async #report(
    code: 'TRIM_TOO_HIGH' | 'OFFSETS_NOT_DENSE' | 'EPOCH_WRONG' | 'SLOT_MISSING' | 'FENCE_MISSING',
    key: string,
    what: string,
  ): Promise<void> {
    if (this.state !== 'active') return;
    if (await this.group.hasChanged()) this.state = 'outdated';
    else this.#context.findings.add(code, key, what);
  }
}
