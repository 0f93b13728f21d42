import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SlotRanges } from './slot-ranges.ts';

function rangesOf(slots: Iterable<number>): SlotRanges {
  const ranges = new SlotRanges();
  for (const slot of slots) ranges.add(slot);
  return ranges;
}

test('neighbours join, in whatever order they come', () => {
  const ranges = rangesOf([5, 3, 4, 9, 0, 10, 4]);
  assert.deepEqual(ranges.ranges, [
    { from: 0, to: 1 },
    { from: 3, to: 6 },
    { from: 9, to: 11 },
  ]);
  assert.equal(ranges.toText(), '0, 3-5, 9-10');
  assert.equal(ranges.toText(1), '0, … (2 more ranges)');
});

test('an empty set has no first, last or next slot', () => {
  const ranges = new SlotRanges();
  assert.deepEqual(
    [ranges.first, ranges.last, ranges.atLeast(0), ranges.gapFrom(3), ranges.count, ranges.toText()],
    [undefined, undefined, undefined, 3, 0, ''],
  );
});

test('it answers as a plain set does', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 40 })), fc.nat({ max: 45 }), (slots, at) => {
      const ranges = rangesOf(slots);
      const set = new Set(slots);
      const sorted = [...set].toSorted((a, b) => a - b);
      assert.equal(ranges.count, set.size);
      assert.equal(ranges.first, sorted[0]);
      assert.equal(ranges.last, sorted.at(-1));
      assert.equal(ranges.has(at), set.has(at));
      assert.equal(
        ranges.atLeast(at),
        sorted.find((slot) => slot >= at),
      );
      assert.equal(ranges.countBelow(at), sorted.filter((slot) => slot < at).length);
      let gap = at;
      while (set.has(gap)) gap += 1;
      assert.equal(ranges.gapFrom(at), gap);
    }),
  );
});
