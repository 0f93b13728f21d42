import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { compressionCodecs } from '../../dataplane/protocol/compression/codec.ts';
import { BrokerFixture } from '../broker/broker-fixture.ts';
import { firn } from './firn-cli.ts';

interface Line {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: unknown;
  readonly value: unknown;
  readonly headers: unknown[];
}

describe('firn produce and firn consume', () => {
  let fixture: BrokerFixture;

  before(async () => {
    fixture = await BrokerFixture.start();
  });
  after(() => fixture.stop());

  async function consumed(topic: string, ...args: readonly string[]): Promise<Line[]> {
    const { code, out, err } = await firn(fixture, ['consume', topic, '--json', ...args]);
    assert.equal(code, 0, err);
    return out.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]));
  }

  it('what went in comes out', async () => {
    await fixture.createTopic('plain');
    const produced = await firn(fixture, ['produce', 'plain'], { input: 'one\ntwo\n\nfour' });
    assert.deepEqual(produced, { code: 0, out: '', err: 'wrote 4 records to plain\n' });
    const consumed = await firn(fixture, ['consume', 'plain', '--from-beginning', '--until-end']);
    assert.deepEqual(consumed, { code: 0, out: 'one\ntwo\n\nfour\n', err: '' });
  });

  it('keys decide the partition as in Kafka, order holds in each', async () => {
    await fixture.createTopic('keyed', 4);
    const input = Array.from({ length: 200 }, (_, i) => `key-${i % 10}=${i}\n`).join('');
    const { err } = await firn(fixture, ['produce', 'keyed', '--key-separator', '='], { input });
    assert.match(err, /wrote 200 records/);
    const lines = await consumed('keyed', '--from-beginning', '--until-end');
    assert.equal(lines.length, 200);
    assert.equal(new Set(lines.map(({ partition }) => partition)).size > 1, true);
    for (const [key, ofKey] of Map.groupBy(lines, ({ key }) => key)) {
      assert.equal(new Set(ofKey.map(({ partition }) => partition)).size, 1, String(key));
      const values = ofKey.map(({ value }) => Number(value));
      assert.deepEqual(
        values,
        values.toSorted((a, b) => a - b),
      );
    }
    const text = await firn(fixture, [
      'consume',
      'keyed',
      '--from-beginning',
      '--until-end',
      '--key-separator',
      ':',
    ]);
    assert.match(text.out, /^key-3:3$/m);
  });

  it('every codec', async () => {
    await fixture.createTopic('codecs');
    for (const codec of compressionCodecs) {
      const { code, err } = await firn(fixture, ['produce', 'codecs', '--compression', codec], {
        input: `${codec}\n`.repeat(50),
      });
      assert.equal(code, 0, err);
    }
    const lines = await consumed('codecs', '--from-beginning', '--until-end');
    assert.deepEqual(
      lines.map(({ value }) => value),
      compressionCodecs.flatMap((codec) => Array.from({ length: 50 }, () => codec)),
    );
  });

  it('JSON has all of a record', async () => {
    await fixture.createTopic('json', 2);
    const before = Date.now();
    await firn(fixture, ['produce', 'json', '--partition', '1'], { input: 'ü\n' });
    await firn(fixture, ['produce', 'json', '--partition', '1'], { input: bytes(0xff, 0x0a) });
    const [text, binary] = await consumed('json', '--from-beginning', '-n', '2');
    assert(text !== undefined && binary !== undefined);
    assert.equal(text.timestamp >= before, true);
    assert.deepEqual(text, {
      topic: 'json',
      partition: 1,
      offset: 0,
      timestamp: text.timestamp,
      key: null,
      value: 'ü',
      headers: [],
    });
    assert.deepEqual([binary.offset, binary.value], [1, { base64: '/w==' }]);
  });

  it('begins and ends where it is told', async () => {
    await fixture.createTopic('ranges');
    await firn(fixture, ['produce', 'ranges'], { input: '0\n1\n2\n3\n' });
    const values = async (...args: readonly string[]): Promise<unknown[]> =>
      (await consumed('ranges', ...args)).map(({ value }) => value);
    assert.deepEqual(await values('--from-beginning', '-n', '2'), ['0', '1']);
    assert.deepEqual(await values('--partition', '0', '--offset', '2', '--until-end'), ['2', '3']);
    assert.deepEqual(await values('--until-end'), []);
    const beyond = await firn(fixture, ['consume', 'ranges', '--partition', '0', '--offset', '9']);
    assert.equal(beyond.code, 1);
    assert.match(beyond.err, /ranges-0 could not be read from offset 9 on: .*OFFSET_OUT_OF_RANGE/);
  });

  it('prints records as they come, until it is interrupted', async () => {
    await fixture.createTopic('live');
    const interrupted = new AbortController();
    const printed: string[] = [];
    const seen = Promise.withResolvers<void>();
    const consuming = firn({ port: fixture.port }, ['consume', 'live', '--from-beginning'], {
      signal: interrupted.signal,
      onOut: (text) => {
        printed.push(text);
        if (printed.join('') === 'a\nb\n') seen.resolve();
      },
    });
    await firn(fixture, ['produce', 'live'], { input: 'a\n' });
    await firn(fixture, ['produce', 'live'], { input: 'b\n' });
    await seen.promise;
    interrupted.abort();
    assert.equal((await consuming).code, 0);
  });

  it('produce says what is wrong', async () => {
    await fixture.createTopic('strict', 1, { 'max.message.bytes': '1000' });
    for (const [args, input, message] of [
      [['nowhere'], 'a\n', /^firn produce: there is no topic nowhere/],
      [['strict', '--partition', '5'], 'a\n', /topic strict has 1 partitions and no partition 5/],
      [
        ['strict', '--key-separator', ':'],
        'a:b\nc\n',
        /^wrote 1 record to strict\nfirn produce: line 2 does not have the key separator ":"\n$/,
      ],
      [
        ['strict'],
        `${'x'.repeat(2000)}\n`,
        /records could not be written to strict-0: .*MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE/,
      ],
    ] as const) {
      const { code, err } = await firn(fixture, ['produce', ...args], { input });
      assert.equal(code, 1, args.join(' '));
      assert.match(err, message);
    }
  });
});

async function* bytes(...values: readonly number[]): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(Uint8Array.from(values));
}
