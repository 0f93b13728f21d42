import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clusterKey } from '../cluster/cluster-state.ts';
import { buildBatch } from '../protocol/record-batch-builder.ts';
import { inBackground } from '../runtime/in-background.ts';
import type { ScriptedFault } from '../store/simulated/interception.ts';
import type { RequestEvent } from '../store/simulated/observation.ts';
import { decodeContainerHeader } from './format/container-header.ts';
import { groupId, manifestKey, parseSlotKey, slotKey, slotPrefix } from './format/keys.ts';
import { LogFormatError } from './format/errors.ts';
import { TestCluster } from './inspect/bucket-fixture.ts';
import type { TestBroker } from './inspect/bucket-fixture.ts';

const atOnce = { sweepPatienceRounds: 0 };

/** Requests of a broker's sweep to what a sweep is about. */
async function sweep(cluster: TestCluster, broker: TestBroker): Promise<readonly RequestEvent[]> {
  const requests: RequestEvent[] = [];
  const stop = cluster.store.onRequest((request) => {
    const { process, key } = request;
    if (process === broker.process.name && key !== clusterKey) requests.push(request);
  });
  try {
    await broker.call(() => broker.log.sweep());
  } finally {
    stop();
  }
  return requests;
}

/** What a session has in its slots, such as `3 data`. */
function slots({ store }: TestCluster, sid: string): string[] {
  return store.keys(slotPrefix(sid)).flatMap((key) => {
    const slot = parseSlotKey(key)?.slot;
    const bytes = store.peek(key)?.bytes;
    if (slot === undefined || bytes === undefined) return [];
    return [`${slot} ${decodeContainerHeader(bytes, key).kind}`];
  });
}

const manifestReads = (requests: readonly RequestEvent[]): readonly RequestEvent[] =>
  requests.filter(({ operation, key }) => operation === 'get' && key.endsWith('/manifest'));

/** Broker 1 wrote 3 slots to each of the partitions of a topic and was killed; broker 2 has taken its groups over. */
async function takenOver(partitions: number, fateOfSlot0?: ScriptedFault) {
  const cluster = new TestCluster(5);
  const one = await cluster.start(1);
  if (fateOfSlot0 !== undefined)
    cluster.store.intercept({ operation: 'put', key: slotKey(one.sid, 0) }, fateOfSlot0);
  const topic = await cluster.createTopic(one, 'topic', partitions);
  for (let partition = 0; partition < partitions; partition++) await cluster.append(one, topic, partition, 3);
  const two = await cluster.start(2, atOnce);
  const dead = one.sid;
  one.kill();
  await cluster.markDead(one, dead, two);
  await cluster.until(() =>
    Array.from({ length: partitions }, (_, index) => two.log.log?.served(topic, index)).every(Boolean),
  );
  return { cluster, one, two, topic, dead };
}

async function flushGroup(two: TestBroker, group: string): Promise<void> {
  const { log } = two.log;
  const owned = log?.groups.find(({ id }) => id === group);
  assert(log !== undefined && owned !== undefined);
  await two.call(() => log.flush(owned));
}

describe('the sweep of dead sessions', () => {
  it('deletes what no manifest reaches, and no FENCE', async () => {
    const { cluster, two, dead } = await takenOver(2);
    await sweep(cluster, two);
    assert.equal(slots(cluster, dead).length, 7);
    await two.flush();
    await sweep(cluster, two);
    assert.deepEqual(slots(cluster, dead), ['6 fence']);
  });

  it('has a fence stand behind the last slot, also when there is one at a hole below', async () => {
    const cluster = new TestCluster(5);
    const one = await cluster.start(1);
    const topic = await cluster.createTopic(one, 'topic', 1);
    await cluster.append(one, topic, 0, 2);
    const dead = one.sid;
    const held = cluster.store.intercept({ operation: 'put', key: slotKey(dead, 2) }, { kind: 'hold' });
    const append = (): void => {
      const batch = buildBatch({ records: [{ value: 'in flight' }] });
      inBackground(one.log.append(topic, 0, batch).then(() => undefined));
    };
    append();
    await cluster.until(() => held.held.length === 1);
    append();
    await cluster.until(() => cluster.store.peek(slotKey(dead, 3)) !== undefined);
    const two = await cluster.start(2, atOnce);
    one.kill();
    await cluster.markDead(one, dead, two);
    await cluster.until(() => two.log.log?.served(topic, 0) !== undefined);
    await two.flush();
    assert.deepEqual(slots(cluster, dead), ['0 data', '1 data', '2 fence', '3 data']);
    await sweep(cluster, two);
    assert.deepEqual(slots(cluster, dead), ['2 fence', '4 fence']);
  });

  it('reads all manifests once for a session, then only those that cover its slots and have changed', async () => {
    const { cluster, two, topic } = await takenOver(12);
    assert.equal(manifestReads(await sweep(cluster, two)).length, 12);
    for (let partition = 0; partition < 10; partition++) await flushGroup(two, groupId(topic, partition));
    assert.equal(manifestReads(await sweep(cluster, two)).length, 12);
    const again = await sweep(cluster, two);
    assert.deepEqual(
      manifestReads(again).map(({ key }) => key),
      [10, 11].map((index) => manifestKey(groupId(topic, index))),
    );
    assert.equal(again.filter(({ operation }) => operation === 'list').length, 1, 'of the sessions');
    assert.equal(again.length, 3);
  });

  it('costs a listing of the sessions and a look at one of them when there is nothing to do', async () => {
    const { cluster, two, dead } = await takenOver(3);
    await two.flush();
    for (let id = 3; id < 9; id++) {
      const idle = await cluster.start(id);
      const { sid } = idle;
      idle.kill();
      await cluster.markDead(idle, sid, two);
    }
    for (let round = 0; round < 3; round++) await sweep(cluster, two);
    assert.deepEqual(slots(cluster, dead), ['9 fence']);
    for (let round = 0; round < 20; round++) {
      const requests = await sweep(cluster, two);
      assert.deepEqual(
        requests.map(({ operation }) => operation),
        ['list', 'list'],
      );
    }
  });

  it('finds a slot that lands after its session was clean', async () => {
    const { cluster, two, dead } = await takenOver(1, { kind: 'duplicate', afterMs: 60_000 });
    await two.flush();
    for (let round = 0; round < 3; round++) await sweep(cluster, two);
    assert.deepEqual(slots(cluster, dead), ['3 fence']);
    await cluster.until(() => slots(cluster, dead).length > 1);
    assert.deepEqual(slots(cluster, dead), ['0 data', '3 fence']);
    for (let round = 0; round < 2; round++) await sweep(cluster, two);
    assert.deepEqual(slots(cluster, dead), ['3 fence']);
  });

  it('leaves a session alone that has not registered yet, and sweeps it once it is dead', async () => {
    const { cluster, two } = await takenOver(1);
    const held = cluster.store.intercept(
      { process: 'broker-3', operation: 'put', key: clusterKey },
      { kind: 'hold' },
    );
    const three = cluster.prepare(3);
    three.process.receive(() => {
      inBackground(three.log.start());
    });
    await cluster.until(() => held.held.length === 1);
    for (let round = 0; round < 2; round++) await sweep(cluster, two);
    held.held[0]?.release();
    await cluster.until(() => three.log.log !== undefined);
    const { sid } = three;
    assert.deepEqual(slots(cluster, sid), []);
    const topic = await cluster.createTopic(three, 'third', 8);
    await cluster.pass(1_000);
    const served = Array.from({ length: 8 }, (_, index) => index).find(
      (index) => three.log.log?.served(topic, index) !== undefined,
    );
    assert(served !== undefined);
    await cluster.append(three, topic, served, 1);
    await sweep(cluster, two);
    three.kill();
    await cluster.markDead(three, sid, two);
    await cluster.until(() => two.log.log?.served(topic, served) !== undefined);
    await two.flush();
    await sweep(cluster, two);
    assert.deepEqual(slots(cluster, sid), ['1 fence']);
  });

  it('asks nothing about sessions that live', async () => {
    const { cluster, two } = await takenOver(1);
    await two.flush();
    for (let round = 0; round < 3; round++) await sweep(cluster, two);
    const three = await cluster.start(3);
    await cluster.until(() => two.log.cluster.current?.brokers.has(3) === true);
    const requests = await sweep(cluster, two);
    assert.deepEqual(
      requests.filter(({ key }) => key.includes(three.sid) || key.includes(two.sid)),
      [],
    );
  });

  it('deletes nothing when a manifest cannot be read', async () => {
    const { cluster, two, topic, dead } = await takenOver(2);
    await two.flush();
    await cluster.overwrite(manifestKey(groupId(topic, 1)), Buffer.from('not a manifest'));
    await assert.rejects(sweep(cluster, two), LogFormatError);
    assert.equal(slots(cluster, dead).length, 7);
  });

  it('names a damaged slot, leaves it alone and sweeps the others', async () => {
    const { cluster, two, dead } = await takenOver(1);
    await two.flush();
    const key = slotKey(dead, 1);
    const bytes = cluster.bytes(key).fill(7, 20, 40);
    await cluster.overwrite(key, bytes);
    const isNamed = (error: Error): boolean => error.message.startsWith(key);
    await assert.rejects(sweep(cluster, two), isNamed);
    assert.deepEqual(
      cluster.store.keys(slotPrefix(dead)).map((left) => parseSlotKey(left)?.slot),
      [1, 3],
    );
    await assert.rejects(sweep(cluster, two), isNamed);
    await sweep(cluster, two);
  });

  it('is left to one broker for some rounds', async () => {
    const cluster = new TestCluster(5);
    const one = await cluster.start(1);
    const topic = await cluster.createTopic(one, 'topic', 3);
    await cluster.append(one, topic, 0, 1);
    const others: TestBroker[] = [];
    for (const id of [2, 3, 4]) others.push(await cluster.start(id, { sweepPatienceRounds: 2 }));
    const [first] = others;
    assert(first !== undefined);
    const dead = one.sid;
    one.kill();
    await cluster.markDead(one, dead, first);
    await cluster.pass(5_000);
    for (const broker of others) await broker.flush();
    const reads = new Map<TestBroker, number>();
    const round = async (brokers: readonly TestBroker[]): Promise<void> => {
      for (const broker of brokers)
        reads.set(broker, (reads.get(broker) ?? 0) + manifestReads(await sweep(cluster, broker)).length);
    };
    await round(others);
    const sweeping = others.filter((broker) => reads.get(broker) === 3);
    assert.equal(sweeping.length, 1);
    for (let count = 0; count < 4; count++) await round(others);
    assert.deepEqual(slots(cluster, dead), ['1 fence']);
    assert.deepEqual(
      [...reads.values()].toSorted((a, b) => a - b),
      [0, 0, 3],
    );
  });

  it('is done by another one when that broker does not do it', async () => {
    const { cluster, two, dead } = await takenOver(1);
    await two.flush();
    const others: TestBroker[] = [];
    for (const id of [3, 4]) others.push(await cluster.start(id, { sweepPatienceRounds: 2 }));
    for (const patient of others) {
      const before = slots(cluster, dead).length;
      await sweep(cluster, patient);
      if (slots(cluster, dead).length < before) continue;
      for (let round = 0; round < 2; round++) await sweep(cluster, patient);
      assert.deepEqual(slots(cluster, dead), ['3 fence']);
      return;
    }
    assert.fail('both of the other brokers believe to be the first to sweep');
  });
});
