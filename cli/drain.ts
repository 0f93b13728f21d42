import { isCordoned, reassignments, setCordoned } from '../dataplane/client/placement-admin.ts';
import { ClientError } from '../dataplane/client/errors.ts';
import type { KafkaClient } from '../dataplane/client/kafka-client.ts';
import { KafkaError } from '../dataplane/client/kafka-error.ts';
import { sleep } from '../dataplane/runtime/runtime.ts';
import { UsageError } from './command.ts';
import type { Command, ExitCode } from './command.ts';
import { clusterOptions, clusterOptionsUsage, print, withCluster } from './cluster/cluster-session.ts';
import type { ClusterSession } from './cluster/cluster-session.ts';
import { parseOptions, wholeNumber } from './parse-options.ts';

const lookEveryMs = 200;

export const drainCommand: Command = {
  name: 'drain',
  summary: 'move everything off a broker, which then may be stopped',
  usage: `usage: firn drain BROKER [--no-wait]
       firn drain BROKER --undo

Cordons the broker with this id (its config firn.placement.cordoned): it is given nothing new, and what it has goes to
other brokers by graceful hand-over. Waits until it has nothing left. It stays cordoned, also when it is started again, until
--undo.

  --undo                     let it take part again
  --no-wait                  do not wait for that
${clusterOptionsUsage}

Exit code: 0 done, 1 the cluster refused, 2 wrong usage, 3 the cluster could not be reached.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...clusterOptions,
      undo: { type: 'boolean', default: false },
      'no-wait': { type: 'boolean', default: false },
    });
    const [id, ...more] = positionals;
    if (id === undefined) throw new UsageError('BROKER is missing');
    if (more.length > 0) throw new UsageError(`${JSON.stringify(more[0])} is one word too many`);
    const broker = wholeNumber('BROKER', id, 0, 2_147_483_647);
    const { undo, 'no-wait': noWait, json } = values;
    return await withCluster('drain', values, io, (session) =>
      undo ? uncordon(broker, json, session) : drain(broker, { waits: !noWait, json }, session),
    );
  },
};

async function uncordon(broker: number, json: boolean, { client, io }: ClusterSession): Promise<ExitCode> {
  await setCordoned(client, broker, false);
  print(io, json, { broker, cordoned: false }, () => `broker ${broker} takes part again\n`);
  return 0;
}

async function drain(
  broker: number,
  { waits, json }: { readonly waits: boolean; readonly json: boolean },
  { client, io }: ClusterSession,
): Promise<ExitCode> {
  const { brokers } = await client.retrying(() => client.metadata());
  if (!brokers.some(({ id }) => id === broker)) {
    io.err(`firn drain: there is no broker ${broker}; there are ${brokers.map(({ id }) => id).join(', ')}\n`);
    return 1;
  }
  const takers = await Promise.all(
    brokers.filter(({ id }) => id !== broker).map(({ id }) => canTakeOver(client, id)),
  );
  if (!takers.includes(true)) {
    io.err(
      `firn drain: there is no broker but ${broker} that could take what it leads: start one, or undo the drain of another\n`,
    );
    return 1;
  }
  await setCordoned(client, broker, true);
  let left = await ownedBy(broker, client);
  const first = left;
  for (let shown = -1; waits && left > 0; left = await ownedBy(broker, client)) {
    if (!json && left !== shown) io.err(`broker ${broker} has ${left} partitions …\n`);
    shown = left;
    await sleep(client.runtime, lookEveryMs, io.signal);
  }
  print(io, json, { broker, cordoned: true, had: first, left }, () =>
    left === 0
      ? `broker ${broker} has nothing left: it may be stopped; "firn drain ${broker} --undo" lets it take part again\n`
      : `broker ${broker} is cordoned, and has ${left} partitions still\n`,
  );
  return 0;
}

/** Whether it answers, and takes part. */
async function canTakeOver(client: KafkaClient, broker: number): Promise<boolean> {
  try {
    return !(await isCordoned(client, broker));
  } catch (error) {
    if (error instanceof ClientError || error instanceof KafkaError) return false;
    throw error;
  }
}

/** Partitions that a broker leads, or is about to lead. */
async function ownedBy(broker: number, client: KafkaClient): Promise<number> {
  const moving = await reassignments(client);
  const { topics } = await client.retrying(() => client.metadata());
  const led = topics.flatMap(({ partitions }) => partitions).filter(({ leader }) => leader === broker);
  const coming = moving.filter(({ topic, partition, to }) => {
    if (to !== broker) return false;
    const found = topics.find(({ name }) => name === topic)?.partitions[partition];
    return found?.leader !== broker;
  });
  return led.length + coming.length;
}
