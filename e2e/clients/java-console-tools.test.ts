import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { skipUnless } from '../tools/real-part.ts';
import { javaTool } from './java-tools.ts';
import type { JavaTool } from './java-tools.ts';
import { suiteBrokers } from './suite-brokers.ts';

describe("Kafka's own command-line tools", { skip: await skipUnless('kafka') }, () => {
  const firn = suiteBrokers();

  /** The output of a tool that must succeed. */
  async function tool(name: JavaTool, args: readonly string[], input = ''): Promise<string> {
    const { code, out, err } = await javaTool(name, firn.bootstrap, args, input);
    assert.equal(code, 0, `${name} ${args.join(' ')} ended with ${code}:\n${out}\n${err}`);
    return out;
  }

  it('create, list, describe, extend and delete topics', async () => {
    await tool('kafka-topics', [
      '--create',
      '--topic',
      'orders',
      '--partitions',
      '3',
      '--replication-factor',
      '3',
    ]);
    assert.match(await tool('kafka-topics', ['--list']), /^orders$/m);
    const described = await tool('kafka-topics', ['--describe', '--topic', 'orders']);
    assert.match(described, /PartitionCount: 3/);
    await tool('kafka-topics', ['--alter', '--topic', 'orders', '--partitions', '5']);
    assert.match(await tool('kafka-topics', ['--describe', '--topic', 'orders']), /PartitionCount: 5/);
    const again = await javaTool('kafka-topics', firn.bootstrap, ['--create', '--topic', 'orders']);
    assert.match(again.out + again.err, /already exists/);
    await tool('kafka-topics', ['--delete', '--topic', 'orders']);
    assert.doesNotMatch(await tool('kafka-topics', ['--list']), /orders/);
  });

  it('produce and consume', async () => {
    await tool('kafka-topics', ['--create', '--topic', 'lines', '--partitions', '1']);
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
      await tool(
        'kafka-console-producer',
        ['--topic', 'lines', '--compression-codec', codec],
        `${codec}-1\n${codec}-2\n`,
      );
    }
    const out = await tool('kafka-console-consumer', [
      '--topic',
      'lines',
      '--from-beginning',
      '--max-messages',
      '10',
      '--group',
      'readers',
    ]);
    const expected = ['none', 'gzip', 'snappy', 'lz4', 'zstd'].flatMap((codec) => [
      `${codec}-1`,
      `${codec}-2`,
    ]);
    assert.deepEqual(out.trim().split('\n'), expected);
    const groups = await tool('kafka-consumer-groups', ['--describe', '--group', 'readers']);
    assert.match(groups, /readers\s+lines\s+0\s+10\s+10\s+0/);
    assert.match(await tool('kafka-consumer-groups', ['--list']), /^readers$/m);
    const offsets = await tool('kafka-get-offsets', ['--topic', 'lines']);
    assert.match(offsets, /lines:0:10/);
  });

  it('show and change configs', async () => {
    await tool('kafka-topics', ['--create', '--topic', 'settings', '--config', 'retention.ms=3600000']);
    const topic = ['--entity-type', 'topics', '--entity-name', 'settings'];
    assert.match(await tool('kafka-configs', [...topic, '--describe']), /retention\.ms=3600000/);
    await tool('kafka-configs', [...topic, '--alter', '--add-config', 'max.message.bytes=2000000']);
    await tool('kafka-configs', [...topic, '--alter', '--delete-config', 'retention.ms']);
    const described = await tool('kafka-configs', [...topic, '--describe']);
    assert.match(described, /max\.message\.bytes=2000000/);
    assert.doesNotMatch(described, /retention\.ms=/);
    const refused = await javaTool('kafka-configs', firn.bootstrap, [
      ...topic,
      '--alter',
      '--add-config',
      'cleanup.policy=[compact,delete]',
    ]);
    assert.notEqual(refused.code, 0);
    assert.match(refused.out + refused.err, /cleanup\.policy/);
  });

  it('delete records', async () => {
    await tool('kafka-topics', ['--create', '--topic', 'old']);
    await tool('kafka-console-producer', ['--topic', 'old'], 'a\nb\nc\n');
    const file = path.join(firn.folder, 'delete.json');
    await writeFile(
      file,
      JSON.stringify({ partitions: [{ topic: 'old', partition: 0, offset: 2 }], version: 1 }),
    );
    await tool('kafka-delete-records', ['--offset-json-file', file]);
    const rest = ['--topic', 'old', '--from-beginning', '--max-messages', '1'];
    assert.equal((await tool('kafka-console-consumer', rest)).trim(), 'c');
    assert.match(await tool('kafka-get-offsets', ['--topic', 'old', '--time', 'earliest']), /old:0:2/);
  });

  it('consume in a group of the consumer protocol (KIP-848)', async () => {
    await tool('kafka-topics', ['--create', '--topic', 'modern', '--partitions', '3']);
    await tool('kafka-console-producer', ['--topic', 'modern'], 'a\nb\nc\n');
    const out = await tool('kafka-console-consumer', [
      '--topic',
      'modern',
      '--from-beginning',
      '--max-messages',
      '3',
      '--group',
      'modern-readers',
      '--command-property',
      'group.protocol=consumer',
    ]);
    assert.deepEqual(out.trim().split('\n').toSorted(), ['a', 'b', 'c']);
    const described = await tool('kafka-consumer-groups', ['--describe', '--group', 'modern-readers']);
    assert.match(described, /modern-readers\s+modern\s+\d/);
    assert.match(
      await tool('kafka-consumer-groups', ['--list', '--type', 'consumer']),
      /^modern-readers\s+Consumer/m,
    );
  });

  it('show the cluster', async () => {
    assert.match(await tool('kafka-broker-api-versions', []), /ConsumerGroupHeartbeat\(68\): 0 to \d/);
    assert.match(await tool('kafka-log-dirs', ['--describe']), /"logDirs"/);
    assert.match(await tool('kafka-features', ['describe']), /group\.version/);
    const groups = await tool('kafka-consumer-groups', ['--all-groups', '--describe', '--state']);
    assert.match(groups, /modern-readers/);
  });
});
