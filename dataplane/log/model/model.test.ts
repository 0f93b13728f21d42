import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { icebergMutants } from './check-iceberg.ts';
import type { checkMutants } from './check-state.ts';
import type { multiMutants } from './multi-state.ts';
import { models } from './run.ts';
import type { RunnableModel, Way } from './run.ts';

type Bounds = Readonly<Record<string, number>>;

/** How a mutant is caught: searched through, walked through at random, or from a schedule on. */
interface Catch {
  readonly bounds: Bounds;
  readonly walks?: number;
  readonly schedule?: readonly string[];
  readonly because: RegExp;
}

const all: Way = { kind: 'all' };

function modelCalled(name: string): RunnableModel {
  const model = models[name];
  assert(model !== undefined);
  return model;
}

/** One partition. */
const small = { sessions: 2, values: 2, slots: 2, attempts: 2, maxver: 5 };
const checkCatches: Readonly<Record<(typeof checkMutants)[number], Catch>> = {
  gcDeletesFence: { bounds: small, because: /acked record lost/ },
  ackOutOfOrder: { bounds: small, because: /acked record lost/ },
  noSeal: { bounds: small, because: /visible record changed/ },
  '412AsOk': { bounds: small, because: /acked record lost/ },
  newBytesOnRetry: { bounds: small, because: /stale reader sees a wrong record/ },
  skipSlot: { bounds: small, because: /offset gap or overlap/ },
  releaseInflight: { bounds: small, because: /visible record changed/ },
  casIgnoresVersion: { bounds: small, because: /visible record changed/ },
  assumeCasOk: { bounds: small, because: /acked record lost/ },
  markThenList: { bounds: small, because: /visible record changed/ },
  readPastFence: { bounds: small, because: /offset gap or overlap/ },
  noOffsetCheck: {
    bounds: { sessions: 2, values: 3, slots: 3, attempts: 1, maxver: 6 },
    because: /stale reader sees a wrong record/,
  },
};

/** Two partitions: without `meta/cluster`, anybody may take over at any time. */
const pair = { values: 2, slots: 2, maxver: 3 };
const deep = { sessions: 3, values: 8, slots: 6, window: 3, attempts: 2, maxver: 14 };
const assigned = { cluster: 1, deaths: 0, maxgen: 2, values: 1, slots: 1, maxver: 3 };
const restarted = { cluster: 1, sessions: 3, deaths: 1, values: 0, slots: 1, maxver: 3 };
const asked = { partitions: 1, reads: 1, values: 2, slots: 2, maxver: 2 };
const everything = {
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
const fencedAtHole = [
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
  ackPerPartition: { bounds: pair, because: /acked record lost/ },
  gcBeyondFence: { bounds: deep, walks: 1_000, because: /visible record changed|acked record lost/ },
  gcOneManifest: { bounds: pair, because: /visible record changed/ },
  releaseAtNextSlot: { bounds: pair, because: /slot of a closed run is missing/ },
  releaseUnflushed: { bounds: pair, because: /acked record lost/ },
  surviveLostPartition: { bounds: deep, walks: 1_000, because: /acked record lost|offset gap or overlap/ },
  noTrimValidate: { bounds: deep, walks: 5_000, because: /acked record lost|visible record changed/ },
  sweepUnfenced: {
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
  sealOnHandover: { bounds: { ...assigned, values: 0 }, because: /FENCE at slot 0 of s0, which is not dead/ },
  sealByMode: { bounds: restarted, because: /FENCE at slot 0 of s2, which is not dead/ },
  judgeByOldView: { bounds: restarted, because: /FENCE at slot 0 of s2, which is not dead/ },
  sealBelowStart: { bounds: { ...deep, sharedSeals: 1 }, walks: 1_000, because: /visible record changed/ },
  sealAboveFence: { bounds: { ...deep, sharedSeals: 1 }, walks: 2_000, because: /slot of a closed run/ },
  releaseUnknownAsOwned: {
    bounds: { ...pair, partitions: 1, lateReleases: 1 },
    because: /visible record changed/,
  },
  releaseUnknownAsLost: {
    bounds: { ...assigned, lateReleases: 1 },
    because: /s0 stopped although it is not dead/,
  },
  confirmByOlderPut: { bounds: { ...asked, attempts: 2, sweeps: 0 }, because: /read was answered/ },
  confirmByOlderGet: { bounds: { ...asked, sweeps: 0 }, because: /read was answered/ },
  confirmAboveHole: { bounds: { ...asked, values: 3, sweeps: 0 }, because: /read was answered/ },
  confirmBySweptSlot: {
    bounds: { ...asked, slots: 1, maxver: 3, window: 1, attempts: 2 },
    because: /read was answered/,
  },
  answerWhileReleasing: {
    bounds: { ...asked, values: 1, slots: 1, maxver: 3, lateReleases: 1 },
    because: /read was answered/,
  },
};

const icebergCatches: Readonly<Record<(typeof icebergMutants)[number], Catch>> = {
  rebaseBlind: { bounds: {}, because: /in the table twice/ },
  deleteOnUnknown: { bounds: {}, because: /references the deleted file/ },
  summaryFromMainOnly: { bounds: {}, because: /in the table twice/ },
  noClaim: { bounds: {}, because: /references the deleted file/ },
};

/** Searches that visit every state within their bounds, with how many those are: a change of a model changes them. */
const complete: readonly (readonly [what: string, model: string, bounds: Bounds, states: number])[] = [
  ['one partition', 'check', { ...small, attempts: 1, maxver: 4 }, 154_711],
  ['two partitions', 'check-multi', { ...pair, maxver: 2 }, 112_568],
  ['shared seals', 'check-multi', { values: 1, slots: 1, maxver: 3, sharedSeals: 1 }, 163_660],
  ['hand-over and takeover', 'check-multi', { ...assigned, deaths: 1, maxver: 2, lateReleases: 1 }, 31_276],
  [
    'late acquisitions',
    'check-multi',
    { ...assigned, deaths: 1, maxver: 2, lateAcquires: 1, maxgen: 1 },
    280_356,
  ],
  ['restarts', 'check-multi', { ...restarted, partitions: 1, values: 1, lateAcquires: 1 }, 23_586],
  ['reads', 'check-multi', { ...asked, lateReleases: 1 }, 43_500],
  ['Iceberg commits', 'check-iceberg', { requests: 2, ids: 6, files: 3 }, 50_533],
];

describe('the protocol of the log', () => {
  for (const [what, name, bounds, states] of complete) {
    it(`keeps its promises in every state: ${what}`, () => {
      const result = modelCalled(name).run({ bounds, way: all });
      assert.equal(result.outcome, 'complete', JSON.stringify(result, null, 1));
      assert('states' in result);
      assert.equal(result.states, states);
    });
  }

  it('keeps its promises on long walks with everything going wrong', () => {
    const bounds = { ...deep, ...everything };
    const way: Way = { kind: 'walks', walks: 1_000, length: 250, seed: 1 };
    const result = modelCalled('check-multi').run({ bounds, way });
    assert.equal(result.outcome, 'complete', JSON.stringify(result, null, 1));
    assert('stepCount' in result && result.stepCount > 100_000);
  });
});

describe('a broken rule of the log is noticed', () => {
  const catches: readonly (readonly [model: string, catches: Readonly<Record<string, Catch>>])[] = [
    ['check', checkCatches],
    ['check-multi', multiCatches],
    ['check-iceberg', icebergCatches],
  ];
  for (const [name, byMutant] of catches) {
    for (const [mutant, { bounds, walks, schedule = [], because }] of Object.entries(byMutant)) {
      it(`${name}: ${mutant}`, () => {
        const way: Way = walks === undefined ? all : { kind: 'walks', walks, length: 160, seed: 1 };
        const result = modelCalled(name).run({ mutants: [mutant], bounds, schedule, way });
        assert(result.outcome === 'violated', `not caught: ${JSON.stringify(result)}`);
        assert.match(result.violated, because, JSON.stringify(result, null, 1));
      });
    }
  }

  it('but not when the last slot of a swept session is a fence', () => {
    const schedule = [
      ...fencedAtHole,
      'gcList',
      'gcFence s0 slot2',
      'gcReadM p0',
      'gcReadM p1',
      'landCas acquire',
    ];
    const { bounds } = multiCatches.sweepFencedAtHole;
    const result = modelCalled('check-multi').run({ bounds, schedule, way: all });
    assert.equal(result.outcome, 'complete', JSON.stringify(result, null, 1));
  });
});

describe('the command line of the models', () => {
  const main = path.join(import.meta.dirname, 'main.ts');
  const run = (...args: readonly string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });

  it('prints a counterexample and fails', () => {
    const { status, stdout } = run('check', 'releaseInflight', 'sessions=2', 'values=2', 'slots=2');
    assert.equal(status, 1);
    assert.match(stdout, /"violated": "visible record changed/);
    assert.match(stdout, /"land s0 slot0/);
  });

  it('succeeds without a violation', () => {
    const { status, stdout } = run('check-multi', 'values=0', 'slots=1', 'maxver=2');
    assert.equal(status, 0);
    assert.match(stdout, /"outcome": "complete"/);
  });

  it('refuses a model, a mutant, a bound or a number that it does not know', () => {
    for (const args of [['chek'], ['check', 'noSael'], ['check', 'sesions=2'], ['check', 'slots=two']]) {
      const { status, stdout, stderr } = run(...args);
      assert.equal(status, 2);
      assert.equal(stdout, '');
      assert.match(stderr, /^usage: /);
    }
  });
});
