import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { BrokerConnection } from '../../dataplane/client/broker-connection.ts';
import { ClientError } from '../../dataplane/client/errors.ts';
import { KafkaClient } from '../../dataplane/client/kafka-client.ts';
import { KafkaError } from '../../dataplane/client/kafka-error.ts';
import { offsetAt, offsetsOf } from '../../dataplane/client/offsets.ts';
import { Producer } from '../../dataplane/client/producer.ts';
import { TopicReader } from '../../dataplane/client/topic-reader.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { BrokerFixture } from '../broker/broker-fixture.ts';

/** Loses the answers to every other request that goes to a leader: the broker has done what was asked for. */
class LossyClient extends KafkaClient {
  lost = 0;
  #requests = 0;
  readonly #lossy = new WeakSet<BrokerConnection>();

  override async broker(id: number): Promise<BrokerConnection> {
    const connection = await super.broker(id);
    if (this.#lossy.has(connection)) return connection;
    this.#lossy.add(connection);
    const request = connection.request.bind(connection);
    connection.request = async (api, input, options) => {
      const answer = await request(api, input, options);
      if (this.#requests++ % 2 === 1) return answer;
      this.lost += 1;
      connection.close();
      throw new ClientError('DISCONNECTED', 'the answer was lost');
    };
    return connection;
  }
}

describe('our own client', () => {
  const closing: { close(): void }[] = [];
  const fixtures: BrokerFixture[] = [];

  afterEach(async () => {
    for (const client of closing.splice(0)) client.close();
    for (const fixture of fixtures.splice(0)) await fixture.stop();
  });

  async function start(...args: Parameters<typeof BrokerFixture.start>): Promise<BrokerFixture> {
    const fixture = await BrokerFixture.start(...args);
    fixtures.push(fixture);
    return fixture;
  }

  function optionsOf(...ports: readonly number[]): ConstructorParameters<typeof KafkaClient>[0] {
    const bootstrap = ports.map((port) => ({ host: '127.0.0.1', port }));
    return { bootstrap, clientId: 'test', runtime: realRuntime };
  }

  async function readAll(client: KafkaClient, topic: string): Promise<string[]> {
    const ends = await offsetsOf(client, topic, offsetAt.latest);
    const reader = new TopicReader({
      client,
      topic,
      from: await offsetsOf(client, topic, offsetAt.earliest),
    });
    const values: string[] = [];
    const isAtEnd = (): boolean =>
      [...ends].every(([partition, end]) => reader.positions.get(partition) === end);
    if (isAtEnd()) return values;
    for await (const records of reader.read()) {
      values.push(...records.map(({ value }) => String(value)));
      if (isAtEnd()) break;
    }
    return values;
  }

  it('writes each record once and in order though answers are lost', async () => {
    const fixture = await start();
    await fixture.createTopic('once');
    const client = new LossyClient(optionsOf(fixture.port));
    closing.push(client);
    const producer = new Producer({ client, topic: 'once', batchBytes: 500 });
    const values = Array.from({ length: 100 }, (_, i) => `value ${i}`);
    for (const value of values) await producer.add({ value });
    await producer.flush();
    assert.equal(producer.recordsWritten, 100);
    assert(client.lost > 5, `${client.lost} answers were lost`);
    assert.deepEqual(await readAll(client, 'once'), values);
  });

  it('reads on where it was when the broker comes back elsewhere', async () => {
    const first = await start();
    await first.createTopic('moved');
    const port = first.port;
    const writer = new KafkaClient(optionsOf(port));
    closing.push(writer);
    const producer = new Producer({ client: writer, topic: 'moved' });
    await producer.add({ value: 'before' });
    await producer.flush();
    fixtures.splice(0);
    await first.stop();
    const second = await start({ store: first.store });
    const client = new KafkaClient(optionsOf(port, second.port));
    closing.push(client);
    assert.deepEqual(await readAll(client, 'moved'), ['before']);
    const again = new Producer({ client, topic: 'moved' });
    await again.add({ value: 'after' });
    await again.flush();
    assert.deepEqual(await readAll(client, 'moved'), ['before', 'after']);
  });

  it('writes no further record after one that was refused', async () => {
    const fixture = await start();
    await fixture.createTopic('small', 1, { 'max.message.bytes': '200' });
    const client = new KafkaClient(optionsOf(fixture.port));
    closing.push(client);
    const producer = new Producer({ client, topic: 'small', batchBytes: 1 });
    await producer.add({ value: 'fits' });
    await producer.flush();
    await producer.add({ value: 'x'.repeat(1_000) }).catch(() => undefined);
    await assert.rejects(
      producer.flush(),
      (error: unknown) => error instanceof KafkaError && !error.retriable,
    );
    await assert.rejects(producer.add({ value: 'fits too' }), KafkaError);
    await assert.rejects(producer.flush(), KafkaError);
    assert.equal(producer.recordsWritten, 1);
    assert.deepEqual(await readAll(client, 'small'), ['fits']);
  });

  it('a call after close is refused', async () => {
    const client = new KafkaClient(optionsOf(1));
    client.close();
    await assert.rejects(
      client.any(),
      (error: unknown) => error instanceof ClientError && error.code === 'CLOSED',
    );
  });
});
