import { codecOfAttributes } from '../../protocol/compression/codec.ts';
import { decompress } from '../../protocol/compression/decompress.ts';
import { batchOverheadBytes, parseBatches } from '../../protocol/record-batch.ts';
import type { BatchHeader } from '../../protocol/record-batch.ts';
import { RecordCursor } from '../../protocol/records.ts';
import type { CoordinatorLog } from './coordinator-log.ts';

/** More than a batch of a topic that holds state ever holds. */
const maxBatchBytes = 2 ** 30;

/**
 * Reads a partition that holds state from its start to its confirmed end.
 *
 * @param replay takes whole batches; returns the offset after them. Records before `offset` are not wanted
 * @throws LogError
 */
export async function replayPartition(
  log: CoordinatorLog,
  partition: number,
  { maxBytes, signal }: { readonly maxBytes: number; readonly signal: AbortSignal },
  replay: (piece: Uint8Array, offset: number) => number,
): Promise<void> {
  const end = await log.endOffset(partition);
  let offset = log.startOffset(partition);
  while (offset < end) {
    signal.throwIfAborted();
    const { pieces, release } = await log.read(partition, offset, maxBytes);
    const before = offset;
    for (const piece of pieces) offset = Math.max(offset, replay(piece, before));
    release();
    if (offset === before)
      throw new Error(`partition ${partition} has no record at ${before}, though it ends at ${end}`);
  }
}

/** The batches of a piece, one after the other, each with its records. @throws RecordBatchError, ProtocolError */
export function* openBatches(
  piece: Uint8Array,
): Generator<{ readonly header: BatchHeader; readonly cursor: RecordCursor; readonly nextOffset: number }> {
  let position = 0;
  for (const header of parseBatches(piece, { verifyCrc: true })) {
    const body = piece.subarray(position + batchOverheadBytes, position + header.sizeBytes);
    const codec = codecOfAttributes(header.attributes) ?? 'none';
    const cursor = new RecordCursor(header, decompress(codec, body, maxBatchBytes));
    yield { header, cursor, nextOffset: header.baseOffset + header.lastOffsetDelta + 1 };
    position += header.sizeBytes;
  }
}
