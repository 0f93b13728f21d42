import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hexId } from './cluster-fixture.ts';
import type { GroupLayout, GroupRange } from './cluster-state.ts';
import {
  extendGroups,
  groupCountOf,
  groupOf,
  groupSizeOf,
  groupsOf,
  layoutProblem,
  parseGroupId,
} from './partition-groups.ts';

const topicId = hexId('a', 1);

function layoutAfter(totals: readonly number[], internal = false): GroupLayout {
  let groups: readonly GroupRange[] = [];
  let before = 0;
  for (const after of totals) {
    groups = extendGroups(groups, { before, after }, internal);
    before = after;
  }
  return { topicId, partitions: before, groups };
}

test('the size rule', () => {
  const sizes = [1, 64, 65, 128, 129, 1_000, 4_096, 4_097, 10_000, 100_000].map((total) =>
    groupSizeOf(total, false),
  );
  assert.deepEqual(sizes, [1, 1, 2, 2, 3, 16, 64, 64, 64, 64]);
  assert.equal(groupSizeOf(1_000, true), 1);
});

test('a topic of 10,000 partitions has at most 200 groups', () => {
  assert.equal(groupCountOf(layoutAfter([10_000])), 157);
});

test('the worked example of the format', () => {
  const layout = layoutAfter([10, 1000]);
  assert.deepEqual(layout.groups, [
    [0, 10, 1],
    [10, 990, 16],
  ]);
  const groups = groupsOf(layout);
  assert.equal(groups.length, 72);
  assert.deepEqual(groups[9], { id: `${topicId}-9`, index: 9, firstPartition: 9, count: 1 });
  assert.deepEqual(groups[10], { id: `${topicId}-10`, index: 10, firstPartition: 10, count: 16 });
  assert.deepEqual(groups[71], { id: `${topicId}-71`, index: 71, firstPartition: 986, count: 14 });
});

const growth = fc
  .uniqueArray(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 4 })
  .map((totals) => totals.toSorted((a, b) => a - b));

test('the groups cut the partitions into consecutive pieces, and groupOf finds each of them', () => {
  fc.assert(
    fc.property(growth, fc.boolean(), (totals, internal) => {
      const layout = layoutAfter(totals, internal);
      assert.equal(layoutProblem(layout), undefined);
      const groups = groupsOf(layout);
      assert.equal(groups.length, groupCountOf(layout));
      let next = 0;
      for (const [index, group] of groups.entries()) {
        assert.deepEqual(parseGroupId(group.id), { topicId, index });
        assert.equal(group.firstPartition, next);
        assert(group.count >= 1 && group.count <= 64);
        next += group.count;
        assert.deepEqual(groupOf(layout, group.firstPartition), group);
        assert.deepEqual(groupOf(layout, next - 1), group);
      }
      assert.equal(next, layout.partitions);
      for (const outside of [-1, next, 0.5, Number.NaN]) assert.equal(groupOf(layout, outside), undefined);
    }),
    { numRuns: 200 },
  );
});

test('added partitions change no group that was there', () => {
  fc.assert(
    fc.property(growth, fc.integer({ min: 1, max: 5_000 }), (totals, added) => {
      const before = layoutAfter(totals);
      const after = layoutAfter([...totals, before.partitions + added]);
      assert.deepEqual(groupsOf(after).slice(0, groupCountOf(before)), groupsOf(before));
    }),
    { numRuns: 200 },
  );
});

test('layouts that leave partitions out, or have them twice, are told', () => {
  const problems: [number, GroupRange[], RegExp][] = [
    [3, [[0, 2, 1]], /cover 2 partitions, the topic has 3/],
    [3, [[1, 2, 1]], /begins at partition 1, 0 was expected/],
    [
      3,
      [
        [0, 2, 1],
        [1, 2, 1],
      ],
      /begins at partition 1, 2 was expected/,
    ],
    [3, [[0, 3, 65]], /65 partitions/],
    [3, [[0, 3, 0]], /0 partitions/],
    [0, [[0, 0, 1]], /has 0 partitions/],
  ];
  for (const [partitions, groups, expected] of problems) {
    assert.match(layoutProblem({ topicId, partitions, groups }) ?? 'none', expected);
  }
});

test('what is no group id is not taken for one', () => {
  for (const id of [
    '',
    topicId,
    `${topicId}-`,
    `${topicId}-01`,
    `${topicId}--1`,
    `x${topicId}-1`,
    `${topicId}-1x`,
  ]) {
    assert.equal(parseGroupId(id), undefined);
  }
});
