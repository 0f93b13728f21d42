import { at, boundsFrom, mutantsFrom, without } from './model.ts';
import type { Model, Step } from './model.ts';
import {
  changed,
  checkBounds,
  checkMutants,
  closedAt,
  copyOf,
  firstUnflushed,
  initialState,
  keyOf,
  kill,
  logOf,
  nobody,
  open,
  openRunOf,
} from './check-state.ts';
import type { Cell, Manifest, Place, Rules, State, Sweep } from './check-state.ts';

/**
 * One partition, several sessions: produce, late, duplicate and lost-answer PUTs, acknowledgement, seal, manifest CAS
 * (its answer may be lost), flush, release, garbage collection step by step, and a reader that keeps an old manifest.
 * Segments stand inside the manifest; FENCE PUTs are atomic.
 */
export function checkModel(
  mutants: readonly string[] = [],
  bounds: Readonly<Record<string, number>> = {},
): Model<State> {
  const rules: Rules = {
    broken: mutantsFrom(checkMutants, mutants),
    bounds: boundsFrom(checkBounds, bounds),
  };
  return {
    initial: () => initialState(rules),
    steps: (state) => allSteps(rules, state),
    violation: (before, after) => brokenInvariant(rules, before, after),
    key: keyOf,
  };
}

function brokenInvariant(rules: Rules, before: State, after: State): string | undefined {
  const { values, lost, misplaced } = logOf(rules, after.manifest, after.wal);
  if (lost === true) return 'durable slot of a closed run is missing';
  if (misplaced !== undefined) return `offset gap or overlap: ${misplaced}`;
  for (const { offset, value } of after.acked) {
    if (values[offset] !== value) return `acked record lost: offset ${offset} value ${value} log ${values}`;
  }
  const visible = logOf(rules, before.manifest, before.wal).values;
  const change = visible.findIndex((value, offset) => values[offset] !== value);
  if (change >= 0) return `visible record changed at ${change}: ${visible[change]} -> ${values[change]}`;
  if (new Set(values).size !== values.length) return 'same batch twice in the log';
  if (after.readerManifest !== null) {
    // A stale reader may see less; it must never see something else.
    const read = logOf(rules, after.readerManifest, after.wal, true).values;
    const wrong = read.findIndex((value, offset) => values[offset] !== value);
    if (wrong >= 0) return `stale reader sees a wrong record at ${wrong}: ${read}, log ${values}`;
  }
  return undefined;
}

function* allSteps(rules: Rules, state: State): Iterable<Step<State>> {
  for (let i = 0; i < rules.bounds.sessions; i++) {
    yield* produceSteps(rules, state, i);
    yield* resolveSteps(rules, state, i);
    yield* flushSteps(rules, state, i);
    yield* releaseSteps(rules, state, i);
    yield* takeoverSteps(rules, state, i);
  }
  yield* landingSteps(state);
  yield* sweepSteps(rules, state);
  if (state.readerManifest === null && rules.bounds.reader === 1) {
    const next = copyOf(state);
    next.readerManifest = state.manifest;
    yield [`readerCachesM v${state.manifest.version}`, next];
  }
}

function* produceSteps({ bounds }: Rules, state: State, i: number): Iterable<Step<State>> {
  const { phase, inflight, nextSlot: slot, nextOffset: offset } = at(state.sessions, i);
  if (phase !== 'own' || state.nextValue > bounds.values) return;
  if (inflight.length >= bounds.window || slot >= bounds.slots) return;
  const block = { value: state.nextValue, offset };
  const next = changed(state, i, (next, session) => {
    next.nextValue++;
    session.nextSlot++;
    session.nextOffset++;
    session.inflight.push({ slot, block, outcome: 'pending', attempts: 1 });
    next.network.push({ session: i, slot, block });
  });
  yield [`produce s${i} slot${slot} v${block.value}@${offset}`, next];
}

/** Retries of slots whose outcome is open, a look at slots answered 412, acknowledgements in slot order. */
function* resolveSteps({ broken, bounds }: Rules, state: State, i: number): Iterable<Step<State>> {
  const { phase, inflight, nextSlot } = at(state.sessions, i);
  if (phase !== 'own' && phase !== 'releasing') return;
  for (const [k, entry] of inflight.entries()) {
    const { slot, block, outcome, attempts } = entry;
    if (outcome === 'pending' && attempts < bounds.attempts) {
      const next = changed(state, i, (next, session) => {
        const otherBytes = broken.has('newBytesOnRetry') && next.nextValue <= bounds.values;
        const sent = otherBytes ? { value: next.nextValue++, offset: block.offset } : block;
        session.inflight[k] = { ...entry, block: sent, attempts: attempts + 1 };
        next.network.push({ session: i, slot, block: sent });
      });
      yield [`retry s${i} slot${slot}`, next];
    }
    if (broken.has('skipSlot') && outcome === 'pending' && nextSlot < bounds.slots) {
      const next = changed(state, i, (next, session) => {
        session.nextSlot++;
        session.inflight[k] = { slot: nextSlot, block, outcome: 'pending', attempts: 1 };
        next.network.push({ session: i, slot: nextSlot, block });
      });
      yield [`skipSlot s${i} ${slot}->${nextSlot}`, next];
    }
    if (outcome === 'refused') {
      const cell = at(at(state.wal, i), slot);
      const own = cell !== null && cell !== 'fence' && cell.value === block.value;
      const next = changed(state, i, (_, session) => {
        if (own || broken.has('412AsOk')) session.inflight[k] = { ...entry, outcome: 'durable' };
        else kill(session);
      });
      yield [`resolve412 s${i} slot${slot}`, next];
    }
    if (outcome === 'durable' && (k === 0 || broken.has('ackOutOfOrder'))) {
      const next = changed(state, i, (next, session) => {
        session.inflight = without(inflight, k);
        next.acked = [...state.acked, block].sort((x, y) => x.offset - y.offset);
      });
      yield [`ack s${i} slot${slot} v${block.value}`, next];
    }
  }
}

/** Everything resolved goes into a segment and is committed by a CAS; a CAS that fails ends the session. */
function* flushSteps({ broken, bounds }: Rules, state: State, i: number): Iterable<Step<State>> {
  const { phase, version, inflight, nextSlot } = at(state.sessions, i);
  const { manifest } = state;
  if (phase !== 'own' || manifest.version >= bounds.maxver) return;
  if (version !== manifest.version && !broken.has('casIgnoresVersion')) {
    yield [`flushCasFail s${i}`, changed(state, i, (_, session) => kill(session))];
    return;
  }
  const run = openRunOf(manifest);
  if (run?.session !== i) return;
  const upTo = inflight[0]?.slot ?? nextSlot;
  const segment = manifest.segment.slice();
  for (const { session, from, flushedTo, to } of manifest.runs) {
    for (let slot = Math.max(from, flushedTo); slot < (to === open ? upTo : to); slot++) {
      const cell = at(at(state.wal, session), slot);
      if (cell === null || cell === 'fence') return;
      segment.push(cell.value);
    }
  }
  if (segment.length === manifest.segment.length) return;
  const next = changed(state, i, (next, session) => {
    const runs = [{ session: i, from: Math.max(run.from, upTo), to: open, flushedTo: upTo }];
    next.manifest = { ...manifest, version: manifest.version + 1, segment, runs };
    session.version = next.manifest.version;
  });
  yield [`flush s${i} upto${upTo}`, next];
}

/** Drain, then close the run by a CAS. */
function* releaseSteps({ broken, bounds }: Rules, state: State, i: number): Iterable<Step<State>> {
  const { phase, version, inflight, nextSlot } = at(state.sessions, i);
  const { manifest } = state;
  const firstInflight = broken.has('releaseInflight') ? inflight[0] : undefined;
  if (phase !== 'own' || manifest.version >= bounds.maxver || version !== manifest.version) return;
  if (inflight.length > 0 && firstInflight === undefined) return;
  const run = openRunOf(manifest);
  if (run?.session !== i) return;
  const to = firstInflight?.slot ?? nextSlot;
  const next = changed(state, i, (next, session) => {
    next.manifest = {
      ...manifest,
      version: manifest.version + 1,
      owner: nobody,
      state: 'released',
      runs: closedAt(manifest, to),
    };
    session.phase = firstInflight === undefined ? 'idle' : 'releasing';
  });
  yield [`release s${i} to${to}`, next];
}

/** Read the manifest, seal the old session at its first hole, compare-and-swap, resolve a lost answer by reading. */
function* takeoverSteps(rules: Rules, state: State, i: number): Iterable<Step<State>> {
  const { broken, bounds } = rules;
  const { phase, basis, sealSlot, nextSlot } = at(state.sessions, i);
  const { manifest } = state;
  if (phase === 'idle' && manifest.version < bounds.maxver && manifest.owner !== i) {
    const run = openRunOf(manifest);
    const next = changed(state, i, (_, session) => {
      session.basis = manifest;
      session.version = manifest.version;
      session.phase = run === undefined ? 'sealed' : 'scan';
      session.sealSlot = run === undefined ? -1 : firstUnflushed(run);
    });
    yield [`readM s${i} v${manifest.version}`, next];
  }
  if (basis !== null && phase === 'scan') {
    const old = openRunOf(basis)?.session ?? nobody;
    const cell = sealSlot <= bounds.slots ? at(at(state.wal, old), sealSlot) : 'fence';
    const next = changed(state, i, (next, session) => {
      if (cell !== null && cell !== 'fence') {
        session.sealSlot++;
        return;
      }
      if (cell === null && !broken.has('noSeal')) at(next.wal, old)[sealSlot] = 'fence';
      session.phase = 'sealed';
    });
    yield [`seal s${i} of s${old} at ${sealSlot}`, next];
  }
  if (basis !== null && phase === 'sealed') {
    const applied = manifest.version === basis.version || broken.has('casIgnoresVersion');
    const runs = closedAt(basis, sealSlot);
    const taken: Manifest = {
      ...basis,
      version: manifest.version + 1,
      epoch: basis.epoch + 1,
      owner: i,
      state: 'owned',
      runs: [...runs, { session: i, from: nextSlot, to: open, flushedTo: nextSlot }],
    };
    const nextOffset = logOf(rules, { ...taken, runs }, state.wal).values.length;
    for (const lost of [false, true]) {
      const next = changed(state, i, (next, session) => {
        if (applied) next.manifest = taken;
        if (lost && !broken.has('assumeCasOk')) {
          session.phase = 'unknown';
          return;
        }
        session.basis = null;
        session.sealSlot = -1;
        session.phase = applied || lost ? 'own' : 'idle';
        if (session.phase === 'own') {
          session.version = taken.version;
          session.nextOffset = nextOffset;
        }
      });
      yield [`casTakeover s${i} ${applied ? 'applied' : 'rejected'}${lost ? ' (answer lost)' : ''}`, next];
    }
  }
  if (phase === 'unknown') {
    const next = changed(state, i, (_, session) => {
      session.basis = null;
      session.sealSlot = -1;
      if (manifest.owner !== i || openRunOf(manifest)?.session !== i) {
        session.phase = 'idle';
        return;
      }
      session.phase = 'own';
      session.version = manifest.version;
      const earlier = { ...manifest, runs: manifest.runs.slice(0, -1) };
      session.nextOffset = logOf(rules, earlier, state.wal).values.length;
    });
    yield [`resolveCas s${i}`, next];
  }
}

/** The store applies a PUT now, possibly very late; its answer arrives or is lost. */
function* landingSteps(state: State): Iterable<Step<State>> {
  const seen = new Set<string>();
  for (const [k, { session: i, slot, block }] of state.network.entries()) {
    const name = `${i},${slot},${block.value},${block.offset}`;
    if (seen.has(name)) continue;
    seen.add(name);
    const created = at(at(state.wal, i), slot) === null;
    const waiting = at(state.sessions, i).inflight.findIndex(
      (entry) => entry.slot === slot && entry.block.value === block.value,
    );
    for (const lost of [false, true]) {
      const next = copyOf(state);
      next.network.splice(k, 1);
      if (created) at(next.wal, i)[slot] = block;
      if (!lost) {
        const { inflight } = at(next.sessions, i);
        const entry = inflight[waiting];
        if (entry === undefined || entry.outcome === 'durable') continue;
        inflight[waiting] = { ...entry, outcome: created ? 'durable' : 'refused' };
      }
      const answer = `${created ? '200' : '412'}${lost ? ' (answer lost)' : ''}`;
      yield [`land s${i} slot${slot} v${block.value} ${answer}`, next];
    }
  }
}

/** List first, then read the manifest, then delete what it does not cover. */
function* sweepSteps({ broken }: Rules, state: State): Iterable<Step<State>> {
  const { sweep, manifest } = state;
  const step = (action: string, sweep: Sweep | null): Step<State> => {
    const next = copyOf(state);
    next.sweep = sweep;
    return [action, next];
  };
  const fencesToo = broken.has('gcDeletesFence');
  if (sweep === null) {
    const listed = listedSlots(state.wal, fencesToo);
    if (broken.has('markThenList')) yield step('gcReadM', { listed: null, manifest });
    else if (listed.length > 0) yield step('gcList', { listed, manifest: null });
  } else if (sweep.manifest === null) {
    yield step('gcReadM', { ...sweep, manifest });
  } else if (sweep.listed === null) {
    yield step('gcList', { ...sweep, listed: listedSlots(state.wal, false) });
  } else {
    const { runs } = sweep.manifest;
    const covered = ({ session, slot }: Place): boolean =>
      runs.some(
        (run) => run.session === session && slot >= firstUnflushed(run) && (run.to === open || slot < run.to),
      );
    const victim = sweep.listed.find((place) => {
      const cell = at(at(state.wal, place.session), place.slot);
      return !covered(place) && cell !== null && (fencesToo || cell !== 'fence');
    });
    if (victim === undefined) {
      yield step('gcDone', null);
      return;
    }
    const { session, slot } = victim;
    const [action, next] = step(`gcDelete s${session} slot${slot}`, {
      ...sweep,
      listed: sweep.listed.filter((place) => place !== victim),
    });
    at(next.wal, session)[slot] = null;
    yield [action, next];
  }
}

function listedSlots(wal: readonly Cell[][], fencesToo: boolean): Place[] {
  return wal.flatMap((slots, session) =>
    slots.flatMap((cell, slot) =>
      cell !== null && (cell !== 'fence' || fencesToo) ? [{ session, slot }] : [],
    ),
  );
}
