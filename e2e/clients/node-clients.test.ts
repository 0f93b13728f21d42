import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  Admin,
  Consumer,
  MessagesStreamModes,
  Producer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka';
import { CompressionTypes, Kafka, logLevel } from 'kafkajs';
import { suiteBrokers } from './suite-brokers.ts';

for (const count of [1, 3] as const) suite(count);

function suite(count: 1 | 3): void {
  describe(`clients of Node.js, brokers: ${count}`, () => {
    const firn = suiteBrokers({ count });

    it('kafkajs: topics, an idempotent producer, a group that grows and shrinks, offsets', async () => {
      const kafka = new Kafka({
        clientId: 'kafkajs',
        brokers: firn.bootstrap.split(','),
        logLevel: logLevel.NOTHING,
      });
      const admin = kafka.admin();
      await admin.connect();
      await admin.createTopics({ topics: [{ topic: 'js', numPartitions: 4, replicationFactor: 3 }] });
      const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
      await producer.connect();
      const sent: string[] = [];
      for (let at = 0; at < 20; at++) {
        const messages = Array.from({ length: 10 }, (_, i) => ({
          key: `k${i}`,
          value: `${at}-${i}`,
          headers: { h: 'v' },
        }));
        const compression = at % 2 === 0 ? CompressionTypes.None : CompressionTypes.GZIP;
        await producer.send({ topic: 'js', messages, compression });
        sent.push(...messages.map(({ value }) => value));
      }
      const got = new Map<string, number>();
      const all = Promise.withResolvers<void>();
      const consumers = [1, 2].map(() => kafka.consumer({ groupId: 'js-group', heartbeatInterval: 500 }));
      for (const consumer of consumers) {
        await consumer.connect();
        await consumer.subscribe({ topic: 'js', fromBeginning: true });
        await consumer.run({
          eachMessage: ({ message }) => {
            const value = String(message.value);
            got.set(value, (got.get(value) ?? 0) + 1);
            if (got.size === sent.length) all.resolve();
            return Promise.resolve();
          },
        });
      }
      await all.promise;
      assert.deepEqual([...got.keys()].toSorted(), sent.toSorted());
      const described = await admin.describeGroups(['js-group']);
      assert.equal(described.groups[0]?.protocolType, 'consumer');
      for (const consumer of consumers) await consumer.disconnect();
      const [committed] = await admin.fetchOffsets({ groupId: 'js-group', topics: ['js'] });
      const ends = await admin.fetchTopicOffsets('js');
      const committedEnds = new Map(
        committed?.partitions.map(({ partition, offset }) => [partition, offset]),
      );
      for (const { partition, high } of ends)
        assert.equal(committedEnds.get(partition), high === '0' ? '-1' : high);
      await admin.deleteGroups(['js-group']);
      await admin.deleteTopics({ topics: ['js'] });
      await producer.disconnect();
      await admin.disconnect();
    });

    it('@platformatic/kafka: topics, producer, consumer', async () => {
      const options = { clientId: 'platformatic', bootstrapBrokers: firn.bootstrap.split(',') };
      const admin = new Admin(options);
      await admin.createTopics({ topics: ['pk'], partitions: 3, replicas: 1 });
      const producer = new Producer({ ...options, serializers: stringSerializers });
      const values = Array.from({ length: 50 }, (_, at) => `value-${at}`);
      for (const value of values) await producer.send({ messages: [{ topic: 'pk', key: value, value }] });
      const consumer = new Consumer({ ...options, groupId: 'pk-group', deserializers: stringDeserializers });
      const stream = await consumer.consume({
        topics: ['pk'],
        autocommit: true,
        mode: MessagesStreamModes.EARLIEST,
        maxWaitTime: 100,
      });
      const got: string[] = [];
      for await (const { value } of stream) {
        got.push(value);
        if (got.length === values.length) break;
      }
      assert.deepEqual(got.toSorted(), values.toSorted());
      await consumer.close(true);
      await producer.close();
      await admin.close();
    });
  });
}
