import { cordonedBrokers, reassignments } from '../dataplane/client/placement-admin.ts';
import { listAllGroups } from '../dataplane/client/group-admin.ts';
import { UsageError } from './command.ts';
import type { Command, ExitCode } from './command.ts';
import { clusterOptions, clusterOptionsUsage, print, withCluster } from './cluster/cluster-session.ts';
import type { ClusterSession } from './cluster/cluster-session.ts';
import { duration, parseOptions } from './parse-options.ts';
import { isStuck, tableLines, tablesAt } from './status/tables.ts';
import { textTable } from './text-table.ts';

/** Of moves under way, for people. */
const maxMovesShown = 20;
const defaultAdmin = 'http://127.0.0.1:9644';

export const statusCommand: Command = {
  name: 'status',
  summary: 'show how a cluster is: brokers, zones, topics, moves, partitions without a leader, tables',
  usage: `usage: firn status [options]

${clusterOptionsUsage}
  --admin URL                the admin port of a broker, which knows its tables (default: ${defaultAdmin})

Exit code: 0 every partition has a leader and every table is filled, 1 some have none or a table has stopped, 2 wrong usage,
3 the cluster could not be reached.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...clusterOptions,
      admin: { type: 'string', default: defaultAdmin },
    });
    if (positionals.length > 0)
      throw new UsageError(`${JSON.stringify(positionals[0])} is one word too many`);
    if (!URL.canParse(values.admin))
      throw new UsageError(
        `--admin is ${JSON.stringify(values.admin)} but must be a URL such as ${defaultAdmin}`,
      );
    return await withCluster('status', values, io, (session) => status(values, session));
  },
};

async function status(
  { json, admin, timeout }: { readonly json: boolean; readonly admin: string; readonly timeout: string },
  { client, io }: ClusterSession,
): Promise<ExitCode> {
  const { clusterId, brokers, topics } = await client.retrying(() => client.metadata());
  const [groups, moving, cordoned] = await Promise.all([
    listAllGroups(client),
    reassignments(client),
    cordonedBrokers(
      client,
      brokers.map(({ id }) => id),
    ),
  ]);
  const partitions = topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partition, leader }) => ({ name, partition, leader })),
  );
  const leaderless = partitions
    .filter(({ leader }) => leader === undefined)
    .map(({ name, partition }) => ({ topic: name, partition }));
  const led = Map.groupBy(partitions, ({ leader }) => leader);
  const rows = brokers
    .toSorted((a, b) => a.id - b.id)
    .map(({ id, host, port, rack }) => ({
      id,
      address: `${host}:${port}`,
      zone: rack,
      partitionsLed: led.get(id)?.length ?? 0,
      cordoned: cordoned.has(id),
    }));
  const zones = [...Map.groupBy(rows, ({ zone }) => zone)].map(([zone, ofZone]) => ({
    zone,
    brokers: ofZone.length,
    partitionsLed: ofZone.reduce((sum, { partitionsLed }) => sum + partitionsLed, 0),
  }));
  const timeoutMs = duration('--timeout', timeout);
  const seen = await tablesAt(admin, clusterId, { signal: io.signal, timeoutMs });
  const tables = 'tables' in seen ? seen : { tables: null, tablesProblem: seen.problem };
  const counts = {
    topics: topics.filter(({ isInternal }) => !isInternal).length,
    internalTopics: topics.filter(({ isInternal }) => isInternal).length,
    partitions: partitions.length,
    groups: groups.length,
  };
  print(io, json, { clusterId, brokers: rows, zones, ...counts, moving, leaderless, ...tables }, () =>
    [
      `cluster     ${clusterId ?? '-'}\n`,
      `topics      ${counts.topics}, internal: ${counts.internalTopics}\n`,
      `partitions  ${counts.partitions}, without a leader: ${leaderless.length}\n`,
      `groups      ${counts.groups}\n\n`,
      textTable(
        ['BROKER', 'ADDRESS', 'ZONE', 'PARTITIONS LED'],
        rows.map(({ id, address, zone, partitionsLed }) => [id, address, zone, partitionsLed]),
      ),
      ...(zones.length < 2
        ? []
        : [
            '\n',
            textTable(
              ['ZONE', 'BROKERS', 'PARTITIONS LED'],
              zones.map((zone) => [zone.zone, zone.brokers, zone.partitionsLed]),
            ),
          ]),
      ...rows.flatMap(({ id, cordoned: isCordoned }) =>
        isCordoned ? [`broker ${id} is cordoned: "firn drain ${id} --undo" lets it take part again\n`] : [],
      ),
      ...moving
        .slice(0, maxMovesShown)
        .map(
          ({ topic, partition, replicas }) => `${topic}-${partition} moves to broker ${replicas[0] ?? '-'}\n`,
        ),
      ...(moving.length > maxMovesShown ? [`and ${moving.length - maxMovesShown} more moves\n`] : []),
      ...leaderless.map(({ topic, partition }) => `nobody leads ${topic}-${partition}\n`),
      tableLines(seen),
    ].join(''),
  );
  const isStuckSomewhere = 'tables' in seen && seen.tables.some((table) => isStuck(table));
  return leaderless.length > 0 || isStuckSomewhere ? 1 : 0;
}
