import type { ColumnChunk, PageEntry } from './column-chunk.ts';
import { shortBounds } from './statistics.ts';
import { ThriftWriter } from './thrift-writer.ts';
import { valueOrder } from './value-order.ts';
import type { ValueOrder } from './value-order.ts';

/** Parquet's `BoundaryOrder`. */
const boundaryOrders = { unordered: 0, ascending: 1, descending: 2 } as const;

/**
 * parquet.thrift, `ColumnIndex`: which pages may hold a value. `undefined` for a chunk with a page that has values and no
 * bounds (all of them NaN, or too long), for which the format has no way to say so.
 */
export function columnIndex({ leaf, pages }: ColumnChunk): Uint8Array | undefined {
  const bounds = pages.map((page) => page.bounds && shortBounds(leaf, page.bounds));
  if (pages.some(({ hasValues }, i) => hasValues && bounds[i] === undefined)) return undefined;
  const written = bounds.filter((pair) => pair !== undefined);
  const thrift = new ThriftWriter();
  thrift.beginList(1, 'bool', pages.length);
  for (const pair of bounds) thrift.elementBool(pair === undefined);
  thrift.beginList(2, 'binary', pages.length);
  for (const pair of bounds) thrift.elementBinary(pair?.min ?? '');
  thrift.beginList(3, 'binary', pages.length);
  for (const pair of bounds) thrift.elementBinary(pair?.max ?? '');
  // The order of what is written: cut bounds may be equal, or out of order, where whole ones are not.
  const order = valueOrder(leaf);
  const mins = written.map(({ min }) => min);
  const maxes = written.map(({ max }) => max);
  thrift.i32(4, boundaryOrders[boundaryOrder(mins, maxes, order)]);
  thrift.beginList(5, 'i64', pages.length);
  for (const { nullCount } of pages) thrift.elementI64(nullCount);
  return thrift.finish();
}

/** parquet.thrift, `OffsetIndex`: where pages are and with which rows they begin. */
export function offsetIndex(pages: readonly PageEntry[]): Uint8Array {
  const thrift = new ThriftWriter(16 + pages.length * 16);
  thrift.beginList(1, 'struct', pages.length);
  for (const { offset, sizeBytes, firstRow } of pages) {
    thrift.beginElement();
    thrift.i64(1, offset);
    thrift.i32(2, sizeBytes);
    thrift.i64(3, firstRow);
    thrift.endStruct();
  }
  return thrift.finish();
}

function boundaryOrder(
  mins: readonly Uint8Array[],
  maxes: readonly Uint8Array[],
  order: ValueOrder,
): keyof typeof boundaryOrders {
  if (isSorted(mins, order) && isSorted(maxes, order)) return 'ascending';
  const reversed: ValueOrder = (a, b) => order(b, a);
  return isSorted(mins, reversed) && isSorted(maxes, reversed) ? 'descending' : 'unordered';
}

function isSorted(values: readonly Uint8Array[], order: ValueOrder): boolean {
  return values.every((value, i) => {
    const before = values[i - 1];
    return before === undefined || order(before, value) <= 0;
  });
}
