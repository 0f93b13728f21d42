import { forEachLimited } from '../runtime/concurrency.ts';
import { listAll } from '../store/list-all.ts';
import type { ETag } from '../store/object-store.ts';
import type { DeadSession } from './dead-session.ts';
import { LogError, isDamage } from './errors.ts';
import {
  checkpointKey,
  manifestKey,
  parseCheckpointKey,
  parseSlotKey,
  slotKey,
  slotPrefix,
} from './format/keys.ts';
import { decodeManifest } from './format/manifest.ts';
import type { Manifest, Run } from './format/manifest.ts';
import type { LogContext } from './log-context.ts';

/** The runs over one session's slots in a manifest, and the manifest they were read from. */
interface Cover {
  readonly etag: ETag;
  readonly runs: readonly Run[];
}

/** What a session that is not written any more has left in the WAL, as known between two rounds of a {@link Sweeper}. */
export class SessionRemains {
  readonly sid: string;
  /** Slots that are never deleted: FENCE and END objects, and those that cannot be read. */
  readonly ended: number;
  readonly #context: LogContext;
  readonly #last: { readonly slot: number; readonly isEnd: boolean } | undefined;
  #data: readonly number[];
  #checkpoints: readonly number[];
  #covers: Map<string, Cover> | undefined;

  constructor(
    context: LogContext,
    sid: string,
    found: {
      readonly data: readonly number[];
      readonly ended: readonly number[];
      readonly unreadable: readonly number[];
      readonly checkpoints: readonly number[];
    },
  ) {
    this.#context = context;
    this.sid = sid;
    this.#data = found.data;
    this.#checkpoints = found.checkpoints;
    this.ended = found.ended.length + found.unreadable.length;
    const slots = [...found.data, ...found.unreadable, ...found.ended];
    if (slots.length > 0) {
      const slot = slots.reduce((highest, next) => Math.max(highest, next));
      this.#last = { slot, isEnd: found.ended.includes(slot) };
    }
  }

  /** There is nothing to delete. */
  get isClean(): boolean {
    return this.#data.length === 0 && this.#checkpoints.length === 0;
  }

  /** Whether all manifests have been read since a fence stood behind the slots. */
  get isSurveyed(): boolean {
    return this.#covers !== undefined;
  }

  /** Has a FENCE (or END) stand behind every slot that was listed. Only for a session that is dead. */
  async ensureFenced(dead: DeadSession, fencer: string): Promise<void> {
    if (this.#last === undefined || this.#last.isEnd) return;
    await dead.fenceBehind(this.#last.slot, { group: 'none: sweep', manifestVersion: 0, fencer });
  }

  /** Begins a survey of all manifests; what it is told counts once {@link surveyed} says that it was told all. */
  survey(): { see: (manifest: Manifest, etag: ETag) => void; surveyed: () => void } {
    const covers = new Map<string, Cover>();
    return {
      see: (manifest, etag) => {
        const runs = this.#runsIn(manifest);
        if (runs.length > 0) covers.set(manifest.group, { etag, runs });
      },
      surveyed: () => {
        this.#covers = covers;
      },
    };
  }

  /** Reads the manifests again that covered something when they were last read. */
  async refresh(signal: AbortSignal): Promise<void> {
    const { store, options } = this.#context;
    const covers = this.#covers;
    if (covers === undefined) return;
    await forEachLimited([...covers], options.replayConcurrency, async ([group, { etag }]) => {
      const key = manifestKey(group);
      const found = await store.get(key, { ifNoneMatch: etag, signal });
      if (found.kind === 'unchanged') return;
      if (found.kind === 'absent') {
        throw new LogError(
          'CORRUPT_LOG',
          `${key} has disappeared, but it needs slots of session ${this.sid}; run 'firn log verify'`,
        );
      }
      const runs = this.#runsIn(decodeManifest(found.body, key));
      if (runs.length === 0) covers.delete(group);
      else covers.set(group, { etag: found.info.etag, runs });
    });
  }

  /** Deletes the slots that no run reaches; with the last of them goes what only helps to read them. */
  async deleteUncovered(signal: AbortSignal): Promise<{ slots: number; checkpoints: number }> {
    const covers = this.#covers;
    if (covers === undefined) return { slots: 0, checkpoints: 0 };
    const runs = [...covers.values()].flatMap((cover) => cover.runs);
    const covered = this.#data.filter((slot) => isCovered(runs, slot));
    const slots = this.#data.filter((slot) => !isCovered(runs, slot));
    // A checkpoint only saves reads during a takeover; without a reachable slot there is nothing left to take over.
    const checkpoints = covered.length === 0 ? this.#checkpoints : [];
    if (slots.length + checkpoints.length === 0) return { slots: 0, checkpoints: 0 };
    const failures = await this.#context.store.deleteMany(
      [
        ...slots.map((slot) => slotKey(this.sid, slot)),
        ...checkpoints.map((slot) => checkpointKey(this.sid, slot)),
      ],
      { signal },
    );
    const kept = new Set(failures.map(({ key }) => key));
    this.#data = this.#data.filter((slot) => isCovered(runs, slot) || kept.has(slotKey(this.sid, slot)));
    this.#checkpoints = this.#checkpoints.filter(
      (slot) => covered.length > 0 || kept.has(checkpointKey(this.sid, slot)),
    );
    return { slots: slots.length, checkpoints: checkpoints.length };
  }

  #runsIn(manifest: Manifest): readonly Run[] {
    return manifest.runs.filter(
      (run) => run.sid === this.sid && this.#data.some((slot) => isCovered([run], slot)),
    );
  }
}

/**
 * Whether any run reaches the slot. "Everything above the fence" is *not* garbage: a later run of the same session may
 * cover it.
 */
export function isCovered(runs: readonly Run[], slot: number): boolean {
  return runs.some(
    (run) => slot >= Math.max(run.from, run.flushedTo) && (run.to === undefined || slot < run.to),
  );
}

export interface ListRemainsOptions {
  /** So many slots were there when it was last found clean: as many are the same ones, since FENCE and END objects stay. */
  readonly knownEnded: number | undefined;
  /** A slot cannot be read: it is left alone. */
  readonly onDamage: (error: Error) => void;
  readonly signal: AbortSignal;
}

/** Lists what a session has in the WAL and looks what each slot is. */
export async function listRemains(
  context: LogContext,
  sid: string,
  { knownEnded, onDamage, signal }: ListRemainsOptions,
): Promise<SessionRemains> {
  const slots: number[] = [];
  const checkpoints: number[] = [];
  for await (const { key } of listAll(context.store, slotPrefix(sid), signal)) {
    const slot = parseSlotKey(key)?.slot;
    if (slot !== undefined) slots.push(slot);
    const checkpoint = parseCheckpointKey(key)?.slot;
    if (checkpoint !== undefined) checkpoints.push(checkpoint);
  }
  if (slots.length === knownEnded)
    return new SessionRemains(context, sid, { data: [], ended: slots, unreadable: [], checkpoints });
  const data: number[] = [];
  const ended: number[] = [];
  const unreadable: number[] = [];
  await forEachLimited(slots, context.options.replayConcurrency, async (slot) => {
    try {
      const kind = await context.wal.readKind(sid, slot, signal);
      if (kind === 'data') data.push(slot);
      if (kind === 'ended') ended.push(slot);
    } catch (error) {
      if (!isDamage(error)) throw error;
      unreadable.push(slot);
      onDamage(error);
    }
  });
  return new SessionRemains(context, sid, { data, ended, unreadable, checkpoints });
}
