import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { PeriodicWork } from './periodic-work.ts';

function setUp() {
  const time = new VirtualTime({ seed: 1 });
  const { runtime } = time.process('broker');
  const failures: unknown[] = [];
  return { time, runtime, failures, periodic: new PeriodicWork(runtime, (error) => failures.push(error)) };
}

describe('periodic work', () => {
  it('begins a round only after the last one has ended', async () => {
    const { time, periodic } = setUp();
    let rounds = 0;
    let end: (() => void) | undefined;
    periodic.every(100, () => {
      rounds += 1;
      return new Promise<void>((resolve) => {
        end = resolve;
      });
    });
    await time.run({ untilMs: 1_000 });
    assert.equal(rounds, 1);
    end?.();
    await time.run({ untilMs: 2_000 });
    assert.equal(rounds, 2);
  });

  it('goes on after a failed round, which it reports', async () => {
    const { time, periodic, failures } = setUp();
    let rounds = 0;
    periodic.every(100, () => {
      rounds += 1;
      return rounds === 1 ? Promise.reject(new Error('no')) : undefined;
    });
    await time.run({ until: () => rounds === 3, untilMs: 1_000 });
    assert.equal(rounds, 3);
    assert.equal(failures.length, 1);
  });

  it('begins no round after it was stopped, not even that of work under way', async () => {
    const { time, periodic } = setUp();
    let rounds = 0;
    let end: (() => void) | undefined;
    periodic.every(100, () => {
      rounds += 1;
      return new Promise<void>((resolve) => {
        end = resolve;
      });
    });
    await time.run({ until: () => rounds === 1, untilMs: 1_000 });
    periodic.stop();
    end?.();
    await time.run({ untilMs: 2_000 });
    assert.equal(rounds, 1);
  });
});
