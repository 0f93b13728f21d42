import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AppendBudget } from './append-budget.ts';

describe('append budget', () => {
  it('admits at once what fits and makes the rest wait in order', async () => {
    const budget = new AppendBudget(100);
    const admitted: string[] = [];
    assert.equal(budget.take(60), undefined);
    const large = budget.take(50)?.then(() => admitted.push('large'));
    // It would fit, but does not overtake.
    const small = budget.take(10)?.then(() => admitted.push('small'));
    assert.equal(budget.waiting, 2);
    budget.release(60);
    await Promise.all([large, small]);
    assert.deepEqual(admitted, ['large', 'small']);
    assert.equal(budget.usedBytes, 60);
  });

  it('admits one batch larger than the whole bound, alone', async () => {
    const budget = new AppendBudget(100);
    assert.equal(budget.take(1), undefined);
    const huge = budget.take(1_000);
    assert.ok(huge !== undefined);
    budget.release(1);
    await huge;
    assert.equal(budget.usedBytes, 1_000);
    assert.notEqual(budget.take(1), undefined);
  });
});
