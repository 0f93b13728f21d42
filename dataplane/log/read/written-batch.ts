import assert from 'node:assert/strict';
import type { BatchHeader } from '../../protocol/record-batch.ts';
import { readBatchHeader } from '../../protocol/record-batch.ts';
import { buildBatch } from '../../protocol/record-batch-builder.ts';

/** A batch that is part of the log for ever. */
export interface WrittenBatch {
  readonly bytes: Uint8Array;
  readonly header: BatchHeader;
}

/** For tests: a batch whose values say where they belong. */
export function batchOf(spec: {
  baseOffset: number;
  epoch: number;
  records: number;
  valueBytes: number;
  timestampMs: number;
  salt: string;
}): Uint8Array {
  const { baseOffset, epoch, records, valueBytes, timestampMs, salt } = spec;
  return buildBatch({
    baseOffset,
    leaderEpoch: epoch,
    records: Array.from({ length: records }, (_, index) => ({
      value: `${salt}:${baseOffset + index}:`.padEnd(valueBytes, '#'),
      timestampMs: timestampMs + index,
    })),
  });
}

/** The batches of an answer, one by one. */
export function batchesIn(pieces: readonly Uint8Array[]): WrittenBatch[] {
  return pieces.flatMap((piece) => {
    const batches: WrittenBatch[] = [];
    for (let position = 0; position < piece.length;) {
      const header = readBatchHeader(piece, position);
      batches.push({ bytes: piece.subarray(position, position + header.sizeBytes), header });
      position += header.sizeBytes;
    }
    return batches;
  });
}

/**
 * Fails unless `pieces` are exactly the batches of the history from the one that contains `offset` on, up to some batch.
 * Returns the offset after them.
 */
export function assertBatches(
  history: readonly WrittenBatch[],
  offset: number,
  pieces: readonly Uint8Array[],
): number {
  let expected = offset;
  for (const { bytes, header } of batchesIn(pieces)) {
    const last = header.baseOffset + header.lastOffsetDelta;
    assert(
      header.baseOffset <= expected && expected <= last,
      `offsets ${header.baseOffset} to ${last} where ${expected} comes next`,
    );
    const written = history.find((batch) => batch.header.baseOffset === header.baseOffset);
    assert(written !== undefined, `no batch at ${header.baseOffset} was ever written`);
    assert(Buffer.compare(bytes, written.bytes) === 0, `other bytes at offset ${header.baseOffset}`);
    expected = last + 1;
  }
  return expected;
}
