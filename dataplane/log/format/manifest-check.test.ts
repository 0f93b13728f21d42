import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkSuccessor, manifestProblem } from './manifest-check.ts';
import {
  emptyPartitionManifest,
  type Manifest,
  type PartitionManifest,
  type Run,
  type SegmentRef,
} from './manifest.ts';
import { addSetsum, batchSetsum, emptySetsum } from './setsum.ts';

const topicId = 'ab'.repeat(16);
const sid = '11'.repeat(16);
const dead = '22'.repeat(16);
const sumA = batchSetsum(1, 10, 100);
const sumB = batchSetsum(2, 20, 100);

const segment = (baseOffset: number, endOffset: number, setsum: string): SegmentRef => ({
  object: `3-11111111-${baseOffset}`,
  baseOffset,
  endOffset,
  position: 64,
  sizeBytes: 100,
  maxTimestampMs: 1000,
  setsum,
});

const closed: Run = { sid: dead, epoch: 2, from: 4, to: 9, flushedTo: 6 };
const open: Run = { sid, epoch: 3, from: 0, to: undefined, flushedTo: 2 };

const partition: PartitionManifest = {
  partition: 8,
  logStart: 12,
  segmentEnd: 30,
  lastStableOffset: 30,
  timeMs: 5000,
  maxTimestampMs: 1000,
  segments: [segment(10, 20, sumA), segment(20, 30, sumB)],
  pages: [],
  epochs: [
    { epoch: 1, startOffset: 0 },
    { epoch: 2, startOffset: 15 },
    { epoch: 3, startOffset: 30 },
  ],
  appended: addSetsum(sumA, sumB),
  pruned: emptySetsum,
};

const base: Manifest = {
  version: 7,
  group: `${topicId}-4`,
  topicId,
  firstPartition: 8,
  partitionCount: 1,
  epoch: 3,
  owner: { sid, broker: 1, zone: 'a' },
  writer: sid,
  assignmentGeneration: 5,
  state: 'owned',
  runs: [closed, open],
  partitions: [partition],
  snapshot: undefined,
};

const withPartition = (change: Partial<PartitionManifest>): Manifest => ({
  ...base,
  partitions: [{ ...partition, ...change }],
});

test('a manifest that agrees with itself', () => {
  assert.equal(manifestProblem(base), undefined);
  assert.equal(manifestProblem(withPartition(emptyPartitionManifest(8))), undefined);
});

test('contradictions within a manifest are named', () => {
  const cases: [Partial<Manifest>, RegExp][] = [
    [{ group: `${'cd'.repeat(16)}-4` }, /not one of topic/],
    [{ partitionCount: 2 }, /1 partitions, 2 are declared/],
    [{ owner: undefined }, /state is owned and it has no owner/],
    [{ state: 'released' }, /state is released and it has an owner/],
    [{ firstPartition: 9 }, /partition 8 stands where 9 belongs/],
    [{ runs: [{ ...closed, to: undefined }, open] }, /open but not the last/],
    [{ runs: [closed, { ...open, sid: dead }] }, /is open, but the owner is 1+/],
    [{ runs: [{ ...closed, to: 3 }, open] }, /ends at slot 3/],
    [{ runs: [{ ...closed, flushedTo: 10 }, open] }, /ends at slot 9, flushed to 10/],
    [{ runs: [closed, { ...open, epoch: 2 }] }, /epoch 2, after 2/],
    [{ runs: [closed, { ...open, epoch: 4 }] }, /epoch 4, after 2, of 3/],
  ];
  for (const [change, message] of cases) {
    assert.match(manifestProblem({ ...base, ...change }) ?? 'no problem', message);
  }
});

test('contradictions within a partition are named', () => {
  const cases: [Partial<PartitionManifest>, RegExp][] = [
    [{ lastStableOffset: 31 }, /last stable offset 31 is beyond/],
    [{ logStart: 9 }, /log starts at 9, its first segment at 10/],
    [{ segments: [segment(10, 20, sumA), segment(21, 30, sumB)] }, /starts at offset 21, 20 was expected/],
    [{ segments: [segment(10, 10, sumA)] }, /ends at offset 10/],
    [{ segmentEnd: 31, lastStableOffset: 0 }, /segments end at 30 instead of 31/],
    [{ segments: [], appended: emptySetsum }, /segments end at 12 instead of 30/],
    [{ appended: sumA }, /add up to [0-9a-f]{16}, but [0-9a-f]{16} was appended/],
    [{ pruned: sumA }, /add up to/],
    [{ epochs: [{ epoch: 4, startOffset: 0 }] }, /epoch 4 follows epoch none in a group of epoch 3/],
    [
      {
        epochs: [
          { epoch: 2, startOffset: 0 },
          { epoch: 2, startOffset: 5 },
        ],
      },
      /epoch 2 follows epoch 2/,
    ],
    [
      {
        epochs: [
          { epoch: 1, startOffset: 5 },
          { epoch: 2, startOffset: 4 },
        ],
      },
      /starts at offset 4, the one before at 5/,
    ],
  ];
  for (const [change, message] of cases) {
    assert.match(manifestProblem(withPartition(change)) ?? 'no problem', message);
  }
});

const next = (change: Partial<Manifest>, partitionChange: Partial<PartitionManifest> = {}): Manifest => ({
  ...base,
  version: 8,
  ...change,
  partitions: change.partitions ?? [{ ...partition, ...partitionChange }],
});

test('what a flush, a retention step, a release, a takeover and a deletion do is allowed', () => {
  const sumC = batchSetsum(3, 30, 100);
  const allowed: Record<string, Manifest> = {
    'nothing but the version': next({}),
    flush: next(
      { runs: [{ ...open, flushedTo: 5 }], snapshot: { object: 'snap-1' } },
      {
        segmentEnd: 40,
        lastStableOffset: 35,
        timeMs: 6000,
        segments: [...partition.segments, segment(30, 40, sumC)],
        appended: addSetsum(partition.appended, sumC),
      },
    ),
    retention: next({}, { logStart: 20, segments: [segment(20, 30, sumB)], pruned: sumA }),
    'all records deleted': next({}, { logStart: 30, segments: [], pruned: partition.appended }),
    'merged segments': next({}, { segments: [segment(10, 30, partition.appended)] }),
    release: next({ state: 'released', owner: undefined, runs: [] }),
    takeover: next(
      {
        epoch: 4,
        owner: { sid: dead, broker: 2, zone: 'b' },
        assignmentGeneration: 6,
        runs: [closed, { ...open, to: 7 }, { sid: dead, epoch: 4, from: 20, to: undefined, flushedTo: 20 }],
      },
      { epochs: [...partition.epochs, { epoch: 4, startOffset: 33 }] },
    ),
    'takeover of an epoch that wrote nothing': next(
      { epoch: 4 },
      { epochs: [...partition.epochs.slice(0, 2), { epoch: 4, startOffset: 30 }] },
    ),
    'epochs below the log start forgotten': next({}, { epochs: partition.epochs.slice(1), logStart: 16 }),
    deletion: next(
      { state: 'deleted', runs: [] },
      { logStart: 30, segments: [], pruned: partition.appended },
    ),
  };
  for (const [what, after] of Object.entries(allowed)) {
    assert.equal(checkSuccessor(base, after), undefined, what);
  }
});

test('what must only grow does not shrink, and what was decided stays', () => {
  const refused: [Manifest, RegExp][] = [
    [{ ...base }, /version 7 follows 7/],
    [next({ version: 9 }), /version 9 follows 7/],
    [next({ epoch: 2, runs: [] }, { epochs: [] }), /epoch 2 follows 3/],
    [next({ assignmentGeneration: 4 }), /assignment generation 4 follows 5/],
    [next({ group: `${topicId}-5` }), /group changes/],
    [
      next({ firstPartition: 9, partitions: [{ ...partition, partition: 9 }] }),
      /firstPartition changes from 8 to 9/,
    ],
    [
      next({ owner: { sid: dead, broker: 2, zone: 'b' }, runs: [closed] }),
      /the owner changes within epoch 3/,
    ],
    [next({ runs: [{ ...closed, flushedTo: 5 }, open] }), /flushedTo goes from 6 to 5/],
    [next({ runs: [closed, { ...open, flushedTo: 1 }] }), /flushedTo goes from 2 to 1/],
    [next({ runs: [{ ...closed, to: 10 }, open] }), /ended at slot 9 and now ends at 10/],
    [next({ runs: [{ ...closed, epoch: 1 }, open] }), /changes its epoch from 2 to 1/],
    [next({}, { logStart: 11 }), /logStart goes from 12 to 11/],
    [next({}, { timeMs: 4999 }), /timeMs goes from 5000 to 4999/],
    [next({}, { maxTimestampMs: 999 }), /maxTimestampMs goes from 1000 to 999/],
    [next({}, { lastStableOffset: 29 }), /lastStableOffset goes from 30 to 29/],
    [
      next({}, { segmentEnd: 20, lastStableOffset: 20, segments: [segment(10, 20, sumA)], appended: sumA }),
      /segmentEnd goes from 30 to 20/,
    ],
    [
      next({}, { appended: sumA, segments: [segment(10, 30, sumA)] }),
      /appended changes although segmentEnd stays/,
    ],
    [next({}, { epochs: partition.epochs.slice(0, 2) }), /epoch 3 from offset 30 is gone/],
    [next({}, { epochs: partition.epochs.slice(2) }), /epoch 2 from offset 15 is gone/],
    [next({}, { epochs: [] }), /epoch 2 from offset 15 is gone/],
  ];
  for (const [after, message] of refused) {
    assert.match(checkSuccessor(base, after) ?? 'no problem', message);
  }
  const deleted: Manifest = { ...base, state: 'deleted', owner: undefined, runs: [] };
  assert.match(checkSuccessor(deleted, next({})) ?? 'no problem', /a deleted group comes back/);
});
