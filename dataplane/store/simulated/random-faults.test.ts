import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { sleep } from '../../runtime/runtime.ts';
import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import { StoreError } from '../errors.ts';
import type { ObjectStore } from '../object-store.ts';
import type { StoreCounters } from './counters.ts';
import { allFaults, noFaults } from './faults.ts';
import type { SimulatedStoreFaults } from './faults.ts';
import { SimulatedStore } from './simulated-store.ts';
import { text, textOf } from './simulation-fixture.ts';

/*
 * Speed on two shared cores, Node 24.21: 24 loops of put (300 bytes), ranged get and head in 6 processes over up to
 * 72,000 objects take 3 to 5 µs a store operation, with or without faults, the callers' own code included (quiet
 * machine; 5.5 to 7 µs of CPU time, since the garbage collector works beside it).
 */

/** Every call ends: what it throws is a StoreError, and that is all a caller of the workload below wants to know. */
async function attempt<T>(call: Promise<T>): Promise<T | StoreError> {
  return await call.catch((error: unknown) => {
    if (error instanceof StoreError) return error;
    throw error;
  });
}

/** Three processes that do everything at random, are paused, killed and started again. */
async function randomWorkload(
  seed: number,
  steps: number,
  faults: SimulatedStoreFaults,
): Promise<{ hash: string; counters: StoreCounters; nowMs: number }> {
  const time = new VirtualTime({ seed });
  const server = new SimulatedStore({ environment: time.environment, faults });
  const hash = createHash('sha256');
  server.onRequest((event) => hash.update(`R ${JSON.stringify(event)}\n`));
  server.onApply((event) => hash.update(`A ${JSON.stringify(event)}\n`));
  server.onAnswer((event) => hash.update(`S ${JSON.stringify(event)}\n`));
  const start = (name: string): void => {
    const process = time.process(name, { wallSkewMs: time.random.between(-1000, 1000), clockRate: 1.0001 });
    for (let i = 0; i < 3; i++) {
      live(process, server.connect(process)).catch((error: unknown) => {
        time.fail(error);
      });
    }
    process.atCrossing(1 + time.random.below(400), () => {
      if (time.random.chance(0.5)) process.pause(time.random.logBetween(1, 60_000));
      else process.kill();
    });
    process.onKilled(() => {
      time.environment.after(time.random.between(0, 5000), () => {
        start(name);
      });
    });
  };
  for (const name of ['a', 'b', 'c']) start(name);
  const { reason } = await time.run({ maxSteps: steps });
  assert.equal(reason, 'steps');
  hash.update(`${time.fingerprint}`);
  return { hash: hash.digest('hex'), counters: server.counters, nowMs: time.nowMs };
}

async function live({ runtime, random }: SimulatedProcess, store: ObjectStore): Promise<void> {
  for (let i = 0; ; i++) {
    const key = `dir/${random.below(2)}/${random.below(20)}`;
    const body = random.bytes(random.below(200));
    const id = `${i}`;
    switch (random.below(8)) {
      case 0:
        await attempt(store.put(key, body, { ifAbsent: true, id }));
        break;
      case 1: {
        const info = await attempt(store.head(key));
        if (info === undefined || info instanceof StoreError) break;
        await attempt(store.put(key, body, { ifMatch: info.etag, id }));
        break;
      }
      case 2:
        await attempt(store.put(key, body, { id }));
        break;
      case 3:
        await attempt(store.get(key, random.chance(0.5) ? {} : { range: { suffix: 5 } }));
        break;
      case 4:
        await attempt(store.list('dir/', { maxKeys: 7 }));
        break;
      case 5:
        await attempt(store.delete(key));
        break;
      case 6: {
        const abort = new AbortController();
        const cancel = runtime.after(random.between(0, 100), () => {
          abort.abort(new StoreError('TIMEOUT', 'enough', { operation: 'put', store: 'test' }));
        });
        await attempt(store.put(key, body, { signal: abort.signal }));
        cancel();
        break;
      }
      default:
        await sleep(runtime, random.exponential(50));
    }
  }
}

describe('a simulated store under random faults', () => {
  it('does exactly the same for the same seed, and something else for another', async () => {
    const hashes = new Set<string>();
    for (const seed of [1, 2, 3]) {
      const first = await randomWorkload(seed, 6000, allFaults);
      assert.deepEqual(await randomWorkload(seed, 6000, allFaults), first);
      hashes.add(first.hash);
    }
    assert.equal(hashes.size, 3);
  });

  it('lets each kind of fault happen', async () => {
    const { counters } = await randomWorkload(4, 60_000, { ...allFaults, undetectedCorruption: 0.01 });
    const never = Object.entries(counters).filter(([, count]) => count === 0);
    assert.deepEqual(never, []);
  });

  it('lets none happen when there are none', async () => {
    const { counters } = await randomWorkload(5, 6000, noFaults);
    const { requests, put, get, head, list, delete: deletes, conditionFailed, ...others } = counters;
    assert.equal(put + get + head + list + deletes, requests);
    assert.ok(conditionFailed > 0);
    // Time-outs and late writes also come from pauses, kills and aborts.
    const { timeouts, lateLandings, ownConditionFailed, ...faults } = others;
    assert.ok(timeouts + lateLandings + ownConditionFailed > 0);
    assert.deepEqual(
      Object.entries(faults).filter(([, count]) => count !== 0),
      [],
    );
  });

  it('never loses nor doubles a landed compare-and-swap, nor lands one it called not landed', async () => {
    for (let seed = 1; seed <= 20; seed++) await countTogether(seed);
  });
});

type IncrementAnswer = 'none' | 'written' | 'failed' | 'maybe' | 'no';

/** Several processes count up one object by compare-and-swap: its value must be the number of increments that landed. */
async function countTogether(seed: number): Promise<void> {
  const time = new VirtualTime({ seed });
  const server = new SimulatedStore({
    environment: time.environment,
    faults: { ...allFaults, writesPerSecondPerKey: 200, secondAnswerShare: seed % 2 },
  });
  server.plant('counter', text('0'));
  const increments = new Map<string, IncrementAnswer>();
  const landed = new Map<string, number>();
  let value = 0;
  server.onApply(({ operation, result, id = '' }) => {
    if (operation !== 'put' || result !== 'written') return;
    landed.set(id, (landed.get(id) ?? 0) + 1);
    assert.equal(Number(textOf(server.peek('counter')?.bytes ?? text(''))), ++value);
  });
  const count = async (process: SimulatedProcess, store: ObjectStore): Promise<void> => {
    for (let i = 0; ; i++) {
      const current = await attempt(store.get('counter'));
      if (current instanceof StoreError || current.kind !== 'found') continue;
      const id = `${process.name}/${process.incarnation}/${i}`;
      increments.set(id, 'none');
      const next = text(`${Number(textOf(current.body)) + 1}`);
      const result = await attempt(store.put('counter', next, { ifMatch: current.info.etag, id }));
      if (result instanceof StoreError) increments.set(id, result.landed);
      else increments.set(id, result.kind === 'written' ? 'written' : 'failed');
    }
  };
  const processes = ['a', 'b', 'c', 'd'].map((name) => time.process(name));
  for (const process of processes) {
    count(process, server.connect(process, { attemptTimeoutMs: 1000 })).catch((error: unknown) => {
      time.fail(error);
    });
    if (process.name === 'd') process.atCrossing(50 + time.random.below(100), () => process.kill());
    else process.atCrossing(1 + time.random.below(100), () => process.pause(3000));
  }
  await time.run({ until: () => landed.size >= 60 });
  for (const process of processes) process.kill();
  await time.untilIdle();
  assert.equal(server.requestsInFlight(), 0);

  const total = Number(textOf(server.peek('counter')?.bytes ?? text('')));
  assert.equal(total, landed.size, `seed ${seed}`);
  for (const [id, answer] of increments) {
    const times = landed.get(id) ?? 0;
    assert.ok(times <= 1, `seed ${seed}: ${id} landed ${times} times`);
    if (answer === 'written') assert.equal(times, 1, `seed ${seed}: ${id} was answered`);
    if (answer === 'failed' && seed % 2 === 0)
      assert.equal(times, 0, `seed ${seed}: ${id} had failed its condition`);
    if (answer === 'no') assert.equal(times, 0, `seed ${seed}: ${id} was refused`);
  }
}
