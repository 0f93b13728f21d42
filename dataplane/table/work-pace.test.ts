import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Runtime } from '../runtime/runtime.ts';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { WorkPace } from './work-pace.ts';

it('lets many workers do one slice of work between two turns of the event loop, each its share', async () => {
  const time = new VirtualTime({ seed: 1 });
  // A clock that work makes go on, as it does in a real process.
  let workedMs = 0;
  const runtime: Runtime = { ...time.environment, monotonicMs: () => workedMs };
  const pace = new WorkPace(runtime, 8);
  const done = Array.from({ length: 20 }, () => 0);
  const perStep: number[] = [];
  let before = 0;
  time.onStep(() => {
    perStep.push(workedMs - before);
    before = workedMs;
  });
  const work = async (worker: number): Promise<void> => {
    for (let batch = 0; batch < 10; batch++) {
      while (!pace.hasTime) await pace.rest();
      workedMs += 3;
      done[worker] = (done[worker] ?? 0) + 1;
    }
  };
  const all = Promise.all(done.map((_, worker) => work(worker)));
  await time.untilIdle();
  await all;
  assert.equal(workedMs, 600);
  assert(perStep.every((ms) => ms <= 8 + 3));
  assert(perStep.length >= 600 / 11);
});
