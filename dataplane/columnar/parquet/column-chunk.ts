import zlib from 'node:zlib';
import type { Column } from '../columns/column.ts';
import { appendHybrid } from './rle-hybrid.ts';
import type { FilePieces } from './file-pieces.ts';
import type { PageBuffer } from './page-buffer.ts';
import type { PageCompressor } from './page-compression.ts';
import type { Leaf } from './parquet-schema.ts';
import type { Bounds } from './statistics.ts';
import { ThriftWriter } from './thrift-writer.ts';
import { valueOrder } from './value-order.ts';

/** Parquet's `Encoding`. */
export const encodings = { PLAIN: 0, RLE: 3, RLE_DICTIONARY: 8 } as const;

const pageTypes = { data: 0, dictionary: 2 } as const;

export interface PageLimits {
  /** A page is closed before it has more rows or (by an estimate) bytes; it has one row at least. */
  readonly rows: number;
  readonly bytes: number;
}

/** One data page of a chunk, for the page index. */
export interface PageEntry {
  readonly offset: number;
  /** With its header. */
  readonly sizeBytes: number;
  /** Within the row group. */
  readonly firstRow: number;
  readonly nullCount: number;
  readonly hasValues: boolean;
  /** Undefined: only nulls and NaN. */
  readonly bounds: Bounds | undefined;
}

/** A column chunk that has been written. */
export interface ColumnChunk {
  readonly leaf: Leaf;
  readonly offset: number;
  /** With page headers, in the file. */
  readonly sizeBytes: number;
  /** With page headers, before compression. */
  readonly uncompressedBytes: number;
  readonly hasDictionary: boolean;
  readonly dataOffset: number;
  /** Pairs of levels: with nulls. */
  readonly valueCount: number;
  readonly nullCount: number;
  readonly nanCount: number;
  readonly bounds: Bounds | undefined;
  readonly pages: readonly PageEntry[];
}

/**
 * Appends a column of a row group: a dictionary page if there is one, then data pages.
 *
 * Data pages are of version 1, which every reader has: version 2 is known to go wrong in some (levels outside the
 * compression, its `is_compressed`), and what it would gain, levels that can be read without decompression, nobody uses.
 * As in version 2 a page begins with a row, since a page index can only name pages that do.
 */
export function writeColumnChunk(
  column: Column,
  rowCount: number,
  file: FilePieces,
  buffer: PageBuffer,
  compress: PageCompressor,
  limits: PageLimits,
): ColumnChunk {
  const { leaf } = column;
  const order = valueOrder(leaf);
  const offset = file.sizeBytes;
  let uncompressedBytes = 0;
  const append = (type: keyof typeof pageTypes, content: Buffer, count: number, encoding: number): void => {
    const compressed = compress(content);
    const header = pageHeader(type, content.length, compressed, count, encoding);
    uncompressedBytes += header.length + content.length;
    file.append(header);
    file.append(compressed);
  };

  const slots = column.slotOfRow(rowCount, rowCount);
  const dictionary = column.beginEncoding(slots);
  if (dictionary !== undefined) {
    buffer.clear();
    buffer.append(dictionary.bytes);
    append('dictionary', buffer.content(), dictionary.count, encodings.PLAIN);
  }
  const encoding = dictionary === undefined ? encodings.PLAIN : encodings.RLE_DICTIONARY;
  const dataOffset = file.sizeBytes;
  const pages: PageEntry[] = [];
  let nullCount = 0;
  let nanCount = 0;
  let bounds: Bounds | undefined;
  for (let row = 0; row < rowCount;) {
    const end = pageEnd(column, row, rowCount, limits);
    const from = column.slotOfRow(row, rowCount);
    const to = column.slotOfRow(end, rowCount);
    const present = column.countPresent(from, to);
    const pageOffset = file.sizeBytes;
    buffer.clear();
    if (leaf.maxRepetition > 0) appendLevels(buffer, column.repetitions, from, to, leaf.maxRepetition);
    if (leaf.maxDefinition > 0) appendLevels(buffer, column.definitions, from, to, leaf.maxDefinition);
    const page = encodePage(column, buffer, from, to, present);
    append('data', buffer.content(), to - from, encoding);

    nullCount += to - from - present;
    nanCount += page.nanCount;
    if (page.bounds !== undefined) bounds = widen(bounds, page.bounds, order);
    pages.push({
      offset: pageOffset,
      sizeBytes: file.sizeBytes - pageOffset,
      firstRow: row,
      nullCount: to - from - present,
      hasValues: present > 0,
      bounds: page.bounds,
    });
    row = end;
  }
  return {
    leaf,
    offset,
    sizeBytes: file.sizeBytes - offset,
    uncompressedBytes,
    hasDictionary: dictionary !== undefined,
    dataOffset,
    valueCount: slots,
    nullCount,
    nanCount,
    bounds,
    pages,
  };
}

function encodePage(
  column: Column,
  buffer: PageBuffer,
  from: number,
  to: number,
  present: number,
): { bounds: Bounds | undefined; nanCount: number } {
  if (present === 0) {
    column.encodeNoValues(buffer);
    return { bounds: undefined, nanCount: 0 };
  }
  const { min, max, nanCount } = column.encodeValues(buffer, from, to, present);
  return { bounds: min === undefined || max === undefined ? undefined : { min, max }, nanCount };
}

function widen(
  bounds: Bounds | undefined,
  page: Bounds,
  order: (a: Uint8Array, b: Uint8Array) => number,
): Bounds {
  if (bounds === undefined) return page;
  return {
    min: order(page.min, bounds.min) < 0 ? page.min : bounds.min,
    max: order(page.max, bounds.max) > 0 ? page.max : bounds.max,
  };
}

/** The row after the last one of the page that begins with `row`. */
function pageEnd(column: Column, row: number, rowCount: number, limits: PageLimits): number {
  const from = column.slotOfRow(row, rowCount);
  let end = Math.min(rowCount, row + limits.rows);
  for (;;) {
    const to = column.slotOfRow(end, rowCount);
    const bytes = column.encodedBytes(from, to) + (to - from) * (column.isRepeated ? 2 : 0);
    if (bytes <= limits.bytes || end === row + 1) return end;
    // In one step where rows are alike, in a few more where they are not.
    end = row + Math.max(1, Math.floor(((end - row) * limits.bytes) / bytes));
  }
}

/** `length int32, RLE/bit-packing hybrid`. */
function appendLevels(buffer: PageBuffer, levels: Uint8Array, from: number, to: number, max: number): void {
  const start = buffer.length;
  buffer.reserve(4);
  buffer.length += 4;
  appendHybrid(buffer, levels, from, to, 32 - Math.clz32(max));
  buffer.bytes.writeInt32LE(buffer.length - start - 4, start);
}

/** parquet.thrift, `PageHeader`. */
function pageHeader(
  type: keyof typeof pageTypes,
  uncompressedBytes: number,
  compressed: Uint8Array,
  count: number,
  encoding: number,
): Uint8Array {
  const thrift = new ThriftWriter(64);
  thrift.i32(1, pageTypes[type]);
  thrift.i32(2, uncompressedBytes);
  thrift.i32(3, compressed.length);
  thrift.i32(4, zlib.crc32(compressed) | 0);
  thrift.beginStruct(type === 'data' ? 5 : 7);
  thrift.i32(1, count);
  thrift.i32(2, encoding);
  if (type === 'data') {
    thrift.i32(3, encodings.RLE);
    thrift.i32(4, encodings.RLE);
  }
  thrift.endStruct();
  return thrift.finish();
}
