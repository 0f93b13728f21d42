import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createTopic, deleteTopic } from '../cluster/topic-changes.ts';
import { groupsOf } from '../cluster/partition-groups.ts';
import { buildBatch } from '../protocol/record-batch-builder.ts';
import { manifestKey, slotPrefix } from './format/keys.ts';
import { decodeManifest } from './format/manifest.ts';
import { LogError } from './errors.ts';
import { startBroker, topicId } from './one-broker-fixture.ts';

const KiB = 1024;

describe('LogSession', () => {
  it('goes on after all room was taken while no slot could be written', async () => {
    const { time, store, log, append, problems } = await startBroker({ maxUnflushedBytes: 64 * KiB });
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
    const { time, log, append } = await startBroker({ flushGroupBytes: 4 * KiB, flushIntervalMs: 10_000 });
    await time.drive(() => append(5 * KiB));
    await time.run({ until: () => log.budget.usedBytes === 0, untilMs: time.nowMs + 60_000 });
    assert.equal(log.budget.usedBytes, 0);
  });

  it('writes what has gathered while no slot could be sent in slots of a bounded size', async () => {
    const { time, store, log, append } = await startBroker({ maxSlotsInFlight: 1, maxSlotBytes: 8 * KiB });
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
    const { time, store, log, append } = await startBroker({});
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
    const { time, store, log, append, problems } = await startBroker({
      flushGroupBytes: 1,
      flushIntervalMs: 0,
    });
    await time.drive(() => append(KiB));
    store.intercept({ operation: 'list' }, { kind: 'error', code: 'ACCESS_DENIED' });
    await time.drive(() => log.retain());
    assert.equal(problems.length, 1);
  });

  it('refuses to delete records up to what is no offset', async () => {
    const { time, log, append } = await startBroker({});
    await time.drive(() => append(KiB));
    for (const offset of [-2, NaN, 2]) {
      await time.drive(() =>
        assert.rejects(log.deleteRecords(topicId, 0, offset), { code: 'OFFSET_OUT_OF_RANGE' }),
      );
    }
  });

  it('gives back the memory of flushed records that are deleted, and of groups that go', async () => {
    const { time, log, append } = await startBroker({ flushGroupBytes: 1 });
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
    const { time, store, log, append } = await startBroker({});
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
