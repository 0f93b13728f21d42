import type { PartitionMetadata } from '../dataplane/client/kafka-client.ts';
import { movePartitions } from '../dataplane/client/placement-admin.ts';
import { sleep } from '../dataplane/runtime/runtime.ts';
import { UsageError } from './command.ts';
import type { Command, ExitCode } from './command.ts';
import { clusterOptions, clusterOptionsUsage, print, withCluster } from './cluster/cluster-session.ts';
import type { ClusterSession } from './cluster/cluster-session.ts';
import { parseOptions, wholeNumber } from './parse-options.ts';

export const moveCommand: Command = {
  name: 'move',
  summary: 'move partitions to another broker',
  usage: `usage: firn move TOPIC[:PARTITION[,PARTITION]…] --to BROKER [--no-wait]

Moves a topic, or some of its partitions, to the broker with this id, by graceful hand-over: clients follow, and nothing
they do fails. Workers and coordinators of tables go along. A topic of more than 64 partitions has them in groups with one
owner each: name all partitions of a group.

  --to BROKER                the id of the broker (firn status)
  --no-wait                  do not wait until it is done
${clusterOptionsUsage}

Exit code: 0 done, 1 the cluster refused, 2 wrong usage, 3 the cluster could not be reached.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...clusterOptions,
      to: { type: 'string' },
      'no-wait': { type: 'boolean', default: false },
    });
    const [what, ...more] = positionals;
    if (what === undefined) throw new UsageError('TOPIC is missing');
    if (more.length > 0) throw new UsageError(`${JSON.stringify(more[0])} is one word too many`);
    if (values.to === undefined) throw new UsageError('--to is missing: to which broker?');
    const to = wholeNumber('--to', values.to, 0, 2_147_483_647);
    const [topic = '', list] = what.split(':', 2);
    const wanted = list?.split(',').map((text) => wholeNumber('PARTITION', text, 0, 2_147_483_647));
    const asked = { topic, wanted, to, waits: !values['no-wait'], json: values.json };
    return await withCluster('move', values, io, (session) => move(asked, session));
  },
};

async function move(
  asked: {
    readonly topic: string;
    readonly wanted: readonly number[] | undefined;
    readonly to: number;
    readonly waits: boolean;
    readonly json: boolean;
  },
  { client, io }: ClusterSession,
): Promise<ExitCode> {
  const { topic, wanted, to, waits, json } = asked;
  const partitions = async (): Promise<readonly PartitionMetadata[]> => {
    const found = await client.retrying(() => client.topic(topic));
    return found.partitions.filter(({ partition }) => wanted?.includes(partition) ?? true);
  };
  const before = await partitions();
  const missing = wanted?.find((number) => !before.some(({ partition }) => partition === number));
  if (missing !== undefined) {
    io.err(`firn move: topic ${topic} has no partition ${missing}\n`);
    return 1;
  }
  await movePartitions(client, topic, before, to);
  const isThere = (all: readonly PartitionMetadata[]): boolean => all.every(({ leader }) => leader === to);
  while (waits && !isThere(await partitions())) await sleep(client.runtime, 100, io.signal);
  const moved = before.map(({ partition, leader }) => ({ partition, from: leader ?? null, to }));
  print(io, json, { topic, partitions: moved }, () =>
    moved
      .map(({ partition, from }) =>
        from === to
          ? `${topic}-${partition} is at broker ${to} already\n`
          : `${topic}-${partition} ${waits ? 'moved' : 'goes'} from broker ${from ?? '(none)'} to broker ${to}\n`,
      )
      .join(''),
  );
  return 0;
}
