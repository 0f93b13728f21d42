import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { fetch } from '../../dataplane/protocol/api/fetch.ts';
import { listOffsets } from '../../dataplane/protocol/api/list-offsets.ts';
import { produce } from '../../dataplane/protocol/api/produce.ts';
import { kafkaErrors } from '../../dataplane/protocol/error-code.ts';
import { buildBatch } from '../../dataplane/protocol/record-batch-builder.ts';
import { parseBatches } from '../../dataplane/protocol/record-batch.ts';
import type { BrokerConnection } from '../../dataplane/client/broker-connection.ts';
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

async function send(connection: BrokerConnection, topicId: string, partition: number, ...values: string[]) {
  const records = buildBatch({
    records: values.map((value) => ({ value, timestampMs: Number(value) || 0 })),
  });
  const { responses } = await connection.request(produce, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ topicId, partitionData: [{ index: partition, records }] }],
  });
  const answer = responses[0]?.partitionResponses[0];
  assert(answer !== undefined);
  return answer;
}

async function read(
  connection: BrokerConnection,
  topicId: string,
  partition: number,
  fetchOffset: number,
  wait: { readonly maxWaitMs?: number; readonly minBytes?: number } = {},
) {
  const { responses } = await connection.request(fetch, {
    maxWaitMs: wait.maxWaitMs ?? 0,
    minBytes: wait.minBytes ?? 1,
    topics: [{ topicId, partitions: [{ partition, fetchOffset, partitionMaxBytes: 1_000_000 }] }],
    forgottenTopicsData: [],
  });
  const answer = responses[0]?.partitions[0];
  assert(answer !== undefined);
  return answer;
}

describe('a broker', () => {
  it('gives back what it was given', async () => {
    const fixture = await start();
    const topicId = await fixture.createTopic('orders', 3);
    const connection = await fixture.connect();
    assert.equal((await send(connection, topicId, 1, 'a', 'b')).baseOffset, 0);
    assert.equal((await send(connection, topicId, 1, 'c')).baseOffset, 2);
    const answer = await read(connection, topicId, 1, 1);
    assert.equal(answer.errorCode, 0);
    assert.equal(answer.highWatermark, 3);
    assert(answer.records !== null);
    assert.deepEqual(
      parseBatches(answer.records, { verifyCrc: true }).map(({ baseOffset, recordCount }) => [
        baseOffset,
        recordCount,
      ]),
      [
        [0, 2],
        [2, 1],
      ],
    );
  });

  it('answers a fetch that waits as soon as there are records', async () => {
    const fixture = await start();
    const topicId = await fixture.createTopic('orders');
    const [consumer, producer] = [await fixture.connect(), await fixture.connect()];
    const waiting = read(consumer, topicId, 0, 0, { maxWaitMs: 25_000 });
    await send(producer, topicId, 0, 'a');
    assert.equal((await waiting).highWatermark, 1);
  });

  it('answers in the order of the requests, a waiting fetch first', async () => {
    const fixture = await start();
    const topicId = await fixture.createTopic('orders');
    const connection = await fixture.connect();
    const order: string[] = [];
    const waiting = read(connection, topicId, 0, 0, { maxWaitMs: 25_000 }).then(() => order.push('fetch'));
    const sent = send(connection, topicId, 0, 'a').then(() => order.push('produce'));
    await Promise.all([waiting, sent]);
    assert.deepEqual(order, ['fetch', 'produce']);
  });

  it('gives offsets in the order in which requests of a connection arrived', async () => {
    const fixture = await start();
    const topicId = await fixture.createTopic('orders');
    const connection = await fixture.connect();
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, at) => send(connection, topicId, 0, String(at))),
    );
    assert.deepEqual(
      answers.map(({ baseOffset }) => baseOffset),
      answers.map((_, at) => at),
    );
  });

  it('finds records by their time', async () => {
    const fixture = await start();
    const topicId = await fixture.createTopic('orders');
    const connection = await fixture.connect();
    const nowMs = Math.floor(Date.now() / 1000) * 1000;
    await send(connection, topicId, 0, `${nowMs}`, `${nowMs + 10}`, `${nowMs + 20}`);
    await send(connection, topicId, 0, `${nowMs + 5}`, `${nowMs + 30}`, `${nowMs + 25}`);
    const ask = async (timestamp: number) => {
      const { topics } = await connection.request(listOffsets, {
        replicaId: -1,
        topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, timestamp }] }],
      });
      const answer = topics[0]?.partitions[0];
      return [answer?.errorCode, answer?.offset, (answer?.timestamp ?? 0) - nowMs];
    };
    assert.deepEqual(await ask(nowMs + 10), [0, 1, 10]);
    assert.deepEqual(await ask(nowMs + 11), [0, 2, 20]);
    assert.deepEqual(await ask(nowMs + 21), [0, 4, 30]);
    assert.deepEqual(await ask(nowMs + 31), [0, -1, -1 - nowMs]);
    assert.deepEqual(await ask(Number.MAX_SAFE_INTEGER), [0, -1, -1 - nowMs]);
    assert.deepEqual((await ask(-1)).slice(0, 2), [0, 6]);
    assert.deepEqual((await ask(-2)).slice(0, 2), [0, 0]);
    assert.deepEqual(await ask(-3), [0, 4, 30]);
  });

  it('refuses what Kafka refuses', async () => {
    const fixture = await start();
    const topicId = await fixture.createTopic('orders', 1, { 'max.message.bytes': '200' });
    const connection = await fixture.connect();
    const tooLarge = await send(connection, topicId, 0, 'x'.repeat(300));
    assert.equal(tooLarge.errorCode, kafkaErrors.MESSAGE_TOO_LARGE.code);
    assert.match(tooLarge.errorMessage ?? '', /max\.message\.bytes of the topic is 200/);
    const unknown = await send(connection, '0'.repeat(31) + '7', 0, 'a');
    assert.equal(unknown.errorCode, kafkaErrors.UNKNOWN_TOPIC_ID.code);
    const noPartition = await send(connection, topicId, 7, 'a');
    assert.equal(noPartition.errorCode, kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION.code);
    const beyond = await read(connection, topicId, 0, 5);
    assert.equal(beyond.errorCode, kafkaErrors.OFFSET_OUT_OF_RANGE.code);
  });

  it('has everything that was acknowledged after it was started anew', async () => {
    const fixture = await start();
    const topicId = await fixture.createTopic('orders');
    const before = await fixture.connect();
    await send(before, topicId, 0, 'a', 'b');
    const { store } = fixture;
    await fixture.stop();
    const again = await start({ store });
    const connection = await again.connect();
    await again.serving(topicId, 1);
    const answer = await read(connection, topicId, 0, 0);
    assert.equal(answer.highWatermark, 2);
    assert.equal((await send(connection, topicId, 0, 'c')).baseOffset, 2);
  });
});
