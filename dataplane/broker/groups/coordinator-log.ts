import type { Cancel } from '../../runtime/runtime.ts';

/** Kafka's name of the topic that holds the state of groups. */
export const offsetsTopic = '__consumer_offsets';

/**
 * What a state machine needs of the log: the partitions of the internal topic that holds its state (`__consumer_offsets`,
 * `_schemas`), as far as this broker owns them. All promises reject with a `LogError` when the broker does not own the partition (any more).
 */
export interface CoordinatorLog {
  /** The largest batch that is taken. */
  readonly maxBatchBytes: number;

  /**
   * Appends one record batch; resolves when it is durable. Batches of a partition get their offsets in the order of the
   * calls. A rejection says nothing about whether the batch is in the log. The bytes belong to the log from the call on.
   */
  append(partition: number, batch: Uint8Array): Promise<{ baseOffset: number; lastOffset: number }>;

  /** Whole batches from the one that contains `offset` on, at least one when there is one; empty at the end. */
  read(partition: number, offset: number, maxBytes: number): Promise<CoordinatorLogRead>;

  startOffset(partition: number): number;

  /**
   * The offset after the last durable record, confirmed (log.md P6): it includes whatever any owner acknowledged before
   * the call, and resolving proves that nobody had taken the partition over when the call was made.
   */
  endOffset(partition: number): Promise<number>;

  /** Moves the start of the partition to `offset`. */
  deleteRecords(partition: number, offset: number): Promise<void>;

  /**
   * Tells from now on which partitions this broker begins and ceases to own; those it owns already are told before
   * `subscribe` returns. A partition that is lost and owned again is told as both.
   */
  subscribe(listener: CoordinatorLogListener): Cancel;
}

export interface CoordinatorLogListener {
  serving(partition: number): void;
  lost(partition: number): void;
}

export interface CoordinatorLogRead {
  /** Whole batches each. */
  readonly pieces: readonly Uint8Array[];
  /** Promises that nobody looks at `pieces` any more. */
  readonly release: () => void;
}
