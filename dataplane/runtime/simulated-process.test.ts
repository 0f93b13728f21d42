import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sleep } from './runtime.ts';
import { VirtualTime } from './virtual-time.ts';

describe('a simulated process', () => {
  it('has clocks of its own: skewed, jumping, frozen, fast, while monotonic time only goes on', async () => {
    const time = new VirtualTime({ seed: 1, startWallMs: 1_000_000 });
    const process = time.process('p', { wallSkewMs: 500 });
    const { runtime } = process;
    const startMs = runtime.monotonicMs();
    const elapsedMs = (): number => Math.round((runtime.monotonicMs() - startMs) * 1000) / 1000;
    assert.equal(runtime.wallMs(), 1_000_500);
    await time.run({ untilMs: 100 });
    assert.equal(runtime.wallMs(), 1_000_600);
    process.jumpWallClock(-86_400_000);
    assert.equal(runtime.wallMs(), 1_000_600 - 86_400_000);
    process.jumpWallClock(86_400_000);
    process.freezeWallClock();
    await time.run({ untilMs: 200 });
    assert.equal(runtime.wallMs(), 1_000_600);
    process.jumpWallClock(7);
    assert.equal(runtime.wallMs(), 1_000_607);
    assert.equal(elapsedMs(), 200);
    process.unfreezeWallClock();
    process.unfreezeWallClock();
    await time.run({ untilMs: 300 });
    assert.equal(runtime.wallMs(), 1_000_707);
    process.setClockRate(2);
    await time.run({ untilMs: 400 });
    assert.equal(elapsedMs(), 500);
    assert.equal(runtime.wallMs(), 1_000_907);
    let firedAtMs = 0;
    runtime.after(100, () => {
      firedAtMs = time.nowMs;
    });
    await time.run();
    assert.equal(firedAtMs, 450);
    assert.notEqual(time.process('p').runtime.monotonicMs(), time.process('q').runtime.monotonicMs());
    assert.equal(time.environment.wallMs(), 1_000_450);
  });

  it('stops for good when it is killed: no timer, nothing in, nothing out', async () => {
    const time = new VirtualTime({ seed: 1 });
    const process = time.process('p');
    const seen: string[] = [];
    const live = async (): Promise<void> => {
      for (;;) {
        await sleep(process.runtime, 10);
        seen.push(`tick ${time.nowMs}`);
      }
    };
    live().catch((error: unknown) => {
      time.fail(error);
    });
    process.runtime.after(1e9, () => assert.fail('it does not live so long'));
    process.onKilled(() => seen.push(`killed ${time.nowMs}`));
    time.environment.after(25, () => {
      process.kill();
      process.kill();
      process.resume();
      process.send(() => assert.fail('the dead send nothing'));
      process.receive(() => assert.fail('the dead receive nothing'));
      process.runtime.after(1, () => assert.fail('the dead have no timers'));
      process.onKilled(() => seen.push('known to be dead'));
    });
    time.environment.after(100, () => {
      process.receive(() => assert.fail('the dead receive nothing'));
    });
    const result = await time.run();
    assert.deepEqual(seen, ['tick 10', 'tick 20', 'killed 25', 'known to be dead']);
    assert.deepEqual(result, { reason: 'idle', steps: 4, nowMs: 100 });
    assert.equal(process.state, 'killed');
    assert.equal(process.isAlive, false);
  });

  it('takes what it missed during a pause afterwards, in order, and sends what it could not', async () => {
    const time = new VirtualTime({ seed: 1 });
    const process = time.process('p');
    const seen: string[] = [];
    const note = (what: string) => () => seen.push(`${what} @${time.nowMs}`);
    for (const delay of [10, 20, 30, 60]) process.runtime.after(delay, note(`timer ${delay}`));
    const cancelHeld = process.runtime.after(21, note('never: cancelled while held'));
    const cancelInTurn = process.runtime.after(29, note('never: cancelled by the timer before'));
    process.runtime.after(28, cancelInTurn);
    time.environment.after(15, () => {
      process.pause(35);
      process.send(note('sent'));
    });
    time.environment.after(25, () => {
      process.receive(note('received'));
    });
    time.environment.after(26, cancelHeld);
    time.environment.after(40, () => {
      process.stall(5);
    });
    time.environment.after(49, () => {
      assert.equal(process.state, 'paused');
    });
    await time.run();
    assert.deepEqual(seen, [
      'timer 10 @10',
      'sent @50',
      'timer 20 @50',
      'received @50',
      'timer 30 @50',
      'timer 60 @60',
    ]);
  });

  it('stays paused until it is resumed, and can be killed meanwhile', async () => {
    const time = new VirtualTime({ seed: 1 });
    const [first, second] = [time.process('first'), time.process('second')];
    const seen: string[] = [];
    for (const process of [first, second]) {
      process.runtime.after(10, () => {
        seen.push(process.name);
        process.runtime.after(10, () => seen.push(`${process.name} again`));
      });
      process.pause();
    }
    assert.equal((await time.run()).reason, 'idle');
    assert.deepEqual(seen, []);
    first.resume();
    second.kill();
    second.resume();
    await time.run();
    assert.deepEqual(seen, ['first', 'first again']);
  });

  it('pauses again in the middle of what it has to catch up with', async () => {
    const time = new VirtualTime({ seed: 1 });
    const process = time.process('p');
    const seen: string[] = [];
    for (const n of [1, 2, 3]) {
      process.runtime.after(n, () => {
        seen.push(`${n}@${time.nowMs}`);
        if (n === 1) process.pause(100);
      });
    }
    process.pause(50);
    await time.run();
    assert.deepEqual(seen, ['1@50', '2@150', '3@150']);
  });

  it('is struck at any crossing of its borders, and nowhere else', async () => {
    const run = async (nth: number): Promise<string[]> => {
      const time = new VirtualTime({ seed: 1 });
      const process = time.process('p');
      const seen: string[] = [];
      process.atCrossing(nth, (crossing) => {
        seen.push(`killed ${crossing}`);
        process.kill();
      });
      process.runtime.after(1, () => {
        seen.push('timer');
        process.send(() => {
          seen.push('request');
          time.environment.after(1, () => {
            process.receive(() => seen.push('answer'));
          });
        });
      });
      await time.run();
      return seen;
    };
    assert.deepEqual(await run(1), ['killed before-delivery']);
    assert.deepEqual(await run(2), ['timer', 'killed before-send']);
    assert.deepEqual(await run(3), ['timer', 'request', 'killed after-send']);
    assert.deepEqual(await run(4), ['timer', 'request', 'killed before-delivery']);
    assert.deepEqual(await run(5), ['timer', 'request', 'answer']);
  });

  it('is paused at a crossing with the message still on its side', async () => {
    const time = new VirtualTime({ seed: 1 });
    const process = time.process('p');
    const seen: string[] = [];
    process.atCrossing(1, () => {
      process.pause(5);
    });
    process.atCrossing(1, () => seen.push('both actions'));
    process.send(() => seen.push(`sent @${time.nowMs}`));
    process.atCrossing(1, () => {
      process.pause(5);
    });
    await time.run({ untilMs: 10 });
    process.receive(() => seen.push(`received @${time.nowMs}`));
    await time.run();
    assert.deepEqual(seen, ['both actions', 'sent @5', 'received @15']);
    assert.equal(process.crossings, 4);
  });

  it('gets its own randomness, the same in each run, new in each incarnation', () => {
    const first = (): number[] => {
      const time = new VirtualTime({ seed: 5 });
      return ['p', 'p', 'q'].map((name) => time.process(name).runtime.random.uint32());
    };
    assert.deepEqual(first(), first());
    assert.equal(new Set(first()).size, 3);
    assert.equal(new VirtualTime({ seed: 5 }).process('p').incarnation, 0);
  });
});
