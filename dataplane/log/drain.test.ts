import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeContainerHeader } from './format/container-header.ts';
import { slotPrefix } from './format/keys.ts';
import { TestCluster } from './inspect/bucket-fixture.ts';
import type { TestBroker } from './inspect/bucket-fixture.ts';

const partitions = 12;

async function setUp() {
  const cluster = new TestCluster(2);
  const one = await cluster.start(1);
  const topic = await cluster.createTopic(one, 'topic', partitions);
  for (let partition = 0; partition < partitions; partition++) await cluster.append(one, topic, partition, 2);
  const servedBy = ({ log }: TestBroker): number =>
    Array.from({ length: partitions }, (_, index) => log.log?.served(topic, index)).filter(Boolean).length;
  return { cluster, one, topic, servedBy };
}

/** Kinds of the slots that a session has left. */
function kinds({ store }: TestCluster, sid: string): string[] {
  return store.keys(slotPrefix(sid)).flatMap((key) => {
    const bytes = store.peek(key)?.bytes;
    return bytes === undefined || /ck-|trim/.test(key) ? [] : [decodeContainerHeader(bytes, key).kind];
  });
}

describe('a broker that is drained', () => {
  it('hands every group to the next owner, and leaves nothing but the end of its session', async () => {
    const { cluster, one, topic, servedBy } = await setUp();
    // Without word from the old owner, the new one would look again much later.
    const two = await cluster.start(2, { retryBackoffMs: 60_000 });
    const { sid } = one;
    await one.call(() => one.log.drain());
    await cluster.until(() => servedBy(two) === partitions, 3_000);
    assert.deepEqual(kinds(cluster, sid), ['end']);
    await cluster.until(() => two.log.cluster.current?.brokers.get(1)?.state === 'dead');
    const state = two.log.cluster.current;
    assert([...(state?.assignments.values() ?? [])].every(({ broker, from }) => broker === 2 && !from));
    for (let partition = 0; partition < partitions; partition++) {
      assert.equal(await two.call(() => two.log.endOffset(topic, partition)), 4);
      await cluster.append(two, topic, partition, 1);
    }
    assert.deepEqual(cluster.problems, []);
  });

  it('leaves its groups to the next one that comes when it was the last', async () => {
    const { cluster, one, topic, servedBy } = await setUp();
    await one.call(() => one.log.drain());
    const two = await cluster.start(2);
    await cluster.until(() => servedBy(two) === partitions, 3_000);
    assert.equal(await two.call(() => two.log.endOffset(topic, 0)), 4);
  });

  it('gives up when it is stopped, and its groups are taken over', async () => {
    const { cluster, one, topic, servedBy } = await setUp();
    const two = await cluster.start(2);
    const { sid } = one;
    cluster.store.intercept(
      { process: 'broker-1', operation: 'put', key: /manifest$/, times: Infinity },
      { kind: 'request-lost', seenAs: 'TIMEOUT' },
    );
    let ended = false;
    one.process.receive(() => {
      one.log.drain().then(
        () => {
          ended = true;
        },
        (error: unknown) => {
          cluster.time.fail(error instanceof Error ? error : new Error(String(error)));
        },
      );
    });
    await cluster.pass(30_000);
    assert(!ended);
    await one.call(() => one.log.stop());
    await cluster.until(() => ended);
    await cluster.markDead(one, sid, two);
    await cluster.until(() => servedBy(two) === partitions);
    assert.equal(await two.call(() => two.log.endOffset(topic, 0)), 4);
  });
});
