import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import { Timers } from './timers.ts';

test('a timer that is put off again and again fires once, when it is due in the end', async () => {
  const time = new VirtualTime({ seed: 1 });
  const timers = new Timers(time.environment);
  const fired: number[] = [];
  const schedule = (delayMs: number): void => {
    timers.schedule('a', delayMs, () => fired.push(time.nowMs));
  };
  schedule(1_000);
  for (let at = 500; at <= 5_000; at += 500) {
    time.environment.after(at, () => {
      schedule(1_000);
    });
  }
  await time.untilIdle();
  assert.deepEqual(fired, [6_000]);
  assert.equal(timers.size, 0);
});

test('a timer may be brought forward, replaced and cancelled', async () => {
  const time = new VirtualTime({ seed: 1 });
  const timers = new Timers(time.environment);
  const fired: string[] = [];
  timers.schedule('a', 5_000, () => fired.push('late'));
  timers.schedule('a', 100, () => fired.push(`early at ${time.nowMs}`));
  timers.schedule('b', 100, () => fired.push('cancelled'));
  timers.cancel('b');
  timers.schedule('c', 100, () => fired.push('cancelled'));
  await time.run({ untilMs: 50 });
  assert(timers.has('c') && !timers.has('b'));
  await time.run({ untilMs: 99 });
  timers.schedule('a', 1, () => fired.push(`early at ${time.nowMs}`));
  timers.cancel('c');
  await time.untilIdle();
  assert.deepEqual(fired, ['early at 100']);
  timers.schedule('d', 100, () => fired.push('cancelled'));
  timers.cancelAll();
  await time.untilIdle();
  assert.equal(fired.length, 1);
});

test('a process that stood still gives everybody their time once more, and once only', async () => {
  const time = new VirtualTime({ seed: 1 });
  const process = time.process('broker');
  const timers = new Timers(process.runtime);
  const fired: number[] = [];
  timers.schedule('a', 10_000, () => fired.push(time.nowMs));
  time.environment.after(5_000, () => {
    process.pause(60_000);
  });
  time.environment.after(70_000, () => {
    process.pause(60_000);
  });
  await time.untilIdle();
  assert.deepEqual(fired, [130_000]);
});
