import { decimalBytes } from '../parquet/parquet-schema.ts';

/**
 * Decimals as Avro has them (two's complement, big endian, of any length) into a column's form. One for each column:
 * whatever `read` accepts fits the column.
 */
export class DecimalValues {
  /** Big endian, `bytes.length` of them: the value that was read last. */
  readonly bytes: Buffer;
  readonly #largest: Buffer;
  readonly #smallest: Buffer;

  constructor(precision: number) {
    const width = precision <= 9 ? 4 : precision <= 18 ? 8 : decimalBytes(precision);
    this.bytes = Buffer.alloc(width);
    const largest = 10n ** BigInt(precision) - 1n;
    this.#largest = bigEndian(largest, width);
    this.#smallest = bigEndian(-largest, width);
  }

  /** False when there are no bytes, or more digits than the column has. */
  read(source: Uint8Array, start: number, length: number): boolean {
    if (length === 0) return false;
    const { bytes } = this;
    const width = bytes.length;
    const sign = (source[start] ?? 0) < 0x80 ? 0 : 0xff;
    for (let i = 0; i < length - width; i++) if (source[start + i] !== sign) return false;
    for (let i = 1; i <= width; i++)
      bytes[width - i] = i <= length ? (source[start + length - i] ?? 0) : sign;
    if ((bytes[0] ?? 0) < 0x80 !== (sign === 0)) return false;
    // Among values of one sign the order of two's complement is that of the bytes.
    return sign === 0 ? bytes.compare(this.#largest) <= 0 : bytes.compare(this.#smallest) >= 0;
  }

  /** Of a column of up to 9 digits. */
  int32(): number {
    return this.bytes.readInt32BE(0);
  }

  /** Of a column of up to 18 digits: the upper word, and the lower one. */
  high(): number {
    return this.bytes.readInt32BE(0);
  }

  low(): number {
    return this.bytes.readInt32BE(4);
  }
}

function bigEndian(value: bigint, width: number): Buffer {
  const bytes = Buffer.alloc(width);
  let rest = BigInt.asUintN(8 * width, value);
  for (let i = width - 1; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}
