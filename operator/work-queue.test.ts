import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { inBackground } from '../dataplane/runtime/in-background.ts';
import { silentLogger } from '../dataplane/runtime/logger.ts';
import { sleep } from '../dataplane/runtime/runtime.ts';
import { VirtualRandom } from '../dataplane/runtime/virtual-random.ts';
import { VirtualTime } from '../dataplane/runtime/virtual-time.ts';
import { OperatorMetrics } from './metrics.ts';
import { WorkQueue } from './work-queue.ts';
import type { WorkQueueOptions, WorkResult } from './work-queue.ts';

interface Run {
  readonly key: string;
  readonly beganMs: number;
}

/** A queue in virtual time whose runs are written down. */
class Stage {
  readonly time = new VirtualTime({ seed: 1 });
  readonly metrics = new OperatorMetrics();
  readonly runs: Run[] = [];
  readonly queue: WorkQueue;

  constructor(
    work: (key: string, run: number) => Promise<WorkResult>,
    options: Partial<WorkQueueOptions> = {},
  ) {
    const { environment: runtime } = this.time;
    this.queue = new WorkQueue({
      name: 'test',
      runtime,
      logger: silentLogger,
      metrics: this.metrics,
      work: (key) => {
        this.runs.push({ key, beganMs: this.time.nowMs });
        return work(key, this.runs.filter((run) => run.key === key).length);
      },
      ...options,
    });
  }

  start(): void {
    inBackground(this.queue.run());
  }

  sleep(ms: number): Promise<void> {
    return sleep(this.time.environment, ms);
  }

  get keys(): string[] {
    return this.runs.map(({ key }) => key);
  }
}

const done: WorkResult = { kind: 'done' };

describe('a work queue', () => {
  it('runs a key once however often it is added before its run begins', async () => {
    const stage = new Stage(() => Promise.resolve(done));
    for (let i = 0; i < 5; i++) stage.queue.add('a', i % 2 === 0 ? 'high' : 'low');
    stage.start();
    await stage.time.untilIdle();
    assert.deepEqual(stage.keys, ['a']);
  });

  it('runs a key once more when it is added during its run', async () => {
    const stage = new Stage(async () => {
      await stage.sleep(100);
      return done;
    });
    stage.start();
    stage.queue.add('a');
    for (const ms of [10, 20, 30]) stage.time.environment.after(ms, () => stage.queue.add('a', 'low'));
    await stage.time.untilIdle();
    assert.deepEqual(stage.runs, [
      { key: 'a', beganMs: 0 },
      { key: 'a', beganMs: 100 },
    ]);
  });

  it('takes changes before looks, but a look with every eighth', async () => {
    const stage = new Stage(() => Promise.resolve(done), { workers: 1 });
    for (let i = 0; i < 4; i++) stage.queue.add(`low${i}`, 'low');
    for (let i = 0; i < 10; i++) stage.queue.add(`high${i}`);
    stage.queue.add('low3');
    stage.start();
    await stage.time.untilIdle();
    const order = stage.keys;
    assert.deepEqual(order.slice(0, 8), [...[0, 1, 2, 3, 4, 5, 6].map((i) => `high${i}`), 'low0']);
    assert.deepEqual(order.slice(8), ['high7', 'high8', 'high9', 'low3', 'low1', 'low2']);
  });

  it('comes back to a key that failed, later and later, and starts over after a success', async () => {
    const stage = new Stage((_key, run) => Promise.resolve(run === 6 ? done : { kind: 'retry' }), {
      firstPauseMs: 100,
      longestPauseMs: 400,
    });
    stage.start();
    stage.queue.add('a');
    await stage.time.run({ until: () => stage.runs.length === 6 });
    const pauses = stage.runs.slice(1).map(({ beganMs }, i) => beganMs - (stage.runs[i]?.beganMs ?? 0));
    for (const [i, bound] of [100, 200, 400, 400, 400].entries()) {
      const pause = pauses[i] ?? 0;
      assert.ok(pause >= bound / 2 && pause <= bound, `pause ${i}: ${pause} of ${bound}`);
    }
    await stage.time.untilIdle();
    assert.equal(stage.runs.length, 6);
    stage.queue.add('a');
    await stage.time.run({ until: () => stage.runs.length === 8 });
    assert.ok((stage.runs[7]?.beganMs ?? Infinity) - (stage.runs[6]?.beganMs ?? 0) <= 100);
    await stage.queue.stop();
  });

  it('waits at least as long as a result asks for', async () => {
    const stage = new Stage((_key, run) =>
      Promise.resolve(
        run === 1 ? { kind: 'retry', afterMs: 5_000 } : run === 2 ? { kind: 'again', afterMs: 70 } : done,
      ),
    );
    stage.start();
    stage.queue.add('a');
    await stage.time.untilIdle();
    assert.deepEqual(
      stage.runs.map(({ beganMs }) => beganMs),
      [0, 5_000, 5_070],
    );
  });

  it('runs a key at once that is added while it backs off or is put off', async () => {
    const stage = new Stage((key, run) =>
      Promise.resolve(key === 'a' && run === 1 ? { kind: 'again', afterMs: 60_000 } : done),
    );
    stage.start();
    stage.queue.add('a');
    stage.queue.addAfter('b', 90_000);
    stage.queue.addAfter('b', 50_000);
    stage.queue.addAfter('b', 80_000);
    stage.time.environment.after(1_000, () => stage.queue.add('a'));
    await stage.time.untilIdle();
    assert.deepEqual(stage.runs, [
      { key: 'a', beganMs: 0 },
      { key: 'a', beganMs: 1_000 },
      { key: 'b', beganMs: 50_000 },
    ]);
  });

  it('treats work that breaks off like work that failed', async () => {
    const stage = new Stage((_key, run) =>
      run === 1 ? Promise.reject(new Error('bug')) : Promise.resolve(done),
    );
    stage.start();
    stage.queue.add('a');
    await stage.time.untilIdle();
    assert.deepEqual(stage.keys, ['a', 'a']);
  });

  it('stops after what is under way, which it tells, and begins nothing more', async () => {
    let told = false;
    const time = new VirtualTime({ seed: 1 });
    const queue: WorkQueue = new WorkQueue({
      name: 'test',
      runtime: time.environment,
      logger: silentLogger,
      metrics: new OperatorMetrics(),
      workers: 1,
      work: async (key, signal) => {
        assert.equal(key, 'a');
        await sleep(time.environment, 100);
        told = signal.aborted;
        await sleep(time.environment, 100);
        return { kind: 'retry' };
      },
    });
    inBackground(queue.run());
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 10);
    await time.run({ untilMs: 50 });
    await time.drive(() => queue.stop().then(() => assert.ok(told)));
    queue.add('d');
    await time.untilIdle();
    assert.equal(time.pendingEvents, 0);
  });

  it('resolves at once when it is stopped before it ran', async () => {
    const stage = new Stage(() => assert.fail('nothing runs'));
    stage.queue.add('a');
    await stage.queue.stop();
    await stage.queue.run();
  });

  it('measures what waits, what runs and for how long', async () => {
    const stage = new Stage(
      async () => {
        await stage.sleep(10_000);
        return done;
      },
      { workers: 2 },
    );
    stage.start();
    for (const key of ['a', 'b', 'c']) stage.queue.add(key);
    stage.queue.add('d', 'low');
    await stage.time.run({ untilMs: 4_000 });
    const text = await stage.metrics.expose();
    assert.match(text, /^workqueue_depth\{name="test",priority="high"\} 1$/m);
    assert.match(text, /^workqueue_depth\{name="test",priority="low"\} 1$/m);
    assert.match(text, /^workqueue_unfinished_work_seconds\{name="test"\} 8$/m);
    assert.match(text, /^workqueue_longest_running_processor_seconds\{name="test"\} 4$/m);
    assert.match(text, /^workqueue_adds_total\{name="test"\} 4$/m);
    await stage.time.untilIdle();
    assert.match(await stage.metrics.expose(), /^workqueue_work_duration_seconds_sum\{name="test"\} 40$/m);
  });

  it('never runs a key twice at a time and loses nothing, whatever is added when and however work ends', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.integer({ min: 1, max: 5 }), async (seed, workers) => {
        await randomRun(seed, workers);
      }),
      { numRuns: 150 },
    );
  });
});

/** Keys are added at random, work takes its time and ends at random; in the end it succeeds, and every add has had its run. */
async function randomRun(seed: number, workers: number): Promise<void> {
  const time = new VirtualTime({ seed });
  const random = new VirtualRandom(seed, 'test');
  const running = new Set<string>();
  /** Adds and beginnings of runs, counted together, so that they have an order within one instant. */
  let clock = 0;
  const lastAdd = new Map<string, number>();
  const lastRun = new Map<string, number>();
  const queue: WorkQueue = new WorkQueue({
    name: 'test',
    runtime: time.environment,
    logger: silentLogger,
    metrics: new OperatorMetrics(),
    workers,
    work: async (key) => {
      assert.ok(!running.has(key), `${key} runs twice at a time`);
      running.add(key);
      assert.ok(running.size <= workers);
      lastRun.set(key, ++clock);
      if (random.chance(0.8)) await sleep(time.environment, random.logBetween(1, 2_000));
      running.delete(key);
      if (time.nowMs < 20_000) {
        if (random.chance(0.2)) return { kind: 'retry' };
        if (random.chance(0.2)) return { kind: 'again', afterMs: random.logBetween(1, 1_000) };
        if (random.chance(0.1)) throw new Error('broke off');
      }
      return { kind: 'done' };
    },
  });
  const add = (): void => {
    const key = `k${random.below(6)}`;
    if (random.chance(0.2)) queue.addAfter(key, random.below(3_000));
    else {
      lastAdd.set(key, ++clock);
      queue.add(key, random.pick(['high', 'low']));
    }
  };
  for (let i = 0; i < 100; i++) time.environment.after(random.below(15_000), add);
  if (random.chance(0.5)) inBackground(queue.run());
  else time.environment.after(5_000, () => inBackground(queue.run()));
  await time.untilIdle();
  assert.equal(queue.depth, 0);
  for (const [key, added] of lastAdd) assert.ok((lastRun.get(key) ?? 0) > added, `an add of ${key} was lost`);
}
