/**
 * What Jepsen and users found in other systems, asked of ours over Kafka's protocol. Those that concern groups stand beside
 * the group coordinator; those that need takeovers and lost answers are mutants of the simulators.
 */
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { BrokerConnection } from '../../dataplane/client/broker-connection.ts';
import { fetch } from '../../dataplane/protocol/api/fetch.ts';
import { listOffsets } from '../../dataplane/protocol/api/list-offsets.ts';
import { produce } from '../../dataplane/protocol/api/produce.ts';
import { kafkaErrors } from '../../dataplane/protocol/error-code.ts';
import { buildBatch } from '../../dataplane/protocol/record-batch-builder.ts';
import { parseBatches } from '../../dataplane/protocol/record-batch.ts';
import { BrokerFixture } from './broker-fixture.ts';

const fixtures: BrokerFixture[] = [];

async function start(...args: Parameters<typeof BrokerFixture.start>): Promise<BrokerFixture> {
  const fixture = await BrokerFixture.start(...args);
  fixtures.push(fixture);
  return fixture;
}

afterEach(async () => {
  for (const fixture of fixtures.splice(0)) await fixture.stop();
});

async function send(connection: BrokerConnection, topicId: string, records: Buffer) {
  const { responses } = await connection.request(produce, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ topicId, partitionData: [{ index: 0, records }] }],
  });
  const answer = responses[0]?.partitionResponses[0];
  assert(answer !== undefined);
  return answer;
}

function idempotent(baseSequence: number, count: number, size = 10): Buffer {
  return buildBatch({
    producerId: 7,
    producerEpoch: 0,
    baseSequence,
    records: Array.from({ length: count }, () => ({ value: Buffer.alloc(size), timestampMs: 0 })),
  });
}

async function read(connection: BrokerConnection, topicId: string, fetchOffset: number, isolationLevel = 0) {
  const { responses } = await connection.request(fetch, {
    maxWaitMs: 0,
    minBytes: 0,
    isolationLevel,
    topics: [{ topicId, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1_000_000 }] }],
    forgottenTopicsData: [],
  });
  const answer = responses[0]?.partitions[0];
  assert(answer !== undefined);
  return answer;
}

async function endOf(connection: BrokerConnection): Promise<number | undefined> {
  const { topics } = await connection.request(listOffsets, {
    replicaId: -1,
    topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
  });
  return topics[0]?.partitions[0]?.offset;
}

describe('what others got wrong', () => {
  it('Bufstream: a duplicate gets the offset of the first time, never 0; also after a restart (Redpanda #5356)', async () => {
    const first = await start();
    const topicId = await first.createTopic('orders');
    let connection = await first.connect();
    await send(connection, topicId, idempotent(0, 3));
    assert.equal((await send(connection, topicId, idempotent(3, 2))).baseOffset, 3);
    assert.equal((await send(connection, topicId, idempotent(3, 2))).baseOffset, 3);
    const { store } = first;
    await first.stop();
    const second = await start({ store });
    await second.serving(topicId, 1);
    connection = await second.connect();
    assert.equal((await send(connection, topicId, idempotent(3, 2))).baseOffset, 3);
    assert.equal((await send(connection, topicId, idempotent(5, 1))).baseOffset, 5);
    assert.equal(await endOf(connection), 6);
  });

  it('Redpanda #3039: what was appended is not appended again, whatever comes in between', async () => {
    const fixture = await start();
    const topicId = await fixture.createTopic('orders');
    const connection = await fixture.connect();
    for (let at = 0; at < 5; at++) await send(connection, topicId, idempotent(at, 1));
    for (let at = 0; at < 5; at++)
      assert.equal((await send(connection, topicId, idempotent(at, 1))).baseOffset, at);
    assert.equal(await endOf(connection), 5);
    const gap = await send(connection, topicId, idempotent(7, 1));
    assert.equal(gap.errorCode, kafkaErrors.OUT_OF_ORDER_SEQUENCE_NUMBER.code);
  });

  it('Redpanda #17966, Inkless KC-387: ends and starts are found again after a restart, not taken for 0', async () => {
    const first = await start();
    const topicId = await first.createTopic('orders');
    await send(await first.connect(), topicId, idempotent(0, 10));
    await first.broker.log.deleteRecords(topicId, 0, 4);
    const { store } = first;
    await first.stop();
    const second = await start({ store });
    await second.serving(topicId, 1);
    const connection = await second.connect();
    assert.equal(await endOf(connection), 10);
    const answer = await read(connection, topicId, 10);
    assert.deepEqual([answer.errorCode, answer.highWatermark, answer.logStartOffset], [0, 10, 4]);
    assert.equal((await read(connection, topicId, 3)).errorCode, kafkaErrors.OFFSET_OUT_OF_RANGE.code);
  });

  it('Tansu: a fetch at an offset inside a batch gets the batch', async () => {
    const fixture = await start();
    const topicId = await fixture.createTopic('orders');
    const connection = await fixture.connect();
    await send(connection, topicId, idempotent(0, 10));
    const { records } = await read(connection, topicId, 5);
    assert.equal(parseBatches(records ?? new Uint8Array(0), { verifyCrc: true })[0]?.baseOffset, 0);
  });

  it('Tansu: max.message.bytes is enforced', async () => {
    const fixture = await start();
    const topicId = await fixture.createTopic('orders', 1, { 'max.message.bytes': '1000' });
    const connection = await fixture.connect();
    const answer = await send(connection, topicId, idempotent(0, 1, 2_000));
    assert.equal(answer.errorCode, kafkaErrors.MESSAGE_TOO_LARGE.code);
    assert.equal(await endOf(connection), 0);
  });

  it('Tansu, AutoMQ #754: read_committed sees what is committed, and no more than the last stable offset', async () => {
    const fixture = await start();
    const topicId = await fixture.createTopic('orders');
    const connection = await fixture.connect();
    await send(connection, topicId, idempotent(0, 2));
    const answer = await read(connection, topicId, 0, 1);
    assert.equal(answer.lastStableOffset, 2);
    assert.equal(parseBatches(answer.records ?? new Uint8Array(0), { verifyCrc: true }).length, 1);
  });

  it('Bufstream: a consumer at the end gets on when there is more', async () => {
    const fixture = await start();
    const topicId = await fixture.createTopic('orders');
    const connection = await fixture.connect();
    for (let at = 0; at < 30; at++) {
      assert.equal((await read(connection, topicId, at)).records?.length ?? 0, 0);
      await send(connection, topicId, idempotent(at, 1));
      assert.notEqual((await read(connection, topicId, at)).records?.length ?? 0, 0);
    }
  });
});
