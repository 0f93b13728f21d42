/** Smallest and largest of the first `count` values; `count` is at least 1. See {@link PageBounds}. */
import { noBounds } from './column.ts';
import type { PageBounds } from './column.ts';

export function int32Bounds(words: Int32Array, count: number): PageBounds {
  let min = words[0] ?? 0;
  let max = min;
  for (let i = 1; i < count; i++) {
    const value = words[i] ?? 0;
    if (value < min) min = value;
    else if (value > max) max = value;
  }
  return { min: int32Bytes(min), max: int32Bytes(max), nanCount: 0 };
}

/** Two words a value, the lower one first. */
export function int64Bounds(words: Int32Array, count: number): PageBounds {
  let minLow = (words[0] ?? 0) >>> 0;
  let minHigh = words[1] ?? 0;
  let maxLow = minLow;
  let maxHigh = minHigh;
  for (let i = 2; i < count * 2; i += 2) {
    const low = (words[i] ?? 0) >>> 0;
    const high = words[i + 1] ?? 0;
    if (high < minHigh || (high === minHigh && low < minLow)) {
      minLow = low;
      minHigh = high;
    } else if (high > maxHigh || (high === maxHigh && low > maxLow)) {
      maxLow = low;
      maxHigh = high;
    }
  }
  return { min: int64Bytes(minLow, minHigh), max: int64Bytes(maxLow, maxHigh), nanCount: 0 };
}

/**
 * NaN is no bound (it is not ordered), and where a zero is one its sign is taken so that both zeros are within, since -0 and 0 are
 * equal to a comparison (parquet.thrift, `ColumnOrder`).
 */
export function floatBounds(values: Float32Array | Float64Array, count: number): PageBounds {
  let min = Infinity;
  let max = -Infinity;
  let nanCount = 0;
  for (let i = 0; i < count; i++) {
    const value = values[i] ?? 0;
    if (value < min) min = value;
    if (value > max) max = value;
    if (value !== value) nanCount++;
  }
  if (nanCount === count) return { ...noBounds, nanCount };
  if (min === 0) min = -0;
  if (max === 0) max = 0;
  const bytes = values instanceof Float32Array ? float32Bytes : float64Bytes;
  return { min: bytes(min), max: bytes(max), nanCount };
}

function int32Bytes(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function int64Bytes(low: number, high: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(low, 0);
  bytes.writeInt32LE(high, 4);
  return bytes;
}

function float32Bytes(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function float64Bytes(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}
