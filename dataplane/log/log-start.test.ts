import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assign } from '../cluster/assign.ts';
import { deleteTopic } from '../cluster/topic-changes.ts';
import type { RequestEvent } from '../store/simulated/observation.ts';
import { groupId, groupPrefix, manifestKey, segmentPrefix } from './format/keys.ts';
import { decodeManifest } from './format/manifest.ts';
import { TestCluster } from './inspect/bucket-fixture.ts';
import type { TestBroker } from './inspect/bucket-fixture.ts';

/** A topic with one group; its manifest's root has room for four segments, the others are in pages. */
async function setUp(partitions: number, retentionBytes: number) {
  const cluster = new TestCluster(4);
  const one = await cluster.start(1);
  const topicId = await cluster.createTopic(one, 'topic', partitions, partitions);
  await cluster.change(one, (state) => {
    const topic = state.topics.get('topic') ?? assert.fail();
    const configs = { 'retention.ms': '-1', 'retention.bytes': `${retentionBytes}` };
    return { ...state, topics: new Map(state.topics).set('topic', { ...topic, configs }) };
  });
  const group = groupId(topicId, 0);
  const append = async (broker: TestBroker, partition: number, rounds: number): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      await cluster.append(broker, topicId, partition, 1);
      await broker.flush();
    }
  };
  const manifest = () => decodeManifest(cluster.bytes(manifestKey(group)), group);
  const segments = () => cluster.store.keys(segmentPrefix(group)).length;
  const pages = () => cluster.store.keys(groupPrefix(group)).filter((key) => key.includes('/page-')).length;
  const named = () => manifest().partitions.reduce((sum, { pages }) => sum + pages.length, 0);
  const requests = async (work: () => Promise<unknown>): Promise<RequestEvent[]> => {
    const seen: RequestEvent[] = [];
    const stop = cluster.store.onRequest((request) => {
      if (request.key.includes(topicId)) seen.push(request);
    });
    await work();
    stop();
    return seen;
  };
  return { cluster, one, topicId, group, append, manifest, segments, pages, named, requests };
}

/** The bytes of one segment's records, as `TestCluster.append` makes them. */
const segmentBytes = 300;

describe('retention of an owner', () => {
  it('asks nothing while nothing goes, whatever the number of pages', async () => {
    const { one, append, requests, named } = await setUp(1, 1_000_000);
    await append(one, 0, 40);
    assert(named() > 5, `${named()} pages`);
    await one.call(() => one.log.retain());
    assert.deepEqual(await requests(() => one.call(() => one.log.retain())), []);
  });

  it('reads the oldest page once after a takeover', async () => {
    const { cluster, one, append, requests } = await setUp(1, 1_000_000);
    await append(one, 0, 40);
    const two = await cluster.start(2);
    const dead = one.sid;
    one.kill();
    await cluster.markDead(one, dead, two);
    await append(two, 0, 1);
    await two.call(() => two.log.retain());
    assert.deepEqual(await requests(() => two.call(() => two.log.retain())), []);
  });

  it('deletes nothing from the offset on that somebody holds, and the rest when it is let go', async () => {
    const { cluster, one, append, manifest } = await setUp(1, 2 * segmentBytes);
    const logStart = () => manifest().partitions[0]?.logStart ?? assert.fail();
    await append(one, 0, 20);
    const { nextOffset = 0 } = one.log.served(manifest().topicId, 0)?.partition ?? {};
    const each = nextOffset / 20;
    cluster.retentionHold = 0;
    await one.call(() => one.log.retain());
    assert.equal(logStart(), 0);
    cluster.retentionHold = 5 * each;
    await one.call(() => one.log.retain());
    assert.equal(logStart(), 5 * each);
    cluster.retentionHold = Infinity;
    await one.call(() => one.log.retain());
    assert(logStart() >= 16 * each, `${logStart()}`);
  });

  it('reads only the pages from which something goes', async () => {
    const { cluster, one, append, requests, manifest, named, segments } = await setUp(1, 30 * segmentBytes);
    await append(one, 0, 20);
    await one.call(() => one.log.retain());
    const before = segments();
    await append(one, 0, 20);
    void cluster;
    const pages = named();
    const seen = await requests(() => one.call(() => one.log.retain()));
    const gets = seen.filter(({ operation }) => operation === 'get').length;
    assert(segments() < before + 20, 'some have gone');
    assert(gets <= pages - named() + 1, `${gets} pages read, ${pages - named()} are gone`);
    assert(manifest().partitions.every(({ logStart }) => logStart > 0));
  });

  it('deletes the segments that go, but not those that other partitions need', async () => {
    const { cluster, one, topicId, append, segments } = await setUp(2, -1);
    for (let round = 0; round < 10; round++) {
      await cluster.append(one, topicId, 0, 1);
      await append(one, 1, 1);
    }
    const all = segments();
    await one.call(() => one.log.deleteRecords(topicId, 0, 14));
    assert.equal(segments(), all, 'partition 1 has records in each of them');
    await one.call(() => one.log.deleteRecords(topicId, 1, 10));
    assert.equal(segments(), all - 5);
    const { pieces } = await one.call(() => one.log.read(topicId, 1, 10, 1_000_000));
    assert.equal(pieces.length > 0, true);
    await one.call(() => one.log.read(topicId, 0, 14, 1_000_000));
  });
});

describe('objects that a manifest names no more', () => {
  it('are deleted later when the store does not delete them now', async () => {
    const { cluster, one, topicId, append, segments, pages, named } = await setUp(1, -1);
    await append(one, 0, 40);
    await one.call(() => one.log.retain());
    const failing = cluster.store.intercept(
      { operation: 'delete', times: Infinity },
      { kind: 'error', code: 'ACCESS_DENIED' },
    );
    const before = segments();
    await one.call(() => one.log.deleteRecords(topicId, 0, 60));
    assert.equal(segments(), before);
    assert(pages() > named());
    failing.stop();
    await one.call(() => one.log.retain());
    assert.equal(segments(), before - 30);
    assert.equal(pages(), named());
  });

  it('are no more after many flushes than those it names', async () => {
    const { one, append, pages, named } = await setUp(1, -1);
    await append(one, 0, 60);
    assert.equal(pages(), named());
  });

  it('are found by the next owner when the session ends first', async () => {
    const { cluster, one, topicId, append, segments, pages, named } = await setUp(1, -1);
    await append(one, 0, 40);
    const failing = cluster.store.intercept(
      { operation: 'delete', times: Infinity },
      { kind: 'error', code: 'ACCESS_DENIED' },
    );
    const before = segments();
    await one.call(() => one.log.deleteRecords(topicId, 0, 60));
    const two = await cluster.start(2);
    const dead = one.sid;
    one.kill();
    failing.stop();
    await cluster.markDead(one, dead, two);
    await append(two, 0, 1);
    await two.call(() => two.log.retain());
    assert.equal(segments(), before - 30 + 1);
    assert.equal(pages(), named());
  });

  it('of a deleted topic keep meta/cluster from forgetting it', async () => {
    const { cluster, one, topicId, group, append, segments } = await setUp(1, -1);
    await append(one, 0, 10);
    const failing = cluster.store.intercept(
      { operation: 'delete', times: Infinity },
      { kind: 'error', code: 'ACCESS_DENIED' },
    );
    const isForgotten = (broker: TestBroker): boolean =>
      broker.log.cluster.current?.deletedTopics.has(topicId) === false &&
      broker.log.cluster.current.topics.size === 0;
    await cluster.change(one, (state) => deleteTopic(state, 'topic'));
    await cluster.pass(5_000);
    assert.equal(decodeManifest(cluster.bytes(manifestKey(group)), group).state, 'deleted');
    assert(!isForgotten(one));
    // Whoever gets the group next finds a tombstone, and objects.
    const two = await cluster.start(2);
    const dead = one.sid;
    one.kill();
    await cluster.markDead(one, dead, two);
    await cluster.pass(2_000);
    assert(segments() > 0 && !isForgotten(two));
    failing.stop();
    await cluster.until(() => isForgotten(two));
    assert.equal(segments(), 0);
    assert.deepEqual(cluster.store.keys(groupPrefix(group)), [manifestKey(group)]);
  });

  it('of a deleted topic keep nobody busy but who deletes them', async () => {
    const { cluster, one, topicId, group, append, segments } = await setUp(1, -1);
    await append(one, 0, 3);
    await cluster.append(one, topicId, 0, 1);
    const owned = one.log.served(topicId, 0)?.group ?? assert.fail();
    const failing = cluster.store.intercept(
      { operation: 'list', key: new RegExp(group), times: Infinity },
      { kind: 'error', code: 'ACCESS_DENIED' },
    );
    await cluster.change(one, (state) => deleteTopic(state, 'topic'));
    await cluster.until(() => cluster.problems.length > 0);
    assert.equal(decodeManifest(cluster.bytes(manifestKey(group)), group).state, 'deleted');
    // The tombstone has no run that a flush could go on from, and its owner no records to keep slots for.
    await one.call(async () => one.log.log?.flush(owned));
    assert.equal(owned.phase, 'gone');
    assert.equal(one.log.log?.groups.length, 0);
    // The next owner neither waits for a release nor is waited for.
    await cluster.start(2);
    await cluster.until(() => one.log.cluster.current?.brokers.has(2) === true);
    await cluster.change(one, (state) => assign(state, [{ group, broker: 2 }]));
    await cluster.pass(2_000);
    for (const { what } of cluster.problems) assert.match(what, /could not be (deleted|acquired)/);
    assert(segments() > 0);
    failing.stop();
    await cluster.until(() => one.log.cluster.current?.deletedTopics.size === 0);
    assert.equal(segments(), 0);
  });
});
