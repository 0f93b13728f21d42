import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clusterKey } from '../cluster/cluster-state.ts';
import { deleteTopic } from '../cluster/topic-changes.ts';
import { inBackground } from '../runtime/in-background.ts';
import { LogError } from './errors.ts';
import { groupId, groupPrefix, manifestKey, segmentPrefix, slotKey, slotPrefix } from './format/keys.ts';
import { decodeManifest } from './format/manifest.ts';
import { TestCluster } from './inspect/bucket-fixture.ts';
import type { TestBroker } from './inspect/bucket-fixture.ts';

const isServed = ({ log }: TestBroker, topicId: string): boolean => log.log?.served(topicId, 0) !== undefined;

/** Broker 1 serves two topics with records, and all it knows has been told; then it dies, and the manifest of one goes. */
async function withoutManifest() {
  const cluster = new TestCluster(9);
  const one = await cluster.start(1);
  const lost = await cluster.createTopic(one, 'lost', 1);
  const kept = await cluster.createTopic(one, 'kept', 1);
  await cluster.append(one, lost, 0, 3);
  await cluster.append(one, kept, 0, 3);
  const key = manifestKey(groupId(lost, 0));
  await cluster.until(() => one.log.cluster.current?.assignments.get(groupId(lost, 0))?.hasManifest === true);
  const two = await cluster.start(2, { sweepPatienceRounds: 0 });
  const { sid } = one;
  one.kill();
  const manifest = cluster.bytes(key);
  await cluster.remove(key);
  await cluster.markDead(one, sid, two);
  await cluster.until(() => isServed(two, kept));
  await cluster.pass(1_000);
  return { cluster, two, lost, kept, key, manifest, sid };
}

describe('a group whose manifest has disappeared', () => {
  it('is not started anew: the error names the manifest, and other groups are served', async () => {
    const { cluster, two, lost, kept, key } = await withoutManifest();
    assert(!isServed(two, lost));
    assert.equal(cluster.store.peek(key), undefined);
    const [problem] = cluster.problems;
    assert(problem?.error instanceof LogError && problem.error.code === 'CORRUPT_LOG');
    assert.match(problem.error.message, new RegExp(`^${key} is missing, but .* has had owners before`));
    assert.equal(await two.call(() => two.log.endOffset(kept, 0)), 6);
  });

  it('goes on where it was when the manifest has been restored', async () => {
    const { cluster, two, lost, key, manifest } = await withoutManifest();
    await cluster.overwrite(key, manifest);
    await cluster.until(() => isServed(two, lost));
    assert.equal(await two.call(() => two.log.endOffset(lost, 0)), 6);
    await cluster.append(two, lost, 0, 1);
  });

  it('keeps its slots: nothing is swept', async () => {
    const { cluster, two, sid } = await withoutManifest();
    await two.flush();
    const before = cluster.store.keys(slotPrefix(sid)).length;
    await assert.rejects(
      two.call(() => two.log.sweep()),
      /is missing, so it is not known which slots it needs/,
    );
    assert.equal(cluster.store.keys(slotPrefix(sid)).length, before + 0);
  });

  it('can be deleted with its topic', async () => {
    const { cluster, two, lost, key } = await withoutManifest();
    await two.flush();
    await cluster.change(two, (state) => deleteTopic(state, 'lost'));
    await cluster.until(() => two.log.cluster.current?.deletedTopics.size === 0);
    assert.equal(decodeManifest(cluster.bytes(key), key).state, 'deleted');
    assert.deepEqual(cluster.store.keys(groupPrefix(groupId(lost, 0))), [key]);
    await two.call(() => two.log.sweep());
  });
});

describe('a group without a manifest', () => {
  it('is new when its first owner died before it had written one', async () => {
    const cluster = new TestCluster(9);
    const one = await cluster.start(1);
    const stuck = cluster.store.intercept(
      { process: 'broker-1', operation: 'put', key: /\/manifest$/, times: Infinity },
      { kind: 'hold' },
    );
    const topicId = await cluster.createTopic(one, 'topic', 1);
    await cluster.until(() => stuck.held.length > 0);
    const two = await cluster.start(2);
    const { sid } = one;
    one.kill();
    await cluster.markDead(one, sid, two);
    await cluster.append(two, topicId, 0, 1);
    assert.equal(await two.call(() => two.log.endOffset(topicId, 0)), 2);
    assert.deepEqual(cluster.problems, []);
  });

  it('is new when its owner lives and was restarted before it had written one', async () => {
    const cluster = new TestCluster(9);
    const one = await cluster.start(1);
    const stuck = cluster.store.intercept(
      { process: 'broker-1', operation: 'put', key: /\/manifest$/ },
      { kind: 'hold' },
    );
    const topicId = await cluster.createTopic(one, 'topic', 1);
    await cluster.until(() => stuck.held.length > 0);
    one.kill();
    const again = await cluster.start(1);
    await cluster.append(again, topicId, 0, 1);
    assert.equal(again.log.cluster.current?.assignments.get(groupId(topicId, 0))?.generation, 2);
  });
});

/** Broker 1 cannot learn that it has been declared dead, and that broker 2 has taken its groups over. */
async function fencedUnawares() {
  const cluster = new TestCluster(9);
  const one = await cluster.start(1);
  const busy = await cluster.createTopic(one, 'busy', 1);
  const idle = await cluster.createTopic(one, 'idle', 1);
  await cluster.append(one, busy, 0, 3);
  await cluster.append(one, idle, 0, 1);
  const flush = async (topicId: string): Promise<void> => {
    const { log } = one.log;
    const group = log?.groups.find(({ id }) => id === groupId(topicId, 0));
    assert(log !== undefined && group !== undefined);
    await one.call(() => log.flush(group));
  };
  cluster.store.intercept(
    { process: 'broker-1', operation: 'get', key: clusterKey, times: Infinity },
    { kind: 'request-lost' },
  );
  const takeOver = async (two: TestBroker): Promise<void> => {
    await cluster.markDead(one, one.sid, two);
    await cluster.until(() => isServed(two, busy) && isServed(two, idle));
  };
  return { cluster, one, busy, idle, flush, takeOver };
}

describe('a session that does not know that it was fenced', () => {
  it('may trim what no group needs while its slots are read by a taker', async () => {
    const { cluster, one, busy, idle, flush, takeOver } = await fencedUnawares();
    await flush(busy);
    const two = await cluster.start(2);
    await takeOver(two);
    const three = await cluster.start(3);
    const dead = two.sid;
    two.kill();
    const reading = cluster.store.intercept(
      { process: 'broker-3', operation: 'get', key: slotKey(one.sid, 1) },
      { kind: 'hold' },
    );
    await cluster.markDead(two, dead, three);
    await cluster.until(() => reading.held.length > 0);
    await one.housekeeping();
    assert.equal(cluster.store.peek(slotKey(one.sid, 1)), undefined);
    for (const held of reading.held) held.release();
    await cluster.until(() => isServed(three, idle));
    assert.equal(await three.call(() => three.log.endOffset(idle, 0)), 2);
    assert.deepEqual(cluster.problems, []);
  });

  it('dies when a segment that it writes has been cleared away by its successor', async () => {
    const { cluster, one, busy, takeOver } = await fencedUnawares();
    const { log } = one.log;
    const group = log?.groups.find(({ id }) => id === groupId(busy, 0));
    assert(log !== undefined && group !== undefined);
    const key = new RegExp(`^${segmentPrefix(group.id)}`);
    cluster.store.intercept(
      { process: 'broker-1', operation: 'put', key },
      { kind: 'answer-lost', seenAs: 'CONNECTION_LOST' },
    );
    const heads = cluster.store.intercept(
      { process: 'broker-1', operation: 'head', key, times: Infinity },
      { kind: 'hold' },
    );
    one.process.receive(() => {
      inBackground(log.flush(group).then(() => undefined));
    });
    await cluster.until(() => heads.held.length > 0);
    const two = await cluster.start(2);
    await takeOver(two);
    // As the successor's clean-up of orphans does.
    for (const segment of cluster.store.keys(segmentPrefix(group.id))) await cluster.remove(segment);
    heads.stop();
    for (const held of heads.held) held.release();
    const found = (): readonly string[] =>
      cluster.problems.flatMap(({ error }) => (error instanceof LogError ? [error.code] : []));
    await cluster.until(() => found().length > 0);
    assert.deepEqual(found(), ['NOT_LEADER_OR_FOLLOWER']);
    assert(!log.session.live);
  });
});
