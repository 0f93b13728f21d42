import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RememberedLoads } from './remembered-loads.ts';

const brokers = new Set([1]);

test('what a group had counts for a minute after nothing is told of it any more', () => {
  const remembered = new RememberedLoads();
  remembered.update({ bytes: new Map([['a', 5]]), brokers }, 0);
  assert.deepEqual(
    remembered.update({ bytes: new Map([['b', 7]]), brokers }, 60_000).bytes,
    new Map([
      ['a', 5],
      ['b', 7],
    ]),
  );
  assert.deepEqual(remembered.update({ bytes: new Map(), brokers }, 60_001).bytes, new Map([['b', 7]]));
});

test('what is told now counts', () => {
  const remembered = new RememberedLoads();
  remembered.update({ bytes: new Map([['a', 5]]), brokers }, 0);
  assert.deepEqual(remembered.update({ bytes: new Map([['a', 2]]), brokers }, 1_000), {
    bytes: new Map([['a', 2]]),
    brokers,
  });
});
