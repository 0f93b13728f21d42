import type { BatchEntry } from '../format/container.ts';
import type { RecordBytes } from './record-memory.ts';
import type { SegmentBlock } from './segment-index.ts';
import { batchAt, batchesEndingBy, batchStart } from './segment-index.ts';

/**
 * Collects the answer to one read: whole batches from an offset on, up to a size, but at least one batch. Pieces are views
 * of one or more batches.
 */
export class BatchCollector {
  readonly pieces: Uint8Array[] = [];
  sizeBytes = 0;
  /** Offset after the last batch collected; before the first, where to start. */
  nextOffset: number;
  readonly #maxBytes: number;
  readonly #held: RecordBytes[] = [];
  #isFull = false;

  constructor(offset: number, maxBytes: number) {
    this.nextOffset = offset;
    this.#maxBytes = maxBytes;
  }

  /** Nothing more goes in. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** The memory of the pieces may be used for something else. What was not held stays as it is. */
  release(): void {
    for (const records of this.#held.splice(0)) records.release();
  }

  /** As {@link addBlock}, of a block that is one piece. Takes over the hold on it. */
  addHeldBlock(records: RecordBytes, batches: readonly BatchEntry[]): void {
    this.#held.push(records);
    this.addBlock([records.bytes], batches);
  }

  /** Adds a block's batches from `nextOffset` on. Every piece holds whole batches, as listed in `batches`. */
  addBlock(pieces: readonly Uint8Array[], batches: readonly BatchEntry[]): void {
    let index = 0;
    for (const piece of pieces) {
      let from = 0;
      let to = 0;
      while (to < piece.length && !this.#isFull) {
        const batch = batches[index++];
        if (batch === undefined) throw new Error('a block has more bytes than its batches');
        if (batch.lastOffset < this.nextOffset) {
          from += batch.sizeBytes;
          to = from;
        } else if (this.#takes(batch.sizeBytes)) {
          to += batch.sizeBytes;
          this.nextOffset = batch.lastOffset + 1;
        }
      }
      if (to > from) this.pieces.push(piece.subarray(from, to));
      if (this.#isFull) return;
    }
  }

  #takes(sizeBytes: number): boolean {
    if (this.sizeBytes > 0 && this.sizeBytes + sizeBytes > this.#maxBytes) {
      this.#isFull = true;
      return false;
    }
    this.sizeBytes += sizeBytes;
    if (this.sizeBytes >= this.#maxBytes) this.#isFull = true;
    return true;
  }

  /**
   * Adds a segment block's batches from `nextOffset` on, as far as they lie in a chunk that starts at `start`. Takes over
   * the hold on it.
   */
  addChunk(records: RecordBytes, start: number, block: SegmentBlock): void {
    this.#held.push(records);
    const { bytes } = records;
    const first = batchAt(block, this.nextOffset);
    const inChunk = batchesEndingBy(block, start + bytes.length);
    if (first >= inChunk) return;
    const from = batchStart(block, first);
    const fitting = batchesEndingBy(block, from + this.#maxBytes - this.sizeBytes);
    let end = Math.min(inChunk, fitting);
    if (end <= first) {
      this.#isFull = true;
      if (this.sizeBytes > 0) return;
      end = first + 1;
    }
    const to = batchStart(block, end);
    this.pieces.push(bytes.subarray(from - start, to - start));
    this.sizeBytes += to - from;
    this.nextOffset = (block.lastOffsets[end - 1] ?? 0) + 1;
    if (end < inChunk || this.sizeBytes >= this.#maxBytes) this.#isFull = true;
  }
}
