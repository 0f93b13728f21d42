import { at, replaced, without } from './model.ts';
import type { Step } from './model.ts';
import { isDead } from './multi-cluster.ts';
import { changed, copyOf, isBlock, open, partitions, setCell, startOf } from './multi-state.ts';
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

/** List candidates of dead sessions, then read all manifests, then raise the trim point: slots below it are deleted. */
function* sweepSteps({ broken }: Rules, state: State): Iterable<Step<State>> {
  const { sweep } = state;
  if (sweep === null) {
    const listed = candidates(state);
    if (listed.length > 0) yield ['gcList', withSweep(state, { listed, manifests: [] })];
    return;
  }
  const read = sweep.manifests.length;
  if (read < (broken.has('gcOneManifest') ? 1 : partitions.length)) {
    const manifests = [...sweep.manifests, at(state.manifests, read)];
    yield [`gcReadM p${read}`, withSweep(state, { ...sweep, manifests })];
    return;
  }
  const deletable = sweep.listed.find(
    (place) =>
      isBlock(at(at(state.wal, place.session), place.slot)) &&
      ((broken.has('sweepWithoutTrim') && !isCovered(place, sweep.manifests)) ||
        (broken.has('gcBeyondFence') && isBeyondFence(place, state))),
  );
  if (deletable !== undefined) {
    yield [`gcDelete s${deletable.session} slot${deletable.slot}`, withoutSlot(state, deletable)];
    return;
  }
  for (const i of broken.has('sweepWithoutTrim') ? [] : state.trims.keys()) {
    const trim = sweptTrim(sweep, i, broken.has('sweepToFirstCovered'));
    if (trim <= at(state.trims, i)) continue;
    const next = copyOf(state);
    next.trims = replaced(state.trims, i, trim);
    yield [`gcTrim s${i} -> ${trim}`, next];
    return;
  }
  yield ['gcDone', withSweep(state, null)];
}

function candidates({ wal, cluster }: State): Place[] {
  return wal.flatMap((slots, session) =>
    cluster !== null && !isDead(cluster, session)
      ? []
      : slots.flatMap((cell, slot) => (isBlock(cell) ? [{ session, slot }] : [])),
  );
}

/**
 * How far a sweep may raise the trim point of `session`: to the start of the first run that any manifest lists, or
 * beyond all listed slots. Not to the first *listed* slot that a run covers: a slot below it may still land.
 */
function sweptTrim({ listed, manifests }: Sweep, session: number, toFirstCovered: boolean): number {
  const slots = listed.filter((place) => place.session === session);
  const end = slots.reduce((end, { slot }) => Math.max(end, slot + 1), 0);
  if (toFirstCovered) return slots.find((place) => isCovered(place, manifests))?.slot ?? end;
  const runs = manifests.flatMap(({ runs }) => runs).filter((run) => run.session === session);
  return runs.reduce((trim, run) => Math.min(trim, startOf(run)), end);
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
