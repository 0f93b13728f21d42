import type { TablePartitionStatus, TableStatus } from '../../dataplane/table/table-status.ts';

/**
 * One picture of what several brokers tell of the same tables: the coordinator as its own broker has it, each partition as
 * the broker of its worker has it, and what only the coordinator knows.
 *
 * @param told by each broker
 */
export function mergedTables(told: readonly (readonly TableStatus[])[]): TableStatus[] {
  return [...Map.groupBy(told.flat(), ({ topicId }) => topicId).values()]
    .flatMap((views) => {
      const led = views.find(({ coordinator }) => coordinator !== undefined);
      const table = led ?? views[0];
      if (table === undefined) return [];
      const partitions = table.partitions.map((known, at) => {
        const all = views.flatMap(({ partitions }) => partitions[at] ?? []);
        return mergedPartition(known, all.find(hasWorker));
      });
      return [{ ...table, partitions }];
    })
    .toSorted((a, b) => (a.topic < b.topic ? -1 : 1));
}

function hasWorker({ state }: TablePartitionStatus): boolean {
  return state === 'running' || state === 'stopped' || state === 'waiting';
}

function mergedPartition(
  known: TablePartitionStatus,
  atWorker: TablePartitionStatus | undefined,
): TablePartitionStatus {
  if (atWorker === undefined) return known;
  return {
    ...atWorker,
    committed: known.committed ?? atWorker.committed,
    freshnessMs: atWorker.freshnessMs ?? known.freshnessMs,
  };
}
