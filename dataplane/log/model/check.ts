import { at, boundsFrom, mutantsFrom, without } from './model.ts';
import type { Bounds, Model, Step } from './model.ts';

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

export const checkMutants = [
  'gcDeletesFence',
  'ackOutOfOrder',
  'noSeal',
  '412AsOk',
  'newBytesOnRetry',
  'skipSlot',
  'releaseInflight',
  'casIgnoresVersion',
  'assumeCasOk',
  'markThenList',
  'readPastFence',
  'noOffsetCheck',
] as const;

export const checkBounds = {
  /** Broker incarnations. */
  sessions: 3,
  /** Record batches ever produced. */
  values: 3,
  /** Slots of a session whose outcome is open at one time. */
  window: 2,
  /** DATA slots a session may write. */
  slots: 3,
  /** PUTs of one slot, the first included. */
  attempts: 2,
  /** The last manifest version. */
  maxver: 7,
  /** 1: there is a reader that caches a manifest once and never refreshes it. */
  reader: 1,
};

type Mutant = (typeof checkMutants)[number];

interface Rules {
  readonly broken: ReadonlySet<Mutant>;
  readonly bounds: Bounds<keyof typeof checkBounds>;
}

interface Block {
  readonly value: number;
  readonly offset: number;
}

type Cell = null | 'fence' | Block;

const open = -1;
const nobody = -1;

interface Run {
  readonly session: number;
  readonly from: number;
  readonly to: number;
  readonly flushedTo: number;
}

interface Manifest {
  readonly version: number;
  readonly epoch: number;
  readonly owner: number;
  readonly state: 'owned' | 'released';
  readonly runs: readonly Run[];
  /** The values of all segments, by offset. */
  readonly segment: readonly number[];
}

interface Put {
  readonly session: number;
  readonly slot: number;
  readonly block: Block;
}

interface Inflight {
  readonly slot: number;
  readonly block: Block;
  /** `refused`: answered 412, not yet looked at. */
  readonly outcome: 'pending' | 'durable' | 'refused';
  readonly attempts: number;
}

interface Session {
  phase: 'idle' | 'scan' | 'sealed' | 'unknown' | 'own' | 'releasing' | 'dead';
  /** The manifest version this session believes to be the last. */
  version: number;
  nextSlot: number;
  nextOffset: number;
  /** By slot: sent and not yet acknowledged. */
  inflight: Inflight[];
  /** Where the scan of the old session stands, then where its seal is. */
  sealSlot: number;
  /** The manifest read by a taker. */
  basis: Manifest | null;
}

interface Place {
  readonly session: number;
  readonly slot: number;
}

interface Sweep {
  readonly listed: readonly Place[] | null;
  readonly manifest: Manifest | null;
}

interface State {
  manifest: Manifest;
  wal: Cell[][];
  network: Put[];
  sessions: Session[];
  acked: readonly Block[];
  nextValue: number;
  sweep: Sweep | null;
  readerManifest: Manifest | null;
}

function initialState({ bounds }: Rules): State {
  return {
    manifest: {
      version: 1,
      epoch: 1,
      owner: 0,
      state: 'owned',
      runs: [{ session: 0, from: 0, to: open, flushedTo: 0 }],
      segment: [],
    },
    wal: Array.from({ length: bounds.sessions }, () => Array<Cell>(bounds.slots + 1).fill(null)),
    network: [],
    sessions: Array.from({ length: bounds.sessions }, (_, i) => ({
      phase: i === 0 ? 'own' : 'idle',
      version: i === 0 ? 1 : 0,
      nextSlot: 0,
      nextOffset: 0,
      inflight: [],
      sealSlot: -1,
      basis: null,
    })),
    acked: [],
    nextValue: 1,
    sweep: null,
    readerManifest: null,
  };
}

/** A state to be changed: manifests, blocks and what is in flight are shared, because they are only ever replaced. */
function copyOf(state: State): State {
  return {
    manifest: state.manifest,
    wal: state.wal.map((slots) => slots.slice()),
    network: state.network.slice(),
    sessions: state.sessions.map((session) => ({
      phase: session.phase,
      version: session.version,
      nextSlot: session.nextSlot,
      nextOffset: session.nextOffset,
      inflight: session.inflight.slice(),
      sealSlot: session.sealSlot,
      basis: session.basis,
    })),
    acked: state.acked,
    nextValue: state.nextValue,
    sweep: state.sweep,
    readerManifest: state.readerManifest,
  };
}

/** A copy of `state` after `change`, which gets the copy and the copy's session `index`. */
function changed(state: State, index: number, change: (next: State, session: Session) => void): State {
  const next = copyOf(state);
  change(next, at(next.sessions, index));
  return next;
}

function openRunOf(manifest: Manifest): Run | undefined {
  const last = manifest.runs.at(-1);
  return last?.to === open ? last : undefined;
}

/** The runs of `manifest` with its open run, if any, closed at `to`, or dropped if nothing of it is unflushed. */
function closedAt(manifest: Manifest, to: number): readonly Run[] {
  const run = openRunOf(manifest);
  if (run === undefined) return manifest.runs;
  const earlier = manifest.runs.slice(0, -1);
  return to <= firstUnflushed(run) ? earlier : [...earlier, { ...run, to }];
}

const firstUnflushed = (run: Run): number => Math.max(run.from, run.flushedTo);

function kill(session: Session): void {
  session.phase = 'dead';
  session.inflight = [];
}

interface Log {
  readonly values: number[];
  /** A slot of a closed run is missing. */
  readonly lost?: boolean;
  /** A block whose offset does not follow. */
  readonly misplaced?: string;
}

/** The log that `manifest` shows over what the WAL holds now. `stopAtGap`: as a reader whose manifest may be stale. */
function logOf({ broken }: Rules, manifest: Manifest, wal: readonly Cell[][], stopAtGap = false): Log {
  const values = manifest.segment.slice();
  for (const run of manifest.runs) {
    const slots = at(wal, run.session);
    const end = run.to === open ? slots.length : run.to;
    for (let slot = firstUnflushed(run); slot < end; slot++) {
      const cell = at(slots, slot);
      if (cell === null || cell === 'fence') {
        if (run.to !== open) return { values, lost: true };
        if (cell === 'fence' && broken.has('readPastFence')) continue;
        break;
      }
      if (cell.offset !== values.length) {
        if (!stopAtGap) {
          const misplaced = `slot ${run.session}/${slot} holds offset ${cell.offset}, expected ${values.length}`;
          return { values, misplaced };
        }
        if (!broken.has('noOffsetCheck')) return { values };
      }
      values.push(cell.value);
    }
  }
  return { values };
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

function keyOf(state: State): string {
  if (state.network.length > 1) {
    state.network.sort((x, y) => x.session - y.session || x.slot - y.slot || x.block.value - y.block.value);
  }
  let key = `${manifestKey(state.manifest)}|${manifestKey(state.readerManifest)}|${state.nextValue}|`;
  for (const slots of state.wal) key += `${slots.map(cellKey).join(':')}_`;
  for (const { session, slot, block } of state.network) key += `${session}.${slot}.${cellKey(block)};`;
  for (const s of state.sessions) {
    key += `|${s.phase}${s.version}.${s.nextSlot}.${s.nextOffset}.${s.sealSlot}.${manifestKey(s.basis)}`;
    for (const { slot, block, outcome, attempts } of s.inflight) {
      key += `;${slot}.${cellKey(block)}${outcome}${attempts}`;
    }
  }
  key += '|';
  for (const block of state.acked) key += `${cellKey(block)};`;
  if (state.sweep !== null) {
    const { listed, manifest } = state.sweep;
    const places = listed === null ? '-' : listed.map(({ session, slot }) => `${session}.${slot}`).join(';');
    key += `|${places}!${manifestKey(manifest)}`;
  }
  return key;
}

function cellKey(cell: Cell): string {
  if (cell === null) return '';
  return cell === 'fence' ? 'F' : `${cell.value}@${cell.offset}`;
}

function manifestKey(manifest: Manifest | null): string {
  if (manifest === null) return '';
  let key = `${manifest.version}/${manifest.epoch}/${manifest.owner}/${manifest.state}/${manifest.segment}`;
  for (const { session, from, to, flushedTo } of manifest.runs)
    key += `/${session},${from},${to},${flushedTo}`;
  return key;
}
