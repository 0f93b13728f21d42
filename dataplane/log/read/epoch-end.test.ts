import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endOfLeaderEpoch } from './epoch-end.ts';

const epochs = [
  { epoch: 2, startOffset: 0 },
  { epoch: 3, startOffset: 10 },
  { epoch: 7, startOffset: 25 },
];
const log = { logStart: 0, logEnd: 40 };

test('an epoch ends where the next one with records begins', () => {
  assert.deepEqual(endOfLeaderEpoch(epochs, 2, log), { epoch: 2, endOffset: 10 });
  assert.deepEqual(endOfLeaderEpoch(epochs, 3, log), { epoch: 3, endOffset: 25 });
});

test('the newest epoch ends at the log end', () => {
  assert.deepEqual(endOfLeaderEpoch(epochs, 7, log), { epoch: 7, endOffset: 40 });
});

test('of an epoch without records, the last one before it is answered', () => {
  assert.deepEqual(endOfLeaderEpoch(epochs, 5, log), { epoch: 3, endOffset: 25 });
});

test('an epoch before all others ends where the log starts', () => {
  assert.deepEqual(endOfLeaderEpoch(epochs, 1, log), { epoch: 1, endOffset: 0 });
  assert.deepEqual(endOfLeaderEpoch(epochs.slice(1), 2, { logStart: 12, logEnd: 40 }), {
    epoch: 2,
    endOffset: 12,
  });
});

test('an epoch the partition has not reached is not answered, nor is none', () => {
  assert.equal(endOfLeaderEpoch(epochs, 8, log), undefined);
  assert.equal(endOfLeaderEpoch(epochs, -1, log), undefined);
  assert.equal(endOfLeaderEpoch([], 0, log), undefined);
});
