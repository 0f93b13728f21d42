import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hexId, made } from '../cluster/cluster-fixture.ts';
import { reassign } from '../cluster/reassign.ts';
import { createTopic } from '../cluster/topic-changes.ts';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { localLatencies } from '../store/simulated/latency.ts';
import { SimulatedStore } from '../store/simulated/simulated-store.ts';
import { BrokerLog } from './broker-log.ts';

const topicId = hexId('a', 1);
const group = `${topicId}-0`;

/** Brokers 1 and 2, of which 1 is handing its only group over to 2, which waits. Neither of them polls. */
async function handingOver() {
  const time = new VirtualTime({ seed: 1 });
  const store = new SimulatedStore({ environment: time.environment, latencies: localLatencies });
  const released: string[] = [];
  const start = async (id: number): Promise<BrokerLog> => {
    const process = time.process(`broker-${id}`);
    const log = new BrokerLog({
      store: store.connect(process),
      runtime: process.runtime,
      identity: { id, zone: 'a', address: `a:${id}`, listeners: {}, podUid: 'pod', version: 'test' },
      options: { retryBackoffMs: 600_000, hedgeShare: 0 },
      pollMs: 600_000,
      onReleased: (id_, generation) => released.push(`${id_}@${generation}`),
      onProblem: (what, error) => assert.fail(`${what}: ${String(error)}`),
      onReplaced: (error) => assert.fail(error),
    });
    await time.drive(() => log.start());
    return log;
  };
  const [one, two] = [await start(1), await start(2)];
  const serves = (log: BrokerLog): boolean => log.log?.served(topicId, 0) !== undefined;
  await time.drive(() =>
    one.cluster.change((state) => {
      const topic = { name: 't', topicId, partitions: 1, internal: false, configs: {} };
      return createTopic(state, { ...topic, assignments: new Map([[0, [1]]]) });
    }),
  );
  // It tells meta/cluster that it serves, and would learn of the move by that write.
  await time.run({ until: () => serves(one) });
  await time.run({ untilMs: time.nowMs + 2_000 });
  const moves = [{ topic: 't', partition: 0, to: 2 }];
  await time.drive(() => two.cluster.change((state) => made(reassign(state, moves))));
  await time.run({ untilMs: time.nowMs + 1_000 });
  assert.ok(serves(one) && !serves(two));
  const pass = async (ms: number): Promise<void> => {
    await time.run({ untilMs: time.nowMs + ms });
  };
  return { time, store, one, two, released, serves, pass };
}

test('the next owner of a released group goes on when it is told, and not before', async () => {
  const { time, one, two, released, serves, pass } = await handingOver();
  await time.drive(() => one.cluster.refresh());
  await pass(5_000);
  assert.deepEqual(released, [`${group}@2`]);
  assert.ok(!serves(one) && !serves(two));
  two.released(`${topicId}-7`);
  await pass(5_000);
  assert.ok(!serves(two));
  two.released(group);
  await pass(1_000);
  assert.ok(serves(two));
  // Said again, or of a group that is nobody's: nothing happens.
  two.released(group);
  one.released(group);
  await pass(1_000);
  assert.ok(serves(two));
});

test('it goes on too when it is told in the middle of an attempt that began too early', async () => {
  const { time, store, one, two, serves, pass } = await handingOver();
  // Told wrongly, it looks. It reads the manifest before the release, and gets the answer after it.
  const slow = store.intercept(
    { process: 'broker-2', operation: 'get', key: /manifest/ },
    { kind: 'delay', applyMs: 0.1, answerMs: 300 },
  );
  two.released(group);
  await pass(1);
  assert.equal(slow.caught.length, 1);
  await time.drive(() => one.cluster.refresh());
  await time.run({ until: () => !serves(one) });
  await pass(100);
  two.released(group);
  await pass(100);
  assert.ok(!serves(two));
  await pass(1_000);
  assert.ok(serves(two));
});
