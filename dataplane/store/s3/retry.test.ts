import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { backoffMs } from './retry.ts';

const limits = { attempts: 5, totalMs: 10_000, baseDelayMs: 100, maxDelayMs: 500 };

function random(fraction: number): { uint32: () => number; fraction: () => number; bytes: () => Uint8Array } {
  return { uint32: () => 0, fraction: () => fraction, bytes: () => new Uint8Array(0) };
}

describe('backoffMs', () => {
  it('doubles its ceiling up to the limit and draws below it', () => {
    const ceilings = [1, 2, 3, 4].map((attempt) => backoffMs(attempt, 0, undefined, limits, random(1)));
    assert.deepEqual(ceilings, [100, 200, 400, 500]);
    assert.equal(backoffMs(2, 0, undefined, limits, random(0)), 0);
    assert.equal(backoffMs(2, 0, undefined, limits, random(0.25)), 50);
  });

  it('waits at least as long as the server asks', () => {
    assert.equal(backoffMs(1, 0, 3_000, limits, random(0.5)), 3_000);
    assert.equal(backoffMs(1, 0, 10, limits, random(0.5)), 50);
  });

  it('ends with the attempts, or when the next one would begin too late', () => {
    assert.equal(backoffMs(5, 0, undefined, limits, random(0)), undefined);
    assert.equal(backoffMs(1, 9_950, undefined, limits, random(0.5)), 50);
    assert.equal(backoffMs(1, 9_951, undefined, limits, random(0.5)), undefined);
    assert.equal(backoffMs(1, 0, 10_001, limits, random(0)), undefined);
  });
});
