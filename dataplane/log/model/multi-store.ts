import { at, replaced, without } from './model.ts';
import type { Step } from './model.ts';
import { isDead } from './multi-cluster.ts';
import { changed, copyOf, isBlock, open, setCell, startOf } from './multi-state.ts';
import type { Manifest, Place, Rules, State, Sweep } from './multi-state.ts';

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

/**
 * Of dead sessions: list slots, have a fence behind all that were listed, read all manifests, then delete what no run
 * covers. As long as that goes on, manifests that covered something are read again, and no others.
 */
function* sweepSteps(rules: Rules, state: State): Iterable<Step<State>> {
  const { broken } = rules;
  const { sweep } = state;
  if (sweep === null) {
    const listed = candidates(state);
    if (listed.length === 0) return;
    const unfenced = [...new Set(listed.map(({ session }) => session))].filter(
      (session) => !isFenced(rules, state, session),
    );
    yield ['gcList', withSweep(state, { listed, unfenced, manifests: [] })];
    return;
  }
  if (sweep.unfenced.length > 0) {
    yield* fenceSteps(rules, state, sweep);
    return;
  }
  const read = sweep.manifests.length;
  if (read < (broken.has('gcOneManifest') ? 1 : state.manifests.length)) {
    const manifests = [...sweep.manifests, at(state.manifests, read)];
    yield [`gcReadM p${read}`, withSweep(state, { ...sweep, manifests })];
    return;
  }
  for (const [q, manifest] of sweep.manifests.entries()) {
    if (manifest === state.manifests[q] || !sweep.listed.some((place) => isCovered(place, [manifest])))
      continue;
    const manifests = replaced(sweep.manifests, q, at(state.manifests, q));
    yield [`gcReadM p${q} again`, withSweep(state, { ...sweep, manifests })];
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
 * A fence goes behind all slots of a dead session that were listed. One at the session's first hole would not do, since
 * the session may have acquired a group, without being told yet, whose run starts above that hole.
 */
function* fenceSteps(rules: Rules, state: State, sweep: Sweep): Iterable<Step<State>> {
  const [i = 0, ...unfenced] = sweep.unfenced;
  const last = Math.max(...sweep.listed.filter(({ session }) => session === i).map(({ slot }) => slot));
  const from = rules.broken.has('sweepFencedAtHole') ? at(state.trims, i) : last + 1;
  const slot = at(state.wal, i).findIndex((cell, slot) => slot >= from && !isBlock(cell));
  const next = withSweep(state, { ...sweep, unfenced });
  setCell(next, i, slot, 'fence');
  yield [`gcFence s${i} slot${slot}`, next];
}

/** Whether the listing shows the session to be fenced. Without a cluster state nobody knows who is dead, and none is. */
function isFenced({ broken }: Rules, { cluster, wal, trims }: State, session: number): boolean {
  if (cluster === null || broken.has('sweepUnfenced')) return true;
  const slots = at(wal, session);
  // A fence below the trim point fences nothing.
  if (broken.has('sweepFencedAtHole')) return slots.lastIndexOf('fence') >= at(trims, session);
  return slots[slots.findLastIndex((cell) => cell !== null)] === 'fence';
}

function candidates({ cluster, wal }: State): Place[] {
  return wal.flatMap((slots, session) =>
    cluster === null || isDead(cluster, session)
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
