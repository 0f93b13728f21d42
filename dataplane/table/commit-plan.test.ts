import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { planCommit } from './commit-plan.ts';
import type { Committable } from './table-workers.ts';

function range(partition: number, from: number, to: number): Committable {
  return { partition, from, to, file: undefined };
}

describe('the plan of a commit', () => {
  it('takes files that continue one another from the committed offset on, in any order of arrival', () => {
    const files = [range(0, 10, 20), range(0, 0, 10), range(1, 5, 9)];
    const { chosen, offsets } = planCommit(new Map([[1, 5]]), files);
    assert.deepEqual(chosen, [files[1], files[2], files[0]]);
    assert.deepEqual(
      [...offsets],
      [
        [1, 9],
        [0, 20],
      ],
    );
  });

  it('takes nothing behind a gap, and holds no other partition back for it', () => {
    const { chosen, offsets } = planCommit(new Map(), [range(0, 3, 5), range(1, 0, 2)]);
    assert.deepEqual(chosen, [range(1, 0, 2)]);
    assert.equal(offsets.get(0), undefined);
  });

  it('takes one of two files with the same range', () => {
    const { chosen, lost } = planCommit(new Map(), [range(0, 0, 5), range(0, 0, 5)]);
    assert.equal(chosen.length, 1);
    assert.equal(lost.length, 0);
  });

  it('knows a file for lost only when neither the table has it nor a commit can take it', () => {
    const inTable = range(0, 0, 10);
    const straddling = range(0, 5, 15);
    const { chosen, lost } = planCommit(new Map([[0, 10]]), [inTable, straddling]);
    assert.deepEqual(chosen, []);
    assert.deepEqual(lost, [straddling]);
  });

  it('never leaves a gap, never takes an offset twice, and moves offsets exactly as far as its files reach', () => {
    const ranges = fc.array(
      fc.record({ partition: fc.nat({ max: 2 }), from: fc.nat({ max: 20 }), length: fc.nat({ max: 6 }) }),
    );
    const starts = fc.array(fc.nat({ max: 10 }), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(ranges, starts, (drawn, committed) => {
        const before = new Map(committed.map((offset, partition) => [partition, offset]));
        const files = drawn.map(({ partition, from, length }) => range(partition, from, from + length));
        const { chosen, offsets } = planCommit(before, files);
        for (const partition of [0, 1, 2]) {
          let next = before.get(partition) ?? 0;
          for (const file of chosen.filter((candidate) => candidate.partition === partition)) {
            assert.equal(file.from, next);
            assert(file.to > next);
            next = file.to;
          }
          assert.equal(offsets.get(partition), next);
          assert(!files.some((file) => file.partition === partition && file.from === next && file.to > next));
        }
      }),
    );
  });
});
