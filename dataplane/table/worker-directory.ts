import type { TableWorkers } from './table-workers.ts';

/** Who works on which partitions of a topic. */
export interface WorkerDirectory {
  locate(topicId: string): readonly PartitionWorkers[];
}

export type PartitionWorkers =
  | { readonly kind: 'reachable'; readonly workers: TableWorkers; readonly partitions: readonly number[] }
  /** Their records wait. */
  | { readonly kind: 'unreachable'; readonly reason: string; readonly partitions: readonly number[] };
