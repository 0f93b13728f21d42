import { batchPrefixBytes } from '../../protocol/record-batch.ts';
import { crc32c } from '../../store/crc32c.ts';
import { corruptAdvice, LogFormatError } from '../format/errors.ts';
import type { EpochStart } from '../format/manifest.ts';
import type { Chunk, SegmentBlock, SegmentIndex } from './segment-index.ts';
import { batchesEndingBy, batchStart } from './segment-index.ts';

/** The epochs of a partition, as its manifest lists them. */
export type EpochsOf = (partition: number) => readonly EpochStart[];

/**
 * Checks every byte of a chunk against the segment's index: blocks that lie in it whole by their CRC, others batch by
 * batch: the CRC of what it covers, and the 21 bytes before that by comparing them. Of these the index does not have the
 * leader epoch: the manifest's epochs tell it. They do not go back below the log start, where nobody reads.
 *
 * 0.2 ms per MiB in blocks or batches of 16 KiB, 0.4 ms in batches of 1 KiB.
 *
 * @throws LogFormatError
 */
export function verifyChunk(bytes: Uint8Array, chunk: Chunk, index: SegmentIndex, epochsOf: EpochsOf): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const block of index.blocks) {
    const blockEnd = block.position + block.sizeBytes;
    if (blockEnd <= chunk.start) continue;
    if (block.position >= chunk.end) break;
    if (block.position >= chunk.start && blockEnd <= chunk.end) {
      const body = buffer.subarray(block.position - chunk.start, blockEnd - chunk.start);
      if (crc32c(body) !== block.crc32c)
        throw changed(index, block, block.position, 'its CRC does not match');
    } else {
      verifyBatches(buffer, chunk, index, block, epochsOf(block.partition));
    }
  }
}

function verifyBatches(
  bytes: Buffer,
  chunk: Chunk,
  index: SegmentIndex,
  block: SegmentBlock,
  epochs: readonly EpochStart[],
): void {
  const end = batchesEndingBy(block, chunk.end);
  let epochIndex = -1;
  for (let batch = batchesEndingBy(block, chunk.start); batch < end; batch++) {
    const position = batchStart(block, batch);
    const at = position - chunk.start;
    const sizeBytes = (block.ends[batch] ?? 0) - position;
    const baseOffset = block.baseOffsets[batch] ?? 0;
    while ((epochs[epochIndex + 1]?.startOffset ?? Infinity) <= baseOffset) epochIndex += 1;
    const epoch = bytes.readInt32BE(at + 12);
    const isAsIndexed =
      bytes.readInt32BE(at) === Math.floor(baseOffset / 2 ** 32) &&
      bytes.readUInt32BE(at + 4) === baseOffset % 2 ** 32 &&
      bytes.readInt32BE(at + 8) + 12 === sizeBytes &&
      epoch <= block.leaderEpoch &&
      epoch === (epochs[epochIndex]?.epoch ?? epoch) &&
      bytes[at + 16] === 2 &&
      bytes.readUInt32BE(at + 17) === block.crcs[batch];
    if (!isAsIndexed) {
      const found = bytes.toString('hex', at, at + batchPrefixBytes);
      throw changed(index, block, position, `the batch at offset ${baseOffset} starts with ${found}`);
    }
    if (crc32c(bytes.subarray(at + batchPrefixBytes, at + sizeBytes)) !== block.crcs[batch]) {
      throw changed(index, block, position, `the CRC of the batch at offset ${baseOffset} does not match`);
    }
  }
}

function changed(index: SegmentIndex, block: SegmentBlock, position: number, what: string): LogFormatError {
  return new LogFormatError(
    'CHECKSUM',
    index.key,
    `bytes of the block of ${block.topicId}-${block.partition} (offsets ${block.baseOffset} to ${block.lastOffset}) ` +
      `at byte ${position} have changed: ${what}; ${corruptAdvice}`,
  );
}
