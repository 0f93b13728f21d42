import type { TableSchema } from '../schema/table-type.ts';

/**
 * Table metadata, format version 2 (Iceberg spec, "Table Metadata Fields"), with names as TypeScript writes them; the JSON
 * is `json/table-metadata-json.ts`. Snapshot ids are 64 bits wide: `bigint` everywhere.
 */
export interface TableMetadata {
  readonly formatVersion: 2;
  /** Lower-case, with hyphens. */
  readonly tableUuid: string;
  readonly location: string;
  readonly lastSequenceNumber: number;
  readonly lastUpdatedMs: number;
  readonly lastColumnId: number;
  readonly currentSchemaId: number;
  readonly schemas: readonly TableSchema[];
  readonly defaultSpecId: number;
  readonly partitionSpecs: readonly PartitionSpec[];
  readonly lastPartitionId: number;
  readonly defaultSortOrderId: number;
  readonly sortOrders: readonly SortOrder[];
  readonly properties: Readonly<Record<string, string>>;
  readonly currentSnapshotId: bigint | undefined;
  readonly snapshots: readonly Snapshot[];
  readonly refs: Readonly<Record<string, SnapshotRef>>;
  readonly snapshotLog: readonly SnapshotLogEntry[];
  readonly metadataLog: readonly MetadataLogEntry[];
  /** Fields of the JSON that this code does not know (statistics, …): kept and written back. */
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
}

export interface PartitionSpec {
  readonly specId: number;
  readonly fields: readonly PartitionField[];
}

export interface PartitionField {
  readonly sourceId: number;
  readonly fieldId: number;
  readonly name: string;
  /** `identity`, `bucket[16]`, … as in the JSON. */
  readonly transform: string;
}

export interface SortOrder {
  readonly orderId: number;
  readonly fields: readonly SortField[];
}

export interface SortField {
  readonly sourceId: number;
  readonly transform: string;
  readonly direction: 'asc' | 'desc';
  readonly nullOrder: 'nulls-first' | 'nulls-last';
}

export interface Snapshot {
  readonly snapshotId: bigint;
  readonly parentSnapshotId: bigint | undefined;
  readonly sequenceNumber: number;
  readonly timestampMs: number;
  /** Location of the manifest list. */
  readonly manifestList: string;
  /** With `operation`; the rest is free text: ours are the `firn.*` keys. */
  readonly summary: Readonly<Record<string, string>>;
  readonly schemaId: number | undefined;
  /** Fields of the JSON that this code does not know: kept and written back. */
  readonly extra?: Readonly<Record<string, unknown>> | undefined;
}

export interface SnapshotRef {
  readonly snapshotId: bigint;
  readonly type: 'branch' | 'tag';
  readonly maxRefAgeMs?: number | undefined;
  readonly maxSnapshotAgeMs?: number | undefined;
  readonly minSnapshotsToKeep?: number | undefined;
}

export interface SnapshotLogEntry {
  readonly timestampMs: number;
  readonly snapshotId: bigint;
}

export interface MetadataLogEntry {
  readonly timestampMs: number;
  readonly metadataFile: string;
}
