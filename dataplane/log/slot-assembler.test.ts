import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startBroker } from './one-broker-fixture.ts';
import type { OneBroker } from './one-broker-fixture.ts';
import type { LogOptions } from './options.ts';

const lingerMs = 25;

/** A broker whose slots all wait to be written, with what it takes to count them. */
async function startHeld(options: Partial<LogOptions>): Promise<
  OneBroker & {
    readonly slots: () => number;
    readonly run: (forMs: number) => Promise<void>;
    /** Lets the slots go, and waits until these are acknowledged. */
    readonly finish: (...appended: readonly Promise<unknown>[]) => Promise<void>;
  }
> {
  const broker = await startBroker({ minLingerMs: 0, maxLingerMs: lingerMs, ...options });
  const { time, log, holdSlots } = broker;
  const release = holdSlots();
  const slots = (): number => log.log?.session.counters.slots ?? 0;
  const before = slots();
  return {
    ...broker,
    slots: () => slots() - before,
    run: async (forMs) => {
      await time.run({ untilMs: time.nowMs + forMs });
    },
    finish: async (...appended) => {
      release();
      await time.drive(() => Promise.all(appended));
    },
  };
}

describe('slots of a store that is not billed by the request', () => {
  it('are closed at once while few are under way, with all that arrives at the same time', async () => {
    const { append, slots, run, finish } = await startHeld({ eagerSlots: 1 });
    const appended = [append(10, 0), append(10, 1), append(10, 1)];
    assert.equal(slots(), 0);
    await run(0.1);
    assert.equal(slots(), 1);
    await finish(...appended);
  });

  it('gather what arrives while one is written, and are closed when that is done', async () => {
    const { append, slots, run, finish } = await startHeld({ eagerSlots: 1, hedgeShare: 0 });
    const appended = [append(10)];
    await run(0.1);
    appended.push(append(10));
    await run(1);
    appended.push(append(10));
    await run(1);
    assert.equal(slots(), 1);
    await finish(...appended);
    assert.equal(slots(), 2);
  });

  it('are closed after the linger all the same when a write takes longer', async () => {
    const { append, slots, run, finish } = await startHeld({ eagerSlots: 1 });
    const appended = [append(10)];
    await run(0.1);
    appended.push(append(10));
    await run(lingerMs + 1);
    assert.equal(slots(), 2);
    await finish(...appended);
  });

  it('linger when they are told to', async () => {
    const { append, slots, run, finish } = await startHeld({ eagerSlots: 1, minLingerMs: lingerMs });
    const appended = append(10);
    await run(lingerMs - 1);
    assert.equal(slots(), 0);
    await run(2);
    assert.equal(slots(), 1);
    await finish(appended);
  });
});

it('slots of other stores linger', async () => {
  const { append, slots, run, finish } = await startHeld({ minLingerMs: lingerMs });
  const appended = append(10);
  await run(lingerMs - 1);
  assert.equal(slots(), 0);
  await finish(appended);
});
