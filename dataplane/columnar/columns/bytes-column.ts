import type { Leaf } from '../parquet/parquet-schema.ts';
import type { PageBuffer } from '../parquet/page-buffer.ts';
import { appendHybrid } from '../parquet/rle-hybrid.ts';
import { ByteDictionary, hashBytes, viewOf } from './byte-dictionary.ts';
import { BytesBounds, plainBounds } from './bytes-bounds.ts';
import { Column, grown } from './column.ts';
import type { DictionaryPage, PageBounds } from './column.ts';
import { isUtf8Range } from './utf8.ts';

/** A dictionary page is read and kept whole: beyond this it hurts readers. */
const mostDictionaryBytes = 1024 * 1024;
/** Indexes then have 16 bits at most. */
const mostDictionaryEntries = 65_536;
/** Up to here a call into native code costs more than a loop over bytes. */
const shortCopy = 48;

/**
 * Strings and bytes. Begins with a dictionary; goes over to plain values, for the rest of the file, when a look at it
 * ({@link considerPlain}) says that it does not pay.
 *
 * ```
 * with a dictionary:  places[slot] = index of the entry
 * plain:              places[slot] = where the value ends in `#plain`, which is PLAIN encoding already: { length int32, bytes }…
 * ```
 */
export class BytesColumn extends Column {
  readonly #isText: boolean;
  readonly #dictionary = new ByteDictionary();
  #places = new Int32Array(0);
  #hasDictionary = true;
  #plain = Buffer.alloc(0);
  #plainView = viewOf(this.#plain);
  #plainLength = 0;
  /** How the chunk that is being encoded is encoded. */
  #encodesDictionary = false;
  #indexBits = 1;

  constructor(leaf: Leaf) {
    super(leaf);
    this.#isText = leaf.type.kind === 'string';
  }

  get hasDictionary(): boolean {
    return this.#hasDictionary;
  }

  /**
   * Puts `source[start, start + length)` into the slot; slots are filled in order. `view` is of the same memory.
   *
   * @returns false when the column is of strings and the bytes are no UTF-8; nothing is put then
   */
  put(slot: number, source: Buffer, view: DataView, start: number, length: number): boolean {
    if (!this.#hasDictionary) {
      if (this.#isText && !isUtf8Range(source, view, start, length)) return false;
      this.#putPlain(slot, source, start, length);
      return true;
    }
    const hash = hashBytes(source, view, start, length);
    let index = this.#dictionary.find(source, start, length, hash);
    if (index < 0) {
      if (this.#isText && !isUtf8Range(source, view, start, length)) return false;
      index = this.#dictionary.insert(source, start, length, hash, slot);
    }
    this.#places[slot] = index;
    return true;
  }

  override putNull(slot: number): void {
    this.#places[slot] = this.#hasDictionary ? 0 : this.#plainLength;
  }

  /** Gives the dictionary up, now and for the rest of the file, if it does not pay for the slots so far. */
  considerPlain(slots: number): void {
    if (!this.#hasDictionary) return;
    const present = this.countPresent(0, slots);
    const isHopeless = present >= 2048 && this.#dictionary.count * 10 > present * 9;
    if (isHopeless || this.#isTooLarge() || (present >= 16_384 && !this.#pays(present))) this.#toPlain(slots);
  }

  override encodedBytes(from: number, to: number): number {
    if (this.#encodesDictionary) return ((to - from) * this.#indexBits) / 8;
    return this.#plainEnd(to) - this.#plainEnd(from);
  }

  override beginEncoding(slots: number): DictionaryPage | undefined {
    const { count } = this.#dictionary;
    const present = this.countPresent(0, slots);
    if (this.#hasDictionary && (this.#isTooLarge() || !this.#pays(present))) {
      this.#toPlain(slots);
      // Few values say little of those to come.
      if (present < 2048) this.#hasDictionary = true;
      this.#encodesDictionary = false;
      return undefined;
    }
    this.#encodesDictionary = this.#hasDictionary && count > 0;
    if (!this.#encodesDictionary) return undefined;
    this.#indexBits = Math.max(1, 32 - Math.clz32(count - 1));
    return { count, bytes: this.#dictionaryPage() };
  }

  override encodeNoValues(page: PageBuffer): void {
    if (this.#encodesDictionary) page.append(Uint8Array.of(this.#indexBits));
  }

  override encodeValues(page: PageBuffer, from: number, to: number, present: number): PageBounds {
    if (this.#encodesDictionary) return this.#encodeIndexes(page, from, to, present);
    const start = page.length;
    page.append(this.#plain.subarray(this.#plainEnd(from), this.#plainEnd(to)));
    return plainBounds(page.bytes.subarray(start, page.length));
  }

  protected override get valueMemoryBytes(): number {
    return this.#places.byteLength + this.#plain.length + this.#dictionary.memoryBytes;
  }

  protected override growValues(slots: number): void {
    this.#places = grown(this.#places, slots);
  }

  protected override truncateValues(slots: number): void {
    if (this.#hasDictionary) this.#dictionary.truncate(slots);
    else this.#plainLength = this.#plainEnd(slots);
  }

  protected override resetValues(): void {
    this.#dictionary.clear();
    this.#plainLength = 0;
  }

  /** Forgets also what was learned of the values: for another file. */
  forget(): void {
    this.#hasDictionary = true;
  }

  #putPlain(slot: number, source: Buffer, start: number, length: number): void {
    const at = this.#plainLength + 4;
    if (at + length > this.#plain.length) this.#growPlain(at + length);
    this.#plainView.setInt32(at - 4, length, true);
    const target = this.#plain;
    if (length < shortCopy) {
      for (let i = 0; i < length; i++) target[at + i] = source[start + i] ?? 0;
    } else {
      source.copy(target, at, start, start + length);
    }
    this.#plainLength = at + length;
    this.#places[slot] = at + length;
  }

  #growPlain(atLeast: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(atLeast, this.#plain.length * 2, 4096));
    this.#plain.copy(larger, 0, 0, this.#plainLength);
    this.#plain = larger;
    this.#plainView = viewOf(larger);
  }

  #plainEnd(slots: number): number {
    return slots === 0 ? 0 : (this.#places[slots - 1] ?? 0);
  }

  #isTooLarge(): boolean {
    const { count, valueBytes } = this.#dictionary;
    return count > mostDictionaryEntries || valueBytes + 4 * count > mostDictionaryBytes;
  }

  /** Dictionary and indexes against the values written out, guessed from the mean length of the distinct ones. */
  #pays(present: number): boolean {
    const { count, valueBytes } = this.#dictionary;
    if (count === 0) return true;
    const indexBytes = (present * Math.max(1, 32 - Math.clz32(count - 1))) / 8;
    return valueBytes + 4 * count + indexBytes <= present * (valueBytes / count + 4);
  }

  #toPlain(slots: number): void {
    const { bytes, starts } = this.#dictionary;
    const { maxDefinition } = this.leaf;
    this.#plainLength = 0;
    for (let slot = 0; slot < slots; slot++) {
      if (maxDefinition > 0 && this.definitions[slot] !== maxDefinition) {
        this.#places[slot] = this.#plainLength;
      } else {
        const index = this.#places[slot] ?? 0;
        const start = starts[index] ?? 0;
        this.#putPlain(slot, bytes, start, (starts[index + 1] ?? 0) - start);
      }
    }
    this.#hasDictionary = false;
  }

  #dictionaryPage(): Uint8Array {
    const { bytes, count, starts, valueBytes } = this.#dictionary;
    const page = Buffer.allocUnsafe(valueBytes + 4 * count);
    let at = 0;
    for (let index = 0; index < count; index++) {
      const start = starts[index] ?? 0;
      const end = starts[index + 1] ?? 0;
      at = page.writeInt32LE(end - start, at);
      at += bytes.copy(page, at, start, end);
    }
    return page;
  }

  /** `bits of an index` u8, then the indexes as RLE/bit-packing hybrid, without a length before them. */
  #encodeIndexes(page: PageBuffer, from: number, to: number, present: number): PageBounds {
    let indexes: Int32Array = this.#places.subarray(from, to);
    if (!this.isDense(from, to, present)) {
      const { definitions } = this;
      const { maxDefinition } = this.leaf;
      const dense = page.words(present);
      let next = 0;
      for (let slot = from; slot < to; slot++) {
        if (definitions[slot] === maxDefinition) dense[next++] = this.#places[slot] ?? 0;
      }
      indexes = dense;
    }
    page.reserve(1);
    page.bytes[page.length++] = this.#indexBits;
    appendHybrid(page, indexes, 0, present, this.#indexBits);
    return this.#dictionaryBounds(indexes, present);
  }

  #dictionaryBounds(indexes: Int32Array, count: number): PageBounds {
    const { bytes, count: entries, starts } = this.#dictionary;
    const used = new Uint8Array(entries);
    for (let i = 0; i < count; i++) used[indexes[i] ?? 0] = 1;
    const bounds = new BytesBounds(bytes);
    for (let index = 0; index < entries; index++) {
      if (used[index] === 1) bounds.add(starts[index] ?? 0, starts[index + 1] ?? 0);
    }
    return bounds.result();
  }
}
