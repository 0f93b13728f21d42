import type { Leaf } from '../parquet/parquet-schema.ts';
import type { PageBuffer } from '../parquet/page-buffer.ts';
import { Column, grown } from './column.ts';
import type { PageBounds } from './column.ts';
import { floatBounds, int32Bounds, int64Bounds } from './number-bounds.ts';

/** Values of 32 or 64 bits: what lies in memory is what Parquet's PLAIN encoding is, on a machine of little endian. */
export class WordColumn extends Column {
  /** One word a slot or two (the lower one first). */
  words = new Int32Array(0);
  /** The same memory, of FLOAT. */
  floats = new Float32Array(0);
  /** The same memory, of DOUBLE. */
  doubles = new Float64Array(0);
  readonly #wordsPerValue: 1 | 2;

  constructor(leaf: Leaf) {
    super(leaf);
    this.#wordsPerValue = leaf.physical === 'INT64' || leaf.physical === 'DOUBLE' ? 2 : 1;
  }

  override putNull(): void {
    // What lies in the slot of a null is never looked at.
  }

  override encodedBytes(from: number, to: number): number {
    return (to - from) * this.#wordsPerValue * 4;
  }

  override beginEncoding(): undefined {
    return undefined;
  }

  override encodeValues(page: PageBuffer, from: number, to: number, present: number): PageBounds {
    const width = this.#wordsPerValue;
    const words = this.isDense(from, to, present)
      ? this.words.subarray(from * width, to * width)
      : this.#withoutNulls(page, from, to, present);
    page.append(new Uint8Array(words.buffer, words.byteOffset, present * width * 4));
    switch (this.leaf.physical) {
      case 'INT64':
        return int64Bounds(words, present);
      case 'FLOAT':
        return floatBounds(new Float32Array(words.buffer, words.byteOffset, present), present);
      case 'DOUBLE':
        return floatBounds(new Float64Array(words.buffer, words.byteOffset, present), present);
      default:
        return int32Bounds(words, present);
    }
  }

  protected override get valueMemoryBytes(): number {
    return this.words.byteLength;
  }

  protected override growValues(slots: number): void {
    this.words = grown(this.words, slots * this.#wordsPerValue);
    if (this.leaf.physical === 'FLOAT') this.floats = new Float32Array(this.words.buffer);
    if (this.leaf.physical === 'DOUBLE') this.doubles = new Float64Array(this.words.buffer);
  }

  protected override truncateValues(): void {
    // Slots are overwritten.
  }

  protected override resetValues(): void {
    // Slots are overwritten.
  }

  #withoutNulls(page: PageBuffer, from: number, to: number, present: number): Int32Array {
    const { definitions, words } = this;
    const { maxDefinition } = this.leaf;
    const dense = page.words(present * this.#wordsPerValue);
    let next = 0;
    if (this.#wordsPerValue === 1) {
      for (let slot = from; slot < to; slot++) {
        if (definitions[slot] === maxDefinition) dense[next++] = words[slot] ?? 0;
      }
    } else {
      for (let slot = from; slot < to; slot++) {
        if (definitions[slot] !== maxDefinition) continue;
        dense[next++] = words[slot * 2] ?? 0;
        dense[next++] = words[slot * 2 + 1] ?? 0;
      }
    }
    return dense;
  }
}
