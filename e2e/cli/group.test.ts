import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Kafka, logLevel } from 'kafkajs';
import type { Consumer } from 'kafkajs';
import { BrokerFixture } from '../broker/broker-fixture.ts';
import { firn, json } from './firn-cli.ts';

describe('firn group', () => {
  let fixture: BrokerFixture;
  let kafka: Kafka;
  const consumers: Consumer[] = [];

  before(async () => {
    fixture = await BrokerFixture.start({ options: { groups: { initialRebalanceDelayMs: 0 } } });
    kafka = new Kafka({
      clientId: 'worker',
      brokers: [`127.0.0.1:${fixture.port}`],
      logLevel: logLevel.NOTHING,
    });
  });
  after(async () => {
    for (const consumer of consumers) await consumer.disconnect();
    await fixture.stop();
  });

  it('shows members, offsets and lag, and deletes a group that is empty', async () => {
    await fixture.createTopic('orders', 2);
    await firn(fixture, ['produce', 'orders', '--partition', '1'], { input: 'a\nb\nc\n' });
    const consumer = kafka.consumer({ groupId: 'billing' });
    consumers.push(consumer);
    await consumer.connect();
    await consumer.subscribe({ topic: 'orders', fromBeginning: true });
    const read = Promise.withResolvers<void>();
    await consumer.run({
      autoCommit: false,
      eachMessage: ({ message }) => {
        if (message.offset === '2') read.resolve();
        return Promise.resolve();
      },
    });
    await read.promise;
    await consumer.commitOffsets([{ topic: 'orders', partition: 1, offset: '1' }]);

    assert.match((await firn(fixture, ['group', 'list'])).out, /^billing +Classic +Stable +consumer$/im);
    const { out } = await firn(fixture, ['group', 'describe', 'billing']);
    assert.match(out, /^state +Stable$/m);
    assert.match(out, /^worker-\S+ +- +worker +\S+ +orders:0,1$/m);
    assert.match(out, /^orders +1 +1 +3 +2$/m);
    const described = json(await firn(fixture, ['group', 'describe', 'billing', '--json'])) as Record<
      string,
      unknown
    >;
    assert.deepEqual(described['offsets'], [
      { topic: 'orders', partition: 1, offset: 1, end: 3, lag: 2, metadata: '' },
    ]);

    const refused = await firn(fixture, ['group', 'delete', 'billing']);
    assert.equal(refused.code, 1);
    assert.match(refused.err, /^firn group: group billing was not deleted: NON_EMPTY_GROUP/);
    await consumer.disconnect();
    assert.deepEqual(await firn(fixture, ['group', 'delete', 'billing']), {
      code: 0,
      out: 'deleted billing\n',
      err: '',
    });
    assert.deepEqual(json(await firn(fixture, ['group', 'list', '--json'])), []);
  });

  it('a group that does not exist: exit code 1', async () => {
    for (const what of ['describe', 'delete']) {
      const { code, err } = await firn(fixture, ['group', what, 'nobody']);
      assert.equal(code, 1);
      assert.match(err, /nobody.*GROUP_ID_NOT_FOUND/);
    }
  });
});
