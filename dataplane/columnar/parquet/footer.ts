import type { ColumnChunk } from './column-chunk.ts';
import { encodings } from './column-chunk.ts';
import { codecNumbers } from './page-compression.ts';
import type { Compression } from './page-compression.ts';
import type { ParquetSchema } from './parquet-schema.ts';
import { physicalTypes } from './parquet-schema.ts';
import { writeSchemaElements } from './schema-elements.ts';
import { writeStatistics } from './statistics.ts';
import { ThriftWriter } from './thrift-writer.ts';

export interface RowGroup {
  readonly rowCount: number;
  readonly offset: number;
  readonly chunks: readonly ColumnChunk[];
}

/** Where a part of the page index is; `undefined`: there is none. */
export interface IndexPlace {
  readonly offset: number;
  readonly sizeBytes: number;
}

export interface ChunkIndexes {
  readonly columnIndex: IndexPlace | undefined;
  readonly offsetIndex: IndexPlace;
}

export interface Footer {
  readonly schema: ParquetSchema;
  readonly rowGroups: readonly RowGroup[];
  readonly indexes: ReadonlyMap<ColumnChunk, ChunkIndexes>;
  readonly compression: Compression;
  readonly keyValues: readonly (readonly [key: string, value: string])[];
  readonly createdBy: string;
}

/** parquet.thrift, `FileMetaData`. */
export function fileMetaData(footer: Footer): Uint8Array {
  const { schema, rowGroups, keyValues, createdBy } = footer;
  const thrift = new ThriftWriter(4096);
  thrift.i32(1, 2);
  writeSchemaElements(thrift, schema.root);
  thrift.i64(
    3,
    rowGroups.reduce((sum, { rowCount }) => sum + rowCount, 0),
  );
  thrift.beginList(4, 'struct', rowGroups.length);
  for (const [ordinal, group] of rowGroups.entries()) writeRowGroup(thrift, footer, group, ordinal);
  thrift.beginList(5, 'struct', keyValues.length);
  for (const [key, value] of keyValues) {
    thrift.beginElement();
    thrift.binary(1, key);
    thrift.binary(2, value);
    thrift.endStruct();
  }
  thrift.binary(6, createdBy);
  thrift.beginList(7, 'struct', schema.leaves.length);
  for (const _leaf of schema.leaves) {
    thrift.beginElement();
    // TYPE_ORDER: without it readers must not use min_value and max_value.
    thrift.beginStruct(1);
    thrift.endStruct();
    thrift.endStruct();
  }
  return thrift.finish();
}

function writeRowGroup(thrift: ThriftWriter, footer: Footer, group: RowGroup, ordinal: number): void {
  const { chunks, rowCount, offset } = group;
  thrift.beginElement();
  thrift.beginList(1, 'struct', chunks.length);
  for (const chunk of chunks) writeChunk(thrift, footer, chunk);
  thrift.i64(
    2,
    chunks.reduce((sum, { uncompressedBytes }) => sum + uncompressedBytes, 0),
  );
  thrift.i64(3, rowCount);
  thrift.i64(5, offset);
  thrift.i64(
    6,
    chunks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  );
  // Optional, and of 16 bits.
  if (ordinal < 32_768) thrift.i16(7, ordinal);
  thrift.endStruct();
}

function writeChunk(thrift: ThriftWriter, footer: Footer, chunk: ColumnChunk): void {
  const { leaf } = chunk;
  const indexes = footer.indexes.get(chunk);
  thrift.beginElement();
  thrift.i64(2, 0);
  thrift.beginStruct(3);
  thrift.i32(1, physicalTypes[leaf.physical]);
  const used = [encodings.PLAIN, encodings.RLE, ...(chunk.hasDictionary ? [encodings.RLE_DICTIONARY] : [])];
  thrift.beginList(2, 'i32', used.length);
  for (const encoding of used) thrift.elementI32(encoding);
  thrift.beginList(3, 'binary', leaf.path.length);
  for (const name of leaf.path) thrift.elementBinary(name);
  thrift.i32(4, codecNumbers[footer.compression]);
  thrift.i64(5, chunk.valueCount);
  thrift.i64(6, chunk.uncompressedBytes);
  thrift.i64(7, chunk.sizeBytes);
  thrift.i64(9, chunk.dataOffset);
  if (chunk.hasDictionary) thrift.i64(11, chunk.offset);
  thrift.beginStruct(12);
  writeStatistics(thrift, leaf, chunk.nullCount, chunk.bounds);
  thrift.endStruct();
  writeEncodingStats(thrift, chunk);
  thrift.endStruct();
  if (indexes !== undefined) {
    thrift.i64(4, indexes.offsetIndex.offset);
    thrift.i32(5, indexes.offsetIndex.sizeBytes);
    if (indexes.columnIndex !== undefined) {
      thrift.i64(6, indexes.columnIndex.offset);
      thrift.i32(7, indexes.columnIndex.sizeBytes);
    }
  }
  thrift.endStruct();
}

/** By them a reader knows that all values are in the dictionary, and may filter by it. */
function writeEncodingStats(thrift: ThriftWriter, { hasDictionary, pages }: ColumnChunk): void {
  const stats = hasDictionary
    ? [
        { pageType: 2, encoding: encodings.PLAIN, count: 1 },
        { pageType: 0, encoding: encodings.RLE_DICTIONARY, count: pages.length },
      ]
    : [{ pageType: 0, encoding: encodings.PLAIN, count: pages.length }];
  thrift.beginList(13, 'struct', stats.length);
  for (const { pageType, encoding, count } of stats) {
    thrift.beginElement();
    thrift.i32(1, pageType);
    thrift.i32(2, encoding);
    thrift.i32(3, count);
    thrift.endStruct();
  }
}
