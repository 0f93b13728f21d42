import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildBatch } from '../../protocol/record-batch-builder.ts';
import type { BlockInput } from '../format/container.ts';
import { decodeContainer, encodeContainer } from '../format/container.ts';
import { noFooterHash } from '../format/container-footer.ts';
import { headerBytes } from '../format/container-header.ts';
import { LogFormatError } from '../format/errors.ts';
import type { SegmentIndex } from './segment-index.ts';
import { batchAt, batchesEndingBy, batchStart, blockAt, chunkAt, segmentIndexOf } from './segment-index.ts';
import { verifyChunk } from './verify-chunk.ts';

const topicId = 'ab'.repeat(16);
const sid = '0123456789abcdef'.repeat(2);
const object = `4-${sid.slice(0, 8)}-17`;
const epochs = [{ epoch: 3, startOffset: 0 }];

function segmentOf(blockSizes: readonly (readonly number[])[]): Buffer {
  const blocks = blockSizes.map((valueSizes, partition): BlockInput => {
    let baseOffset = 100 * partition;
    const pieces = valueSizes.map((valueBytes) => {
      const bytes = buildBatch({
        baseOffset,
        leaderEpoch: 3,
        records: [{ value: 'v'.repeat(valueBytes) }, { value: 'w' }],
      });
      baseOffset += 2;
      return bytes;
    });
    return { topicId, partition, leaderEpoch: 3, pieces };
  });
  const encoded = encodeContainer({
    formatVersion: 1,
    kind: 'segment',
    sid,
    slot: 17,
    lastCheckpointSlot: 0,
    writerTimeMs: 0,
    previousFooterHash: noFooterHash,
    blocks,
  });
  return Buffer.concat(encoded.pieces);
}

function indexOf(bytes: Uint8Array, chunkBytes: number): SegmentIndex {
  return segmentIndexOf(decodeContainer(bytes, 'key'), object, 'key', chunkBytes);
}

const sizes = fc.array(fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 12 }), {
  minLength: 1,
  maxLength: 6,
});

test('chunks cover the body without gaps, are cut at batches, and keep to their sizes', () => {
  fc.assert(
    fc.property(sizes, fc.integer({ min: 1, max: 3000 }), (blockSizes, chunkBytes) => {
      const bytes = segmentOf(blockSizes);
      const index = indexOf(bytes, chunkBytes);
      const starts = [...index.chunkStarts];
      const batchEnds = new Set(index.blocks.flatMap((block) => [...block.ends]));
      const largest = Math.max(
        ...index.blocks.flatMap((block) =>
          [...block.ends].map((end, batch) => end - batchStart(block, batch)),
        ),
      );
      const last = index.blocks.at(-1);
      assert(last !== undefined);
      assert.equal(starts[0], headerBytes);
      assert.equal(starts.at(-1), last.position + last.sizeBytes);
      for (const [number, start] of starts.slice(0, -1).entries()) {
        const end = starts[number + 1] ?? 0;
        assert(batchEnds.has(end));
        assert(end - start <= Math.max(2 * chunkBytes, largest));
        if (number < starts.length - 2) {
          // Cut short only because the next batch would not have fitted.
          assert(end - start >= chunkBytes || end - start + largest > 2 * chunkBytes);
        }
      }
      for (const block of index.blocks) {
        assert.equal(blockAt(index, block.position), block);
        for (const [batch, lastOffset] of block.lastOffsets.entries()) {
          assert.equal(batchAt(block, lastOffset), batch);
          assert.equal(batchAt(block, lastOffset - 1), batch);
          const { start, end } = chunkAt(index, batchStart(block, batch));
          assert(start <= batchStart(block, batch) && (block.ends[batch] ?? 0) <= end);
          assert.equal(batchesEndingBy(block, block.ends[batch] ?? 0), batch + 1);
        }
      }
    }),
  );
});

test('every changed byte of a chunk is noticed, and no sound chunk is refused', () => {
  fc.assert(
    fc.property(
      sizes,
      fc.integer({ min: 100, max: 1500 }),
      fc.nat(),
      fc.integer({ min: 0, max: 7 }),
      (blockSizes, chunkBytes, where, bit) => {
        const bytes = segmentOf(blockSizes);
        const index = indexOf(bytes, chunkBytes);
        for (const [number, start] of index.chunkStarts.slice(0, -1).entries()) {
          const chunk = { start, end: index.chunkStarts[number + 1] ?? 0 };
          const body = Buffer.from(bytes.subarray(chunk.start, chunk.end));
          verifyChunk(body, chunk, index, () => epochs);
          const at = where % body.length;
          body[at] = (body[at] ?? 0) ^ (1 << bit);
          assert.throws(
            () => verifyChunk(body, chunk, index, () => epochs),
            LogFormatError,
            `byte ${at} of ${body.length}`,
          );
        }
      },
    ),
  );
});

test('every bit of a batch header that its CRC does not cover is checked in blocks that are cut', () => {
  const bytes = segmentOf([[50, 50, 50]]);
  const index = indexOf(bytes, 100);
  const [start = 0, end = 0] = index.chunkStarts;
  assert(index.chunkStarts.length > 2, 'the block is in several chunks');
  for (let bit = 0; bit < 8 * 61; bit++) {
    const body = Buffer.from(bytes.subarray(start, end));
    body[bit >> 3] = (body[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.throws(() => verifyChunk(body, { start, end }, index, () => epochs), LogFormatError, `bit ${bit}`);
  }
});

test('batches below the log start, whose epoch the manifest has forgotten, are not refused', () => {
  const bytes = segmentOf([[50, 50, 50]]);
  const index = indexOf(bytes, 100);
  const [start = 0, end = 0] = index.chunkStarts;
  verifyChunk(bytes.subarray(start, end), { start, end }, index, () => [{ epoch: 9, startOffset: 6 }]);
});

test('an object that is not the segment of its name is refused', () => {
  const decoded = decodeContainer(segmentOf([[1]]), 'key');
  for (const name of ['4-ffffffff-17', `4-${sid.slice(0, 8)}-18`]) {
    assert.throws(
      () => segmentIndexOf(decoded, name, 'the/key', 100),
      /the\/key: it holds segment 17 of session/,
    );
  }
});
