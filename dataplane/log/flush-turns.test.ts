import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { inBackground } from '../runtime/in-background.ts';
import { createTopic } from '../cluster/topic-changes.ts';
import { buildBatch } from '../protocol/record-batch-builder.ts';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { sleep } from '../runtime/runtime.ts';
import { s3Latencies } from '../store/simulated/latency.ts';
import { SimulatedStore } from '../store/simulated/simulated-store.ts';
import { BrokerLog } from './broker-log.ts';
import { FlushTurns } from './flush-turns.ts';
import { slotPrefix } from './format/keys.ts';
import { TestCluster } from './inspect/bucket-fixture.ts';

/** Flushes that end when they are told to. */
function manual(
  options: {
    maxFlushes?: number;
    maxBytes?: number;
    isUnderPressure?: () => boolean;
    isStoreNeeded?: () => boolean;
  } = {},
) {
  const turns = new FlushTurns({
    maxFlushes: options.maxFlushes ?? 32,
    maxBytes: options.maxBytes ?? 1_000,
    isUnderPressure: options.isUnderPressure ?? (() => false),
    isStoreNeeded: options.isStoreNeeded ?? (() => false),
  });
  const underWay = new Map<string, { sizeBytes: number; end: () => void }>();
  const ask = (id: string, sizeBytes: number): void => {
    const work = (): Promise<void> =>
      new Promise((resolve) => {
        underWay.set(id, {
          sizeBytes,
          end: () => {
            underWay.delete(id);
            resolve();
          },
        });
      });
    inBackground(turns.run(id, sizeBytes, work));
  };
  const end = async (id: string): Promise<void> => {
    underWay.get(id)?.end();
    for (let tick = 0; tick < 20; tick++) await Promise.resolve();
  };
  return { turns, underWay, ask, end };
}

describe('turns of flushes', () => {
  it('are few while few wait, and more the more wait', async () => {
    const { underWay, ask, end } = manual();
    for (let index = 0; index < 20; index++) ask(`${index}`, 1);
    await end('none');
    assert.equal(underWay.size, 4);
    for (let index = 20; index < 1_000; index++) ask(`${index}`, 1);
    await end('0');
    assert.equal(underWay.size, 32);
  });

  it('are few while the store is needed for something else', async () => {
    let isStoreNeeded = true;
    const { underWay, ask, end } = manual({ isStoreNeeded: () => isStoreNeeded });
    for (let index = 0; index < 1_000; index++) ask(`${index}`, 1);
    await end('0');
    assert.equal(underWay.size, 4);
    isStoreNeeded = false;
    await end('1');
    assert.equal(underWay.size, 32);
  });

  it('wait for bytes that are under way, but a large flush goes alone', async () => {
    const { turns, underWay, ask, end } = manual({ maxBytes: 100 });
    ask('a', 60);
    ask('b', 60);
    ask('c', 500);
    ask('d', 10);
    await end('none');
    assert.deepEqual([...underWay.keys()], ['a']);
    assert(turns.isBusy);
    await end('a');
    assert.deepEqual([...underWay.keys()], ['b']);
    await end('b');
    assert.deepEqual([...underWay.keys()], ['c']);
    await end('c');
    await end('d');
    assert(!turns.isBusy);
  });

  it('go to those that give back most when room is short', async () => {
    let isUnderPressure = false;
    const { underWay, ask, end } = manual({ isUnderPressure: () => isUnderPressure });
    for (const [id, size] of Object.entries({ a: 1, b: 1, c: 1, d: 1, e: 5, f: 50, g: 20 })) ask(id, size);
    isUnderPressure = true;
    await end('a');
    assert.deepEqual([...underWay.keys()], ['b', 'c', 'd', 'f']);
  });

  it('never exceed their bounds, and everybody gets one', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat(300), { minLength: 1, maxLength: 200 }),
        fc.array(fc.nat(31), { minLength: 200, maxLength: 400 }),
        async (sizes, order) => {
          const { underWay, ask, end } = manual({ maxFlushes: 8, maxBytes: 400 });
          for (const [index, size] of sizes.entries()) ask(`${index}`, size);
          let done = 0;
          for (let step = 0; done < sizes.length; step++) {
            await end('none');
            assert(underWay.size > 0, 'somebody is left out');
            assert(underWay.size <= 8);
            const bytes = [...underWay.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
            assert(bytes <= 400 || underWay.size === 1, `${bytes} bytes under way`);
            const ids = [...underWay.keys()];
            await end(ids[(order[step % order.length] ?? 0) % ids.length] ?? '');
            done += 1;
          }
          assert.equal(underWay.size, 0);
        },
      ),
      { numRuns: 50, seed: 6 },
    ));
});

describe('flushes of a broker', () => {
  it('keep neither trim nor checkpoint waiting', async () => {
    const cluster = new TestCluster(7);
    const one = await cluster.start(1, { housekeepingIntervalMs: 1_000, flushIntervalMs: 5_000 });
    const topic = await cluster.createTopic(one, 'topic', 2);
    await cluster.append(one, topic, 1, 10);
    await cluster.append(one, topic, 0, 1);
    const stuck = cluster.store.intercept(
      { operation: 'put', key: new RegExp(`${topic}-0/(?!manifest)`), times: Infinity },
      { kind: 'hold' },
    );
    const { sid } = one;
    const slots = (): number =>
      cluster.store.keys(slotPrefix(sid)).filter((key) => !/ck-|trim/.test(key)).length;
    assert.equal(slots(), 11);
    await cluster.until(() => stuck.held.length > 0);
    await cluster.until(() => slots() === 1);
    await cluster.append(one, topic, 0, 5);
    const { counters } = one.log.context;
    const before = counters.checkpoints;
    await cluster.until(() => counters.checkpoints > before);
  });

  it('of thousands of groups come to an end at the latencies of S3', async () => {
    const groups = 2_000;
    const time = new VirtualTime({ seed: 1 });
    const store = new SimulatedStore({ environment: time.environment, latencies: s3Latencies });
    const process = time.process('broker');
    const problems: unknown[] = [];
    const log = new BrokerLog({
      store: store.connect(process),
      runtime: process.runtime,
      identity: { id: 1, zone: 'a', address: 'a:1', listeners: {}, podUid: 'pod', version: 'test' },
      options: { flushIntervalMs: 20_000, housekeepingIntervalMs: 1_000 },
      onProblem: (_what, error) => problems.push(error),
      onReplaced: (error) => problems.push(error),
    });
    await time.drive(() => log.start());
    const topicIds = Array.from({ length: groups / 50 }, (_, index) => index.toString(16).padStart(32, '0'));
    await time.drive(() =>
      log.cluster.change((before) => {
        let state = before;
        for (const topicId of topicIds) {
          const made = createTopic(state, {
            name: topicId,
            topicId,
            partitions: 50,
            internal: false,
            configs: {},
          });
          assert('version' in made);
          state = made;
        }
        return state;
      }),
    );
    await time.run({ until: () => log.log?.groups.length === groups, untilMs: 300_000 });
    await time.drive(() =>
      Promise.all(
        topicIds.flatMap((topicId) =>
          Array.from({ length: 50 }, (_, partition) =>
            log.append(topicId, partition, buildBatch({ records: [{ value: 'x' }] })),
          ),
        ),
      ),
    );
    let underWay = 0;
    let most = 0;
    store.onRequest(({ operation, key }) => {
      if (operation === 'put' && key.startsWith('seg/')) most = Math.max(most, ++underWay);
    });
    store.onAnswer(({ operation, key }) => {
      if (operation === 'put' && key.startsWith('seg/')) underWay -= 1;
    });
    const { counters } = log.context;
    await time.drive(() => sleep(process.runtime, 19_000));
    await time.run({ until: () => counters.segmentsWritten > 0, untilMs: time.nowMs + 60_000 });
    const began = time.nowMs;
    await time.run({ until: () => log.budget.usedBytes === 0, untilMs: began + 300_000 });
    const tookMs = time.nowMs - began;
    assert.deepEqual(problems, []);
    assert(most <= 32, `${most} segments at a time`);
    assert(tookMs < 20_000, `${groups} groups took ${tookMs} ms`);
  });
});
