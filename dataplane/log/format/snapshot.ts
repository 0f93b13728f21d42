import assert from 'node:assert/strict';
import { decodeShape, encodeShape } from './document.ts';
import { isGroupId } from './keys.ts';
import { int32, integer, list, natural, nullable, object, textMatching, tuple } from './shape.ts';

/** Producer state of a group's partitions at the end of their segments (log.md 2.8): where replay starts. */
export interface GroupSnapshot {
  readonly group: string;
  /** Partitions without producers may be left out. */
  readonly partitions: readonly PartitionSnapshot[];
}

export interface PartitionSnapshot {
  readonly partition: number;
  /** Batches below this offset are taken into account. */
  readonly endOffset: number;
  readonly producers: readonly ProducerSnapshot[];
  readonly abortedTransactions: readonly AbortedTransaction[];
}

export interface ProducerSnapshot {
  readonly producerId: number;
  readonly epoch: number;
  /** Slot time of its last batch. */
  readonly lastTimeMs: number;
  /** Oldest first, at most five. */
  readonly batches: readonly ProducerBatch[];
  /** First offset of its open transaction. */
  readonly transactionFirstOffset: number | undefined;
}

export interface ProducerBatch {
  readonly baseSequence: number;
  readonly lastSequence: number;
  /** As first assigned: what a duplicate is answered with. */
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly timeMs: number;
}

export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly lastStableOffset: number;
}

const maxBatches = 5;
/** -1: a control batch of a producer. */
const sequence = integer(-1, 2 ** 31 - 1);

const producerShape = tuple({
  producerId: natural,
  epoch: integer(0, 0x7fff),
  lastTimeMs: natural,
  batches: list(
    tuple({
      baseSequence: sequence,
      lastSequence: sequence,
      baseOffset: natural,
      lastOffset: natural,
      timeMs: natural,
    }),
  ),
  transactionFirstOffset: nullable(natural),
});

const snapshotShape = object({
  group: textMatching(isGroupId, 'a partition group id'),
  parts: list(
    tuple({
      partition: int32,
      endOffset: natural,
      producers: list(producerShape),
      abortedTransactions: list(
        tuple({ producerId: natural, firstOffset: natural, lastOffset: natural, lastStableOffset: natural }),
      ),
    }),
  ),
});

/** JSON in a document frame, arrays in the order of the interfaces above. */
export function encodeSnapshot(snapshot: GroupSnapshot, formatVersion: number): Uint8Array {
  return encodeShape(
    'snapshot',
    formatVersion,
    {
      group: snapshot.group,
      parts: snapshot.partitions.map((partition) => [
        partition.partition,
        partition.endOffset,
        partition.producers.map((producer) => {
          assert(
            producer.batches.length <= maxBatches,
            `${producer.batches.length} batches of one producer in a snapshot`,
          );
          return [
            producer.producerId,
            producer.epoch,
            producer.lastTimeMs,
            producer.batches.map((batch) => [
              batch.baseSequence,
              batch.lastSequence,
              batch.baseOffset,
              batch.lastOffset,
              batch.timeMs,
            ]),
            producer.transactionFirstOffset ?? null,
          ];
        }),
        partition.abortedTransactions.map((aborted) => [
          aborted.producerId,
          aborted.firstOffset,
          aborted.lastOffset,
          aborted.lastStableOffset,
        ]),
      ]),
      ...(formatVersion >= 2 ? { reserved: [] } : {}),
    },
    snapshotShape,
  );
}

/** @throws LogFormatError */
export function decodeSnapshot(bytes: Uint8Array, where: string): GroupSnapshot {
  const { group, parts } = decodeShape('snapshot', bytes, where, snapshotShape);
  return { group, partitions: parts };
}
