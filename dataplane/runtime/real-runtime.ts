import { randomBytes, randomFillSync } from 'node:crypto';
import type { Random, Runtime } from './runtime.ts';

/** The machine's own clocks, timers and randomness. The only module that may read them (a lint rule keeps it so). */
export const realRuntime: Runtime = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    if (delayMs === 0) {
      // A timer takes a millisecond at least. This waits for what the event loop has at hand, and no longer.
      const immediate = setImmediate(callback);
      return () => {
        clearImmediate(immediate);
      };
    }
    const timer = setTimeout(callback, delayMs);
    return () => {
      clearTimeout(timer);
    };
  },
  // Node.js counts in whole milliseconds, and from the beginning of the turn.
  timerLateMs: 1,
  random: cryptoRandom(),
};

function cryptoRandom(): Random {
  const pool = new Uint32Array(256);
  let next = pool.length;
  const uint32 = (): number => {
    if (next === pool.length) {
      randomFillSync(pool);
      next = 0;
    }
    return pool[next++] ?? 0;
  };
  return { uint32, fraction: () => uint32() / 2 ** 32, bytes: (count) => randomBytes(count) };
}
