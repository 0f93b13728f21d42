import type { FileMetrics } from '../../columnar/data-file.ts';
import type { AvroValue } from '../avro/avro-reader.ts';

/** Iceberg spec, "Manifests": what a manifest says of a file, and what happened to it. */
export interface ManifestEntry {
  readonly status: EntryStatus;
  /** Of the snapshot that added (or deleted) the file. `undefined`: that of the manifest. */
  readonly snapshotId: bigint | undefined;
  /** Data sequence number. `undefined` only in entries that are `added`: that of the manifest. */
  readonly sequenceNumber: number | undefined;
  readonly fileSequenceNumber: number | undefined;
  readonly file: ManifestDataFile;
}

export type EntryStatus = 'existing' | 'added' | 'deleted';

export type FileContent = 'data' | 'position-deletes' | 'equality-deletes';

/** Iceberg spec, "Data File Fields". */
export interface ManifestDataFile {
  readonly content: FileContent;
  /** Its location, e.g. `s3://bucket/key`. */
  readonly filePath: string;
  /** `PARQUET`, `AVRO` or `ORC`. */
  readonly fileFormat: string;
  /** By partition field id, as the manifest's partition spec has them; empty when it is unpartitioned. */
  readonly partition: ReadonlyMap<number, AvroValue>;
  readonly recordCount: number;
  readonly fileSizeBytes: number;
  readonly metrics: FileMetrics;
  readonly keyMetadata?: Uint8Array | undefined;
  readonly equalityIds?: readonly number[] | undefined;
  readonly sortOrderId?: number | undefined;
  readonly referencedDataFile?: string | undefined;
}

/** A data file as whoever wrote it describes it, for {@link ManifestDataFile}. Unpartitioned. */
export interface AddedFile {
  readonly location: string;
  readonly recordCount: number;
  readonly sizeBytes: number;
  readonly metrics: FileMetrics;
}

/** Iceberg spec, "Manifest Lists": what a snapshot says of a manifest. */
export interface ManifestFile {
  readonly manifestPath: string;
  readonly manifestLength: number;
  readonly partitionSpecId: number;
  readonly content: 'data' | 'deletes';
  /** Of the commit that added the manifest. */
  readonly sequenceNumber: number;
  /** The least data sequence number of its live files. */
  readonly minSequenceNumber: number;
  readonly addedSnapshotId: bigint;
  readonly addedFilesCount: number;
  readonly existingFilesCount: number;
  readonly deletedFilesCount: number;
  readonly addedRowsCount: number;
  readonly existingRowsCount: number;
  readonly deletedRowsCount: number;
  /** One for each field of the partition spec. */
  readonly partitions?: readonly PartitionSummary[] | undefined;
  readonly keyMetadata?: Uint8Array | undefined;
}

export interface PartitionSummary {
  readonly containsNull: boolean;
  readonly containsNan: boolean | undefined;
  readonly lowerBound: Uint8Array | undefined;
  readonly upperBound: Uint8Array | undefined;
}
