import type { AvroWriter } from '../avro/avro-writer.ts';
import { readContainerFile, writeContainerFile } from '../avro/container-file.ts';
import { RecordFields } from '../avro/record-fields.ts';
import type { ManifestFile, PartitionSummary } from './manifest-entry.ts';
import { manifestFileFields, manifestFileSchema, partitionSummaryFields } from './manifest-schema.ts';

const contents = ['data', 'deletes'] as const;

const avroSchema = JSON.stringify(manifestFileSchema);

export interface ManifestListOptions {
  readonly snapshotId: bigint;
  readonly parentSnapshotId: bigint | undefined;
  readonly sequenceNumber: number;
  readonly syncMarker: Uint8Array;
}

/** All manifests of a snapshot (Iceberg spec, "Manifest Lists"), format version 2. */
export function writeManifestList(
  options: ManifestListOptions,
  manifests: readonly ManifestFile[],
): Uint8Array {
  const header = [
    ['avro.schema', avroSchema],
    ['snapshot-id', options.snapshotId.toString()],
    ['parent-snapshot-id', options.parentSnapshotId?.toString() ?? 'null'],
    ['sequence-number', String(options.sequenceNumber)],
    ['format-version', '2'],
  ] as const;
  return writeContainerFile({ header, syncMarker: options.syncMarker }, manifests, writeManifestFile);
}

function writeManifestFile(to: AvroWriter, manifest: ManifestFile): void {
  to.string(manifest.manifestPath);
  to.long(manifest.manifestLength);
  to.long(manifest.partitionSpecId);
  to.long(contents.indexOf(manifest.content));
  to.long(manifest.sequenceNumber);
  to.long(manifest.minSequenceNumber);
  to.long(manifest.addedSnapshotId);
  to.long(manifest.addedFilesCount);
  to.long(manifest.existingFilesCount);
  to.long(manifest.deletedFilesCount);
  to.long(manifest.addedRowsCount);
  to.long(manifest.existingRowsCount);
  to.long(manifest.deletedRowsCount);
  to.optional(manifest.partitions, (partitions) =>
    to.blocks(partitions, (summary) => {
      to.boolean(summary.containsNull);
      to.optional(summary.containsNan, (flag) => to.boolean(flag));
      to.optional(summary.lowerBound, (bytes) => to.bytes(bytes));
      to.optional(summary.upperBound, (bytes) => to.bytes(bytes));
    }),
  );
  to.optional(manifest.keyMetadata, (bytes) => to.bytes(bytes));
}

/**
 * Any writer's manifest list.
 *
 * @param source location, for errors: a `FormatError` names it
 */
export function readManifestList(bytes: Uint8Array, source: string): readonly ManifestFile[] {
  return readContainerFile(bytes, source).records.map((record, at) =>
    readManifestFile(new RecordFields(record, source, `manifest ${at}`)),
  );
}

function readManifestFile(manifest: RecordFields): ManifestFile {
  const m = manifestFileFields;
  const content = contents[manifest.optionalCount(m.content) ?? 0];
  if (content === undefined) manifest.fail(m.content, 'is neither 0 nor 1');
  return {
    manifestPath: manifest.text(m.manifestPath),
    manifestLength: manifest.count(m.manifestLength),
    partitionSpecId: manifest.count(m.partitionSpecId),
    content,
    // Lists of format version 1, of a table that was upgraded since, have no sequence numbers: they are 0.
    sequenceNumber: manifest.optionalCount(m.sequenceNumber) ?? 0,
    minSequenceNumber: manifest.optionalCount(m.minSequenceNumber) ?? 0,
    addedSnapshotId: manifest.long(m.addedSnapshotId),
    addedFilesCount: manifest.count(m.addedFilesCount),
    existingFilesCount: manifest.count(m.existingFilesCount),
    deletedFilesCount: manifest.count(m.deletedFilesCount),
    addedRowsCount: manifest.count(m.addedRowsCount),
    existingRowsCount: manifest.count(m.existingRowsCount),
    deletedRowsCount: manifest.count(m.deletedRowsCount),
    partitions: manifest.optionalRecords(m.partitions)?.map(readPartitionSummary),
    keyMetadata: manifest.optionalBytes(m.keyMetadata),
  };
}

function readPartitionSummary(summary: RecordFields): PartitionSummary {
  return {
    containsNull: summary.flag(partitionSummaryFields.containsNull),
    containsNan: summary.optionalFlag(partitionSummaryFields.containsNan),
    lowerBound: summary.optionalBytes(partitionSummaryFields.lowerBound),
    upperBound: summary.optionalBytes(partitionSummaryFields.upperBound),
  };
}
