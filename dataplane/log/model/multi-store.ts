import { at, replaced, without } from './model.ts';
import type { Step } from './model.ts';
import { isDead } from './multi-cluster.ts';
import { changed, copyOf, isBlock, open, setCell, startOf } from './multi-state.ts';
import type { Cell, Manifest, Place, Rules, State, Sweep } from './multi-state.ts';

/** What the store and the garbage collector do: requests land, trimmed slots are deleted, dead sessions are swept. */
export function* storeSteps(rules: Rules, state: State): Iterable<Step<State>> {
  yield* deleteSteps(state);
  yield* landingSteps(state);
  yield* lateCasSteps(state);
  if (rules.bounds.sweeps === 1) yield* sweepSteps(rules, state);
}

/** Slots below a trim point may be deleted by anyone at any time. */
function* deleteSteps(state: State): Iterable<Step<State>> {
  for (const [i, slots] of state.wal.entries()) {
    const slot = slots.findIndex(isBlock);
    if (slot < 0 || slot >= at(state.trims, i)) continue;
    yield [`deleteBelowTrim s${i} slot${slot}`, withoutSlot(state, { session: i, slot })];
  }
}

/** The store applies a PUT now, possibly very late; its answer arrives or is lost. */
function* landingSteps(state: State): Iterable<Step<State>> {
  const seen = new Set<number>();
  for (const [k, { session: i, slot, block }] of state.puts.entries()) {
    // A value is only ever sent to one slot.
    if (seen.has(block.value)) continue;
    seen.add(block.value);
    const created = at(at(state.wal, i), slot) === null;
    const name = `land s${i} slot${slot} p${block.partition} v${block.value} ${created ? '200' : '412'}`;
    const landed = copyOf(state);
    landed.puts = without(state.puts, k);
    if (created) setCell(landed, i, slot, block);
    const waiting = at(state.sessions, i).inflight.findIndex((entry) => entry.slot === slot);
    const entry = at(state.sessions, i).inflight[waiting];
    if (entry !== undefined && entry.outcome !== 'durable') {
      const heard = changed(landed, i, ({ inflight }) => {
        inflight[waiting] = { ...entry, outcome: created ? 'durable' : 'refused' };
      });
      yield [name, heard];
    }
    yield [`${name} (answer lost)`, landed];
  }
}

function* lateCasSteps(state: State): Iterable<Step<State>> {
  for (const [k, cas] of state.lateCasses.entries()) {
    const { kind, session, partition, base, written } = cas;
    const applied = at(state.manifests, partition).version === base;
    const next = copyOf(state);
    next.lateCasses = without(state.lateCasses, k);
    if (applied) next.manifests = replaced(state.manifests, partition, written);
    yield [`landCas ${kind} s${session} p${partition} ${applied ? 'applied' : 'rejected'}`, next];
  }
}

/** Of sessions that are dead and fenced: list candidates, then read all manifests, then delete what no run covers. */
function* sweepSteps(rules: Rules, state: State): Iterable<Step<State>> {
  const { broken } = rules;
  const { sweep } = state;
  if (sweep === null) {
    yield* fenceSteps(rules, state);
    const listed = candidates(rules, state);
    if (listed.length > 0) yield ['gcList', withSweep(state, { listed, manifests: [] })];
    return;
  }
  const read = sweep.manifests.length;
  if (read < (broken.has('gcOneManifest') ? 1 : state.manifests.length)) {
    const manifests = [...sweep.manifests, at(state.manifests, read)];
    yield [`gcReadM p${read}`, withSweep(state, { ...sweep, manifests })];
    return;
  }
  const deletable = sweep.listed.find(
    (place) =>
      isBlock(at(at(state.wal, place.session), place.slot)) &&
      (!isCovered(place, sweep.manifests) || (broken.has('gcBeyondFence') && isBeyondFence(place, state))),
  );
  if (deletable === undefined) yield ['gcDone', withSweep(state, null)];
  else yield [`gcDelete s${deletable.session} slot${deletable.slot}`, withoutSlot(state, deletable)];
}

/**
 * Before a dead session is swept, its last slot must be a FENCE: it gets one behind all that exist. A fence at its first
 * hole would not do, since the session may have acquired a group, without being told yet, whose run starts above that
 * hole. List, fence and check of the trim point are one step.
 */
function* fenceSteps(rules: Rules, state: State): Iterable<Step<State>> {
  const { cluster, wal, trims } = state;
  if (cluster === null || rules.broken.has('sweepUnfenced')) return;
  for (const [i, slots] of wal.entries()) {
    if (!slots.some(isBlock) || !isDead(cluster, i) || isFenced(rules, state, i)) continue;
    const slot = rules.broken.has('sweepFencedAtHole')
      ? slots.findIndex((cell, slot) => slot >= at(trims, i) && cell === null)
      : endOf(slots);
    const next = copyOf(state);
    setCell(next, i, slot, 'fence');
    yield [`gcFence s${i} slot${slot}`, next];
  }
}

function isFenced({ broken }: Rules, { wal, trims }: State, session: number): boolean {
  const slots = at(wal, session);
  // A fence below the trim point fences nothing.
  if (broken.has('sweepFencedAtHole')) return slots.lastIndexOf('fence') >= at(trims, session);
  return slots[endOf(slots) - 1] === 'fence';
}

/** The slot behind all that exist. */
function endOf(slots: readonly Cell[]): number {
  return slots.findLastIndex((cell) => cell !== null) + 1;
}

function candidates(rules: Rules, state: State): Place[] {
  const { cluster, wal } = state;
  const unfenced = cluster === null || rules.broken.has('sweepUnfenced');
  return wal.flatMap((slots, session) =>
    (cluster === null || isDead(cluster, session)) && (unfenced || isFenced(rules, state, session))
      ? slots.flatMap((cell, slot) => (isBlock(cell) ? [{ session, slot }] : []))
      : [],
  );
}

function isCovered({ session, slot }: Place, manifests: readonly Manifest[]): boolean {
  return manifests.some(({ runs }) =>
    runs.some((run) => run.session === session && slot >= startOf(run) && (run.to === open || slot < run.to)),
  );
}

function isBeyondFence({ session, slot }: Place, { wal }: State): boolean {
  const fence = at(wal, session).indexOf('fence');
  return fence >= 0 && slot > fence;
}

function withSweep(state: State, sweep: Sweep | null): State {
  const next = copyOf(state);
  next.sweep = sweep;
  return next;
}

function withoutSlot(state: State, { session, slot }: Place): State {
  const next = copyOf(state);
  setCell(next, session, slot, null);
  return next;
}
