import type { PageBuffer } from '../parquet/page-buffer.ts';
import { Column, grown } from './column.ts';
import type { PageBounds } from './column.ts';

/** Booleans, a byte each (0 or 1); in a page a bit each, the lowest one first. */
export class BooleanColumn extends Column {
  values = new Uint8Array(0);

  override putNull(): void {
    // What lies in the slot of a null is never looked at.
  }

  override encodedBytes(from: number, to: number): number {
    return (to - from) / 8;
  }

  override beginEncoding(): undefined {
    return undefined;
  }

  override encodeValues(page: PageBuffer, from: number, to: number, present: number): PageBounds {
    const { definitions, values } = this;
    const { maxDefinition } = this.leaf;
    const dense = this.isDense(from, to, present);
    page.reserve((present + 7) >> 3);
    let ones = 0;
    let bits = 0;
    let count = 0;
    for (let slot = from; slot < to; slot++) {
      if (!dense && definitions[slot] !== maxDefinition) continue;
      const value = values[slot] ?? 0;
      ones += value;
      bits |= value << count++;
      if (count === 8) {
        page.bytes[page.length++] = bits;
        bits = 0;
        count = 0;
      }
    }
    if (count > 0) page.bytes[page.length++] = bits;
    return {
      min: Uint8Array.of(ones === present ? 1 : 0),
      max: Uint8Array.of(ones > 0 ? 1 : 0),
      nanCount: 0,
    };
  }

  protected override get valueMemoryBytes(): number {
    return this.values.length;
  }

  protected override growValues(slots: number): void {
    this.values = grown(this.values, slots);
  }

  protected override truncateValues(): void {
    // Slots are overwritten.
  }

  protected override resetValues(): void {
    // Slots are overwritten.
  }
}
