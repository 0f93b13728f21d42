import type { PartitionMetadata } from '../dataplane/client/kafka-client.ts';
import { movePartitions, reassignments, replicasLedBy } from '../dataplane/client/placement-admin.ts';
import { sleep } from '../dataplane/runtime/runtime.ts';
import { UsageError } from './command.ts';
import type { Command, ExitCode } from './command.ts';
import { clusterOptions, clusterOptionsUsage, print, withCluster } from './cluster/cluster-session.ts';
import type { ClusterSession } from './cluster/cluster-session.ts';
import { parseOptions, wholeNumber } from './parse-options.ts';

const maxNumber = 2_147_483_647;
const lookEveryMs = 100;
/** For so long a broker may not have heard of a change that another one has made. */
const settledMs = 3_000;

export const moveCommand: Command = {
  name: 'move',
  summary: 'move partitions to another broker',
  usage: `usage: firn move TOPIC[:PARTITION[,PARTITION]…] --to BROKER [--no-wait]

Moves a topic, or some of its partitions, to the broker with this id, by graceful hand-over: clients follow, and nothing
they do fails. Workers and coordinators of tables go along. A topic of more than 64 partitions has them in groups with one
owner each: name all partitions of a group; who names a part is told which they are.

  --to BROKER                the id of the broker (firn status)
  --no-wait                  do not wait until it is done
${clusterOptionsUsage}

Exit code: 0 done, 1 the cluster refused or somebody called it off, 2 wrong usage, 3 the cluster could not be reached.`,

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
    const asked = {
      ...partitionsOf(what),
      to: wholeNumber('--to', values.to, 0, maxNumber),
      waits: !values['no-wait'],
      json: values.json,
    };
    return await withCluster('move', values, io, (session) => move(asked, session));
  },
};

interface Asked {
  readonly topic: string;
  /** `undefined`: all. */
  readonly wanted: ReadonlySet<number> | undefined;
  readonly to: number;
  readonly waits: boolean;
  readonly json: boolean;
}

function partitionsOf(text: string): Pick<Asked, 'topic' | 'wanted'> {
  const colon = text.indexOf(':');
  if (colon === -1) return { topic: text, wanted: undefined };
  const numbers = text.slice(colon + 1).split(',');
  return {
    topic: text.slice(0, colon),
    wanted: new Set(numbers.map((number) => wholeNumber('PARTITION', number, 0, maxNumber))),
  };
}

async function move({ topic, wanted, to, waits, json }: Asked, session: ClusterSession): Promise<ExitCode> {
  const { client, io } = session;
  const { brokers } = await client.retrying(() => client.metadata([]));
  const zones = new Map(brokers.map(({ id, rack }) => [id, rack]));
  const before = (await client.retrying(() => client.topic(topic))).partitions.filter(
    ({ partition }) => wanted?.has(partition) ?? true,
  );
  const known = new Set(before.map(({ partition }) => partition));
  const missing = [...(wanted ?? [])].find((number) => !known.has(number));
  if (missing !== undefined) {
    io.err(`firn move: topic ${topic} has no partition ${missing}\n`);
    return 1;
  }
  const moving = await movingIn(session, topic);
  // One that is there is asked for all the same while it is about to leave.
  const moved = before.filter(({ partition, leader }) => leader !== to || moving.has(partition));
  if (moved.length > 0) {
    const replicas = moved.map(
      ({ partition, replicas: present }) =>
        [partition, replicasLedBy(to, present, (id) => zones.get(id))] as const,
    );
    await movePartitions(client, topic, new Map(replicas));
  }
  const left = waits ? await untilLed(session, topic, { to, partitions: moved }) : [];
  const rows = before.map(({ partition, leader }) => ({
    partition,
    from: leader ?? null,
    to: left.find((one) => one.partition === partition)?.leader ?? to,
  }));
  print(io, json, { topic, partitions: rows }, () => {
    const verb = waits ? 'moved' : 'goes';
    return rows
      .filter(({ to: at }) => at === to)
      .map(({ partition, from }) =>
        from === to
          ? `${topic}-${partition} is at broker ${to}\n`
          : `${topic}-${partition} ${verb} from broker ${from ?? '(none)'} to broker ${to}\n`,
      )
      .join('');
  });
  for (const { partition, leader } of left) {
    io.err(
      `firn move: ${topic}-${partition} goes to broker ${to} no more, and is at broker ${leader ?? '(none)'}: ` +
        'somebody called it off, or that broker has ended\n',
    );
  }
  return left.length === 0 ? 0 : 1;
}

/** Resolves with what does not go there any more, as it is now; with nothing when all is there. */
async function untilLed(
  session: ClusterSession,
  topic: string,
  { to, partitions }: { readonly to: number; readonly partitions: readonly PartitionMetadata[] },
): Promise<readonly PartitionMetadata[]> {
  const { client, io } = session;
  const wanted = new Set(partitions.map(({ partition }) => partition));
  let stillSinceMs: number | undefined;
  for (;;) {
    const moving = await movingIn(session, topic);
    const now = (await client.retrying(() => client.topic(topic))).partitions;
    const left = now.filter(({ partition, leader }) => wanted.has(partition) && leader !== to);
    if (left.length === 0) return [];
    if (left.some(({ partition }) => moving.get(partition) === to)) stillSinceMs = undefined;
    else {
      stillSinceMs ??= client.runtime.monotonicMs();
      if (client.runtime.monotonicMs() - stillSinceMs > settledMs) return left;
    }
    await sleep(client.runtime, lookEveryMs, io.signal);
  }
}

/** Where partitions of a topic are on their way to. */
async function movingIn({ client }: ClusterSession, topic: string): Promise<ReadonlyMap<number, number>> {
  const all = await reassignments(client);
  return new Map(
    all.flatMap(({ topic: name, partition, to }) =>
      name === topic && to !== undefined ? [[partition, to] as const] : [],
    ),
  );
}
