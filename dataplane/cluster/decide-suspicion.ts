import type { ClusterState, Suspicion } from './cluster-state.ts';
import { liveBroker } from './ownership.ts';

/** When a broker that cannot be reached is declared dead (README of the design, "Suspicion"). */
export interface SuspicionTimings {
  /** A link that is down for so long makes the broker at its end a suspect. */
  readonly accuseAfterMs: number;
  /** A broker that has not reached the store for so long is a suspect too, for one that has reached it all the while. */
  readonly storelessAfterMs: number;
  /** An accusation that stands for so long kills. */
  readonly deadAfterMs: number;
  /**
   * The same when a second broker confirms, and this one has read the store without a gap for `deadAfterMs`: right after
   * an outage of the store the accused may need a moment longer to get through.
   */
  readonly confirmedDeadAfterMs: number;
  /** How long a session that has refuted is left alone; doubles with every refutation up to the maximum. */
  readonly trustMs: number;
  readonly maxTrustMs: number;
}

export const suspicionTimings: SuspicionTimings = {
  accuseAfterMs: 1_500,
  storelessAfterMs: 3_000,
  deadAfterMs: 5_000,
  confirmedDeadAfterMs: 2_000,
  trustMs: 10_000,
  maxTrustMs: 60_000,
};

/** How this broker's own connection to another broker is. */
export type Link =
  | { readonly state: 'up' }
  | { readonly state: 'down'; readonly sinceMs: number }
  /** It answers, and says that it has not read the store since then: nothing that it owns can be written. */
  | { readonly state: 'storeless'; readonly sinceMs: number }
  /** The accused's own address refused a connection, and again 200 ms later: there is no such process. */
  | { readonly state: 'refused-twice' };

export type SuspicionAction =
  /** This broker is accused: call `refute`. */
  | { readonly kind: 'refute' }
  /** Call `accuse` with a fresh nonce: the first accusation, or the one that confirms. */
  | { readonly kind: 'accuse'; readonly id: number; readonly sid: string; readonly refutations: number }
  /** Call `withdraw`: the link is up again. */
  | { readonly kind: 'withdraw'; readonly id: number }
  /** Read `meta/cluster` again, then call `markDead`. */
  | {
      readonly kind: 'mark-dead';
      readonly id: number;
      readonly sid: string;
      readonly evidence: 'gone' | { readonly nonce: string };
    };

/**
 * What one broker remembers of suspicions, on its own monotonic clock: only how long *it* has watched. Nothing is ever
 * compared with a clock of somebody else.
 */
export interface SuspicionMemory {
  /** When the state was last known to be what `watched` says. */
  readonly readAtMs: number;
  /** Since when there was no gap between the reads. */
  readonly gaplessSinceMs: number;
  /** By nonce: how long the accusation has been seen standing. */
  readonly stoodMs: ReadonlyMap<string, number>;
  /** By sid: how many refutations were seen, and when the last of them was new. */
  readonly refuted: ReadonlyMap<string, { readonly refutations: number; readonly atMs: number }>;
}

export const noSuspicionMemory: SuspicionMemory = {
  readAtMs: Number.NEGATIVE_INFINITY,
  gaplessSinceMs: Number.NEGATIVE_INFINITY,
  stoodMs: new Map(),
  refuted: new Map(),
};

/** After a longer time without a read the watch begins anew: the accused may have been unable to read or write as well. */
const maxWatchGapMs = 2_500;

/**
 * Takes note of a state that was read (or found unchanged) by a request that began at `readAtMs`. Time counts against an
 * accused only while this broker reads the store: in an outage of the store nobody can refute.
 */
export function watchSuspicions(
  memory: SuspicionMemory,
  state: ClusterState,
  readAtMs: number,
): SuspicionMemory {
  if (readAtMs <= memory.readAtMs) return memory;
  const passedMs = readAtMs - memory.readAtMs;
  const isGap = passedMs > maxWatchGapMs;
  const stoodMs = new Map<string, number>();
  const refuted = new Map<string, { readonly refutations: number; readonly atMs: number }>();
  for (const { sid, accusations, refutations } of state.suspicions.values()) {
    for (const { nonce } of accusations) {
      const before = memory.stoodMs.get(nonce);
      stoodMs.set(nonce, before === undefined || isGap ? 0 : before + passedMs);
    }
    const known = memory.refuted.get(sid);
    if (known?.refutations === refutations) refuted.set(sid, known);
    else if (refutations > 0) refuted.set(sid, { refutations, atMs: readAtMs });
  }
  return { readAtMs, gaplessSinceMs: isGap ? readAtMs : memory.gaplessSinceMs, stoodMs, refuted };
}

/**
 * What this broker has to do about suspicions now. Every action is a change that is refused when the state has moved on:
 * an accusation if the accused has refuted, a verdict if its accusation was refuted. So a broker that reaches the store
 * and accepts connections is never declared dead.
 *
 * @param nowMs of the same monotonic clock as `links` and `memory`
 */
export function decideSuspicion(
  state: ClusterState,
  self: { readonly id: number; readonly sid: string },
  links: ReadonlyMap<number, Link>,
  memory: SuspicionMemory,
  nowMs: number,
  timings: SuspicionTimings = suspicionTimings,
): SuspicionAction[] {
  if (liveBroker(state, self.id)?.sid !== self.sid) return [];
  const actions: SuspicionAction[] = [];
  if ((state.suspicions.get(self.id)?.accusations.length ?? 0) > 0) actions.push({ kind: 'refute' });
  for (const [id, link] of links) {
    const entry = id === self.id ? undefined : liveBroker(state, id);
    if (entry === undefined) continue;
    const suspicion = state.suspicions.get(id) ?? { sid: entry.sid, accusations: [], refutations: 0 };
    const action = decideAboutOne(id, suspicion, self.sid, link, memory, nowMs, timings);
    if (action !== undefined) actions.push(action);
  }
  return actions;
}

function decideAboutOne(
  id: number,
  suspicion: Suspicion,
  ownSid: string,
  link: Link,
  memory: SuspicionMemory,
  nowMs: number,
  timings: SuspicionTimings,
): SuspicionAction | undefined {
  const { sid, accusations, refutations } = suspicion;
  const accuses = accusations.some(({ bySid }) => bySid === ownSid);
  switch (link.state) {
    case 'up':
      return accuses ? { kind: 'withdraw', id } : undefined;
    case 'refused-twice':
      return { kind: 'mark-dead', id, sid, evidence: 'gone' };
    case 'down':
    case 'storeless': {
      if (!isOutOfReach(link, memory, nowMs, timings)) return undefined;
      if (!accuses) {
        return isTrusted(suspicion, memory, nowMs, timings)
          ? undefined
          : { kind: 'accuse', id, sid, refutations };
      }
      const [oldest] = accusations;
      if (oldest === undefined) return undefined;
      const isConfirmed = accusations.length > 1 && nowMs - memory.gaplessSinceMs >= timings.deadAfterMs;
      const enoughMs = isConfirmed ? timings.confirmedDeadAfterMs : timings.deadAfterMs;
      return (memory.stoodMs.get(oldest.nonce) ?? 0) < enoughMs
        ? undefined
        : { kind: 'mark-dead', id, sid, evidence: { nonce: oldest.nonce } };
    }
  }
}

/** In an outage of the store nobody reaches it: who says it of another one must have read it all the while. */
function isOutOfReach(
  link: { readonly state: 'down' | 'storeless'; readonly sinceMs: number },
  { readAtMs, gaplessSinceMs }: SuspicionMemory,
  nowMs: number,
  { accuseAfterMs, storelessAfterMs }: SuspicionTimings,
): boolean {
  return link.state === 'down'
    ? nowMs - link.sinceMs >= accuseAfterMs
    : readAtMs - Math.max(link.sinceMs, gaplessSinceMs) >= storelessAfterMs;
}

/** A session that has refuted lately may not be accused again yet. */
function isTrusted(
  { sid, refutations }: Suspicion,
  memory: SuspicionMemory,
  nowMs: number,
  { trustMs, maxTrustMs }: SuspicionTimings,
): boolean {
  if (refutations === 0) return false;
  const known = memory.refuted.get(sid);
  // Not watched yet: as if it had refuted this moment.
  if (known?.refutations !== refutations) return true;
  return nowMs - known.atMs < Math.min(maxTrustMs, trustMs * 2 ** (refutations - 1));
}
