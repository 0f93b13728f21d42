import type { ClusterState } from './cluster-state.ts';
import { isReady, liveBroker } from './ownership.ts';

/** When brokers and zones are believed in, and given up. */
export interface PlacementTimings {
  /** Since when a broker must have been ready to be given groups that others serve well enough. */
  readonly steadyAfterMs: number;
  /** With `placedBy = operator`: for how long a topic that could be brought home is left to the operator. */
  readonly strayAfterMs: number;
  /** A hand-over that takes longer does not hold up others. */
  readonly slowHandoverMs: number;
}

export const placementTimings: PlacementTimings = {
  steadyAfterMs: 30_000,
  strayAfterMs: 300_000,
  slowHandoverMs: 60_000,
};

/**
 * What one process remembers of brokers, zones and hand-overs, on its own monotonic clock: only how long *it* has watched.
 * Nothing is ever compared with a clock of somebody else, so a process that has just started waits as long as if everything
 * had just happened.
 */
export interface PlacementMemory {
  /** When the state was last known to be what is remembered. */
  readonly readAtMs: number;
  /** By sid: since when it has been seen ready. */
  readonly readySinceMs: ReadonlyMap<string, number>;
  /** By zone: for how long no broker there has been seen alive or draining, cordoned or not. */
  readonly emptyMs: ReadonlyMap<string, number>;
  /** By topic id: since when it has been away although its home zone has a ready broker. Kept for the operator only. */
  readonly strayedSinceMs: ReadonlyMap<string, number>;
  /** By group: since when a hand-over has been seen under way, and its generation. */
  readonly handedOverSince: ReadonlyMap<string, { readonly generation: number; readonly ms: number }>;
}

export const noPlacementMemory: PlacementMemory = {
  readAtMs: Number.NEGATIVE_INFINITY,
  readySinceMs: new Map(),
  emptyMs: new Map(),
  strayedSinceMs: new Map(),
  handedOverSince: new Map(),
};

/**
 * A longer time without a read does not count against a zone: while the store cannot be reached no broker of it could have
 * come back.
 */
const maxWatchGapMs = 30_000;

/** Takes note of a state that was read (or found unchanged) by a request that began at `readAtMs`. */
export function watchPlacement(
  memory: PlacementMemory,
  state: ClusterState,
  readAtMs: number,
): PlacementMemory {
  if (readAtMs <= memory.readAtMs) return memory;
  const passedMs = readAtMs - memory.readAtMs;
  const readySinceMs = new Map<string, number>();
  const liveZones = new Set<string>();
  for (const broker of state.brokers.values()) {
    if (broker.state !== 'dead') liveZones.add(broker.zone);
    if (isReady(broker)) readySinceMs.set(broker.sid, memory.readySinceMs.get(broker.sid) ?? readAtMs);
  }
  const emptyMs = new Map<string, number>();
  for (const zone of state.zones) {
    if (liveZones.has(zone)) continue;
    const before = memory.emptyMs.get(zone);
    emptyMs.set(zone, before === undefined ? 0 : before + (passedMs > maxWatchGapMs ? 0 : passedMs));
  }
  const handedOverSince = new Map<string, { generation: number; ms: number }>();
  for (const [group, { from, generation }] of state.assignments) {
    if (from === undefined) continue;
    const known = memory.handedOverSince.get(group);
    handedOverSince.set(group, known?.generation === generation ? known : { generation, ms: readAtMs });
  }
  const strayedSinceMs = new Map<string, number>();
  if (state.placedBy === 'operator') {
    for (const topicId of straysOf(state))
      strayedSinceMs.set(topicId, memory.strayedSinceMs.get(topicId) ?? readAtMs);
  }
  return { readAtMs, readySinceMs, emptyMs, strayedSinceMs, handedOverSince };
}

/** Ids of the brokers that have been ready for long enough. */
export function steadyBrokers(
  state: ClusterState,
  { readAtMs, readySinceMs }: PlacementMemory,
  { steadyAfterMs }: PlacementTimings,
): Set<number> {
  const steady = new Set<number>();
  for (const [id, broker] of state.brokers) {
    const sinceMs = isReady(broker) ? readySinceMs.get(broker.sid) : undefined;
    if (sinceMs !== undefined && readAtMs - sinceMs >= steadyAfterMs) steady.add(id);
  }
  return steady;
}

/** Zones that nobody expects to come back soon. */
export function lostZones({ emptyMs }: PlacementMemory, lostAfterMs: number): Set<string> {
  return new Set(Array.from(emptyMs).flatMap(([zone, ms]) => (ms >= lostAfterMs ? [zone] : [])));
}

/** How many hand-overs are under way, those left out that have been for too long. */
export function handoversUnderWay(
  state: ClusterState,
  { readAtMs, handedOverSince }: PlacementMemory,
  { slowHandoverMs }: PlacementTimings,
): number {
  let count = 0;
  for (const [group, { from, generation }] of state.assignments) {
    if (from === undefined) continue;
    const known = handedOverSince.get(group);
    if (known?.generation !== generation || readAtMs - known.ms < slowHandoverMs) count += 1;
  }
  return count;
}

/** Topics of which a group is not in the home zone, although that has a ready broker. */
function straysOf(state: ClusterState): string[] {
  const readyZones = new Set<string>();
  for (const broker of state.brokers.values()) if (isReady(broker)) readyZones.add(broker.zone);
  const homes = new Map<string, string>();
  for (const { topicId, homeZone } of state.topics.values())
    if (homeZone !== undefined && readyZones.has(homeZone)) homes.set(topicId, homeZone);
  const strays = new Set<string>();
  for (const [group, { broker }] of state.assignments) {
    const topicId = group.slice(0, topicIdLength);
    const home = homes.get(topicId);
    if (home !== undefined && liveBroker(state, broker)?.zone !== home) strays.add(topicId);
  }
  return [...strays];
}

const topicIdLength = 32;
