import { sleep } from '../../runtime/runtime.ts';
import { noFooterHash } from '../format/container-footer.ts';
import type { BlockEntry, DecodedContainer } from '../format/container.ts';
import { decodeCheckpoint } from '../format/checkpoint.ts';
import { checkpointKey, manifestKey, sessionKey, slotKey, slotPrefix, trimKey } from '../format/keys.ts';
import { decodeSessionRecord } from '../format/session-record.ts';
import { misplacedContainer } from './container-reader.ts';
import { reportDamage } from './damage.ts';
import { checkBytes } from './deep-check.ts';
import type { RunCheck } from './run-check.ts';
import { listSession, readTrim } from './session-listing.ts';
import type { SessionListing } from './session-listing.ts';
import { walkSlots } from './slot-walk.ts';
import type { SlotStep } from './slot-walk.ts';
import type { VerifyContext } from './verify-context.ts';

export interface SessionRuns {
  readonly sid: string;
  /** What groups need of this session: each at most once. */
  readonly runs: readonly RunCheck[];
  /** Groups of `meta/cluster` that have no manifest: none of their blocks may be anywhere. Those that have one after all, or were reported, are taken out. */
  readonly unborn: Set<string>;
  readonly memory: SessionMemory;
}

/** What is remembered of a session between walks of its slots. */
export interface SessionMemory {
  /** The session itself has been checked: from then on only runs are. */
  isChecked: boolean;
  /** All slots below are in a readable checkpoint. */
  checkpointed: number;
}

/** Checks one session: its slots follow one another from the trim point to the fence, and hold what groups need of them. */
export async function checkSession(session: SessionRuns, context: VerifyContext): Promise<void> {
  await new SessionCheck(session, context).run();
}

class SessionCheck {
  readonly #sid: string;
  readonly #runs: readonly RunCheck[];
  readonly #unborn: Set<string>;
  readonly #isFirst: boolean;
  readonly #memory: SessionMemory;
  readonly #context: VerifyContext;
  readonly #runOf = new Map<string, RunCheck>();
  #trim = 0;
  /** The slot before the next one, when it is known. */
  #before: { readonly slot: number; readonly footerHash: string } | undefined;
  #fencedAt: number | undefined;
  #aboveFence = 0;
  #belowTrim = 0;
  readonly #checkpointHashes = new Map<number, string>();

  constructor({ sid, runs, unborn, memory }: SessionRuns, context: VerifyContext) {
    this.#sid = sid;
    this.#runs = runs;
    this.#unborn = unborn;
    this.#isFirst = !memory.isChecked;
    this.#memory = memory;
    this.#context = context;
    for (const run of runs) {
      const { topicId, partitions } = run.group.manifest;
      for (const { partition } of partitions) this.#runOf.set(`${topicId}/${partition}`, run);
    }
  }

  async run(): Promise<void> {
    const { reader, findings, counters } = this.#context;
    const trim = await readTrim(reader, this.#sid);
    if (trim instanceof Error) {
      // Without it nobody can tell a slot that was trimmed from one that is lost.
      reportDamage(findings, trimKey(this.#sid), trim);
      for (const run of this.#runs) run.giveUp();
    } else {
      this.#trim = trim;
      for (const run of this.#runs) run.begin(trim);
    }
    const listing = await listSession(reader, this.#sid);
    if (this.#isFirst) {
      this.#memory.isChecked = true;
      counters.sessions += 1;
      await this.#checkRecord(listing);
      await this.#checkCheckpoints(listing);
    }
    const needed = (from: number): number | undefined => {
      let first: number | undefined;
      for (const run of this.#runs) {
        const slot = run.firstNeeded(Math.max(from, this.#trim));
        if (slot !== undefined && (first === undefined || slot < first)) first = slot;
      }
      return first;
    };
    const starts = this.#runs.map((run) => run.from);
    if (this.#isFirst) starts.push(listing.slots.first ?? 0);
    const walk = {
      sid: this.#sid,
      slots: listing.slots,
      from: starts.reduce((first, start) => Math.min(first, start), Number.MAX_SAFE_INTEGER),
      firstNeeded: needed,
    };
    for await (const step of walkSlots(reader, walk)) await this.#step(step);
    for (const run of this.#runs) await run.end();
    if (this.#isFirst) this.#summarize();
    await this.#checkGap(listing);
  }

  async #step(step: SlotStep): Promise<void> {
    if (step.kind === 'gap') {
      this.#before = undefined;
      await this.#refreshTrim();
      for (const run of this.#runs) await run.seeGap(step.from, step.to, this.#trim, 'do not exist');
      return;
    }
    const { slot, found } = step;
    const key = slotKey(this.#sid, slot);
    const { findings } = this.#context;
    const misplaced =
      found.kind === 'found'
        ? misplacedContainer(found.value, { kind: 'slot', sid: this.#sid, slot })
        : undefined;
    if (found.kind === 'damaged' || misplaced !== undefined) {
      if (found.kind === 'damaged') reportDamage(findings, key, found.error);
      else findings.add('WRONG_PLACE', key, `it holds ${misplaced ?? ''}`);
      this.#before = undefined;
      for (const run of this.#runs) run.seeDamage(slot);
      return;
    }
    const { value } = found;
    this.#checkChain(slot, value, key);
    if (value.header.kind === 'data') await this.#seeData(slot, value, key);
    else await this.#seeEnd(slot, value, key);
  }

  #checkChain(slot: number, { header, footer }: DecodedContainer, key: string): void {
    const { findings, counters } = this.#context;
    if (this.#isFirst) counters.slots += 1;
    const before = this.#before;
    this.#before = header.kind === 'data' ? { slot, footerHash: footer.footerHash } : undefined;
    if (header.kind === 'fence') return;
    const expected = slot === 0 ? noFooterHash : before?.slot === slot - 1 ? before.footerHash : undefined;
    if (expected !== undefined && footer.previousFooterHash !== expected) {
      const what =
        slot === 0
          ? 'it does not begin its session: it names a slot before it'
          : `it does not continue slot ${slot - 1} of its session`;
      findings.add('CHAIN_BROKEN', key, `${what} (${footer.previousFooterHash}, expected ${expected})`);
    }
    const checkpointed = this.#checkpointHashes.get(slot);
    if (checkpointed !== undefined && checkpointed !== footer.footerHash) {
      findings.add(
        'CHECKPOINT_MISMATCH',
        checkpointKey(this.#sid, this.#memory.checkpointed),
        `it has slot ${slot} with footer ${checkpointed}, the slot itself has ${footer.footerHash}`,
      );
    }
  }

  async #seeData(slot: number, value: DecodedContainer, key: string): Promise<void> {
    let isNeeded = false;
    for (const block of value.index) {
      const run = this.#runOf.get(`${block.topicId}/${block.partition}`);
      if (run?.needs(slot) === true) {
        isNeeded = true;
        await run.see(block, slot, this.#trim);
      } else if (run === undefined && this.#isFirst) {
        await this.#checkBorn(block, key);
      }
    }
    if (!this.#isFirst) return;
    if (slot < this.#trim) this.#belowTrim += 1;
    else if (this.#fencedAt !== undefined && !isNeeded) this.#aboveFence += 1;
    if (this.#context.deep) await checkBytes(this.#context, key, value);
  }

  /** A block of a group can be written only after the group's manifest was, and manifests are never deleted. */
  async #checkBorn(block: BlockEntry, key: string): Promise<void> {
    const { cluster, findings, reader } = this.#context;
    const group = cluster.groupOf(block.topicId, block.partition)?.id;
    if (group === undefined || !this.#unborn.has(group)) return;
    this.#unborn.delete(group);
    const manifest = manifestKey(group);
    if ((await reader.head(manifest)) !== undefined) return;
    findings.add(
      'MANIFEST_MISSING',
      manifest,
      `it does not exist, but ${key} holds records of group ${group}`,
    );
  }

  /** A FENCE, or the session's own END. */
  async #seeEnd(slot: number, value: DecodedContainer, key: string): Promise<void> {
    const { cluster, findings, deep } = this.#context;
    for (const run of this.#runs) {
      run.seeSeal(slot);
      await run.seeGap(slot, slot + 1, this.#trim, 'hold a fence');
    }
    if (!this.#isFirst) return;
    if (slot >= this.#trim) this.#fencedAt ??= slot;
    if (deep) await checkBytes(this.#context, key, value);
    if (value.header.kind !== 'fence' || cluster.isLive(this.#sid) !== true) return;
    await cluster.refresh();
    if (cluster.isLive(this.#sid) !== true) return;
    findings.add(
      'FENCE_IN_LIVE_SESSION',
      key,
      `it is a fence, but meta/cluster says that session ${this.#sid} lives`,
    );
  }

  /** Slots that were there may have been trimmed since we looked. */
  async #refreshTrim(): Promise<void> {
    const trim = await readTrim(this.#context.reader, this.#sid);
    if (!(trim instanceof Error)) this.#trim = Math.max(this.#trim, trim);
  }

  async #checkRecord({ slots }: SessionListing): Promise<void> {
    const { reader, findings } = this.#context;
    const key = sessionKey(this.#sid);
    const found = await reader.read(key, ({ bytes }) => decodeSessionRecord(bytes, key));
    if (found.kind === 'damaged') reportDamage(findings, key, found.error);
    else if (found.kind === 'found' && found.value.sid !== this.#sid) {
      findings.add(
        'WRONG_PLACE',
        key,
        `it is the record of session ${found.value.sid}`,
        'no record is affected',
      );
    } else if (found.kind === 'absent' && slots.count > 0) {
      findings.add(
        'NO_SESSION_RECORD',
        key,
        `session ${this.#sid} has ${slots.count} slots and no such record`,
      );
    }
  }

  async #checkCheckpoints({ checkpoints }: SessionListing): Promise<void> {
    const { reader, findings } = this.#context;
    for (const slot of checkpoints) {
      const key = checkpointKey(this.#sid, slot);
      const found = await reader.read(key, ({ bytes }) => decodeCheckpoint(bytes, key));
      if (found.kind === 'absent') continue;
      if (found.kind === 'damaged') {
        reportDamage(findings, key, found.error);
        continue;
      }
      const { sid, slot: end, slots } = found.value;
      if (sid !== this.#sid || end !== slot) {
        findings.add('WRONG_PLACE', key, `it is the checkpoint of session ${sid} up to slot ${end}`);
        continue;
      }
      this.#memory.checkpointed = slot;
      this.#checkpointHashes.clear();
      for (const { slot: at, footerHash } of slots) this.#checkpointHashes.set(at, footerHash);
    }
  }

  #summarize(): void {
    const { findings } = this.#context;
    const prefix = slotPrefix(this.#sid);
    if (this.#belowTrim > 0)
      findings.add(
        'TRIMMED_SLOTS',
        prefix,
        `${this.#belowTrim} slots below the trim point ${this.#trim} still exist`,
      );
    if (this.#aboveFence > 0)
      findings.add(
        'SLOTS_ABOVE_FENCE',
        prefix,
        `${this.#aboveFence} slots above the fence at slot ${this.#fencedAt ?? 0} that no group needs`,
      );
  }

  /**
   * Looks at the first slot that does not exist, where that says something: in a session that lives, or that a group
   * reads up to its end. Above it there may be slots that were being written. A checkpoint proves more: all slots below
   * it were acknowledged.
   */
  async #checkGap(listing: SessionListing): Promise<void> {
    const { cluster, findings, reader, runtime, settleMs } = this.#context;
    const openEnds = this.#runs.flatMap(({ run, endedAt }) =>
      run.to === undefined && endedAt !== undefined ? [endedAt] : [],
    );
    if (
      this.#fencedAt !== undefined ||
      (openEnds.length === 0 && (!this.#isFirst || cluster.isLive(this.#sid) !== true))
    )
      return;
    const gap = openEnds.length > 0 ? Math.min(...openEnds) : listing.slots.gapFrom(this.#trim);
    const isProven = this.#memory.checkpointed > gap;
    if (!isProven && (listing.slots.last ?? -1) < gap) return;
    if (!isProven && settleMs > 0) await sleep(runtime, settleMs, reader.signal);
    await this.#refreshTrim();
    const key = slotKey(this.#sid, gap);
    if (this.#trim > gap || (await reader.head(key)) !== undefined) return;
    if (isProven) {
      findings.add(
        'SLOT_MISSING',
        key,
        `slot ${gap} of session ${this.#sid} does not exist, but its checkpoint at ${this.#memory.checkpointed} proves that it was acknowledged`,
      );
    } else {
      const beyond = listing.slots.count - listing.slots.countBelow(gap);
      findings.add(
        'SLOT_GAP',
        key,
        `slot ${gap} of session ${this.#sid} does not exist, ${beyond} slots above it do`,
      );
    }
  }
}
