/**
 * Thrift's compact protocol, as far as Parquet's metadata needs it.
 *
 * ```
 * struct: { field header, value }… 0x00      field header: delta of the id in the high four bits, type in the low ones
 * list:   count in the high four bits, type in the low ones (15: the count follows as a varint), elements
 * ```
 * Integers are zigzag varints, strings and bytes have a varint length before them.
 */
export const thriftTypes = { bool: 1, i16: 4, i32: 5, i64: 6, binary: 8, list: 9, struct: 12 } as const;

export type ThriftElementType = 'bool' | 'i32' | 'i64' | 'binary' | 'struct';

const typeFalse = 2;

/** Fields of a struct are written in the order of their ids. Begins inside the outermost struct. */
export class ThriftWriter {
  #bytes: Buffer;
  #length = 0;
  /** Id of the last field of the struct that is being written; those of the structs around it. */
  #lastId = 0;
  readonly #outerIds: number[] = [];

  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  bool(id: number, value: boolean): void {
    this.#field(id, value ? thriftTypes.bool : typeFalse);
  }

  i32(id: number, value: number): void {
    this.#field(id, thriftTypes.i32);
    this.elementI32(value);
  }

  i16(id: number, value: number): void {
    this.#field(id, thriftTypes.i16);
    this.elementI32(value);
  }

  /** @param value a safe integer */
  i64(id: number, value: number): void {
    this.#field(id, thriftTypes.i64);
    this.elementI64(value);
  }

  binary(id: number, value: Uint8Array | string): void {
    this.#field(id, thriftTypes.binary);
    this.elementBinary(value);
  }

  beginStruct(id: number): void {
    this.#field(id, thriftTypes.struct);
    this.beginElement();
  }

  /** Ends a struct that {@link beginStruct} or {@link beginElement} began. */
  endStruct(): void {
    this.#byte(0);
    this.#lastId = this.#outerIds.pop() ?? 0;
  }

  /** Elements follow by the `element…` methods. */
  beginList(id: number, type: ThriftElementType, count: number): void {
    this.#field(id, thriftTypes.list);
    if (count < 15) {
      this.#byte((count << 4) | thriftTypes[type]);
    } else {
      this.#byte(0xf0 | thriftTypes[type]);
      this.#varint(count);
    }
  }

  beginElement(): void {
    this.#outerIds.push(this.#lastId);
    this.#lastId = 0;
  }

  elementBool(value: boolean): void {
    this.#byte(value ? thriftTypes.bool : typeFalse);
  }

  elementI32(value: number): void {
    this.#varint(((value << 1) ^ (value >> 31)) >>> 0);
  }

  elementI64(value: number): void {
    this.#varint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  elementBinary(value: Uint8Array | string): void {
    const bytes = typeof value === 'string' ? Buffer.from(value) : value;
    this.#varint(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Ends the outermost struct: all the bytes, not shared with this writer. */
  finish(): Uint8Array {
    this.#byte(0);
    return Uint8Array.prototype.slice.call(this.#bytes, 0, this.#length);
  }

  #field(id: number, type: number): void {
    const delta = id - this.#lastId;
    if (delta > 0 && delta < 16) {
      this.#byte((delta << 4) | type);
    } else {
      this.#byte(type);
      this.elementI32(id);
    }
    this.#lastId = id;
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** Not bit by bit: up to 2^54. */
  #varint(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }

  #reserve(extra: number): void {
    if (this.#length + extra <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + extra));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
