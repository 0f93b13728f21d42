import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GroupLoads } from './group-loads.ts';

describe('the loads of groups', () => {
  it('are the rate from the first measurement on, and forget what was', () => {
    const loads = new GroupLoads();
    const steady = { id: 'a', appendedBytes: 5_000_000 };
    const idle = { id: 'b', appendedBytes: 7 };
    loads.measure([steady, idle], 0);
    assert.deepEqual([...loads.rates], [], 'what was appended before nobody knows when');
    for (let nowMs = 1_000; nowMs <= 60_000; nowMs += 1_000) {
      steady.appendedBytes += 2_000;
      loads.measure([steady, idle], nowMs);
      assert.ok(Math.abs((loads.rates.get('a') ?? 0) - 2_000) < 1e-6);
      assert.equal(loads.rates.get('b'), undefined);
    }
    loads.measure([steady, idle], 90_000);
    assert.ok(Math.abs((loads.rates.get('a') ?? 0) - 1_000) < 250, 'half after half a minute');
    for (let nowMs = 100_000; nowMs <= 900_000; nowMs += 10_000) loads.measure([steady, idle], nowMs);
    assert.equal(loads.rates.get('a'), undefined);
  });

  it('do not depend on how often they are measured', () => {
    const rates = [100, 1_000, 10_000].map((everyMs) => {
      const loads = new GroupLoads();
      const group = { id: 'a', appendedBytes: 0 };
      for (let nowMs = 0; nowMs <= 120_000; nowMs += everyMs) {
        // 1,000 bytes a second for a minute, 3,000 after that.
        group.appendedBytes = nowMs + 2 * Math.max(0, nowMs - 60_000);
        loads.measure([group], nowMs);
      }
      return loads.rates.get('a') ?? 0;
    });
    for (const rate of rates) assert.ok(Math.abs(rate - (rates[0] ?? 0)) < 1, rates.join(', '));
  });

  it('begin anew with another owner of the group, and end with it', () => {
    const loads = new GroupLoads();
    loads.measure([{ id: 'a', appendedBytes: 0 }], 0);
    const owned = { id: 'a', appendedBytes: 1_000_000 };
    loads.measure([owned], 1_000);
    assert.equal(loads.rates.get('a'), undefined);
    owned.appendedBytes += 500;
    loads.measure([owned], 2_000);
    assert.equal(loads.rates.get('a'), 500);
    loads.measure([], 3_000);
    assert.deepEqual([...loads.rates], []);
  });
});
