import type { BrokerStatus } from '../../dataplane/broker/broker-status.ts';
import type { TablePartitionStatus, TableStatus } from '../../dataplane/table/table-status.ts';
import { textTable } from '../text-table.ts';
import { mergedTables } from './merged-tables.ts';

/** What admin ports tell of, and a sentence about each that tells nothing. */
export interface TablesSeen {
  readonly tables: readonly TableStatus[];
  /** Brokers that are handing over what they have. */
  readonly draining: ReadonlySet<number>;
  /** Brokers that were asked. */
  readonly brokers: ReadonlySet<number>;
  readonly problems: readonly string[];
}

/**
 * Asks the admin ports of brokers: Kafka's protocol has no request for tables. Each knows most of its own. One that belongs
 * to another cluster than the one that is shown has nothing to say here.
 */
export async function tablesAt(
  admins: readonly string[],
  clusterId: string | null,
  asked: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<TablesSeen> {
  const answers = await Promise.all(admins.map((admin) => statusAt(admin, clusterId, asked)));
  const told = answers.filter((answer) => typeof answer !== 'string');
  return {
    tables: mergedTables(told.map(({ tables }) => tables)),
    draining: new Set(
      told.flatMap(({ cluster }) =>
        (cluster?.brokers ?? []).filter(({ state }) => state === 'draining').map(({ id }) => id),
      ),
    ),
    brokers: new Set(told.map(({ broker }) => broker.id)),
    problems: answers.filter((answer) => typeof answer === 'string'),
  };
}

async function statusAt(
  admin: string,
  clusterId: string | null,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<BrokerStatus | string> {
  const url = new URL('/status', admin);
  try {
    const answer = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
    if (!answer.ok) return `${url.href} answers ${answer.status}`;
    const status = (await answer.json()) as Partial<BrokerStatus>;
    const { tables, cluster, broker } = status;
    if (tables === undefined || broker === undefined) return `${url.href} is no admin port of Firn`;
    if (cluster?.id !== clusterId)
      return `${url.href} is of another cluster (${cluster?.id ?? 'not known yet'})`;
    return status as BrokerStatus;
  } catch (error) {
    if (signal.aborted) throw error;
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    return `${url.href} does not answer (${cause instanceof Error ? cause.message : String(cause)})`;
  }
}

/** Whether somebody should look at a table: it is not filled, or not from all partitions. */
export function isStuck({ coordinator, partitions }: TableStatus): boolean {
  return (
    coordinator?.lastError !== undefined ||
    partitions.some(
      ({ state, lastError }) =>
        state === 'stopped' || state === 'unreachable' || state === 'waiting' || lastError !== undefined,
    )
  );
}

/** For people. @param brokers how many there are that might know of tables */
export function tableLines(seen: TablesSeen, brokers: number): string {
  const unheard = [
    ...seen.problems.map((problem) => `${problem}; --admin names admin ports of brokers\n`),
    ...(seen.tables.length > 0 && seen.problems.length === 0 && seen.brokers.size < brokers
      ? [
          `tables are shown as ${seen.brokers.size} of ${brokers} brokers see them: name the admin ports of all (--admin URL,URL…)\n`,
        ]
      : []),
  ];
  if (seen.brokers.size === 0) return `\ntables are not shown: ${unheard.join('')}`;
  if (seen.tables.length === 0) return unheard.length === 0 ? '' : `\n${unheard.join('')}`;
  const rows = seen.tables.map(({ topic, table, coordinator, partitions }) => [
    topic,
    table,
    coordinator?.phase ?? 'elsewhere',
    sum(partitions, ({ committed }) => committed) ?? '-',
    sum(partitions, ({ lagRecords }) => lagRecords) ?? '-',
    freshness(partitions),
  ]);
  return [
    '\n',
    textTable(['TOPIC', 'TABLE', 'STATE', 'COMMITTED', 'WAITING', 'FRESHNESS'], rows),
    ...seen.tables.flatMap((table) => [
      ...(table.coordinator?.lastError === undefined
        ? []
        : [`table ${table.table}: ${table.coordinator.lastError.message}\n`]),
      ...table.partitions.flatMap((partition) => troubleOf(table, partition)),
    ]),
    ...unheard,
  ].join('');
}

function troubleOf(
  { topic }: TableStatus,
  { partition, state, problem, unreachable, lastError }: TablePartitionStatus,
): string[] {
  if (problem !== undefined)
    return [
      `${topic}-${partition} stopped at offset ${problem.offset}: ${problem.code}: ${problem.reason}\n`,
    ];
  const why =
    unreachable ??
    (state === 'waiting' ? 'the broker that leads partition 0 has not asked for it' : undefined);
  return [
    ...(why === undefined ? [] : [`${topic}-${partition} waits: ${why}\n`]),
    ...(lastError === undefined ? [] : [`${topic}-${partition} is tried again: ${lastError}\n`]),
  ];
}

/** `undefined`: it is not known of every partition. */
function sum(
  partitions: readonly TablePartitionStatus[],
  of: (partition: TablePartitionStatus) => number | undefined,
): number | undefined {
  let total = 0;
  for (const partition of partitions) {
    const value = of(partition);
    if (value === undefined) return undefined;
    total += value;
  }
  return total;
}

function freshness(partitions: readonly TablePartitionStatus[]): string {
  let oldestMs = 0;
  for (const { freshnessMs } of partitions) {
    if (freshnessMs === undefined) return '-';
    oldestMs = Math.max(oldestMs, freshnessMs);
  }
  return `${(oldestMs / 1000).toFixed(1)} s`;
}
