import { Producer } from '../dataplane/client/producer.ts';
import { compressionCodecs } from '../dataplane/protocol/compression/codec.ts';
import type { CompressionCodec } from '../dataplane/protocol/compression/codec.ts';
import type { RecordInput } from '../dataplane/protocol/record-encoder.ts';
import { untilAborted } from '../dataplane/store/body.ts';
import { UsageError } from './command.ts';
import type { Command, ExitCode } from './command.ts';
import { clusterOptions, clusterOptionsUsage, print, withCluster } from './cluster/cluster-session.ts';
import type { ClusterSession } from './cluster/cluster-session.ts';
import { linesOf } from './lines.ts';
import { parseOptions, wholeNumber } from './parse-options.ts';

export const produceCommand: Command = {
  name: 'produce',
  summary: 'write lines of standard input to a topic',
  usage: `usage: firn produce TOPIC [options] < LINES

Each line becomes a record, acknowledged when it is durable, in the order of the lines for each partition. Ends at the end
of the input, or when it is interrupted: then with what it has read.

  --key-separator TEXT       what stands before it in a line is the key; without it records have no key
  --partition N              write all to this partition (default: by the key, as Kafka's clients do)
  --compression CODEC        one of ${compressionCodecs.join(', ')} (default: none)
${clusterOptionsUsage}

Exit code: 0 all were written, 1 some were not, 2 wrong usage, 3 the cluster could not be reached.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...clusterOptions,
      'key-separator': { type: 'string' },
      partition: { type: 'string' },
      compression: { type: 'string', default: 'none' },
    });
    const [topic, ...more] = positionals;
    if (topic === undefined) throw new UsageError('TOPIC is missing');
    if (more.length > 0) throw new UsageError(`${JSON.stringify(more[0])} is one word too many`);
    const { partition, 'key-separator': keySeparator } = values;
    if (keySeparator === '') throw new UsageError('--key-separator is empty');
    const asked: Asked = {
      topic,
      partition: partition === undefined ? undefined : wholeNumber('--partition', partition, 0, 2 ** 31 - 1),
      keySeparator: keySeparator === undefined ? undefined : Buffer.from(keySeparator),
      compression: codecOf(values.compression),
      json: values.json,
    };
    return await withCluster('produce', values, io, (session) => produce(asked, session), {
      endsItself: true,
    });
  },
};

interface Asked {
  readonly topic: string;
  readonly partition: number | undefined;
  readonly keySeparator: Buffer | undefined;
  readonly compression: CompressionCodec;
  readonly json: boolean;
}

function codecOf(text: string): CompressionCodec {
  const codec = compressionCodecs.find((candidate) => candidate === text);
  if (codec !== undefined) return codec;
  throw new UsageError(
    `--compression is ${JSON.stringify(text)} but must be one of ${compressionCodecs.join(', ')}`,
  );
}

async function produce(asked: Asked, { client, io }: ClusterSession): Promise<ExitCode> {
  const { topic, partition, keySeparator, compression, json } = asked;
  const producer = new Producer({ client, topic, compression });
  const groups = linesOf(io.input ?? [])[Symbol.asyncIterator]();
  let lines = 0;
  let wrong: string | undefined;
  let isDone = false;
  try {
    // A topic that does not exist is said before anything is typed.
    await client.retrying(() => client.topic(topic));
    while (wrong === undefined && !io.signal.aborted) {
      const next = await untilAborted(groups.next(), io.signal).catch((error: unknown) => {
        if (io.signal.aborted) return undefined;
        throw error;
      });
      if (next === undefined || next.done === true) break;
      for (const line of next.value) {
        lines += 1;
        const record = recordOf(line, keySeparator);
        if (record === undefined) {
          wrong = `line ${lines} does not have the key separator ${JSON.stringify(String(keySeparator))}`;
          break;
        }
        await producer.add(record, partition);
      }
      await producer.flush();
    }
    isDone = wrong === undefined;
  } finally {
    const { recordsWritten } = producer;
    if (recordsWritten > 0 || isDone) {
      if (json) print(io, true, { topic, recordsWritten }, () => '');
      else io.err(`wrote ${recordsWritten} ${recordsWritten === 1 ? 'record' : 'records'} to ${topic}\n`);
    }
  }
  if (wrong === undefined) return 0;
  io.err(`firn produce: ${wrong}\n`);
  return 1;
}

/** `undefined`: the line has no separator. */
function recordOf(line: Buffer, keySeparator: Buffer | undefined): RecordInput | undefined {
  const timestampMs = Date.now();
  if (keySeparator === undefined) return { value: line, timestampMs };
  const at = line.indexOf(keySeparator);
  if (at === -1) return undefined;
  return { key: line.subarray(0, at), value: line.subarray(at + keySeparator.length), timestampMs };
}
