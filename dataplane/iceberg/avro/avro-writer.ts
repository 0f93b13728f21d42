/** Avro's binary encoding (Avro specification, "Binary Encoding"), appended to a buffer that grows. */
export class AvroWriter {
  #buffer: Buffer = Buffer.allocUnsafe(1024);
  #size = 0;

  get sizeBytes(): number {
    return this.#size;
  }

  /** int and long share an encoding. */
  long(value: number | bigint): void {
    if (typeof value === 'number' && value >= -(2 ** 30) && value < 2 ** 30) {
      this.#reserve(5);
      let rest = ((value << 1) ^ (value >> 31)) >>> 0;
      while (rest > 0x7f) {
        this.#buffer[this.#size++] = (rest & 0x7f) | 0x80;
        rest >>>= 7;
      }
      this.#buffer[this.#size++] = rest;
      return;
    }
    this.#reserve(10);
    const wide = BigInt.asIntN(64, BigInt(value));
    let rest = BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n));
    while (rest > 0x7fn) {
      this.#buffer[this.#size++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#size++] = Number(rest);
  }

  boolean(value: boolean): void {
    this.#reserve(1);
    this.#buffer[this.#size++] = value ? 1 : 0;
  }

  float(value: number): void {
    this.#reserve(4);
    this.#size = this.#buffer.writeFloatLE(value, this.#size);
  }

  double(value: number): void {
    this.#reserve(8);
    this.#size = this.#buffer.writeDoubleLE(value, this.#size);
  }

  string(value: string): void {
    this.bytes(Buffer.from(value, 'utf8'));
  }

  bytes(value: Uint8Array): void {
    this.long(value.byteLength);
    this.fixed(value);
  }

  fixed(value: Uint8Array): void {
    this.#reserve(value.byteLength);
    this.#buffer.set(value, this.#size);
    this.#size += value.byteLength;
  }

  /** An array or map in one block. */
  blocks<T>(items: readonly T[], write: (item: T) => void): void {
    if (items.length > 0) {
      this.long(items.length);
      for (const item of items) write(item);
    }
    this.long(0);
  }

  /** A union of null and one type. */
  optional<T>(value: T | undefined, write: (value: T) => void): void {
    this.long(value === undefined ? 0 : 1);
    if (value !== undefined) write(value);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#buffer, 0, this.#size);
  }

  #reserve(bytes: number): void {
    if (this.#size + bytes <= this.#buffer.byteLength) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.byteLength * 2, this.#size + bytes));
    this.#buffer.copy(grown, 0, 0, this.#size);
    this.#buffer = grown;
  }
}
