import type { FieldName } from '../avro/record-fields.ts';

/** Avro schemas of manifests and manifest lists, format version 2, with Iceberg's `field-id` attributes. */

export const entryFields = {
  status: [0, 'status'],
  snapshotId: [1, 'snapshot_id'],
  sequenceNumber: [3, 'sequence_number'],
  fileSequenceNumber: [4, 'file_sequence_number'],
  dataFile: [2, 'data_file'],
} as const satisfies Record<string, FieldName>;

export const dataFileFields = {
  content: [134, 'content'],
  filePath: [100, 'file_path'],
  fileFormat: [101, 'file_format'],
  partition: [102, 'partition'],
  recordCount: [103, 'record_count'],
  fileSizeBytes: [104, 'file_size_in_bytes'],
  columnSizes: [108, 'column_sizes'],
  valueCounts: [109, 'value_counts'],
  nullValueCounts: [110, 'null_value_counts'],
  nanValueCounts: [137, 'nan_value_counts'],
  lowerBounds: [125, 'lower_bounds'],
  upperBounds: [128, 'upper_bounds'],
  keyMetadata: [131, 'key_metadata'],
  splitOffsets: [132, 'split_offsets'],
  equalityIds: [135, 'equality_ids'],
  sortOrderId: [140, 'sort_order_id'],
  referencedDataFile: [143, 'referenced_data_file'],
} as const satisfies Record<string, FieldName>;

export const manifestFileFields = {
  manifestPath: [500, 'manifest_path'],
  manifestLength: [501, 'manifest_length'],
  partitionSpecId: [502, 'partition_spec_id'],
  content: [517, 'content'],
  sequenceNumber: [515, 'sequence_number'],
  minSequenceNumber: [516, 'min_sequence_number'],
  addedSnapshotId: [503, 'added_snapshot_id'],
  addedFilesCount: [504, 'added_files_count'],
  existingFilesCount: [505, 'existing_files_count'],
  deletedFilesCount: [506, 'deleted_files_count'],
  addedRowsCount: [512, 'added_rows_count'],
  existingRowsCount: [513, 'existing_rows_count'],
  deletedRowsCount: [514, 'deleted_rows_count'],
  partitions: [507, 'partitions'],
  keyMetadata: [519, 'key_metadata'],
} as const satisfies Record<string, FieldName>;

export const partitionSummaryFields = {
  containsNull: [509, 'contains_null'],
  containsNan: [518, 'contains_nan'],
  lowerBound: [510, 'lower_bound'],
  upperBound: [511, 'upper_bound'],
} as const satisfies Record<string, FieldName>;

const partitionSummaryItemId = 508;

/** Maps with keys that are no strings: arrays of pairs, with the field ids of key and value. */
export const mapPairs = {
  columnSizes: [117, 118],
  valueCounts: [119, 120],
  nullValueCounts: [121, 122],
  nanValueCounts: [138, 139],
  lowerBounds: [126, 127],
  upperBounds: [129, 130],
} as const satisfies Record<string, readonly [keyId: number, valueId: number]>;

const splitOffsetItemId = 133;
const equalityIdItemId = 136;

const f = dataFileFields;

/** Of an unpartitioned table. */
export const manifestEntrySchema = record('manifest_entry', [
  required(entryFields.status, 'int'),
  optional(entryFields.snapshotId, 'long'),
  optional(entryFields.sequenceNumber, 'long'),
  optional(entryFields.fileSequenceNumber, 'long'),
  required(
    entryFields.dataFile,
    record('r2', [
      required(f.content, 'int'),
      required(f.filePath, 'string'),
      required(f.fileFormat, 'string'),
      required(f.partition, record('r102', [])),
      required(f.recordCount, 'long'),
      required(f.fileSizeBytes, 'long'),
      optional(f.columnSizes, pairs(mapPairs.columnSizes, 'long')),
      optional(f.valueCounts, pairs(mapPairs.valueCounts, 'long')),
      optional(f.nullValueCounts, pairs(mapPairs.nullValueCounts, 'long')),
      optional(f.nanValueCounts, pairs(mapPairs.nanValueCounts, 'long')),
      optional(f.lowerBounds, pairs(mapPairs.lowerBounds, 'bytes')),
      optional(f.upperBounds, pairs(mapPairs.upperBounds, 'bytes')),
      optional(f.keyMetadata, 'bytes'),
      optional(f.splitOffsets, array('long', splitOffsetItemId)),
      optional(f.equalityIds, array('int', equalityIdItemId)),
      optional(f.sortOrderId, 'int'),
      optional(f.referencedDataFile, 'string'),
    ]),
  ),
]);

const m = manifestFileFields;

export const manifestFileSchema = record('manifest_file', [
  required(m.manifestPath, 'string'),
  required(m.manifestLength, 'long'),
  required(m.partitionSpecId, 'int'),
  required(m.content, 'int'),
  required(m.sequenceNumber, 'long'),
  required(m.minSequenceNumber, 'long'),
  required(m.addedSnapshotId, 'long'),
  required(m.addedFilesCount, 'int'),
  required(m.existingFilesCount, 'int'),
  required(m.deletedFilesCount, 'int'),
  required(m.addedRowsCount, 'long'),
  required(m.existingRowsCount, 'long'),
  required(m.deletedRowsCount, 'long'),
  optional(
    m.partitions,
    array(
      record('r508', [
        required(partitionSummaryFields.containsNull, 'boolean'),
        optional(partitionSummaryFields.containsNan, 'boolean'),
        optional(partitionSummaryFields.lowerBound, 'bytes'),
        optional(partitionSummaryFields.upperBound, 'bytes'),
      ]),
      partitionSummaryItemId,
    ),
  ),
  optional(m.keyMetadata, 'bytes'),
]);

function record(name: string, fields: readonly object[]): object {
  return { type: 'record', name, fields };
}

function required([id, name]: FieldName, type: unknown): object {
  return { name, type, 'field-id': id };
}

function optional([id, name]: FieldName, type: unknown): object {
  return { name, type: ['null', type], default: null, 'field-id': id };
}

function array(items: unknown, itemId: number): object {
  return { type: 'array', items, 'element-id': itemId };
}

function pairs([keyId, valueId]: readonly [number, number], value: string): object {
  const fields = [required([keyId, 'key'], 'int'), required([valueId, 'value'], value)];
  return { type: 'array', logicalType: 'map', items: record(`k${keyId}_v${valueId}`, fields) };
}
