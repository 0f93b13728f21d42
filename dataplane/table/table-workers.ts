import type { FileMetrics } from '../columnar/data-file.ts';
import type { TableSchema } from '../schema/table-type.ts';

/**
 * What the coordinator of a topic asks of the brokers that own its partitions. All values are plain and belong to the
 * receiver: between two brokers they travel as messages. Every call may fail, be late or repeated, and its answer may be
 * lost; nothing but time is lost with it.
 */
export interface TableWorkers {
  /**
   * Tells the workers of these partitions what the table is and how far it has come, and asks for what they have
   * finished. A worker whose files do not begin where the table ends drops them and begins there anew.
   */
  collect(request: CollectRequest, signal?: AbortSignal): Promise<CollectAnswer>;

  /** Tells them that a commit was applied. What gets lost the next `collect` says too. */
  committed(request: CommittedRequest, signal?: AbortSignal): Promise<void>;
}

export interface CollectRequest {
  readonly topicId: string;
  /** Of the coordinator: workers refuse a lower one than they know. */
  readonly epoch: number;
  /** `undefined`: there is no table yet; workers then say which schema their first record has. */
  readonly table: TableTarget | undefined;
  readonly partitions: readonly PartitionProgress[];
  /** Whether files that are not full are to be finished too; waits for that for `waitMs` at most. */
  readonly finish: boolean;
  readonly waitMs: number;
}

export interface PartitionProgress {
  readonly partition: number;
  /** The first offset that is not in the table. */
  readonly committed: number;
}

/** The table as workers need to know it. */
export interface TableTarget {
  readonly uuid: string;
  /** Where its files lie. */
  readonly location: string;
  readonly schema: TableSchema;
  readonly specId: number;
}

export interface CommittedRequest {
  readonly topicId: string;
  readonly epoch: number;
  readonly partitions: readonly PartitionProgress[];
}

export type CollectAnswer =
  /** Partitions that the broker does not own are left out. */
  | { readonly kind: 'collected'; readonly partitions: readonly PartitionAnswer[] }
  /** A coordinator with this higher epoch has asked before. */
  | { readonly kind: 'stale-epoch'; readonly epoch: number };

export interface PartitionAnswer {
  readonly partition: number;
  /** In order of their offsets, each beginning where the one before ends. */
  readonly committables: readonly Committable[];
  /** Without a table: the schema id of the first record; `undefined`: there is no record yet, or it has none. */
  readonly firstSchemaId: number | undefined;
}

/** A finished range of a partition: all that became of its records `from` (inclusive) to `to` (exclusive). */
export interface Committable {
  readonly partition: number;
  readonly from: number;
  readonly to: number;
  /** `undefined`: the range has no rows; its records were deleted, or are marks of transactions. */
  readonly file: CommittableFile | undefined;
}

export interface CommittableFile {
  /** Full location. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly recordCount: number;
  readonly metrics: FileMetrics;
  /** Of the table. */
  readonly schemaId: number;
  readonly specId: number;
  /** Milliseconds since 1970; -1: none of the records has a time. */
  readonly maxTimestampMs: number;
}

/** Whether what a worker has written for the one can go into the other. */
export function isSameTarget(a: TableTarget | undefined, b: TableTarget | undefined): boolean {
  return (
    a?.uuid === b?.uuid &&
    a?.location === b?.location &&
    a?.schema.schemaId === b?.schema.schemaId &&
    a?.specId === b?.specId
  );
}
