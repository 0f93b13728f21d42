import { offsetAt, offsetsOf } from '../dataplane/client/offsets.ts';
import { TopicReader } from '../dataplane/client/topic-reader.ts';
import type { ReadRecord } from '../dataplane/client/topic-reader.ts';
import { UsageError } from './command.ts';
import type { Command, ExitCode } from './command.ts';
import { clusterOptions, clusterOptionsUsage, withCluster } from './cluster/cluster-session.ts';
import type { ClusterSession } from './cluster/cluster-session.ts';
import { parseOptions, wholeNumber } from './parse-options.ts';

export const consumeCommand: Command = {
  name: 'consume',
  summary: 'print the records of a topic',
  usage: `usage: firn consume TOPIC [options]

Prints what is written to the topic from now on, one value a line, until it is interrupted. It belongs to no group and
commits nothing.

  --from-beginning           begin with the oldest records
  --partition N              only this partition
  --offset N                 begin at this offset (with --partition)
  -n, --count N              end after so many records
  --until-end                end where the partitions ended when it began
  --key-separator TEXT       print the key too, before this text
  --json                     one JSON object a line: topic, partition, offset, timestamp (ms), key, value, headers; bytes that
                             are not UTF-8 as {"base64": …}
${clusterOptionsUsage.replace(/\n {2}--json.*$/s, '')}

Exit code: 0 ended as asked or interrupted, 1 the cluster refused, 2 wrong usage, 3 the cluster could not be reached.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...clusterOptions,
      'from-beginning': { type: 'boolean', default: false },
      partition: { type: 'string' },
      offset: { type: 'string' },
      count: { type: 'string', short: 'n' },
      'until-end': { type: 'boolean', default: false },
      'key-separator': { type: 'string' },
    });
    const [topic, ...more] = positionals;
    if (topic === undefined) throw new UsageError('TOPIC is missing');
    if (more.length > 0) throw new UsageError(`${JSON.stringify(more[0])} is one word too many`);
    const { partition, offset, count, json } = values;
    if (offset !== undefined && partition === undefined)
      throw new UsageError('--offset is for one partition: give --partition too');
    if (offset !== undefined && values['from-beginning'])
      throw new UsageError('--offset and --from-beginning say two things');
    const asked: Asked = {
      topic,
      partition: partition === undefined ? undefined : wholeNumber('--partition', partition, 0, 2 ** 31 - 1),
      begin:
        offset === undefined
          ? values['from-beginning']
            ? 'earliest'
            : 'latest'
          : wholeNumber('--offset', offset, 0, Number.MAX_SAFE_INTEGER),
      count: count === undefined ? Infinity : wholeNumber('--count', count, 1, Number.MAX_SAFE_INTEGER),
      untilEnd: values['until-end'],
      text: json
        ? (record) => jsonLine(topic, record)
        : (record) => plainLine(record, values['key-separator']),
    };
    return await withCluster('consume', values, io, (session) => consume(asked, session), {
      endsItself: true,
    });
  },
};

interface Asked {
  readonly topic: string;
  readonly partition: number | undefined;
  readonly begin: 'earliest' | 'latest' | number;
  readonly count: number;
  readonly untilEnd: boolean;
  readonly text: (record: ReadRecord) => string;
}

async function consume(asked: Asked, { client, io }: ClusterSession): Promise<ExitCode> {
  const { topic, begin, untilEnd } = asked;
  const only = asked.partition === undefined ? undefined : [asked.partition];
  const ends = untilEnd ? await offsetsOf(client, topic, offsetAt.latest, only) : undefined;
  const from =
    typeof begin === 'number'
      ? new Map((only ?? []).map((partition) => [partition, begin]))
      : await offsetsOf(client, topic, offsetAt[begin], only);
  const reader = new TopicReader({ client, topic, from, signal: io.signal });
  let left = asked.count;
  /** Whether there is nothing more to come. */
  const dropEnded = (): void => {
    for (const [partition, end] of ends ?? [])
      if ((reader.positions.get(partition) ?? end) >= end) reader.drop(partition);
  };
  dropEnded();
  try {
    for await (const records of reader.read()) {
      const shown = records.filter(({ partition, offset }) => offset < (ends?.get(partition) ?? Infinity));
      io.out(shown.slice(0, left).map(asked.text).join(''));
      await io.written?.();
      left -= shown.length;
      if (left <= 0) return 0;
      dropEnded();
    }
  } catch (error) {
    if (!io.signal.aborted) throw error;
  }
  return 0;
}

function plainLine({ key, value }: ReadRecord, keySeparator: string | undefined): string {
  const text = lenient(value);
  return keySeparator === undefined ? `${text}\n` : `${lenient(key)}${keySeparator}${text}\n`;
}

function jsonLine(topic: string, record: ReadRecord): string {
  const { partition, offset, timestampMs, key, value, headers } = record;
  return `${JSON.stringify({
    topic,
    partition,
    offset,
    timestamp: timestampMs,
    key: exact(key),
    value: exact(value),
    headers: headers.map((header) => ({ key: header.key, value: exact(header.value) })),
  })}\n`;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function lenient(bytes: Uint8Array | null): string {
  return bytes === null ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}

function exact(bytes: Uint8Array | null): string | { readonly base64: string } | null {
  if (bytes === null) return null;
  try {
    return utf8.decode(bytes);
  } catch {
    return { base64: Buffer.from(bytes).toString('base64') };
  }
}
