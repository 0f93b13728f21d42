import type { Leaf } from '../parquet/parquet-schema.ts';
import type { PageBuffer } from '../parquet/page-buffer.ts';

/** Of the values of one page. In PLAIN encoding, bytes without their length; `undefined` when nothing can be compared. */
export interface PageBounds {
  readonly min: Uint8Array | undefined;
  readonly max: Uint8Array | undefined;
  /** Floats only. */
  readonly nanCount: number;
}

export const noBounds: PageBounds = { min: undefined, max: undefined, nanCount: 0 };

/** The values of a chunk that are written once, before its pages. */
export interface DictionaryPage {
  readonly count: number;
  /** In PLAIN encoding. */
  readonly bytes: Uint8Array;
}

/**
 * The values of one column of the row group that is being filled.
 *
 * A value lies in a *slot*. Outside lists and maps the slot is the row, so a row that is given up leaves nothing behind but
 * what the next one overwrites; a null has a slot too. Within lists and maps every pair of levels has a slot and
 * `rowSlots` says where rows begin.
 *
 * Memory grows with the rows and is kept by `reset`, for the next row group.
 */
export abstract class Column {
  readonly leaf: Leaf;
  /** By slot; empty for a column that cannot be null. */
  definitions = new Uint8Array(0);
  /** By slot; empty outside lists and maps. */
  repetitions = new Uint8Array(0);
  /** In lists and maps: the first slot of each row. */
  #rowSlots = new Int32Array(0);
  /** In lists and maps: slots in use, and rows that have been begun. */
  #slots = 0;
  #begunRows = 0;
  #capacity = 0;
  #rowCapacity = 0;

  constructor(leaf: Leaf) {
    this.leaf = leaf;
  }

  get isRepeated(): boolean {
    return this.leaf.maxRepetition > 0;
  }

  /** All that is allocated, in use or not. */
  get memoryBytes(): number {
    const levels = this.definitions.length + this.repetitions.length + this.#rowSlots.byteLength;
    return levels + this.valueMemoryBytes;
  }

  /** Makes room for so many rows, and for a slot of each. */
  reserveRows(rows: number): void {
    if (rows > this.#rowCapacity) {
      this.#rowCapacity = Math.max(rows, this.#rowCapacity * 2, 1024);
      if (this.isRepeated) this.#rowSlots = grown(this.#rowSlots, this.#rowCapacity);
    }
    if (rows > this.#capacity) this.#growSlots(rows);
  }

  /** In lists and maps: the row begins at the next slot. */
  beginRow(row: number): void {
    this.#rowSlots[row] = this.#slots;
    this.#begunRows = row + 1;
  }

  /** In lists and maps: a slot with these levels. The value, if there is one, is still to be put there. */
  pushSlot(repetition: number, definition: number): number {
    const slot = this.#slots++;
    if (slot >= this.#capacity) this.#growSlots(slot + 1);
    this.repetitions[slot] = repetition;
    this.definitions[slot] = definition;
    return slot;
  }

  /** The first slot of a row; of the row after the last: where its slots would begin. */
  slotOfRow(row: number, rowCount: number): number {
    if (!this.isRepeated) return row;
    return row < rowCount ? (this.#rowSlots[row] ?? 0) : this.#slots;
  }

  /** Takes back everything from this row on, also of a row that is not complete. */
  truncateRows(row: number): void {
    if (!this.isRepeated) {
      this.truncateValues(row);
    } else if (row < this.#begunRows) {
      this.#slots = this.#rowSlots[row] ?? 0;
      this.#begunRows = row;
      this.truncateValues(this.#slots);
    }
  }

  reset(): void {
    this.#slots = 0;
    this.#begunRows = 0;
    this.resetValues();
  }

  /** How many of the slots hold a value. */
  countPresent(from: number, to: number): number {
    const { definitions } = this;
    const { maxDefinition } = this.leaf;
    if (maxDefinition === 0) return to - from;
    let present = 0;
    for (let slot = from; slot < to; slot++) if (definitions[slot] === maxDefinition) present++;
    return present;
  }

  /** What a null leaves in its slot. */
  abstract putNull(slot: number): void;

  /** About how many bytes the values of these slots take in a page. */
  abstract encodedBytes(from: number, to: number): number;

  /** Decides how the chunk is encoded; called once, before its pages. */
  abstract beginEncoding(slots: number): DictionaryPage | undefined;

  /** Appends what a page has that consists of nulls. */
  encodeNoValues(_page: PageBuffer): void {
    // Nothing, in PLAIN encoding.
  }

  /** Appends the values of the slots to the page: `present` of them, at least one, are not null. */
  abstract encodeValues(page: PageBuffer, from: number, to: number, present: number): PageBounds;

  /** Whether none of the slots is a null. */
  protected isDense(from: number, to: number, present: number): boolean {
    return present === to - from;
  }

  protected abstract get valueMemoryBytes(): number;

  protected abstract growValues(slots: number): void;

  protected abstract truncateValues(slots: number): void;

  protected abstract resetValues(): void;

  #growSlots(atLeast: number): void {
    this.#capacity = Math.max(atLeast, this.#capacity * 2, 1024);
    if (this.leaf.maxDefinition > 0) this.definitions = grown(this.definitions, this.#capacity);
    if (this.isRepeated) this.repetitions = grown(this.repetitions, this.#capacity);
    this.growValues(this.#capacity);
  }
}

/** The same values in a longer array. */
export function grown<T extends Uint8Array | Int32Array>(array: T, length: number): T {
  const larger = new (array.constructor as new (length: number) => T)(length);
  larger.set(array);
  return larger;
}
