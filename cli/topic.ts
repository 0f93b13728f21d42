import { offsetAt, offsetsOf } from '../dataplane/client/offsets.ts';
import { createTopic, deleteTopic, setTopicConfigs, topicConfigs } from '../dataplane/client/topic-admin.ts';
import type { TopicConfig } from '../dataplane/client/topic-admin.ts';
import { UsageError } from './command.ts';
import type { Command, CommandIo, ExitCode } from './command.ts';
import { clusterOptions, clusterOptionsUsage, print, withCluster } from './cluster/cluster-session.ts';
import type { ClusterSession } from './cluster/cluster-session.ts';
import { parseOptions, wholeNumber } from './parse-options.ts';
import { textTable } from './text-table.ts';

export const topicCommand: Command = {
  name: 'topic',
  summary: 'list, create, describe, configure and delete topics',
  usage: `usage: firn topic list [--internal]
       firn topic create NAME [--partitions N] [--replication-factor N] [--config NAME=VALUE]…
       firn topic describe NAME
       firn topic config NAME [NAME=VALUE]… [--unset NAME]…
       firn topic delete NAME…

describe  shows who leads the partitions of a topic, where they begin and end, and the configs it has set
config    shows all configs of a topic; with NAME=VALUE or --unset it changes them, all or none

  --internal                 topics of the brokers themselves too
  --partitions N             default: the cluster's num.partitions
  --replication-factor N     how many brokers are named as replicas; records are in the object store whatever it is
  --config NAME=VALUE        a config of the new topic; may be repeated
  --unset NAME               give a config its default back; may be repeated
${clusterOptionsUsage}

Exit code: 0 done, 1 the cluster refused, 2 wrong usage, 3 the cluster could not be reached.`,

  async run(args, io) {
    const asked = parse(args);
    return await withCluster('topic', asked, io, (session) => run(asked, session));
  },
};

type Asked = { readonly bootstrap: string; readonly timeout: string; readonly json: boolean } & What;

type What =
  | { readonly what: 'list'; readonly internal: boolean }
  | {
      readonly what: 'create';
      readonly topic: string;
      readonly partitions: number | undefined;
      readonly replicationFactor: number | undefined;
      readonly configs: ReadonlyMap<string, string>;
    }
  | { readonly what: 'describe'; readonly topic: string }
  | { readonly what: 'config'; readonly topic: string; readonly changes: ReadonlyMap<string, string | null> }
  | { readonly what: 'delete'; readonly topics: readonly string[] };

const ownOptions = {
  list: ['internal'],
  create: ['partitions', 'replication-factor', 'config'],
  describe: [],
  config: ['unset'],
  delete: [],
} as const;

function parse(args: readonly string[]): Asked {
  const { values, positionals } = parseOptions(args, {
    ...clusterOptions,
    internal: { type: 'boolean' },
    partitions: { type: 'string' },
    'replication-factor': { type: 'string' },
    config: { type: 'string', multiple: true },
    unset: { type: 'string', multiple: true },
  });
  const [what = 'nothing', ...rest] = positionals;
  if (!isWhat(what)) {
    const words = Object.keys(ownOptions).join(', ');
    throw new UsageError(`the first word is one of ${words}, not ${JSON.stringify(what)}`);
  }
  for (const [of, options] of Object.entries(ownOptions)) {
    const foreign = of === what ? undefined : options.find((option) => values[option] !== undefined);
    if (foreign !== undefined) throw new UsageError(`--${foreign} is an option of ${of}`);
  }
  const { bootstrap, timeout, json } = values;
  const common = { bootstrap, timeout, json };
  const [topic, ...more] = rest;
  if (what === 'list') {
    if (topic !== undefined) throw new UsageError(`${JSON.stringify(topic)} is one word too many`);
    return { ...common, what, internal: values.internal ?? false };
  }
  if (topic === undefined) throw new UsageError('NAME is missing');
  if (what === 'delete') return { ...common, what, topics: rest };
  if (what === 'config') {
    const changes = new Map<string, string | null>(settingsOf(more));
    for (const name of values.unset ?? []) changes.set(name, null);
    return { ...common, what, topic, changes };
  }
  if (more.length > 0) throw new UsageError(`${JSON.stringify(more[0])} is one word too many`);
  if (what === 'describe') return { ...common, what, topic };
  const { partitions, 'replication-factor': replicationFactor, config = [] } = values;
  return {
    ...common,
    what,
    topic,
    partitions: partitions === undefined ? undefined : wholeNumber('--partitions', partitions, 1, 1_000_000),
    replicationFactor:
      replicationFactor === undefined
        ? undefined
        : wholeNumber('--replication-factor', replicationFactor, 1, 32_767),
    configs: new Map(settingsOf(config)),
  };
}

function isWhat(word: string): word is keyof typeof ownOptions {
  return Object.hasOwn(ownOptions, word);
}

function settingsOf(texts: readonly string[]): [string, string][] {
  return texts.map((text) => {
    const at = text.indexOf('=');
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
    throw new UsageError(`${JSON.stringify(text)} must be NAME=VALUE`);
  });
}

async function run(asked: Asked, { client, io }: ClusterSession): Promise<ExitCode> {
  switch (asked.what) {
    case 'list': {
      const { topics } = await client.retrying(() => client.metadata());
      const shown = topics.filter(({ isInternal }) => asked.internal || !isInternal);
      print(
        io,
        asked.json,
        shown.map(({ name, topicId, partitions, isInternal }) => ({
          name,
          topicId,
          partitions: partitions.length,
          isInternal,
        })),
        () =>
          textTable(
            ['TOPIC', 'PARTITIONS'],
            shown.map(({ name, partitions }) => [name, partitions.length]),
          ),
      );
      return 0;
    }
    case 'create': {
      const { topic: name, partitions, replicationFactor, configs } = asked;
      const made = await createTopic(client, { name, partitions, replicationFactor, configs });
      print(io, asked.json, { name, partitions: made }, () => `created ${name}, partitions: ${made}\n`);
      return 0;
    }
    case 'describe':
      return await describe(asked.topic, asked.json, { client, io });
    case 'config': {
      const { topic, changes, json } = asked;
      if (changes.size > 0) await setTopicConfigs(client, topic, changes);
      const configs = await topicConfigs(client, topic);
      printConfigs(io, json, changes.size > 0 ? configs.filter(({ name }) => changes.has(name)) : configs);
      return 0;
    }
    case 'delete': {
      for (const topic of asked.topics) {
        await deleteTopic(client, topic);
        if (!asked.json) io.out(`deleted ${topic}\n`);
      }
      if (asked.json) print(io, true, { deleted: asked.topics }, () => '');
      return 0;
    }
  }
}

async function describe(name: string, json: boolean, { client, io }: ClusterSession): Promise<ExitCode> {
  const topic = await client.retrying(() => client.topic(name));
  const led = topic.partitions.filter(({ leader }) => leader !== undefined).map(({ partition }) => partition);
  const [starts, ends, configs] = await Promise.all([
    offsetsOf(client, name, offsetAt.earliest, led),
    offsetsOf(client, name, offsetAt.latest, led),
    topicConfigs(client, name),
  ]);
  const partitions = topic.partitions.map(({ partition, leader, leaderEpoch }) => {
    const start = starts.get(partition);
    const end = ends.get(partition);
    return { partition, leader: leader ?? null, leaderEpoch, start: start ?? null, end: end ?? null };
  });
  const set = configs.filter(({ source }) => source === 'topic');
  const value = {
    name,
    topicId: topic.topicId,
    isInternal: topic.isInternal,
    configs: Object.fromEntries(set.map(({ name, value }) => [name, value])),
    partitions,
  };
  print(io, json, value, () =>
    [
      `topic    ${name}\n`,
      `id       ${topic.topicId}\n`,
      ...set.map(({ name, value }) => `config   ${name}=${value ?? ''}\n`),
      '\n',
      textTable(
        ['PARTITION', 'LEADER', 'EPOCH', 'START', 'END', 'RECORDS'],
        partitions.map(({ partition, leader, leaderEpoch, start, end }) => [
          partition,
          leader,
          leaderEpoch,
          start,
          end,
          start === null || end === null ? null : end - start,
        ]),
      ),
    ].join(''),
  );
  return 0;
}

function printConfigs(io: CommandIo, json: boolean, configs: readonly TopicConfig[]): void {
  print(io, json, configs, () =>
    textTable(
      ['CONFIG', 'VALUE', 'SET BY'],
      configs.map(({ name, value, source }) => [name, value, source]),
    ),
  );
}
