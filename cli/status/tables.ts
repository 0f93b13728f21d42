import type { BrokerStatus } from '../../dataplane/broker/broker-status.ts';
import type { TablePartitionStatus, TableStatus } from '../../dataplane/table/table-status.ts';
import { textTable } from '../text-table.ts';

/** The tables that one admin port tells of; a sentence when it tells nothing. */
export type TablesSeen = { readonly tables: readonly TableStatus[] } | { readonly problem: string };

/**
 * Asks the admin port of one broker: Kafka's protocol has no request for tables. One that belongs to another cluster than
 * the one that is shown has nothing to say here.
 */
export async function tablesAt(
  admin: string,
  clusterId: string | null,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<TablesSeen> {
  const url = new URL('/status', admin);
  try {
    const answer = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
    if (!answer.ok) return { problem: `${url.href} answers ${answer.status}` };
    const { tables, cluster } = (await answer.json()) as Partial<BrokerStatus>;
    if (tables === undefined) return { problem: `${url.href} is no admin port of Firn` };
    if (cluster?.id !== clusterId)
      return { problem: `${url.href} is of another cluster (${cluster?.id ?? 'not known yet'})` };
    return { tables };
  } catch (error) {
    if (signal.aborted) throw error;
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    return {
      problem: `${url.href} does not answer (${cause instanceof Error ? cause.message : String(cause)})`,
    };
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

/** For people. */
export function tableLines(seen: TablesSeen): string {
  if ('problem' in seen)
    return `\ntables are not shown: ${seen.problem}; --admin names the admin port of a broker\n`;
  if (seen.tables.length === 0) return '';
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
    (state === 'waiting'
      ? 'the broker that leads partition 0 has not asked for it; brokers do not ask each other yet'
      : undefined);
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
