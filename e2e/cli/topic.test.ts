import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { BrokerFixture } from '../broker/broker-fixture.ts';
import { firn, json } from './firn-cli.ts';

describe('firn topic and firn status', () => {
  let fixture: BrokerFixture;

  before(async () => {
    fixture = await BrokerFixture.start();
  });
  after(() => fixture.stop());

  it('create, list, describe, delete', async () => {
    const created = await firn(fixture, [
      'topic',
      'create',
      'orders',
      '--partitions',
      '3',
      '--config',
      'retention.ms=60000',
    ]);
    assert.deepEqual(created, { code: 0, out: 'created orders, partitions: 3\n', err: '' });
    assert.match((await firn(fixture, ['topic', 'list'])).out, /^TOPIC +PARTITIONS\norders +3\n$/);
    const listed = json(await firn(fixture, ['topic', 'list', '--json'])) as { topicId: string }[];
    const topicId = listed[0]?.topicId ?? '';
    assert.deepEqual(listed, [{ name: 'orders', topicId, partitions: 3, isInternal: false }]);
    await fixture.serving(topicId, 3);
    const { out } = await firn(fixture, ['topic', 'describe', 'orders']);
    assert.match(out, /^config +retention\.ms=60000$/m);
    assert.match(out, /^ +2 +0 +1 +0 +0 +0$/m);
    const described = json(await firn(fixture, ['topic', 'describe', 'orders', '--json']));
    assert.deepEqual(described, {
      name: 'orders',
      topicId,
      isInternal: false,
      configs: { 'retention.ms': '60000' },
      partitions: [0, 1, 2].map((partition) => ({ partition, leader: 0, leaderEpoch: 1, start: 0, end: 0 })),
    });
    assert.deepEqual(await firn(fixture, ['topic', 'delete', 'orders']), {
      code: 0,
      out: 'deleted orders\n',
      err: '',
    });
    assert.deepEqual(json(await firn(fixture, ['topic', 'list', '--json'])), []);
  });

  it('what the cluster refuses is said, exit code 1', async () => {
    await fixture.createTopic('there');
    for (const [args, message] of [
      [['create', 'there'], /^firn topic: topic there was not created: .*\(TOPIC_ALREADY_EXISTS\)\n$/],
      [['create', 'new', '--config', 'retention.ms=x'], /retention\.ms.*\(INVALID_CONFIG\)/],
      [['create', 'a/b'], /\(INVALID_TOPIC_EXCEPTION\)/],
      [['describe', 'nowhere'], /there is no topic nowhere: UNKNOWN_TOPIC_OR_PARTITION/],
      [['delete', 'nowhere'], /topic nowhere was not deleted: .*UNKNOWN_TOPIC_OR_PARTITION/],
      [['config', 'there', 'no.such=1'], /configs of topic there were not changed: .*no\.such/],
    ] as const) {
      const { code, err } = await firn(fixture, ['topic', ...args]);
      assert.equal(code, 1, args.join(' '));
      assert.match(err, message);
    }
  });

  it('config shows, sets and unsets', async () => {
    await fixture.createTopic('configured');
    const all = await firn(fixture, ['topic', 'config', 'configured']);
    assert.match(all.out, /^retention\.ms +604800000 +default$/m);
    const set = await firn(fixture, [
      'topic',
      'config',
      'configured',
      'retention.ms=1000',
      'cleanup.policy=delete',
    ]);
    assert.match(
      set.out,
      /^CONFIG +VALUE +SET BY\ncleanup\.policy +delete +topic\nretention\.ms +1000 +topic\n$/,
    );
    const unset = await firn(fixture, ['topic', 'config', 'configured', '--unset', 'retention.ms', '--json']);
    assert.deepEqual(json(unset), [
      { name: 'retention.ms', value: '604800000', readOnly: false, source: 'default' },
    ]);
  });

  it('status tells of brokers and partitions', async () => {
    await fixture.createTopic('counted', 2);
    const { code, out } = await firn(fixture, ['status']);
    assert.equal(code, 0);
    assert.match(out, /^partitions +\d+, without a leader: 0$/m);
    assert.match(out, new RegExp(`^ +0 +alive +a +127\\.0\\.0\\.1:${fixture.port} +\\d+ +\\d+$`, 'm'));
    const value = json(await firn(fixture, ['status', '--json'])) as {
      brokers: object[];
      leaderless: object[];
    };
    assert.equal(value.brokers.length, 1);
    assert.deepEqual(value.leaderless, []);
  });

  it('a cluster that is not there: exit code 3 and what to look at', async () => {
    for (const args of [
      ['status'],
      ['topic', 'list'],
      ['group', 'list'],
      ['produce', 'x'],
      ['consume', 'x'],
    ]) {
      const { code, err } = await firn({ port: 1 }, args);
      assert.equal(code, 3, args.join(' '));
      assert.match(
        err,
        /^firn \w+: cannot connect to 127\.0\.0\.1:1: .*; is a broker running there \("firn up"\)/,
      );
    }
  });

  it('wrong usage: exit code 2 and what would be right', async () => {
    for (const [args, message] of [
      [['topic'], /the first word is one of list, create, describe, config, delete, not "nothing"/],
      [['topic', 'make'], /not "make"/],
      [['topic', 'create'], /NAME is missing/],
      [['topic', 'create', 'a', 'b'], /"b" is one word too many/],
      [['topic', 'create', 'a', '--config', 'b'], /"b" must be NAME=VALUE/],
      [
        ['topic', 'create', 'a', '--partitions', '0'],
        /--partitions is "0" but must be a whole number from 1 /,
      ],
      [['topic', 'list', '--partitions', '1'], /--partitions is an option of create/],
      [['group'], /the first word is one of list, describe, delete/],
      [['group', 'describe'], /NAME is missing/],
      [['status', 'x'], /"x" is one word too many/],
      [['produce'], /TOPIC is missing/],
      [['produce', 't', '--compression', 'rar'], /must be one of none, gzip, snappy, lz4, zstd/],
      [['consume', 't', '--offset', '1'], /give --partition too/],
      [['consume', 't', '-n', '0'], /--count is "0"/],
      [['topic', 'list', '--timeout', 'x'], /--timeout is "x" but must be a duration/],
    ] as const) {
      const { code, err } = await firn(fixture, args);
      assert.equal(code, 2, args.join(' '));
      assert.match(err, message);
      assert.match(err, /usage: firn /);
    }
  });
});
