import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { skipUnless } from '../tools/real-part.ts';
import { javaTool } from './java-tools.ts';
import type { JavaTool } from './java-tools.ts';
import { suiteBrokers } from './suite-brokers.ts';

describe("Kafka's own tools for groups and offsets", { skip: await skipUnless('kafka') }, () => {
  const firn = suiteBrokers();

  async function tool(name: JavaTool, args: readonly string[], input = ''): Promise<string> {
    const { code, out, err } = await javaTool(name, firn.bootstrap, args, input);
    assert.equal(code, 0, `${name} ${args.join(' ')} ended with ${code}:\n${out}\n${err}`);
    return out;
  }

  async function consume(group: string, protocol: 'classic' | 'consumer'): Promise<void> {
    const out = await tool('kafka-console-consumer', [
      '--topic',
      'lines',
      '--from-beginning',
      '--max-messages',
      '6',
      '--group',
      group,
      '--command-property',
      `group.protocol=${protocol}`,
    ]);
    assert.equal(out.trim().split('\n').length, 6);
  }

  /** Records of `__consumer_offsets` as Kafka's formatter prints them: one JSON object each, without anything in between. */
  async function internalRecords(formatter: string): Promise<FormattedRecord[]> {
    const out = await tool('kafka-console-consumer', [
      '--topic',
      '__consumer_offsets',
      '--from-beginning',
      '--timeout-ms',
      '5000',
      '--formatter',
      `org.apache.kafka.tools.consumer.${formatter}`,
    ]);
    return out
      .split(/(?<=\})\s*(?=\{"key")/)
      .filter((text) => text.trim().startsWith('{'))
      .map((text) => JSON.parse(text.slice(0, text.lastIndexOf('}') + 1)) as FormattedRecord);
  }

  it('consume in both protocols', async () => {
    await tool('kafka-topics', ['--create', '--topic', 'lines', '--partitions', '2']);
    await tool('kafka-console-producer', ['--topic', 'lines'], 'a\nb\nc\nd\ne\nf\n');
    await consume('old', 'classic');
    await consume('new', 'consumer');
  });

  it("read the records of groups and offsets in __consumer_offsets by Kafka's formatters", async () => {
    const offsets = await internalRecords('OffsetsMessageFormatter');
    const committed = offsets.filter(({ value }) => value !== null);
    assert.deepEqual([...new Set(committed.map(({ key }) => key.data.group))].sort(), ['new', 'old']);
    assert(committed.every(({ value }) => value?.version === 4 && value.data['topicId'] !== undefined));
    const groups = await internalRecords('GroupMetadataMessageFormatter');
    const old = groups.filter(({ key }) => key.data.group === 'old');
    assert(old.some(({ value }) => value?.data['protocol'] === 'range'));
  });

  it('reset, delete and export offsets; delete groups', async () => {
    for (const group of ['old', 'new']) {
      const args = ['--group', group, '--topic', 'lines'];
      const reset = await tool('kafka-consumer-groups', [
        ...args,
        '--reset-offsets',
        '--to-earliest',
        '--execute',
      ]);
      assert.match(reset, new RegExp(`${group}\\s+lines\\s+[01]\\s+0`));
      const described = await tool('kafka-consumer-groups', ['--describe', '--group', group]);
      assert.match(described, new RegExp(`${group}\\s+lines\\s+[01]\\s+0\\s+\\d`));
      const state = await tool('kafka-consumer-groups', ['--describe', '--group', group, '--state']);
      assert.match(state, /Empty/);
      await consume(group, group === 'old' ? 'classic' : 'consumer');
      const deleted = await tool('kafka-consumer-groups', [...args, '--delete-offsets']);
      assert.match(deleted, /Successful/);
      assert.match(await tool('kafka-consumer-groups', ['--delete', '--group', group]), /successful/);
      const missing = await javaTool('kafka-consumer-groups', firn.bootstrap, [
        '--describe',
        '--group',
        group,
      ]);
      assert.match(missing.out + missing.err, /not found|does not exist/);
    }
  });
});

interface FormattedRecord {
  readonly key: { readonly type: number; readonly data: { readonly group: string } };
  readonly value: { readonly version: number; readonly data: Readonly<Record<string, unknown>> } | null;
}
