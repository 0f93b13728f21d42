import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { groupsOf } from '../cluster/partition-groups.ts';
import { reassign } from '../cluster/reassign.ts';
import { inBackground } from '../runtime/in-background.ts';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { AcquirePauses } from './acquire-pauses.ts';
import { TestCluster } from './inspect/bucket-fixture.ts';
import type { LogOptions } from './options.ts';

describe('pauses between attempts to acquire', () => {
  it('double up to thirty times the first, at random between half and the whole', async () => {
    const time = new VirtualTime({ seed: 1 });
    const { runtime } = time.process('p');
    const pauses = new AcquirePauses(runtime, 100);
    for (const [failures, bound] of [
      [1, 100],
      [2, 200],
      [3, 400],
      [6, 3_000],
      [1_000, 3_000],
    ] as const) {
      const before = runtime.monotonicMs();
      assert.equal(await time.drive(() => pauses.pause('a', failures)), 'over');
      const took = runtime.monotonicMs() - before;
      assert(took >= bound / 2 && took <= bound + 1, `${took} ms, the bound is ${bound} ms`);
    }
  });

  it('of ten thousand groups leave room for a hundred attempts a second or so', async () => {
    const time = new VirtualTime({ seed: 1 });
    const pauses = new AcquirePauses(time.process('p').runtime, 100);
    let attempts = 0;
    const run = async (id: string): Promise<never> => {
      for (let failures = 1; ; failures++) {
        await pauses.pause(id, failures);
        attempts += 1;
      }
    };
    for (let index = 0; index < 10_000; index++) inBackground(run(`group ${index}`));
    await time.run({ untilMs: 300_000 });
    const before = attempts;
    await time.run({ untilMs: 600_000 });
    const perSecond = (attempts - before) / 300;
    assert(perSecond > 80 && perSecond < 160, `${perSecond} attempts a second`);
  });

  it('end early for those that are woken, and for no others', async () => {
    const time = new VirtualTime({ seed: 1 });
    const { runtime } = time.process('p');
    const pauses = new AcquirePauses(runtime, 100);
    const before = runtime.monotonicMs();
    const [a, b] = await time.drive(() => {
      const both = Promise.all([pauses.pause('a', 5), pauses.pause('b', 5)]);
      pauses.wake((id) => id === 'a');
      return both;
    });
    assert.deepEqual([a, b], ['woken', 'over']);
    assert(runtime.monotonicMs() - before >= 800);
  });
});

/** Broker 1 cannot release the groups of a topic, all of which have been given to broker 2. */
async function stuckHandOver(partitions: number, options: Partial<LogOptions>) {
  const cluster = new TestCluster(1);
  const one = await cluster.start(1);
  const topicId = await cluster.createTopic(one, 'topic', partitions);
  const isServed = ({ log }: typeof one): boolean =>
    Array.from({ length: partitions }, (_, index) => log.log?.served(topicId, index)).every(Boolean);
  await cluster.until(() => isServed(one));
  const two = await cluster.start(2, options);
  const stuck = cluster.store.intercept(
    { process: 'broker-1', operation: 'put', key: /\/manifest$/, times: Infinity },
    { kind: 'hold' },
  );
  await cluster.change(two, (state) => {
    const groups = groupsOf(state.topics.get('topic') ?? assert.fail());
    return reassign(
      state,
      groups.map(({ firstPartition }) => ({ topic: 'topic', partition: firstPartition, to: 2 })),
    );
  });
  const letGo = (): void => {
    stuck.stop();
    for (let held = stuck.held[0]; held !== undefined; held = stuck.held[0]) held.release();
  };
  return { cluster, one, two, letGo, isServed: () => isServed(two) };
}

describe('a broker that waits for others to release groups', () => {
  it('asks for their manifests ever more rarely', async () => {
    const { cluster, isServed } = await stuckHandOver(64, {});
    await cluster.pass(5_000);
    let reads = 0;
    const stop = cluster.store.onRequest(({ process, operation }) => {
      if (process === 'broker-2' && operation === 'get') reads += 1;
    });
    await cluster.pass(20_000);
    stop();
    // Polls of the cluster state included.
    assert(reads / 20 < 100, `${reads / 20} reads a second`);
    assert(!isServed());
  });

  it('learns from meta/cluster that they were released', async () => {
    const { cluster, letGo, isServed } = await stuckHandOver(20, { retryBackoffMs: 60_000 });
    await cluster.pass(3_000);
    letGo();
    await cluster.until(isServed, 3_000);
  });

  it('learns from meta/cluster that their owner is dead', async () => {
    const { cluster, one, two, isServed } = await stuckHandOver(20, { retryBackoffMs: 60_000 });
    await cluster.pass(3_000);
    const { sid } = one;
    one.kill();
    await cluster.markDead(one, sid, two);
    await cluster.until(isServed, 3_000);
  });

  it('can be drained at once', async () => {
    const { cluster, two } = await stuckHandOver(20, { retryBackoffMs: 60_000 });
    await cluster.pass(3_000);
    const began = cluster.time.nowMs;
    await two.call(() => two.log.drain());
    assert(cluster.time.nowMs - began < 3_000);
  });
});
