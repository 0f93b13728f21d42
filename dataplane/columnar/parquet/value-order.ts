import type { Leaf } from './parquet-schema.ts';

/** Compares two values in PLAIN encoding (bytes without their length): negative, zero or positive. */
export type ValueOrder = (a: Uint8Array, b: Uint8Array) => number;

/** The order that statistics of the column are in: Parquet's `TypeDefinedOrder`. */
export function valueOrder(leaf: Leaf): ValueOrder {
  switch (leaf.physical) {
    case 'INT32':
      return (a, b) => view(a).getInt32(0, true) - view(b).getInt32(0, true);
    case 'INT64':
      return (a, b) => sign(view(a).getBigInt64(0, true), view(b).getBigInt64(0, true));
    case 'FLOAT':
      return (a, b) => sign(view(a).getFloat32(0, true), view(b).getFloat32(0, true));
    case 'DOUBLE':
      return (a, b) => sign(view(a).getFloat64(0, true), view(b).getFloat64(0, true));
    case 'BOOLEAN':
    case 'BYTE_ARRAY':
      return compareUnsigned;
    case 'FIXED_LEN_BYTE_ARRAY':
      return leaf.type.kind === 'decimal' ? compareSigned : compareUnsigned;
  }
}

export function compareUnsigned(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

/** Two's complement, big endian, of the same length. */
function compareSigned(a: Uint8Array, b: Uint8Array): number {
  const signA = (a[0] ?? 0) & 0x80;
  const signB = (b[0] ?? 0) & 0x80;
  return signA === signB ? Buffer.compare(a, b) : signB - signA;
}

function sign<T extends number | bigint>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
