import {
  lowerBytesBound,
  lowerTextBound,
  upperBytesBound,
  upperTextBound,
} from '../metrics/truncate-bound.ts';
import type { Leaf } from './parquet-schema.ts';
import type { ThriftWriter } from './thrift-writer.ts';

/** Longest bound of a string or of bytes in a footer or a page index, in characters or bytes. */
const longestBound = 64;

/** The least and the greatest value in PLAIN encoding (bytes without their length), or bounds of them. */
export interface Bounds {
  readonly min: Uint8Array;
  readonly max: Uint8Array;
}

/**
 * Bounds that are short enough to be written; `undefined` where the greatest value has no short upper bound (64 bytes 0xff):
 * a value of megabytes must not stand in a footer.
 */
export function shortBounds(leaf: Leaf, bounds: Bounds): Bounds | undefined {
  if (leaf.physical !== 'BYTE_ARRAY') return bounds;
  const isText = leaf.type.kind === 'string';
  const max = (isText ? upperTextBound : upperBytesBound)(bounds.max, longestBound);
  if (max === undefined) return undefined;
  return { min: (isText ? lowerTextBound : lowerBytesBound)(bounds.min, longestBound), max };
}

/** parquet.thrift, `Statistics`: only the fields whose order is defined (`min_value`, `max_value`). */
export function writeStatistics(
  thrift: ThriftWriter,
  leaf: Leaf,
  nullCount: number,
  bounds: Bounds | undefined,
): void {
  thrift.i64(3, nullCount);
  const short = bounds && shortBounds(leaf, bounds);
  if (bounds === undefined || short === undefined) return;
  thrift.binary(5, short.max);
  thrift.binary(6, short.min);
  thrift.bool(7, short.max === bounds.max);
  thrift.bool(8, short.min.length === bounds.min.length);
}
