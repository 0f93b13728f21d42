import type { TableSchema } from '../../schema/table-type.ts';
import type { AvroWriter } from '../avro/avro-writer.ts';
import { readContainerFile, writeContainerFile } from '../avro/container-file.ts';
import { RecordFields } from '../avro/record-fields.ts';
import type { FieldName } from '../avro/record-fields.ts';
import { CatalogError } from '../errors.ts';
import { printJson } from '../json/lossless-json.ts';
import { partitionFieldsJson } from '../json/partition-json.ts';
import { schemaJson } from '../json/schema-json.ts';
import type { PartitionSpec } from '../table-metadata.ts';
import type { EntryStatus, FileContent, ManifestDataFile, ManifestEntry } from './manifest-entry.ts';
import { dataFileFields, entryFields, manifestEntrySchema, mapPairs } from './manifest-schema.ts';

const statuses: readonly EntryStatus[] = ['existing', 'added', 'deleted'];
const contents: readonly FileContent[] = ['data', 'position-deletes', 'equality-deletes'];

const avroSchema = JSON.stringify(manifestEntrySchema);

export interface ManifestOptions {
  readonly schema: TableSchema;
  readonly spec: PartitionSpec;
  readonly syncMarker: Uint8Array;
}

/** A manifest of data files (Iceberg spec, "Manifests"), format version 2. Unpartitioned tables only, so far. */
export function writeManifest(
  { schema, spec, syncMarker }: ManifestOptions,
  entries: readonly ManifestEntry[],
): Uint8Array {
  if (spec.fields.length > 0) {
    throw new CatalogError(
      'UNSUPPORTED',
      `partition spec ${spec.specId} has fields (${spec.fields.map(({ name }) => name).join(', ')}): writing to ` +
        'partitioned tables is not built yet',
    );
  }
  const header = [
    ['avro.schema', avroSchema],
    ['schema', printJson(schemaJson(schema))],
    ['schema-id', String(schema.schemaId)],
    ['partition-spec', printJson(partitionFieldsJson(spec))],
    ['partition-spec-id', String(spec.specId)],
    ['format-version', '2'],
    ['content', 'data'],
  ] as const;
  return writeContainerFile({ header, syncMarker }, entries, writeEntry);
}

function writeEntry(to: AvroWriter, entry: ManifestEntry): void {
  to.long(statuses.indexOf(entry.status));
  to.optional(entry.snapshotId, (id) => to.long(id));
  to.optional(entry.sequenceNumber, (number) => to.long(number));
  to.optional(entry.fileSequenceNumber, (number) => to.long(number));
  const { file } = entry;
  const { metrics } = file;
  to.long(contents.indexOf(file.content));
  to.string(file.filePath);
  to.string(file.fileFormat);
  to.long(file.recordCount);
  to.long(file.fileSizeBytes);
  writeCounts(to, metrics.columnSizes);
  writeCounts(to, metrics.valueCounts);
  writeCounts(to, metrics.nullValueCounts);
  writeCounts(to, metrics.nanValueCounts);
  writeBounds(to, metrics.lowerBounds);
  writeBounds(to, metrics.upperBounds);
  to.optional(file.keyMetadata, (bytes) => to.bytes(bytes));
  writeList(to, metrics.splitOffsets.length === 0 ? undefined : metrics.splitOffsets);
  writeList(to, file.equalityIds);
  to.optional(file.sortOrderId, (id) => to.long(id));
  to.optional(file.referencedDataFile, (path) => to.string(path));
}

function writeCounts(to: AvroWriter, counts: ReadonlyMap<number, number>): void {
  to.optional(counts.size === 0 ? undefined : [...counts], (pairs) =>
    to.blocks(pairs, ([id, count]) => {
      to.long(id);
      to.long(count);
    }),
  );
}

function writeBounds(to: AvroWriter, bounds: ReadonlyMap<number, Uint8Array>): void {
  to.optional(bounds.size === 0 ? undefined : [...bounds], (pairs) =>
    to.blocks(pairs, ([id, bound]) => {
      to.long(id);
      to.bytes(bound);
    }),
  );
}

function writeList(to: AvroWriter, values: readonly number[] | undefined): void {
  to.optional(values, (list) => to.blocks(list, (value) => to.long(value)));
}

export interface ReadManifest {
  /** `partition-spec-id` and the like, as the header has them. */
  readonly header: ReadonlyMap<string, string>;
  readonly entries: readonly ManifestEntry[];
}

/**
 * Any writer's manifest, of data or of deletes, partitioned or not. What an entry inherits from its manifest
 * (`inheritFrom`) is not filled in.
 *
 * @param source location, for errors: a `FormatError` names it
 */
export function readManifest(bytes: Uint8Array, source: string): ReadManifest {
  const { header, records } = readContainerFile(bytes, source);
  return {
    header,
    entries: records.map((record, at) =>
      readEntry(new RecordFields(record, source, `entry ${at}`), source, at),
    ),
  };
}

function readEntry(entry: RecordFields, source: string, at: number): ManifestEntry {
  const status = statuses[entry.count(entryFields.status)];
  if (status === undefined) entry.fail(entryFields.status, 'is none of 0, 1, 2');
  return {
    status,
    snapshotId: entry.optionalLong(entryFields.snapshotId),
    sequenceNumber: entry.optionalCount(entryFields.sequenceNumber),
    fileSequenceNumber: entry.optionalCount(entryFields.fileSequenceNumber),
    file: readDataFile(new RecordFields(entry.record(entryFields.dataFile), source, `entry ${at}.data_file`)),
  };
}

function readDataFile(file: RecordFields): ManifestDataFile {
  const f = dataFileFields;
  const content = contents[file.optionalCount(f.content) ?? 0];
  if (content === undefined) file.fail(f.content, 'is none of 0, 1, 2');
  return {
    content,
    filePath: file.text(f.filePath),
    fileFormat: file.text(f.fileFormat),
    partition: file.record(f.partition).byId,
    recordCount: file.count(f.recordCount),
    fileSizeBytes: file.count(f.fileSizeBytes),
    metrics: {
      columnSizes: readCounts(file, f.columnSizes, mapPairs.columnSizes),
      valueCounts: readCounts(file, f.valueCounts, mapPairs.valueCounts),
      nullValueCounts: readCounts(file, f.nullValueCounts, mapPairs.nullValueCounts),
      nanValueCounts: readCounts(file, f.nanValueCounts, mapPairs.nanValueCounts),
      lowerBounds: readBounds(file, f.lowerBounds, mapPairs.lowerBounds),
      upperBounds: readBounds(file, f.upperBounds, mapPairs.upperBounds),
      splitOffsets: file.optionalCounts(f.splitOffsets) ?? [],
    },
    keyMetadata: file.optionalBytes(f.keyMetadata),
    equalityIds: file.optionalCounts(f.equalityIds),
    sortOrderId: file.optionalCount(f.sortOrderId),
    referencedDataFile: file.optionalText(f.referencedDataFile),
  };
}

type Pair = readonly [keyId: number, valueId: number];

function readCounts(
  file: RecordFields,
  field: FieldName,
  [keyId, valueId]: Pair,
): ReadonlyMap<number, number> {
  const pairs = file.optionalRecords(field) ?? [];
  return new Map(pairs.map((pair) => [pair.count([keyId, 'key']), pair.count([valueId, 'value'])]));
}

function readBounds(
  file: RecordFields,
  field: FieldName,
  [keyId, valueId]: Pair,
): ReadonlyMap<number, Uint8Array> {
  const pairs = file.optionalRecords(field) ?? [];
  return new Map(
    pairs.map((pair) => {
      const value: FieldName = [valueId, 'value'];
      return [pair.count([keyId, 'key']), pair.optionalBytes(value) ?? pair.fail(value, 'is no bytes')];
    }),
  );
}
