import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildBatch } from '../protocol/record-batch-builder.ts';
import { patchBatch } from '../protocol/record-batch.ts';
import { VirtualTime } from '../runtime/virtual-time.ts';
import { localLatencies } from '../store/simulated/latency.ts';
import { SimulatedStore } from '../store/simulated/simulated-store.ts';
import type { LogError } from './errors.ts';
import { slotKey } from './format/keys.ts';
import { defaultLogOptions } from './options.ts';
import { WalSession } from './session.ts';

const SID = '5'.repeat(32);

function setUp(options: { hedgeShare?: number } = {}) {
  const time = new VirtualTime({ seed: 1 });
  const store = new SimulatedStore({ environment: time.environment, latencies: localLatencies });
  const process = time.process('broker');
  const deaths: LogError[] = [];
  const session = new WalSession({
    sid: SID,
    store: store.connect(process, { attemptTimeoutMs: 50 }),
    runtime: process.runtime,
    options: { ...defaultLogOptions, ...options },
    formatVersion: () => 1,
    onDeath: (error) => deaths.push(error),
  });
  const acknowledged: number[] = [];
  const write = (): number => {
    const bytes = buildBatch({ records: [{ value: Buffer.from('x') }] });
    patchBatch(bytes, 0, 0, 0);
    const block = {
      topicId: 'a'.repeat(32),
      partition: 0,
      leaderEpoch: 0,
      pieces: [bytes],
    };
    return session.write([block], 1, (slot) => acknowledged.push(slot)).slot;
  };
  return { time, store, session, deaths, acknowledged, write };
}

describe('WAL session', () => {
  it('acknowledges slots in order, however late the first one lands', async () => {
    const { time, store, acknowledged, write } = setUp({ hedgeShare: 0 });
    const held = store.intercept({ operation: 'put', key: slotKey(SID, 0) }, { kind: 'hold' });
    write();
    write();
    await time.run({ until: () => store.peek(slotKey(SID, 1)) !== undefined });
    await time.run({ untilMs: time.nowMs + 10 });
    assert.deepEqual(acknowledged, []);
    held.held[0]?.release();
    await time.run({ until: () => acknowledged.length === 2 });
    assert.deepEqual(acknowledged, [0, 1]);
  });

  it('takes a 412 on its own object for success', async () => {
    const { time, store, session, acknowledged, write } = setUp();
    store.intercept({ operation: 'put', key: slotKey(SID, 0) }, { kind: 'answer-lost' });
    write();
    await time.run({ until: () => acknowledged.length === 1 });
    assert.equal(session.counters.own412, 1);
    assert.ok(session.live);
  });

  it('dies of a foreign object in its slot, and acknowledges nothing from there on', async () => {
    const { time, store, session, deaths, acknowledged, write } = setUp();
    store.plant(slotKey(SID, 1), Buffer.from('fence'), 'fence/other/1');
    write();
    write();
    write();
    await time.run({ until: () => deaths.length > 0 });
    await time.untilIdle();
    assert.ok(!session.live);
    assert.ok(acknowledged.every((slot) => slot === 0));
    assert.match(deaths[0]?.message ?? '', /fenced/);
    await assert.rejects(session.confirm(), { code: 'NOT_LEADER_OR_FOLLOWER' });
  });

  it('sends a slow slot a second time, the same bytes under the same key', async () => {
    const { time, store, session, acknowledged, write } = setUp({ hedgeShare: 1 });
    for (let count = 0; count < 32; count++) {
      write();
      await time.run({ until: () => acknowledged.length === count + 1 });
    }
    const before = session.counters.hedges;
    store.intercept({ operation: 'put', key: slotKey(SID, 32) }, { kind: 'hold' });
    write();
    await time.run({ until: () => acknowledged.length === 33 });
    assert.equal(session.counters.hedges, before + 1);
  });

  it('confirms by asking for the slot that was never issued', async () => {
    const { time, session } = setUp();
    await time.drive(() => session.confirm());
    assert.equal(session.counters.confirmations, 1);
  });

  it('serves all waiting callers with one confirmation that begins after they came', async () => {
    const { time, session } = setUp();
    await time.drive(() => Promise.all([session.confirm(), session.confirm(), session.confirm()]));
    assert.ok(session.counters.confirmations <= 2);
  });

  it('is not confirmed by a slot that was sent before the question', async () => {
    const { time, store, session, acknowledged, write } = setUp({ hedgeShare: 0 });
    write();
    await time.run({ until: () => store.peek(slotKey(SID, 0)) !== undefined });
    store.plant(slotKey(SID, 1), Buffer.from('fence'), 'fence/other/1');
    const confirmed = session.confirm().then(
      () => 'confirmed',
      () => 'dead',
    );
    assert.equal(await time.drive(() => confirmed), 'dead');
    assert.deepEqual(acknowledged, [0]);
  });

  it('ends with END in its next slot', async () => {
    const { time, store, session } = setUp();
    await time.drive(() => session.end());
    assert.equal(store.peek(slotKey(SID, 0))?.info.id?.startsWith(`${SID}/0/`), true);
  });
});
