import { UsageError } from './command.ts';
import type { Command, ExitCode } from './command.ts';
import { clusterOptions, clusterOptionsUsage, print, withCluster } from './cluster/cluster-session.ts';
import type { ClusterSession } from './cluster/cluster-session.ts';
import { duration, parseOptions } from './parse-options.ts';
import { clusterLines } from './status/cluster-lines.ts';
import { seeCluster } from './status/cluster-seen.ts';
import { clusterStatus } from './status/cluster-status.ts';
import { isStuck, tableLines, tablesAt } from './status/tables.ts';

const defaultAdmin = 'http://127.0.0.1:9644';

export const statusCommand: Command = {
  name: 'status',
  summary: 'show how a cluster is: brokers, zones, topics, moves, partitions without a leader, tables',
  usage: `usage: firn status [options]

Shows brokers with what they lead, their consumer groups, and the tables whose files and commits they make; zones; and what
is not as it should be: brokers that do not answer, moves under way, partitions outside the home zone of their topic or
without a leader, tables that have stopped.

${clusterOptionsUsage}
  --admin URL[,URL]…         admin ports of brokers, which know their tables (default: ${defaultAdmin})

Exit code: 0 all is well, 1 a partition has no leader, a broker does not answer or a table has stopped, 2 wrong usage, 3 the
cluster could not be reached.`,

  async run(args, io) {
    const { values, positionals } = parseOptions(args, {
      ...clusterOptions,
      admin: { type: 'string', default: defaultAdmin },
    });
    if (positionals.length > 0)
      throw new UsageError(`${JSON.stringify(positionals[0])} is one word too many`);
    const admins = values.admin.split(',').map((admin) => admin.trim());
    const wrong = admins.find((admin) => !URL.canParse(admin));
    if (wrong !== undefined)
      throw new UsageError(`--admin is ${JSON.stringify(wrong)} but must be a URL such as ${defaultAdmin}`);
    const timeoutMs = duration('--timeout', values.timeout);
    return await withCluster('status', values, io, (session) =>
      showStatus({ json: values.json, admins, timeoutMs }, session),
    );
  },
};

async function showStatus(
  asked: { readonly json: boolean; readonly admins: readonly string[]; readonly timeoutMs: number },
  { client, io }: ClusterSession,
): Promise<ExitCode> {
  const { json, admins, timeoutMs } = asked;
  const cluster = await seeCluster(client, io.signal);
  const tables = await tablesAt(admins, cluster.metadata.clusterId, { signal: io.signal, timeoutMs });
  const status = clusterStatus(cluster, tables.draining);
  const isSeen = tables.brokers.size > 0;
  const shown = {
    ...status,
    tables: isSeen ? tables.tables : null,
    ...(tables.problems.length === 0 ? {} : { tablesProblem: tables.problems.join('; ') }),
  };
  const live = status.brokers.filter(({ state }) => state !== 'dead');
  print(io, json, shown, () => `${clusterLines(status)}${tableLines(tables, live.length)}`);
  const isTrouble =
    status.leaderless.length > 0 ||
    live.some(({ state }) => state === 'unreachable') ||
    tables.tables.some((table) => isStuck(table));
  return isTrouble ? 1 : 0;
}
