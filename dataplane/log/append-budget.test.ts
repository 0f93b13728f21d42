import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RoomWaiter } from './append-budget.ts';
import { AppendBudget } from './append-budget.ts';

const budgetOf = (
  limits: { bytes?: number; waitingBytes?: number; waitingCount?: number } = {},
): AppendBudget => new AppendBudget({ bytes: 100, waitingBytes: 1_000, waitingCount: 10, ...limits });

describe('append budget', () => {
  it('admits at once what fits and makes the rest wait in order', () => {
    const budget = budgetOf();
    const admitted: string[] = [];
    const waiter = (name: string, sizeBytes: number): RoomWaiter => ({
      sizeBytes,
      admit: () => admitted.push(name),
    });
    assert(budget.tryTake(60));
    assert(!budget.tryTake(50));
    assert(budget.wait(waiter('large', 50)));
    // It would fit, but does not overtake.
    assert(!budget.tryTake(10));
    assert(budget.wait(waiter('small', 10)));
    assert.equal(budget.waiting, 2);
    assert.equal(budget.waitingBytes, 60);
    budget.release(60);
    // Not a moment later: who comes next must find them admitted.
    assert.deepEqual(admitted, ['large', 'small']);
    assert.equal(budget.usedBytes, 60);
    assert.equal(budget.waitingBytes, 0);
  });

  it('admits one batch larger than the whole bound, alone', () => {
    const budget = budgetOf();
    let admitted = false;
    assert(budget.tryTake(1));
    assert(!budget.tryTake(1_000));
    assert(
      budget.wait({
        sizeBytes: 1_000,
        admit: () => {
          admitted = true;
        },
      }),
    );
    budget.release(1);
    assert(admitted);
    assert.equal(budget.usedBytes, 1_000);
    assert(!budget.tryTake(1));
  });

  it('refuses to let more wait than may, in number and in bytes', () => {
    const admit = (): void => undefined;
    const few = budgetOf({ waitingCount: 2 });
    assert(few.tryTake(100));
    assert(few.wait({ sizeBytes: 1, admit }));
    assert(few.wait({ sizeBytes: 1, admit }));
    assert(!few.wait({ sizeBytes: 1, admit }));
    const small = budgetOf({ waitingBytes: 50 });
    assert(small.tryTake(100));
    // One may wait however large it is: nobody else could ever admit it.
    assert(small.wait({ sizeBytes: 80, admit }));
    assert(!small.wait({ sizeBytes: 1, admit }));
    small.release(100);
    assert.equal(small.usedBytes, 80);
    assert(small.tryTake(20));
    assert(small.wait({ sizeBytes: 30, admit }));
    assert(small.wait({ sizeBytes: 20, admit }));
    assert(!small.wait({ sizeBytes: 1, admit }));
  });

  it('lets those behind go on when one does not wait any more', () => {
    const budget = budgetOf();
    const admitted: string[] = [];
    const large = { sizeBytes: 90, admit: () => admitted.push('large') };
    assert(budget.tryTake(50));
    assert(budget.wait(large));
    assert(budget.wait({ sizeBytes: 50, admit: () => admitted.push('small') }));
    budget.cancel(large);
    assert.deepEqual(admitted, ['small']);
    assert.equal(budget.waiting, 0);
    assert.equal(budget.waitingBytes, 0);
    // It is too late for that now.
    budget.cancel(large);
    assert.equal(budget.usedBytes, 100);
  });

  it('copes with waiters that give their room back in the moment they get it', () => {
    const budget = budgetOf();
    const admitted: number[] = [];
    assert(budget.tryTake(100));
    for (let index = 0; index < 5; index++) {
      const waiter: RoomWaiter = {
        sizeBytes: 80,
        admit: () => {
          admitted.push(index);
          budget.release(80);
        },
      };
      assert(budget.wait(waiter));
    }
    budget.release(100);
    assert.deepEqual(admitted, [0, 1, 2, 3, 4]);
    assert.equal(budget.usedBytes, 0);
  });
});
