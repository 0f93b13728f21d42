import { at, boundsFrom, mutantsFrom } from './model.ts';
import type { Model, Step } from './model.ts';
import { acquireSteps } from './multi-acquire.ts';
import { appendSteps } from './multi-append.ts';
import { clusterSteps, initialCluster, isDead } from './multi-cluster.ts';
import { commitSteps } from './multi-commit.ts';
import { keyOf } from './multi-key.ts';
import { readSteps } from './multi-read.ts';
import {
  idleRole,
  logOf,
  manifestOf,
  multiBounds,
  multiMutants,
  noRead,
  nobody,
  open,
} from './multi-state.ts';
import type { Cell, Role, Rules, State } from './multi-state.ts';
import { storeSteps } from './multi-store.ts';

/**
 * Two partitions whose blocks share the slots of sessions: seal through one partition, acknowledgement across
 * partitions, trim points, a sweep that reads manifests one by one, a sealed session that acquires another partition;
 * with `cluster: 1` the assignments and dead sids of `meta/cluster` (hand-over and takeover), with `late…` manifest CASes
 * whose answer is lost and which may land late, with `reads: 1` a request for a log end that an owner has to confirm.
 */
export function multiModel(
  mutants: readonly string[] = [],
  bounds: Readonly<Record<string, number>> = {},
): Model<State> {
  const rules: Rules = {
    broken: mutantsFrom(multiMutants, mutants),
    bounds: boundsFrom(multiBounds, bounds),
  };
  return {
    initial: () => initialState(rules),
    steps: (state) => allSteps(rules, state),
    violation: brokenInvariant,
    key: keyOf,
    rare: new Set(['declareDead', 'register', 'reassign', 'learnDeath']),
  };
}

/** Session 0 owns partition 0; nobody owns partition 1. */
function initialState(rules: Rules): State {
  const { bounds } = rules;
  const unowned = manifestOf({ version: 1, assignGen: 0, owner: nobody, runs: [], segment: [] });
  const owned = manifestOf({
    ...unowned,
    owner: 0,
    runs: [{ session: 0, from: 0, to: open, flushedTo: 0 }],
  });
  const manifests = [owned, unowned].slice(0, bounds.partitions);
  const owning: Role = { ...idleRole, phase: 'own', version: 1 };
  return {
    manifests,
    wal: Array.from({ length: bounds.sessions }, () => Array<Cell>(bounds.slots + 1).fill(null)),
    trims: Array<number>(bounds.sessions).fill(0),
    puts: [],
    lateCasses: [],
    sessions: Array.from({ length: bounds.sessions }, (_, i) => ({
      dead: false,
      nextSlot: 0,
      inflight: [],
      roles: manifests.map((_, q) => (i === 0 && q === 0 ? { ...owning } : { ...idleRole })),
      seals: bounds.sharedSeals === 1 ? Array<null>(bounds.sessions).fill(null) : null,
      oldView: null,
      onceConfirmed: false,
      key: '',
    })),
    acked: manifests.map(() => []),
    nextValue: 1,
    sweep: null,
    cluster: bounds.cluster === 1 ? initialCluster(rules) : null,
    read: noRead,
  };
}

function* allSteps(rules: Rules, state: State): Iterable<Step<State>> {
  for (const [i, session] of state.sessions.entries()) {
    if (session.dead) continue;
    for (const q of session.roles.keys()) {
      yield* commitSteps(rules, state, i, q);
      yield* acquireSteps(rules, state, i, q);
    }
    yield* appendSteps(rules, state, i);
    yield* readSteps(rules, state, i);
  }
  yield* clusterSteps(rules, state);
  yield* storeSteps(rules, state);
}

function brokenInvariant(before: State, after: State): string | undefined {
  const sameWal = before.wal === after.wal && before.trims === after.trims;
  for (const q of after.manifests.keys()) {
    if (sameWal && before.manifests[q] === after.manifests[q] && before.acked[q] === after.acked[q]) continue;
    const { values, lost, misplaced } = logOf(q, at(after.manifests, q), after);
    if (lost === true) return `p${q}: slot of a closed run is missing`;
    if (misplaced !== undefined) return `p${q}: offset gap or overlap: ${misplaced}`;
    for (const { offset, value } of at(after.acked, q)) {
      if (values[offset] !== value) {
        return `p${q}: acked record lost: offset ${offset} value ${value} log ${values}`;
      }
    }
    const visible = logOf(q, at(before.manifests, q), before).values;
    const change = visible.findIndex((value, offset) => values[offset] !== value);
    if (change >= 0) {
      return `p${q}: visible record changed at ${change}: ${visible[change]} -> ${values[change]}`;
    }
  }
  const { answer, floor, phase } = after.read;
  if (phase === 'answered' && answer < floor) {
    return `a read was answered with log end ${answer} after ${floor} had been acknowledged`;
  }
  return needlessDeath(before, after);
}

/** Invariant 14, and that no session stops that was not declared dead. */
function needlessDeath(before: State, after: State): string | undefined {
  const { cluster } = after;
  if (cluster === null) return undefined;
  for (const [i, slots] of after.wal.entries()) {
    if (before.wal === after.wal && before.sessions[i] === after.sessions[i]) continue;
    if (isDead(cluster, i)) continue;
    const slot = slots.findIndex((cell, slot) => cell === 'fence' && at(at(before.wal, i), slot) === null);
    if (slot >= 0) return `FENCE at slot ${slot} of s${i}, which is not dead`;
    if (at(after.sessions, i).dead && !at(before.sessions, i).dead) {
      return `s${i} stopped although it is not dead`;
    }
  }
  return undefined;
}
