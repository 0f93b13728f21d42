import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Runtime } from './runtime.ts';
import { RunningState } from './running-state.ts';

/** A runtime whose timers run when told, and whose random fraction is given. */
function manualRuntime(fraction: number): {
  runtime: Runtime;
  delays: number[];
  readonly fire: () => void;
  readonly pending: () => number;
} {
  const delays: number[] = [];
  const timers = new Set<() => void>();
  const runtime: Runtime = {
    wallMs: () => 0,
    monotonicMs: () => 0,
    after(delayMs, callback) {
      delays.push(delayMs);
      timers.add(callback);
      return () => {
        timers.delete(callback);
      };
    },
    random: { fraction: () => fraction, uint32: () => 0, bytes: (count) => new Uint8Array(count) },
  };
  const fire = (): void => {
    for (const callback of timers) {
      timers.delete(callback);
      callback();
    }
  };
  return { runtime, delays, fire, pending: () => timers.size };
}

test('it runs until it is stopped, and stopping again changes nothing', async () => {
  const state = new RunningState(manualRuntime(0).runtime);
  const stopped = state.stopped();
  assert.equal(state.shouldRun(), true);
  state.stop(new Error('first'));
  state.stop(new Error('second'));
  assert.equal(state.shouldRun(), false);
  assert.equal((state.signal.reason as Error).message, 'first');
  await stopped;
  await state.stopped();
});

test('a sleep ends early when it is stopped, without rejecting and without leaving a timer', async () => {
  const { runtime, pending } = manualRuntime(0);
  const state = new RunningState(runtime);
  const sleeping = state.sleep(1_000);
  assert.equal(pending(), 1);
  state.stop();
  await sleeping;
  assert.equal(pending(), 0);
  await state.sleep(1_000);
  assert.equal(pending(), 0);
});

test('the bound of the delay doubles up to its maximum, and starts anew after a success', async () => {
  const { runtime, delays, fire } = manualRuntime(1);
  const state = new RunningState(runtime, { initialMs: 100, maxMs: 350 });
  const backoff = async (): Promise<void> => {
    const waiting = state.backoff();
    fire();
    await waiting;
  };
  for (let i = 0; i < 4; i++) await backoff();
  state.resetBackoff();
  await backoff();
  assert.deepEqual(delays, [100, 200, 350, 350, 100]);
});

test('the delay is at least half of its bound', async () => {
  const { runtime, delays, fire } = manualRuntime(0);
  const waiting = new RunningState(runtime).backoff();
  fire();
  await waiting;
  assert.deepEqual(delays, [50]);
});
