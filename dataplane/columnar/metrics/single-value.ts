import type { Leaf } from '../parquet/parquet-schema.ts';
import { lowerBytesBound, lowerTextBound, upperBytesBound, upperTextBound } from './truncate-bound.ts';

/** Characters of a string, bytes of binary and fixed: what Iceberg's `truncate(16)` metrics keep. */
const longestBound = 16;

/**
 * A lower bound as Iceberg's single-value serialization has it (appendix D, "Binary single-value serialization").
 *
 * @param value in PLAIN encoding, bytes without their length
 */
export function lowerBound(leaf: Leaf, value: Uint8Array): Uint8Array {
  switch (leaf.type.kind) {
    case 'string':
      return lowerTextBound(value, longestBound);
    case 'binary':
    case 'fixed':
      return lowerBytesBound(value, longestBound);
    case 'decimal':
      return decimalValue(leaf, value);
    default:
      return value;
  }
}

/** @returns undefined when no bound of that length is above the value */
export function upperBound(leaf: Leaf, value: Uint8Array): Uint8Array | undefined {
  switch (leaf.type.kind) {
    case 'string':
      return upperTextBound(value, longestBound);
    case 'binary':
    case 'fixed':
      return upperBytesBound(value, longestBound);
    case 'decimal':
      return decimalValue(leaf, value);
    default:
      return value;
  }
}

/** Two's complement, big endian, as few bytes as hold it. */
function decimalValue(leaf: Leaf, value: Uint8Array): Uint8Array {
  const bytes = leaf.physical === 'FIXED_LEN_BYTE_ARRAY' ? value : Uint8Array.from(value).reverse();
  let start = 0;
  while (start < bytes.length - 1) {
    const next = bytes[start + 1] ?? 0;
    const isSign = next < 0x80 ? bytes[start] === 0 : bytes[start] === 0xff;
    if (!isSign) break;
    start++;
  }
  return bytes.subarray(start);
}
