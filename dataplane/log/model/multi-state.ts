import { at, replaced } from './model.ts';
import type { Bounds } from './model.ts';
import type { Cluster } from './multi-cluster-content.ts';

/** What `check-multi.ts` may be told to do wrong: each must lead to a violation. */
export const multiMutants = [
  'ackPerPartition',
  'gcBeyondFence',
  'gcOneManifest',
  'releaseAtNextSlot',
  'releaseUnflushed',
  'surviveLostPartition',
  'noTrimValidate',
  'sweepUnfenced',
  'sweepFencedAtHole',
  'sealOnHandover',
  'sealByMode',
  'judgeByOldView',
  'sealBelowStart',
  'sealAboveFence',
  'releaseUnknownAsOwned',
  'releaseUnknownAsLost',
  'confirmByOlderPut',
  'confirmByOlderGet',
  'confirmAboveHole',
  'confirmBySweptSlot',
  'answerWhileReleasing',
] as const;

export const multiBounds = {
  /** Broker incarnations. Session s is one of broker s mod `brokers`; with a cluster state they start in turn. */
  sessions: 2,
  /** Partition 0 is owned by session 0, the other by nobody. */
  partitions: 2,
  /** Record batches ever produced. */
  values: 3,
  /** Slots of a session whose outcome is open at one time. */
  window: 2,
  /** DATA slots a session may write. */
  slots: 3,
  /** The last version of each manifest. */
  maxver: 4,
  /** PUTs of one slot, the first included. */
  attempts: 1,
  /** 1: sessions acquire only what `meta/cluster` assigns to them and seal only what it calls dead. */
  cluster: 0,
  brokers: 2,
  /** Sessions that `meta/cluster` may declare dead or replace, rightly or wrongly. */
  deaths: 2,
  /** The last generation to which a reassignment may lead. */
  maxgen: 1,
  /** Manifest CASes of a kind whose answer is lost and which the store may still apply, at one time. */
  lateFlushes: 0,
  lateReleases: 0,
  lateAcquires: 0,
  /** 1: one read request for a log end arrives at some time. */
  reads: 0,
  /** 1: there is a garbage collector for dead sessions. */
  sweeps: 1,
  /** 1: a session uses the seal that it found for one partition for the other one too, where it may. */
  sharedSeals: 0,
};

type Mutant = (typeof multiMutants)[number];

export interface Rules {
  readonly broken: ReadonlySet<Mutant>;
  readonly bounds: Bounds<keyof typeof multiBounds>;
}

export const open = -1;
export const nobody = -1;

export interface Block {
  readonly value: number;
  readonly offset: number;
  readonly partition: number;
}

export type Cell = null | 'fence' | Block;

export function isBlock(cell: Cell | undefined): cell is Block {
  return cell !== null && cell !== undefined && cell !== 'fence';
}

export interface Run {
  readonly session: number;
  readonly from: number;
  readonly to: number;
  readonly flushedTo: number;
}

export interface Manifest {
  readonly version: number;
  readonly assignGen: number;
  readonly owner: number;
  readonly runs: readonly Run[];
  /** The values of all segments, by offset. */
  readonly segment: readonly number[];
  /** The same text for equal manifests. */
  readonly key: string;
}

export function manifestOf(fields: Omit<Manifest, 'key'>): Manifest {
  const { version, assignGen, owner, runs, segment } = fields;
  let key = `${version}/${assignGen}/${owner}/${segment}`;
  for (const { session, from, to, flushedTo } of runs) key += `/${session},${from},${to},${flushedTo}`;
  return { version, assignGen, owner, runs, segment, key };
}

export interface Put {
  readonly session: number;
  readonly slot: number;
  readonly block: Block;
}

/** A manifest CAS whose sender gave up waiting: the store may apply it at any time, or never. */
export interface LateCas {
  readonly kind: 'flush' | 'release' | 'acquire';
  readonly session: number;
  readonly partition: number;
  /** The version that the precondition names. */
  readonly base: number;
  readonly written: Manifest;
}

export interface Inflight {
  readonly slot: number;
  readonly block: Block;
  /** `refused`: answered 412, not yet looked at. */
  readonly outcome: 'pending' | 'durable' | 'refused';
  readonly attempts: number;
}

/** What a session is to one partition. */
export interface Role {
  phase:
    | 'idle'
    /** Knows its assignment; the manifest is not read yet. */
    | 'told'
    /** Read an OPEN run of another session, whose death is to be looked up. */
    | 'judge'
    | 'readTrim'
    | 'scan'
    | 'validate'
    | 'sealed'
    | 'acquireUnknown'
    | 'own'
    | 'releaseUnknown'
    /** Only of the mutant surviveLostPartition. */
    | 'lost';
  /** The manifest version this session believes to be the last. */
  version: number;
  nextOffset: number;
  /** Where the scan of the old session stands, then where its seal is. */
  sealSlot: number;
  /** The old session's trim point as last read. */
  trim: number;
  /** As the owner knows it by its last successful CAS. */
  flushedTo: number;
  /** The manifest read by a taker. */
  basis: Manifest | null;
  /** Generation of the assignment that is carried out. */
  order: number;
  /** Whose release the assignment waits for; nobody: it is a takeover. */
  orderFrom: number;
}

/** The slots of [from, seal) were confirmed present, and a fence stands at `seal`. */
export interface KnownSeal {
  readonly from: number;
  readonly seal: number;
}

export interface Session {
  /** It has stopped. */
  dead: boolean;
  nextSlot: number;
  /** By slot: sent and not yet acknowledged. */
  inflight: Inflight[];
  roles: Role[];
  /** By session: the last seal that this one found there. Kept only with `sharedSeals`. */
  seals: readonly (KnownSeal | null)[] | null;
  /** Kept only for the mutant judgeByOldView. */
  oldView: Cluster | null;
  /** Kept only for the mutant confirmByOlderGet. */
  onceConfirmed: boolean;
  /** Its part of the state's key, empty until that is asked for. */
  key: string;
}

/** A request for the log end of a partition, at the session that believes to own it. */
export interface Read {
  readonly phase: 'none' | 'waiting' | 'answered';
  readonly session: number;
  readonly partition: number;
  /** End of what any owner had acknowledged when the request arrived. */
  readonly floor: number;
  /** The session's next slot when the request arrived. */
  readonly nextSlot: number;
  readonly confirmed: boolean;
  readonly answer: number;
}

export interface Place {
  readonly session: number;
  readonly slot: number;
}

export interface Sweep {
  readonly listed: readonly Place[];
  /** Sessions of listed slots that have to be fenced before manifests are read. */
  readonly unfenced: readonly number[];
  /** By partition, as last read. */
  readonly manifests: readonly Manifest[];
}

/** Whatever changes is replaced: states share everything else. Only `changed` hands out a session that may be changed. */
export interface State {
  /** By partition. */
  manifests: readonly Manifest[];
  /** By session, by slot. */
  wal: readonly (readonly Cell[])[];
  /** By session. */
  trims: readonly number[];
  /** In an order of their own: `withPut`. */
  puts: readonly Put[];
  lateCasses: readonly LateCas[];
  sessions: readonly Session[];
  /** By partition, in the order of acknowledgement. */
  acked: readonly (readonly Block[])[];
  nextValue: number;
  sweep: Sweep | null;
  cluster: Cluster | null;
  read: Read;
}

export const idleRole: Readonly<Role> = {
  phase: 'idle',
  version: 0,
  nextOffset: 0,
  sealSlot: -1,
  trim: 0,
  flushedTo: 0,
  basis: null,
  order: 0,
  orderFrom: nobody,
};

export const noRead: Read = {
  phase: 'none',
  session: nobody,
  partition: 0,
  floor: 0,
  nextSlot: 0,
  confirmed: false,
  answer: 0,
};

/** `state` with other fields: cheaper than a spread, which searches make millions of times. */
export function copyOf(state: State): State {
  return {
    manifests: state.manifests,
    wal: state.wal,
    trims: state.trims,
    puts: state.puts,
    lateCasses: state.lateCasses,
    sessions: state.sessions,
    acked: state.acked,
    nextValue: state.nextValue,
    sweep: state.sweep,
    cluster: state.cluster,
    read: state.read,
  };
}

function copyOfSession(session: Session): Session {
  return {
    dead: session.dead,
    nextSlot: session.nextSlot,
    inflight: session.inflight.slice(),
    roles: session.roles.map(copyOfRole),
    seals: session.seals,
    oldView: session.oldView,
    onceConfirmed: session.onceConfirmed,
    key: '',
  };
}

function copyOfRole(role: Role): Role {
  return {
    phase: role.phase,
    version: role.version,
    nextOffset: role.nextOffset,
    sealSlot: role.sealSlot,
    trim: role.trim,
    flushedTo: role.flushedTo,
    basis: role.basis,
    order: role.order,
    orderFrom: role.orderFrom,
  };
}

/** A copy of `state` after `change`, which gets the copy's session `index` and the copy. */
export function changed(state: State, index: number, change: (session: Session, next: State) => void): State {
  const next = copyOf(state);
  const session = copyOfSession(at(state.sessions, index));
  next.sessions = replaced(state.sessions, index, session);
  change(session, next);
  return next;
}

export function setCell(state: State, session: number, slot: number, cell: Cell): void {
  state.wal = replaced(state.wal, session, replaced(at(state.wal, session), slot, cell));
}

/** `puts` and one more. Their order means nothing, so equal networks have one order. */
export function withPut(puts: readonly Put[], put: Put): readonly Put[] {
  return [...puts, put].sort(
    (x, y) => x.session - y.session || x.slot - y.slot || x.block.value - y.block.value,
  );
}

export function openRunOf(manifest: Manifest): Run | undefined {
  const last = manifest.runs.at(-1);
  return last?.to === open ? last : undefined;
}

export const startOf = (run: Run): number => Math.max(run.from, run.flushedTo);

/** The first slot of `session` that it does not know to be durable. */
export function durableEndOf({ inflight, nextSlot }: Session): number {
  return inflight.find(({ outcome }) => outcome !== 'durable')?.slot ?? nextSlot;
}

export interface Log {
  readonly values: number[];
  /** A slot of a closed run is missing. */
  readonly lost?: boolean;
  /** A block whose offset does not follow. */
  readonly misplaced?: string;
}

/** The log of `partition` that `manifest` shows over what WAL and trim points are now. */
export function logOf(partition: number, manifest: Manifest, { wal, trims }: State): Log {
  const values = manifest.segment.slice();
  for (const run of manifest.runs) {
    const slots = at(wal, run.session);
    const end = run.to === open ? slots.length : run.to;
    for (let slot = Math.max(startOf(run), at(trims, run.session)); slot < end; slot++) {
      const cell = at(slots, slot);
      if (!isBlock(cell)) {
        if (run.to !== open) return { values, lost: true };
        break;
      }
      if (cell.partition !== partition) continue;
      if (cell.offset !== values.length) {
        const misplaced = `slot ${run.session}/${slot} holds offset ${cell.offset}, expected ${values.length}`;
        return { values, misplaced };
      }
      values.push(cell.value);
    }
  }
  return { values };
}

/** Session `i` of `state` stops: it fails what it has not acknowledged and never does anything again. */
export function kill(state: State, i: number): void {
  const session = at(state.sessions, i);
  session.dead = true;
  session.nextSlot = 0;
  session.inflight = [];
  session.roles = session.roles.map(() => ({ ...idleRole }));
  if (state.read.session === i) state.read = { ...noRead, phase: 'answered' };
}
