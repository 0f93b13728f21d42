import type { icebergMutants } from './check-iceberg.ts';
import type { checkMutants } from './check-state.ts';
import type { multiMutants } from './multi-state.ts';

/** How broken rules of the models are noticed, and what is searched through without a violation: for tests and docs. */

export type Bounds = Readonly<Record<string, number>>;

/** How a mutant is caught: searched through, walked through at random, or from a schedule on. */
export interface Catch {
  /** What it does wrong. */
  readonly breaks: string;
  readonly bounds: Bounds;
  /** So many walks are tried; without it every state is visited, so that the counterexample is the shortest one. */
  readonly walks?: number;
  readonly schedule?: readonly string[];
  readonly because: RegExp;
  /** Steps of the counterexample, those of the schedule included. */
  readonly length: number;
}

export interface CompleteSearch {
  readonly what: string;
  readonly model: 'check' | 'check-multi' | 'check-iceberg';
  readonly bounds: Bounds;
  readonly states: number;
}

/** One partition. */
const small = { sessions: 2, values: 2, slots: 2, attempts: 2, maxver: 5 };
const checkCatches: Readonly<Record<(typeof checkMutants)[number], Catch>> = {
  gcDeletesFence: {
    breaks: 'the garbage collector deletes fences too',
    length: 9,
    bounds: small,
    because: /acked record lost/,
  },
  ackOutOfOrder: {
    breaks: 'a slot is acknowledged although a lower one is not durable',
    length: 4,
    bounds: small,
    because: /acked record lost/,
  },
  noSeal: {
    breaks: 'a taker takes the first hole for the end and writes no fence there',
    length: 5,
    bounds: small,
    because: /visible record changed/,
  },
  '412AsOk': {
    breaks: 'a slot that was refused counts as durable, whoever wrote it',
    length: 6,
    bounds: small,
    because: /acked record lost/,
  },
  newBytesOnRetry: {
    breaks: 'a slot that is sent again has other bytes',
    length: 10,
    bounds: small,
    because: /stale reader sees a wrong record/,
  },
  skipSlot: {
    breaks: 'a slot whose outcome is open is given up, and its batch goes into the next one',
    length: 4,
    bounds: small,
    because: /offset gap or overlap/,
  },
  releaseInflight: {
    breaks: 'a release does not wait for slots that are under way',
    length: 3,
    bounds: small,
    because: /visible record changed/,
  },
  casIgnoresVersion: {
    breaks: 'the manifest is swapped whatever version stands there',
    length: 7,
    bounds: small,
    because: /visible record changed/,
  },
  assumeCasOk: {
    breaks: 'a swap whose answer was lost counts as applied',
    length: 7,
    bounds: small,
    because: /acked record lost/,
  },
  markThenList: {
    breaks: 'the garbage collector reads the manifest before it lists slots',
    length: 8,
    bounds: small,
    because: /visible record changed/,
  },
  readPastFence: {
    breaks: 'a reader goes on after a fence',
    length: 5,
    bounds: small,
    because: /offset gap or overlap/,
  },
  noOffsetCheck: {
    breaks: 'a reader does not check that offsets follow one another',
    length: 12,
    bounds: { sessions: 2, values: 3, slots: 3, attempts: 1, maxver: 6 },
    because: /stale reader sees a wrong record/,
  },
};

/** Two partitions: without `meta/cluster`, anybody may take over at any time. */
const pair = { values: 2, slots: 2, maxver: 3 };
export const deep = { sessions: 3, values: 8, slots: 6, window: 3, attempts: 2, maxver: 14 };
const assigned = { cluster: 1, deaths: 0, maxgen: 2, values: 1, slots: 1, maxver: 3 };
const restarted = { cluster: 1, sessions: 3, deaths: 1, values: 0, slots: 1, maxver: 3 };
const asked = { partitions: 1, reads: 1, values: 2, slots: 2, maxver: 2 };
export const everything = {
  sessions: 6,
  brokers: 3,
  cluster: 1,
  deaths: 4,
  maxgen: 6,
  lateFlushes: 1,
  lateReleases: 1,
  lateAcquires: 1,
  reads: 1,
  sharedSeals: 1,
};
/** s0 acquires p1 with a run from slot 1 on, while it writes slot 1; p0 is taken over with a fence at slot 0. */
export const fencedAtHole = [
  'produce s0 slot0 p0',
  'readOrder s0 p1',
  'readM s0 p1',
  'casTakeoverUnanswered s0 p1',
  'produce s0 slot1 p0',
  'land s0 slot1',
  'declareDead b0 s0',
  'readOrder s1 p0',
  'readM s1 p0',
  'judge s1 p0: s0 dead',
  'readTrim s1 p0',
  'seal s1 p0: s0 slot0',
  'validateFence s1 p0',
  'casTakeover s1 p0 applied',
];
const multiCatches: Readonly<Record<(typeof multiMutants)[number], Catch>> = {
  ackPerPartition: {
    breaks: 'a slot is acknowledged when the lower slots with blocks of its partition are durable',
    length: 6,
    bounds: pair,
    because: /acked record lost/,
  },
  gcBeyondFence: {
    breaks: 'the sweep takes all slots above a fence for garbage',
    length: 117,
    bounds: deep,
    walks: 1_000,
    because: /visible record changed|acked record lost/,
  },
  gcOneManifest: {
    breaks: 'the sweep reads one manifest only',
    length: 7,
    bounds: pair,
    because: /visible record changed/,
  },
  releaseAtNextSlot: {
    breaks: 'a release closes the run at the next slot instead of flushing',
    length: 4,
    bounds: pair,
    because: /slot of a closed run is missing/,
  },
  releaseUnflushed: {
    breaks: 'a release drops records that are not in segments',
    length: 5,
    bounds: pair,
    because: /acked record lost/,
  },
  surviveLostPartition: {
    breaks: 'who loses the swap of one manifest goes on with its other groups',
    length: 58,
    bounds: deep,
    walks: 1_000,
    because: /acked record lost|offset gap or overlap/,
  },
  noTrimValidate: {
    breaks: 'the trim is not read again after the fence stands',
    length: 70,
    bounds: deep,
    walks: 5_000,
    because: /acked record lost|visible record changed/,
  },
  sweepUnfenced: {
    breaks: 'a dead session is swept without a fence',
    length: 16,
    bounds: {
      cluster: 1,
      sessions: 1,
      brokers: 1,
      deaths: 1,
      lateAcquires: 1,
      values: 2,
      slots: 2,
      maxver: 2,
    },
    because: /visible record changed/,
  },
  sweepFencedAtHole: {
    breaks: 'a fence at the first hole of a dead session is enough for its sweep',
    length: 22,
    bounds: { cluster: 1, deaths: 1, values: 3, slots: 3, window: 3, maxver: 3, lateAcquires: 1 },
    schedule: [
      ...fencedAtHole,
      // A sweep of s0 has listed slot 1 and read the manifests when the acquisition of p1 lands.
      'gcList',
      'gcReadM p0',
      'gcReadM p1',
      'landCas acquire s0 p1 applied',
    ],
    because: /p1: visible record changed/,
  },
  sealOnHandover: {
    breaks: 'a hand-over fences the session that has the group',
    length: 6,
    bounds: { ...assigned, values: 0 },
    because: /FENCE at slot 0 of s0, which is not dead/,
  },
  sealByMode: {
    breaks: 'a takeover by the assignment fences whoever has the group, dead or not',
    length: 9,
    bounds: restarted,
    because: /FENCE at slot 0 of s2, which is not dead/,
  },
  judgeByOldView: {
    breaks: 'who is dead is judged by a cluster state read before the manifest',
    length: 9,
    bounds: restarted,
    because: /FENCE at slot 0 of s2, which is not dead/,
  },
  sealBelowStart: {
    breaks: 'a seal found for another group is used although it lies below the start of the run',
    length: 118,
    bounds: { ...deep, sharedSeals: 1 },
    walks: 1_000,
    because: /visible record changed/,
  },
  sealAboveFence: {
    breaks: 'a seal found for another group is used although slots below it were not looked at',
    length: 71,
    bounds: { ...deep, sharedSeals: 1 },
    walks: 2_000,
    because: /slot of a closed run/,
  },
  releaseUnknownAsOwned: {
    breaks: 'an owner that does not know whether its release landed goes on serving',
    length: 5,
    bounds: { ...pair, partitions: 1, lateReleases: 1 },
    because: /visible record changed/,
  },
  releaseUnknownAsLost: {
    breaks: 'an owner whose release has landed, as it finds out, stops the whole session',
    length: 3,
    bounds: { ...assigned, lateReleases: 1 },
    because: /s0 stopped although it is not dead/,
  },
  confirmByOlderPut: {
    breaks: 'a PUT sent before the request confirms a read',
    length: 16,
    bounds: { ...asked, attempts: 2, sweeps: 0 },
    because: /read was answered/,
  },
  confirmByOlderGet: {
    breaks: 'a look at the next slot before the request confirms a read',
    length: 11,
    bounds: { ...asked, sweeps: 0 },
    because: /read was answered/,
  },
  confirmAboveHole: {
    breaks: 'a slot above one whose outcome is open confirms a read',
    length: 13,
    bounds: { ...asked, values: 3, sweeps: 0 },
    because: /read was answered/,
  },
  confirmBySweptSlot: {
    breaks: 'that an issued slot is absent confirms a read',
    length: 18,
    bounds: { ...asked, slots: 1, maxver: 3, window: 1, attempts: 2 },
    because: /read was answered/,
  },
  answerWhileReleasing: {
    breaks: 'reads are answered while a release may have landed',
    length: 10,
    bounds: { ...asked, values: 1, slots: 1, maxver: 3, lateReleases: 1 },
    because: /read was answered/,
  },
};

const icebergCatches: Readonly<Record<(typeof icebergMutants)[number], Catch>> = {
  rebaseBlind: {
    breaks: 'a refused commit is put on the new base without looking at what that holds',
    length: 11,
    bounds: {},
    because: /in the table twice/,
  },
  deleteOnUnknown: {
    breaks: 'files are deleted when the outcome of their commit is not known',
    length: 8,
    bounds: {},
    because: /references the deleted file/,
  },
  summaryFromMainOnly: {
    breaks: 'progress is read from the current snapshot, which may be an external compaction',
    length: 12,
    bounds: {},
    because: /in the table twice/,
  },
  noClaim: {
    breaks: 'orphans are deleted before a commit of the own epoch has been made',
    length: 6,
    bounds: {},
    because: /references the deleted file/,
  },
};

/** Searches that visit every state within their bounds, with how many those are: a change of a model changes them. */
export const completeSearches: readonly CompleteSearch[] = [
  { what: 'one partition', model: 'check', bounds: { ...small, attempts: 1, maxver: 4 }, states: 154_711 },
  { what: 'two partitions', model: 'check-multi', bounds: { ...pair, maxver: 2 }, states: 112_568 },
  {
    what: 'shared seals',
    model: 'check-multi',
    bounds: { values: 1, slots: 1, maxver: 3, sharedSeals: 1 },
    states: 163_660,
  },
  {
    what: 'hand-over and takeover',
    model: 'check-multi',
    bounds: { ...assigned, deaths: 1, maxver: 2, lateReleases: 1 },
    states: 31_276,
  },
  {
    what: 'late acquisitions',
    model: 'check-multi',
    bounds: { ...assigned, deaths: 1, maxver: 2, lateAcquires: 1, maxgen: 1 },
    states: 280_356,
  },
  {
    what: 'restarts',
    model: 'check-multi',
    bounds: { ...restarted, partitions: 1, values: 1, lateAcquires: 1 },
    states: 23_586,
  },
  { what: 'reads', model: 'check-multi', bounds: { ...asked, lateReleases: 1 }, states: 43_500 },
  {
    what: 'Iceberg commits',
    model: 'check-iceberg',
    bounds: { requests: 2, ids: 6, files: 3 },
    states: 50_533,
  },
];

export const catches = {
  check: checkCatches,
  'check-multi': multiCatches,
  'check-iceberg': icebergCatches,
} as const satisfies Readonly<Record<string, Readonly<Record<string, Catch>>>>;
