import type { Leaf } from '../parquet/parquet-schema.ts';
import type { PageBuffer } from '../parquet/page-buffer.ts';
import { valueOrder } from '../parquet/value-order.ts';
import type { ValueOrder } from '../parquet/value-order.ts';
import { Column } from './column.ts';
import type { PageBounds } from './column.ts';

/** Values of one length: uuid, fixed, decimals of more than 18 digits. */
export class FixedBytesColumn extends Column {
  /** `lengthBytes` a slot. */
  bytes = Buffer.alloc(0);
  readonly #width: number;
  readonly #order: ValueOrder;

  constructor(leaf: Leaf) {
    super(leaf);
    this.#width = leaf.lengthBytes;
    this.#order = valueOrder(leaf);
  }

  override putNull(): void {
    // What lies in the slot of a null is never looked at.
  }

  override encodedBytes(from: number, to: number): number {
    return (to - from) * this.#width;
  }

  override beginEncoding(): undefined {
    return undefined;
  }

  override encodeValues(page: PageBuffer, from: number, to: number, present: number): PageBounds {
    const { bytes, definitions } = this;
    const width = this.#width;
    const { maxDefinition } = this.leaf;
    const start = page.length;
    if (this.isDense(from, to, present)) {
      page.append(bytes.subarray(from * width, to * width));
    } else {
      page.reserve(present * width);
      for (let slot = from; slot < to; slot++) {
        if (definitions[slot] !== maxDefinition) continue;
        bytes.copy(page.bytes, page.length, slot * width, (slot + 1) * width);
        page.length += width;
      }
    }
    return this.#bounds(page.bytes.subarray(start, page.length), present);
  }

  protected override get valueMemoryBytes(): number {
    return this.bytes.length;
  }

  protected override growValues(slots: number): void {
    const larger = Buffer.alloc(slots * this.#width);
    this.bytes.copy(larger);
    this.bytes = larger;
  }

  protected override truncateValues(): void {
    // Slots are overwritten.
  }

  protected override resetValues(): void {
    // Slots are overwritten.
  }

  #bounds(values: Uint8Array, count: number): PageBounds {
    const width = this.#width;
    let min = values.subarray(0, width);
    let max = min;
    for (let i = 1; i < count; i++) {
      const value = values.subarray(i * width, (i + 1) * width);
      if (this.#order(value, min) < 0) min = value;
      else if (this.#order(value, max) > 0) max = value;
    }
    return { min: Uint8Array.from(min), max: Uint8Array.from(max), nanCount: 0 };
  }
}
