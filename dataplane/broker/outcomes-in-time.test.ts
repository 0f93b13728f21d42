import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { outcomesInTime } from './outcomes-in-time.ts';

const late = (at: number): { at: number } => ({ at: -at });

describe('outcomes in time', () => {
  it('are told in order when all are there', async () => {
    const { environment } = new VirtualTime({ seed: 1 });
    const second = Promise.withResolvers<{ at: number }>();
    const told = outcomesInTime([second.promise, Promise.resolve({ at: 2 })], 100, environment, late);
    second.resolve({ at: 1 });
    assert.deepEqual(await told, [{ at: 1 }, { at: 2 }]);
    assert.deepEqual(await outcomesInTime([], 100, environment, late), []);
  });

  it('that are not there when the time is up are made, and may come or fail later', async () => {
    const time = new VirtualTime({ seed: 1 });
    const never = Promise.withResolvers<{ at: number }>();
    const told = outcomesInTime([Promise.resolve({ at: 7 }), never.promise], 100, time.environment, late);
    await time.run({ untilMs: 101 });
    assert.deepEqual(await told, [{ at: 7 }, { at: -1 }]);
    never.reject(new Error('too late'));
    await new Promise(setImmediate);
  });

  it('reject with the first failure', async () => {
    const { environment } = new VirtualTime({ seed: 1 });
    const failure = new Error('failed');
    const never = new Promise<{ at: number }>(() => undefined);
    await assert.rejects(outcomesInTime([never, Promise.reject(failure)], 100, environment, late), failure);
  });
});
