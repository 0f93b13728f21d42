import { at } from './model.ts';
import type { Bounds } from './model.ts';

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

export interface Rules {
  readonly broken: ReadonlySet<Mutant>;
  readonly bounds: Bounds<keyof typeof checkBounds>;
}

export interface Block {
  readonly value: number;
  readonly offset: number;
}

export type Cell = null | 'fence' | Block;

export const open = -1;
export const nobody = -1;

interface Run {
  readonly session: number;
  readonly from: number;
  readonly to: number;
  readonly flushedTo: number;
}

export interface Manifest {
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

export interface Session {
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

export interface Place {
  readonly session: number;
  readonly slot: number;
}

export interface Sweep {
  readonly listed: readonly Place[] | null;
  readonly manifest: Manifest | null;
}

export interface State {
  manifest: Manifest;
  wal: Cell[][];
  network: Put[];
  sessions: Session[];
  acked: readonly Block[];
  nextValue: number;
  sweep: Sweep | null;
  readerManifest: Manifest | null;
}

export function initialState({ bounds }: Rules): State {
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
export function copyOf(state: State): State {
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
export function changed(state: State, index: number, change: (next: State, session: Session) => void): State {
  const next = copyOf(state);
  change(next, at(next.sessions, index));
  return next;
}

export function openRunOf(manifest: Manifest): Run | undefined {
  const last = manifest.runs.at(-1);
  return last?.to === open ? last : undefined;
}

/** The runs of `manifest` with its open run, if any, closed at `to`, or dropped if nothing of it is unflushed. */
export function closedAt(manifest: Manifest, to: number): readonly Run[] {
  const run = openRunOf(manifest);
  if (run === undefined) return manifest.runs;
  const earlier = manifest.runs.slice(0, -1);
  return to <= firstUnflushed(run) ? earlier : [...earlier, { ...run, to }];
}

export const firstUnflushed = (run: Run): number => Math.max(run.from, run.flushedTo);

export function kill(session: Session): void {
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
export function logOf({ broken }: Rules, manifest: Manifest, wal: readonly Cell[][], stopAtGap = false): Log {
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

export function keyOf(state: State): string {
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
