/** Values that collide on purpose cost this much at most, and then stand in the dictionary more than once. */
const mostProbes = 128;

/**
 * The distinct values of a column in the order in which they came: an open hash table of two words an entry over one
 * stretch of memory.
 */
export class ByteDictionary {
  count = 0;
  /** Of all entries together. */
  valueBytes = 0;
  /** The values, one after the other. */
  bytes = Buffer.allocUnsafe(4096);
  view = viewOf(this.bytes);
  /** Where entry `i` begins; it ends where the next one begins. */
  starts = new Int32Array(257);
  #hashes = new Int32Array(256);
  /** The slot of the column that brought the entry. */
  #firstSlots = new Int32Array(256);
  /** Hash, index + 1 (0: free). */
  #table = new Int32Array(2048);

  get memoryBytes(): number {
    const words = this.starts.length + 2 * this.#hashes.length + this.#table.length;
    return this.bytes.length + 4 * words;
  }

  /** The index of the value `source[start, start + length)`, or -1 when it is not there. */
  find(source: Uint8Array, start: number, length: number, hash: number): number {
    const table = this.#table;
    const { bytes, starts } = this;
    const mask = (table.length >> 1) - 1;
    let place = hash & mask;
    let found = 0;
    let probes = 0;
    while ((found = table[2 * place + 1] ?? 0) !== 0 && probes++ < mostProbes) {
      if (table[2 * place] === hash) {
        const index = found - 1;
        const at = starts[index] ?? 0;
        if ((starts[index + 1] ?? 0) - at === length) {
          let i = 0;
          while (i < length && bytes[at + i] === source[start + i]) i++;
          if (i === length) return index;
        }
      }
      place = (place + 1) & mask;
    }
    return -1;
  }

  /** Adds a value that is not there. */
  insert(source: Buffer, start: number, length: number, hash: number, slot: number): number {
    const index = this.count;
    if (index === this.#hashes.length) this.#growEntries();
    if (this.valueBytes + length > this.bytes.length) this.#growBytes(length);
    source.copy(this.bytes, this.valueBytes, start, start + length);
    this.valueBytes += length;
    this.count++;
    this.starts[index + 1] = this.valueBytes;
    this.#hashes[index] = hash;
    this.#firstSlots[index] = slot;
    if (this.count * 4 > this.#table.length) this.#rehash();
    else this.#place(index);
    return index;
  }

  /** Takes back the entries that this slot and later ones brought. */
  truncate(slot: number): void {
    const table = this.#table;
    const mask = (table.length >> 1) - 1;
    while (this.count > 0 && (this.#firstSlots[this.count - 1] ?? 0) >= slot) {
      const index = --this.count;
      this.valueBytes = this.starts[index] ?? 0;
      // The youngest entry is the last of every chain it is in, so nothing behind it has to move.
      let place = (this.#hashes[index] ?? 0) & mask;
      for (let probes = 0; probes < mostProbes; probes++, place = (place + 1) & mask) {
        if (table[2 * place + 1] !== index + 1) continue;
        table[2 * place + 1] = 0;
        break;
      }
    }
  }

  clear(): void {
    if (this.count > 0) this.#table.fill(0);
    this.count = 0;
    this.valueBytes = 0;
  }

  #place(index: number): void {
    const table = this.#table;
    const mask = (table.length >> 1) - 1;
    const hash = this.#hashes[index] ?? 0;
    let place = hash & mask;
    for (let probes = 0; probes < mostProbes; probes++, place = (place + 1) & mask) {
      if (table[2 * place + 1] !== 0) continue;
      table[2 * place] = hash;
      table[2 * place + 1] = index + 1;
      return;
    }
  }

  #rehash(): void {
    this.#table = new Int32Array(this.#table.length * 2);
    for (let index = 0; index < this.count; index++) this.#place(index);
  }

  #growEntries(): void {
    const capacity = this.#hashes.length * 2;
    const [hashes, firstSlots, starts] = [this.#hashes, this.#firstSlots, this.starts];
    this.#hashes = new Int32Array(capacity);
    this.#hashes.set(hashes);
    this.#firstSlots = new Int32Array(capacity);
    this.#firstSlots.set(firstSlots);
    this.starts = new Int32Array(capacity + 1);
    this.starts.set(starts);
  }

  #growBytes(extra: number): void {
    const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.valueBytes + extra));
    this.bytes.copy(larger, 0, 0, this.valueBytes);
    this.bytes = larger;
    this.view = viewOf(larger);
  }
}

/** Of `source[start, start + length)`; `view` is of the same memory. */
export function hashBytes(source: Uint8Array, view: DataView, start: number, length: number): number {
  let hash = length | 0;
  const end = start + length;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    hash = Math.imul(hash ^ view.getInt32(at, true), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ (source[at] ?? 0), 0x01000193);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0x85ebca6b);
  return hash ^ (hash >>> 16);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
