import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createTopic, deleteTopic } from '../cluster/topic-changes.ts';
import { groupsOf } from '../cluster/partition-groups.ts';
import { buildBatch } from '../protocol/record-batch-builder.ts';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { localLatencies } from '../store/simulated/latency.ts';
import { SimulatedStore } from '../store/simulated/simulated-store.ts';
import { BrokerLog } from './broker-log.ts';
import { manifestKey, slotPrefix } from './format/keys.ts';
import { decodeManifest } from './format/manifest.ts';
import { LogError } from './errors.ts';
import type { LogOptions } from './options.ts';

const topicId = 'a'.repeat(32);
const KiB = 1024;

function isServed(log: BrokerLog): boolean {
  return Array.from({ length: 20 }, (_, index) => log.log?.served(topicId, index)).every(Boolean);
}

/** One broker that serves a topic of twenty partitions, in virtual time. */
async function setUp(options: Partial<LogOptions>) {
  const time = new VirtualTime({ seed: 1 });
  const store = new SimulatedStore({ environment: time.environment, latencies: localLatencies });
  const process = time.process('broker');
  const problems: unknown[] = [];
  const log = new BrokerLog({
    store: store.connect(process, { attemptTimeoutMs: 200 }),
    runtime: process.runtime,
    identity: { id: 1, zone: 'a', address: 'a:1', listeners: {}, podUid: 'pod', version: 'test' },
    options: { hedgeShare: 0, housekeepingIntervalMs: 1_000, ...options },
    onProblem: (_what, error) => problems.push(error),
    onReplaced: (error) => problems.push(error),
  });
  await time.drive(() => log.start());
  await time.drive(() =>
    log.cluster.change((state) =>
      createTopic(state, { name: 't', topicId, partitions: 20, internal: false, configs: {} }),
    ),
  );
  await time.run({ until: () => isServed(log), untilMs: 60_000 });
  const append = (sizeBytes: number, partition = 0) =>
    log.append(topicId, partition, buildBatch({ records: [{ value: Buffer.alloc(sizeBytes) }] }));
  return { time, store, log, append, problems };
}

describe('LogSession', () => {
  it('goes on after all room was taken while no slot could be written', async () => {
    const { time, store, log, append, problems } = await setUp({ maxUnflushedBytes: 64 * KiB });
    const { sid } = log;
    assert(sid !== undefined);
    const stuck = store.intercept(
      { operation: 'put', key: new RegExp(sid), times: Infinity },
      { kind: 'hold' },
    );
    const appends = Array.from({ length: 30 }, () => append(5 * KiB));
    let done = 0;
    for (const appended of appends) {
      appended.then(
        () => {
          done += 1;
        },
        (error: unknown) => problems.push(error),
      );
    }
    await time.run({ untilMs: time.nowMs + 1_000 });
    assert(log.budget.waiting > 0, 'there is less room than what is appended');
    stuck.stop();
    for (const held of stuck.held) held.release();
    await time.run({ until: () => done === appends.length, untilMs: time.nowMs + 60_000 });
    assert.equal(done, appends.length);
    assert.deepEqual(problems, []);
  });

  it('flushes what was not durable yet when its group was flushed, though nothing more is appended', async () => {
    const { time, log, append } = await setUp({ flushGroupBytes: 4 * KiB, flushIntervalMs: 10_000 });
    await time.drive(() => append(5 * KiB));
    await time.run({ until: () => log.budget.usedBytes === 0, untilMs: time.nowMs + 60_000 });
    assert.equal(log.budget.usedBytes, 0);
  });

  it('writes what has gathered while no slot could be sent in slots of a bounded size', async () => {
    const { time, store, log, append } = await setUp({ maxSlotsInFlight: 1, maxSlotBytes: 8 * KiB });
    const { sid } = log;
    assert(sid !== undefined);
    const stuck = store.intercept(
      { operation: 'put', key: new RegExp(sid), times: Infinity },
      { kind: 'hold' },
    );
    const appends = Array.from({ length: 40 }, (_, index) => append(5 * KiB, index % 20));
    await time.run({ untilMs: time.nowMs + 100 });
    stuck.stop();
    for (const held of stuck.held) held.release();
    await time.drive(() => Promise.all(appends));
    const sizes = store.keys(slotPrefix(sid)).map((key) => store.peek(key)?.bytes.length ?? 0);
    assert(sizes.length > 5, `${sizes.length} slots`);
    assert(Math.max(...sizes) < 32 * KiB, `slots of ${sizes.join(', ')} bytes`);
  });

  it('does not tell the log end while a release may have landed', async () => {
    const { time, store, log, append } = await setUp({});
    await time.drive(() => append(KiB));
    const served = log.log?.served(topicId, 0);
    assert(served !== undefined);
    const lost = store.intercept(
      {
        operation: 'put',
        key: manifestKey(served.group.id),
        where: () => served.group.phase === 'releasing',
      },
      { kind: 'answer-lost' },
    );
    const drained = log.log?.drain();
    await time.run({ until: () => lost.caught.length > 1 || lost.isSpent, untilMs: time.nowMs + 10_000 });
    const end = log.endOffset(topicId, 0).then(
      (offset) => `end ${offset}`,
      (error: unknown) => (error instanceof LogError ? error.code : error),
    );
    assert.equal(await time.drive(() => end), 'NOT_LEADER_OR_FOLLOWER');
    await time.drive(async () => drained);
  });

  it('goes on with retention after the trouble of one group', async () => {
    const { time, store, log, append, problems } = await setUp({ flushGroupBytes: 1, flushIntervalMs: 0 });
    await time.drive(() => append(KiB));
    store.intercept({ operation: 'list' }, { kind: 'error', code: 'ACCESS_DENIED' });
    await time.drive(() => log.retain());
    assert.equal(problems.length, 1);
  });

  it('refuses to delete records up to what is no offset', async () => {
    const { time, log, append } = await setUp({});
    await time.drive(() => append(KiB));
    for (const offset of [-2, NaN, 2]) {
      await time.drive(() =>
        assert.rejects(log.deleteRecords(topicId, 0, offset), { code: 'OFFSET_OUT_OF_RANGE' }),
      );
    }
  });

  it('gives back the memory of flushed records that are deleted, and of groups that go', async () => {
    const { time, log, append } = await setUp({ flushGroupBytes: 1 });
    for (let partition = 0; partition < 20; partition++) await time.drive(() => append(KiB, partition));
    await time.run({ until: () => log.budget.usedBytes === 0, untilMs: time.nowMs + 60_000 });
    const all = log.memory.hotBytes;
    assert(all > 20 * KiB);
    const one = all / 20;
    await time.drive(() => log.deleteRecords(topicId, 0, 1));
    assert.equal(log.memory.hotBytes, all - one);
    const other = 'b'.repeat(32);
    const topic = { name: 'other', topicId: other, partitions: 1, internal: false, configs: {} };
    await time.drive(() => log.cluster.change((state) => createTopic(state, topic)));
    await time.run({ until: () => log.log?.served(other, 0) !== undefined, untilMs: time.nowMs + 60_000 });
    await time.drive(() => log.append(other, 0, buildBatch({ records: [{ value: Buffer.alloc(KiB) }] })));
    await time.run({ until: () => log.memory.hotBytes > all - one, untilMs: time.nowMs + 60_000 });
    await time.drive(() => log.cluster.change((state) => deleteTopic(state, 'other')));
    await time.run({ until: () => log.memory.hotBytes === all - one, untilMs: time.nowMs + 60_000 });
    assert.equal(log.memory.hotBytes, all - one);
    await time.drive(() => log.drain());
    assert.equal(log.memory.hotBytes, 0);
  });

  it('hands its groups over for good when it is drained, though they are still assigned to it', async () => {
    const { time, store, log, append } = await setUp({});
    await time.drive(() => append(KiB));
    await time.drive(() => log.drain());
    await time.run({ untilMs: time.nowMs + 5_000 });
    const topic = log.cluster.current?.topics.get('t');
    assert(topic !== undefined);
    for (const { id } of groupsOf(topic)) {
      const object = store.peek(manifestKey(id));
      assert(object !== undefined);
      assert.equal(decodeManifest(object.bytes, id).state, 'released');
    }
    assert.equal(log.budget.usedBytes, 0);
  });
});
