import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { localLatencies } from './latency.ts';
import { outcome, simulate, text } from './simulation-fixture.ts';

describe('a process at a simulated store', () => {
  it('killed at any place leaves what it had sent, and sees no more answers', async () => {
    const outcomes = new Set<string>();
    for (let nth = 1; nth <= 10; nth++) {
      const { time, server, process, store } = simulate();
      const seen: string[] = [];
      process.atCrossing(nth, (crossing) => {
        seen.push(`killed ${crossing}`);
        process.kill();
      });
      const work = async (): Promise<void> => {
        seen.push(await outcome(store.put('1', text('x'), { ifAbsent: true })));
        seen.push(await outcome(store.put('2', text('x'), { ifAbsent: true })));
        seen.push(await outcome(store.get('2')));
      };
      let isFinished = false;
      work().then(
        () => {
          isFinished = true;
        },
        (error: unknown) => {
          time.fail(error);
        },
      );
      await time.untilIdle();
      assert.equal(server.requestsInFlight(), 0);
      assert.equal(isFinished, nth === 10);
      outcomes.add(`${seen.join(', ')} [${server.keys('').join()}]`);
    }
    assert.deepEqual(
      [...outcomes],
      [
        'killed before-send []',
        'killed after-send [1]',
        'killed before-delivery [1]',
        'written, killed before-send [1]',
        'written, killed after-send [1,2]',
        'written, killed before-delivery [1,2]',
        'written, written, killed before-send [1,2]',
        'written, written, killed after-send [1,2]',
        'written, written, killed before-delivery [1,2]',
        'written, written, found [1,2]',
      ],
    );
  });

  it('paused has its requests applied, and sees answers and time-outs after the pause', async () => {
    const endings = new Set<string>();
    for (let seed = 1; seed <= 20; seed++) {
      const { time, server, process, store } = simulate({ seed });
      process.atCrossing(2, (crossing) => {
        assert.equal(crossing, 'after-send');
        process.pause(3_600_000);
      });
      await time.drive(async () => {
        const putting = outcome(store.put('k', text('x'), { ifAbsent: true }));
        time.environment.after(1_000_000, () => {
          assert.notEqual(server.peek('k'), undefined);
          assert.equal(server.requestsInFlight(), 0);
        });
        endings.add(await putting);
        assert.equal(time.nowMs, 3_600_000);
      });
    }
    // After such a pause, timers and sockets are both due: which is looked at first is not for the caller to know.
    assert.deepEqual([...endings].sort(), ['TIMEOUT', 'written']);
  });

  it('paused before it sends has the request applied after the pause', async () => {
    const { time, server, process, store } = simulate();
    process.atCrossing(1, () => {
      process.pause(60_000);
    });
    await time.drive(() => store.put('k', text('x')));
    assert.ok(time.nowMs > 60_000 && time.nowMs < 61_000);
    assert.equal(server.counters.requests, 1);
  });

  it('can be stopped from the hooks: before a request leaves, when it is applied, before its answer is seen', async () => {
    for (const where of ['onRequest', 'onApply', 'onAnswer'] as const) {
      for (const how of ['kill', 'pause'] as const) {
        const { time, server, process, store } = simulate({ latencies: localLatencies });
        let seen = 'nothing';
        const stop = (event: { key: string }): void => {
          assert.equal(event.key, 'k');
          if (how === 'kill') process.kill();
          else process.pause(1000);
        };
        const unhook = server[where](stop);
        outcome(store.put('k', text('x'), { ifAbsent: true })).then(
          (result) => {
            seen = result;
          },
          (error: unknown) => {
            time.fail(error);
          },
        );
        await time.run({ untilMs: 999 });
        assert.equal(seen, 'nothing', `${where} ${how}`);
        assert.equal(server.peek('k') !== undefined, where !== 'onRequest');
        unhook();
        await time.untilIdle();
        assert.equal(seen, how === 'kill' ? 'nothing' : 'written');
      }
    }
  });

  it('makes no request, and sets off no hook, once it is dead', async () => {
    const { time, server, process, store } = simulate();
    server.onRequest(() => assert.fail('the dead ask for nothing'));
    process.kill();
    const answered = (): void => {
      time.fail('the dead get no answers');
    };
    store.put('k', text('x')).then(answered, answered);
    await time.untilIdle();
    assert.equal(server.counters.requests, 0);
  });
});
