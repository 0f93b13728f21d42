import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deleteTopic } from '../cluster/topic-changes.ts';
import { readBatchHeader } from '../protocol/record-batch.ts';
import type { AppendResult } from './append.ts';
import { AppendAdmission } from './append-admission.ts';
import { LogError } from './errors.ts';
import { slotPrefix } from './format/keys.ts';
import type { OneBroker } from './one-broker-fixture.ts';
import { startBroker, topicId } from './one-broker-fixture.ts';
import { OwnedPartition } from './owned-partition.ts';
import { ServedGroups } from './served-groups.ts';
import { UnflushedRecords } from './unflushed-records.ts';

const KiB = 1024;
const idempotent = { producerId: 7, producerEpoch: 0, baseSequence: 0 };

/** Takes all room there is, so that appends wait; returns what gives it back. */
function fill({ log }: OneBroker): () => void {
  const bytes = log.context.options.maxUnflushedBytes - log.budget.usedBytes;
  assert(log.budget.tryTake(bytes));
  return () => {
    log.budget.release(bytes);
  };
}

/** The admission of a session of its own making, over the groups of a real one: it tells when a release has ended. */
function admissionOf({ log, problems }: OneBroker) {
  const session = log.log;
  const served = session?.served(topicId, 0);
  assert(session !== undefined && served !== undefined);
  const { context, budget } = log;
  const groups = new ServedGroups();
  groups.add(served.group, 0);
  const environment = { session: session.session, context, budget, groups };
  const unflushed = new UnflushedRecords({
    ...environment,
    isAcquiring: () => false,
    onProblem: (_what, error) => problems.push(error),
  });
  const { assembler } = session;
  const admission = new AppendAdmission({ ...environment, unflushed, assembler, askFor: () => undefined });
  return { admission, served };
}

const baseOffsets = (results: readonly AppendResult[]): number[] =>
  results.map(({ baseOffset }) => baseOffset);

const isOverloaded = (error: unknown): boolean =>
  error instanceof LogError && error.code === 'OVERLOADED' && error.retriable;

describe('slots', () => {
  it('stay within their bound when one partition alone has more', async () => {
    const broker = await startBroker({ maxSlotsInFlight: 1, maxSlotBytes: 8 * KiB });
    const { time, store, log, append, holdSlots } = broker;
    const letGo = holdSlots();
    const appends = Array.from({ length: 60 }, (_, index) => append(3 * KiB, index % 6 === 5 ? 1 : 0));
    await time.run({ untilMs: time.nowMs + 100 });
    letGo();
    const results = await time.drive(() => Promise.all(appends));
    const alone = results.filter((_, index) => index % 6 !== 5);
    assert.deepEqual(
      baseOffsets(alone),
      alone.map((_, index) => index),
    );
    const sizes = store.keys(slotPrefix(log.sid ?? '')).map((key) => store.peek(key)?.bytes.length ?? 0);
    assert(Math.max(...sizes) <= 9 * KiB + 512, `slots of ${sizes.join(', ')} bytes`);
    assert(sizes.length < 40, `${sizes.length} slots`);
  });

  it('hold one append that is larger than they should be', async () => {
    const { time, append } = await startBroker({ maxSlotBytes: 8 * KiB });
    const { lastOffset } = await time.drive(() => append(40 * KiB));
    assert.equal(lastOffset, 0);
  });
});

describe('appends that wait for room', () => {
  it('are not overtaken by one that comes in the moment in which there is room', async () => {
    const broker = await startBroker({});
    const { time, log, append } = broker;
    const giveBack = fill(broker);
    const waiting = [append(KiB), append(KiB)];
    assert.equal(log.budget.waiting, 2);
    giveBack();
    const later = append(KiB);
    const results = await time.drive(() => Promise.all([...waiting, later]));
    assert.deepEqual(baseOffsets(results), [0, 1, 2]);
  });

  it('are refused when too many wait, in number or in bytes', async () => {
    const broker = await startBroker({ maxWaitingAppends: 3, maxWaitingBytes: 10 * KiB });
    const { time, log, append } = broker;
    const giveBack = fill(broker);
    const waiting = [append(KiB), append(KiB), append(KiB)];
    await assert.rejects(append(KiB), isOverloaded);
    giveBack();
    const again = fill(broker);
    const large = [append(8 * KiB)];
    await assert.rejects(append(4 * KiB), isOverloaded);
    again();
    const results = await time.drive(() => Promise.all([...waiting, ...large]));
    assert.deepEqual(baseOffsets(results), [0, 1, 2, 3]);
    assert.equal(log.budget.waitingBytes, 0);
  });

  it('wait no longer than their signal lets them, and have then not been appended', async () => {
    const broker = await startBroker({});
    const { time, log, append } = broker;
    const giveBack = fill(broker);
    const gone = new AbortController();
    const aborted = append(KiB, 0, { signal: gone.signal });
    const behind = append(KiB);
    const why = new Error('the client has gone');
    gone.abort(why);
    await assert.rejects(aborted, why);
    await assert.rejects(append(KiB, 0, { signal: gone.signal }), why);
    assert.equal(log.budget.waiting, 1);
    giveBack();
    assert.equal((await time.drive(() => behind)).baseOffset, 0);
  });

  it('fail at once when the session dies', async () => {
    const broker = await startBroker({});
    const giveBack = fill(broker);
    const waiting = broker.append(KiB);
    broker.log.log?.session.die('the test says so');
    await assert.rejects(waiting, { code: 'NOT_LEADER_OR_FOLLOWER' });
    assert.equal(broker.log.budget.waiting, 0);
    giveBack();
    assert.equal(broker.log.budget.usedBytes, 0);
  });

  it('do not wait at all for a partition that is not served here', async () => {
    const broker = await startBroker({});
    fill(broker);
    await assert.rejects(broker.log.append('b'.repeat(32), 0, Buffer.alloc(0)), { code: 'INVALID_RECORD' });
    await assert.rejects(broker.append(KiB, 99), { code: 'NOT_LEADER_OR_FOLLOWER' });
  });
});

describe('appends to a group that is being released', () => {
  const start = async (options: Parameters<typeof startBroker>[0] = {}) => {
    const broker = await startBroker(options);
    const { admission, served } = admissionOf(broker);
    const { append } = broker;
    const send: typeof append = (sizeBytes, partition, call) => {
      const original = broker.log.append.bind(broker.log);
      broker.log.append = admission.append.bind(admission);
      try {
        return append(sizeBytes, partition, call);
      } finally {
        broker.log.append = original;
      }
    };
    return { ...broker, admission, served, send };
  };

  it('go on in the order of the calls when it fails, before any that come later', async () => {
    const { time, admission, served, send } = await start();
    served.group.phase = 'releasing';
    const blocked = [send(KiB), send(KiB)];
    served.group.phase = 'serving';
    const later = send(KiB);
    admission.unblock();
    const last = send(KiB);
    const results = await time.drive(() => Promise.all([...blocked, later, last]));
    assert.deepEqual(baseOffsets(results), [0, 1, 2, 3]);
  });

  it('keep their order when one of them adds nothing and its room goes to one that came later', async () => {
    const broker = await start();
    const { time, log, admission, served, send } = broker;
    await time.drive(() => send(KiB, 0, { batch: { ...idempotent, baseSequence: 0 } }));
    served.group.phase = 'releasing';
    const duplicate = send(KiB, 0, { batch: { ...idempotent, baseSequence: 0 } });
    const blocked = send(KiB);
    fill(broker);
    const waiting = send(KiB);
    assert.equal(log.budget.waiting, 1);
    served.group.phase = 'serving';
    admission.unblock();
    const results = await time.drive(() => Promise.all([duplicate, blocked, waiting]));
    assert.deepEqual(baseOffsets(results), [0, 1, 2]);
  });

  it('wait no longer than their signal lets them', async () => {
    const { time, log, admission, served, send } = await start();
    served.group.phase = 'releasing';
    const gone = new AbortController();
    const aborted = send(KiB, 0, { signal: gone.signal });
    const stays = send(KiB);
    gone.abort(new Error('the client has gone'));
    await assert.rejects(aborted, /the client has gone/);
    served.group.phase = 'serving';
    admission.unblock();
    assert.equal((await time.drive(() => stays)).baseOffset, 0);
    assert(log.budget.usedBytes < 2 * KiB, `${log.budget.usedBytes} bytes are taken`);
  });

  it('are refused when too many wait', async () => {
    const { served, send } = await start({ maxWaitingAppends: 2 });
    served.group.phase = 'releasing';
    const blocked = [send(KiB), send(KiB)];
    await assert.rejects(send(KiB), isOverloaded);
    assert.equal(blocked.length, 2);
  });

  it('fail when it has succeeded', async () => {
    const { log, admission, served, send } = await start();
    served.group.phase = 'releasing';
    const blocked = send(KiB);
    served.group.phase = 'gone';
    admission.unblock();
    await assert.rejects(blocked, { code: 'NOT_LEADER_OR_FOLLOWER' });
    assert.equal(log.budget.usedBytes, 0);
  });
});

describe('an append that was admitted', () => {
  it('is told its outcome whatever becomes of its signal', async () => {
    const { time, append, holdSlots } = await startBroker({});
    const letGo = holdSlots();
    const gone = new AbortController();
    const admitted = append(KiB, 0, { signal: gone.signal });
    await time.run({ untilMs: time.nowMs + 50 });
    gone.abort();
    letGo();
    assert.equal((await time.drive(() => admitted)).baseOffset, 0);
  });

  it('gives its room back when its topic is deleted', async () => {
    const { time, log, append } = await startBroker({});
    const appends = Array.from({ length: 10 }, (_, index) => append(KiB, index));
    const settled = Promise.allSettled(appends);
    await time.drive(() => log.cluster.change((state) => deleteTopic(state, 't')));
    await time.run({ until: () => log.log?.groups.length === 0, untilMs: time.nowMs + 60_000 });
    await time.drive(() => settled);
    assert.equal(log.log?.groups.length, 0);
    assert.equal(log.budget.usedBytes, 0);
  });

  it('fails and gives its room back when the session dies before its slot is durable, or it has one', async () => {
    const { time, log, append, holdSlots } = await startBroker({ maxSlotsInFlight: 1 });
    holdSlots();
    const appends = [append(KiB)];
    await time.run({ untilMs: time.nowMs + 50 });
    for (let index = 0; index < 10; index++) appends.push(append(KiB, index));
    await time.run({ untilMs: time.nowMs + 50 });
    assert.equal(log.log?.session.slotsInFlight, 1);
    log.log.session.die('the test says so');
    for (const admitted of appends) await assert.rejects(admitted, { code: 'NOT_LEADER_OR_FOLLOWER' });
    assert.equal(log.budget.usedBytes, 0);
  });
});

describe('LogAppendTime', () => {
  const options = { logAppendTime: true };

  it('is the time of the slot, in the answer as in the batch', async () => {
    const { time, log, append } = await startBroker({});
    const [result] = await time.drive(() => Promise.all([append(KiB, 0, { options }), append(KiB, 1)]));
    const { pieces } = await time.drive(() => log.read(topicId, 0, 0, 10 * KiB));
    const [piece] = pieces;
    assert(piece !== undefined);
    const { maxTimestampMs } = readBatchHeader(piece, 0);
    assert.equal(result.logAppendTimeMs, maxTimestampMs);
    assert.equal(log.log?.served(topicId, 0)?.partition.tail[0]?.timeMs, maxTimestampMs);
  });

  it('of a duplicate is that of the first append, here and after a replay', async () => {
    const { time, log, append } = await startBroker({});
    const first = await time.drive(() => append(KiB, 0, { batch: idempotent, options }));
    await time.run({ untilMs: time.nowMs + 5_000 });
    const again = await time.drive(() => append(KiB, 0, { batch: idempotent, options }));
    assert(first.logAppendTimeMs > 0);
    assert.deepEqual(again, { ...first, duplicate: true });

    const served = log.log?.served(topicId, 0);
    assert(served !== undefined);
    const { group, partition } = served;
    const manifest = group.partitionManifest(0);
    const replayed = new OwnedPartition(topicId, 1, manifest, undefined, log.context);
    for (const block of partition.tail) replayed.replay(block);
    const verdict = replayed.producers.check({ ...idempotent, lastSequence: 0 }, replayed.timeMs);
    assert(verdict.kind === 'duplicate');
    assert.equal(verdict.batch.timeMs, first.logAppendTimeMs);
  });

  it('is not told of a duplicate on a topic with the producers’ times', async () => {
    const { time, append } = await startBroker({});
    await time.drive(() => append(KiB, 0, { batch: idempotent }));
    const again = await time.drive(() => append(KiB, 0, { batch: idempotent }));
    assert.equal(again.duplicate, true);
    assert.equal(again.logAppendTimeMs, -1);
  });
});
