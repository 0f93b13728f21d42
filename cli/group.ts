import {
  committedOffsets,
  deleteGroup,
  describeGroup,
  listAllGroups,
} from '../dataplane/client/group-admin.ts';
import type { CommittedOffset } from '../dataplane/client/group-admin.ts';
import type { KafkaClient } from '../dataplane/client/kafka-client.ts';
import { offsetAt, offsetsOf } from '../dataplane/client/offsets.ts';
import { UsageError } from './command.ts';
import type { Command, ExitCode } from './command.ts';
import { clusterOptions, clusterOptionsUsage, print, withCluster } from './cluster/cluster-session.ts';
import type { ClusterSession } from './cluster/cluster-session.ts';
import { parseOptions } from './parse-options.ts';
import { textTable } from './text-table.ts';

export const groupCommand: Command = {
  name: 'group',
  summary: 'list, describe and delete consumer groups',
  usage: `usage: firn group list
       firn group describe NAME
       firn group delete NAME…

describe  shows the members of a group with what they were given, and how far it has come: LAG is the number of records
          from the committed offset to the end

${clusterOptionsUsage}

Exit code: 0 done, 1 the cluster refused, 2 wrong usage, 3 the cluster could not be reached.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, clusterOptions);
    const [what, name, ...more] = positionals;
    if (what !== 'list' && what !== 'describe' && what !== 'delete')
      throw new UsageError(
        `the first word is one of list, describe, delete, not ${JSON.stringify(what ?? 'nothing')}`,
      );
    const tooMany = what === 'list' ? name : what === 'describe' ? more[0] : undefined;
    if (tooMany !== undefined) throw new UsageError(`${JSON.stringify(tooMany)} is one word too many`);
    if (what === 'list')
      return await withCluster('group', values, io, (session) => list(values.json, session));
    if (name === undefined) throw new UsageError('NAME is missing');
    return await withCluster('group', values, io, (session) =>
      what === 'describe'
        ? describe(name, values.json, session)
        : remove([name, ...more], values.json, session),
    );
  },
};

async function list(json: boolean, { client, io }: ClusterSession): Promise<ExitCode> {
  const groups = await listAllGroups(client);
  print(io, json, groups, () =>
    textTable(
      ['GROUP', 'TYPE', 'STATE', 'PROTOCOL'],
      groups.map(({ group, type, state, protocol }) => [group, type, state, protocol]),
    ),
  );
  return 0;
}

async function describe(name: string, json: boolean, { client, io }: ClusterSession): Promise<ExitCode> {
  const group = await describeGroup(client, name);
  const committed = await committedOffsets(client, name);
  const ends = await endOffsets(client, committed);
  const offsets = committed.map(({ topic, partition, offset, metadata }) => {
    const end = ends.get(topic)?.get(partition);
    const lag = end === undefined ? null : Math.max(0, end - offset);
    return { topic, partition, offset, end: end ?? null, lag, metadata };
  });
  const members = group.members.map(({ assignment, ...member }) => ({
    ...member,
    assignment: Object.fromEntries(assignment),
  }));
  print(io, json, { ...group, members, offsets }, () =>
    [
      `group     ${name}\n`,
      `type      ${group.type}\n`,
      `state     ${group.state}\n`,
      `assignor  ${group.assignor || '-'}\n\n`,
      textTable(
        ['MEMBER', 'INSTANCE', 'CLIENT', 'HOST', 'PARTITIONS'],
        members.map(({ id, instance, clientId, host, assignment }) => [
          id,
          instance,
          clientId,
          host,
          Object.entries(assignment)
            .map(([topic, partitions]) => `${topic}:${partitions.join(',')}`)
            .join(' '),
        ]),
      ),
      '\n',
      textTable(
        ['TOPIC', 'PARTITION', 'OFFSET', 'END', 'LAG'],
        offsets.map(({ topic, partition, offset, end, lag }) => [topic, partition, offset, end, lag]),
      ),
    ].join(''),
  );
  return 0;
}

/** By topic and partition; topics that were deleted since are missing. */
async function endOffsets(
  client: KafkaClient,
  committed: readonly CommittedOffset[],
): Promise<ReadonlyMap<string, ReadonlyMap<number, number>>> {
  const wanted = Map.groupBy(committed, ({ topic }) => topic);
  const { topics } = await client.retrying(() => client.metadata([...wanted.keys()]));
  const ends = await Promise.all(
    topics.map(async ({ name, partitions }) => {
      const led = partitions.filter(({ leader }) => leader !== undefined).map(({ partition }) => partition);
      return [name, await offsetsOf(client, name, offsetAt.latest, led)] as const;
    }),
  );
  return new Map(ends);
}

async function remove(
  groups: readonly string[],
  json: boolean,
  { client, io }: ClusterSession,
): Promise<ExitCode> {
  for (const group of groups) {
    await deleteGroup(client, group);
    if (!json) io.out(`deleted ${group}\n`);
  }
  if (json) print(io, true, { deleted: groups }, () => '');
  return 0;
}
