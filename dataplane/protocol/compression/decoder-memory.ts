import { instantiateBlockDecoders, slackBytes, type BlockDecoders } from './block-decoders.ts';

const pageBytes = 64 * 1024;
/** A memory that has grown beyond this is given up after use. */
const keptBytes = 16 * 1024 * 1024;
/** Addresses stay below 2^31. */
export const maxDecoderBytes = 2 ** 31 - pageBytes;

/**
 * The memory that LZ4 and Snappy are decoded in, used again for the next batch: fresh buffers cost page faults and linger
 * until a collection. It grows only as far as the compressed bytes that are there can justify.
 *
 * ```
 * | compressed bytes | slack | data | slack | free …
 * 0                          ^ #dataStart
 * ```
 */
export class DecoderMemory {
  #decoders: BlockDecoders = instantiateBlockDecoders();
  #bytes: Buffer = Buffer.from(this.#decoders.memory.buffer);
  #dataStart = 0;

  /** Takes compressed bytes in; data of an earlier batch is gone. Positions below are positions in these bytes. */
  load(compressed: Uint8Array): void {
    this.#dataStart = compressed.length + slackBytes;
    this.#reserveTotal(this.#dataStart + slackBytes);
    this.#bytes.set(compressed, 0);
  }

  /** Makes room for `sizeBytes` of data in all; what is there stays. */
  reserve(sizeBytes: number): void {
    this.#reserveTotal(this.#dataStart + sizeBytes + slackBytes);
  }

  /**
   * Decodes the LZ4 block `[start, end)` to the data from `dataStart` on; matches may reach back to `historyStart`. There
   * must be room for `dataLimit` bytes.
   *
   * @returns the new size of the data, at most `dataLimit`, or `blockCorrupt`, or `blockTooLarge`
   */
  decodeLz4(start: number, end: number, dataStart: number, dataLimit: number, historyStart: number): number {
    const origin = this.#dataStart;
    const result = this.#decoders.lz4(
      start,
      end,
      origin + dataStart,
      origin + dataLimit,
      origin + historyStart,
    );
    return result < 0 ? result : result - origin;
  }

  /**
   * The same for a Snappy block.
   *
   * @returns the new size of the data, at most `dataLimit`, or `blockCorrupt`
   */
  decodeSnappy(start: number, end: number, dataStart: number, dataLimit: number): number {
    const origin = this.#dataStart;
    const result = this.#decoders.snappy(start, end, origin + dataStart, origin + dataLimit);
    return result < 0 ? result : result - origin;
  }

  /** Copies `[start, end)` as it is to the data from `dataStart` on; there must be room. */
  copyStored(start: number, end: number, dataStart: number): void {
    this.#bytes.copyWithin(this.#dataStart + dataStart, start, end);
  }

  /** The first `sizeBytes` of the data; valid until the next call of `load` or `reserve`. */
  data(sizeBytes: number): Buffer {
    return this.#bytes.subarray(this.#dataStart, this.#dataStart + sizeBytes);
  }

  /** Gives memory back when the last use needed much. What `data` returned stays valid. */
  trim(): void {
    if (this.#bytes.length <= keptBytes) return;
    this.#decoders = instantiateBlockDecoders();
    this.#bytes = Buffer.from(this.#decoders.memory.buffer);
  }

  #reserveTotal(bytes: number): void {
    const missing = bytes - this.#bytes.length;
    if (missing <= 0) return;
    // Growing is one system call and copies nothing; doubling keeps those few.
    const wanted = Math.min(Math.max(missing, this.#bytes.length), maxDecoderBytes - this.#bytes.length);
    this.#decoders.memory.grow(Math.ceil(wanted / pageBytes));
    this.#bytes = Buffer.from(this.#decoders.memory.buffer);
  }
}
