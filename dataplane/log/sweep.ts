import type { ClusterState } from '../cluster/cluster-state.ts';
import { isDeadSid } from '../cluster/ownership.ts';
import { groupsOf } from '../cluster/partition-groups.ts';
import { listAll } from '../store/list-all.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { DeadSession } from './dead-session.ts';
import {
  checkpointKey,
  manifestKey,
  parseCheckpointKey,
  parseSessionKey,
  parseSlotKey,
  sessionsPrefix,
  slotKey,
  slotPrefix,
} from './format/keys.ts';
import type { Manifest } from './format/manifest.ts';
import { decodeManifest } from './format/manifest.ts';
import type { LogContext } from './log-context.ts';

export interface SweepEnvironment {
  readonly context: LogContext;
  readonly refreshCluster: () => Promise<ClusterState>;
  readonly deadSession: (sid: string) => DeadSession;
  /** The sweeping broker's session, named in fences. */
  readonly fencer: string;
  /** Sessions that this process has found empty: not looked at again. */
  readonly clean: Set<string>;
  readonly signal: AbortSignal;
}

/**
 * Deletes WAL slots of dead sessions that no manifest reaches (log.md 2.6). Any broker may do it, any number at a time.
 *
 * Order, for each dead session: (1) make sure it is fenced, (2) list candidates, (3) read *all* manifests, (4) delete
 * candidates covered by no run. Reading manifests before listing, or skipping one that cannot be read, would delete live
 * slots. Being old is no reason to delete anything.
 *
 * Why (1): "dead" says nothing about what the session still does. Its CAS to acquire a group may be under way with a run
 * that starts at a slot which was unissued when the CAS was built and exists by now; if it landed after (3), the session
 * could acknowledge records of that group above slots deleted in (4), and the next owner would take the hole for the end.
 * After a fence nothing more is acknowledged, and whatever was acknowledged before has its manifest in place by (3).
 *
 * FENCE and END objects are never deleted: they are what refuses a slot to an owner that was paused for a week.
 */
export async function sweepDeadSessions(
  environment: SweepEnvironment,
): Promise<{ slots: number; checkpoints: number }> {
  const { context, clean, signal } = environment;
  const { store } = context;
  const withSlots = new Map<string, Candidates>();
  for await (const { key } of listAll(store, sessionsPrefix, signal)) {
    const sid = parseSessionKey(key)?.sid;
    if (sid === undefined || clean.has(sid)) continue;
    const found = await listSession(store, sid, signal);
    if (found.slots.length > 0) withSlots.set(sid, found);
  }
  // Who has written slots had registered before. So a session with slots that this later state does not name is dead and
  // stays so; one without slots may just not have registered yet.
  const state = await environment.refreshCluster();
  const candidates = new Map<string, Candidates>();
  for (const [sid, { slots }] of withSlots) {
    if (!isDeadSid(state, sid)) continue;
    await ensureFenced(environment, sid, slots);
    candidates.set(sid, await listSession(store, sid, signal));
  }
  if (candidates.size === 0) return { slots: 0, checkpoints: 0 };

  const manifests = await readAllManifests(store, await environment.refreshCluster(), signal);
  const swept = { slots: 0, checkpoints: 0 };
  for (const [sid, found] of candidates) {
    const uncovered = found.slots.filter((slot) => !isCovered(manifests, sid, slot));
    const unreachable: string[] = [];
    for (const slot of uncovered) {
      if ((await context.wal.readSlot(sid, slot, signal)).kind === 'data')
        unreachable.push(slotKey(sid, slot));
    }
    // A checkpoint only saves reads during a takeover; without a reachable slot there is nothing left to take over.
    const checkpoints =
      uncovered.length === found.slots.length
        ? found.checkpoints.map((slot) => checkpointKey(sid, slot))
        : [];
    const failures = await store.deleteMany([...unreachable, ...checkpoints], { signal });
    swept.slots += unreachable.length;
    swept.checkpoints += checkpoints.length;
    if (uncovered.length === found.slots.length && failures.length === 0 && unreachable.length === 0)
      clean.add(sid);
  }
  context.counters.slotsSwept += swept.slots;
  return swept;
}

interface Candidates {
  /** Ascending. */
  readonly slots: readonly number[];
  readonly checkpoints: readonly number[];
}

async function listSession(store: ObjectStore, sid: string, signal: AbortSignal): Promise<Candidates> {
  const slots: number[] = [];
  const checkpoints: number[] = [];
  for await (const { key } of listAll(store, slotPrefix(sid), signal)) {
    const slot = parseSlotKey(key)?.slot;
    if (slot !== undefined) slots.push(slot);
    const checkpoint = parseCheckpointKey(key)?.slot;
    if (checkpoint !== undefined) checkpoints.push(checkpoint);
  }
  return { slots: slots.toSorted((a, b) => a - b), checkpoints };
}

/**
 * A fence at or above the trim ends the session. It is among the last slots, since an owner has few slots under way
 * beyond it. Where there is none, nobody has swept yet, so every slot from the trim on is there and the first hole is the
 * true end.
 */
async function ensureFenced(
  environment: SweepEnvironment,
  sid: string,
  slots: readonly number[],
): Promise<void> {
  const { context, deadSession, fencer, signal } = environment;
  const session = deadSession(sid);
  const trim = await session.readTrim();
  for (const slot of slots.toReversed()) {
    if (slot < trim) break;
    if ((await context.wal.readSlot(sid, slot, signal)).kind === 'ended') return;
  }
  await session.seal(trim, { group: 'none: sweep', manifestVersion: 0, fencer });
}

/** Reads every manifest there is; throws when one cannot be read, and then nothing is deleted. */
async function readAllManifests(
  store: ObjectStore,
  state: ClusterState,
  signal: AbortSignal,
): Promise<Manifest[]> {
  const manifests: Manifest[] = [];
  const groups = [...state.topics.values(), ...state.deletedTopics.values()].flatMap((topic) =>
    groupsOf(topic),
  );
  for (let start = 0; start < groups.length; start += READ_CONCURRENCY) {
    const batch = await Promise.all(
      groups.slice(start, start + READ_CONCURRENCY).map(async ({ id }) => {
        const key = manifestKey(id);
        const found = await store.get(key, { signal });
        return found.kind === 'found' ? decodeManifest(found.body, key) : undefined;
      }),
    );
    for (const manifest of batch) if (manifest !== undefined) manifests.push(manifest);
  }
  return manifests;
}

/**
 * Whether any run reaches the slot. "Everything above the fence" is *not* garbage: a later run of the same session may
 * cover it.
 */
export function isCovered(manifests: readonly Manifest[], sid: string, slot: number): boolean {
  return manifests.some((manifest) =>
    manifest.runs.some(
      (run) =>
        run.sid === sid &&
        slot >= Math.max(run.from, run.flushedTo) &&
        (run.to === undefined || slot < run.to),
    ),
  );
}

const READ_CONCURRENCY = 32;
