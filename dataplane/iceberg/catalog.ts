import type { StructType } from '../schema/table-type.ts';
import type { PartitionSpec, SortOrder, TableMetadata } from './table-metadata.ts';
import type { TableRequirement, TableUpdate } from './table-update.ts';

/** A table's name: namespace levels from the outside in, then the table. */
export interface TableIdentifier {
  readonly namespace: readonly string[];
  readonly name: string;
}

export interface CreateTable {
  /**
   * Field ids as the caller wishes: the catalog may assign others (REST catalogs do, the embedded one too:
   * `withFreshIds` says which), so read them from the answer.
   */
  readonly struct: StructType;
  /** By the ids of `struct`. Default: none. */
  readonly identifierFieldIds?: readonly number[] | undefined;
  /** By the ids of `struct`. Default: unpartitioned, unsorted. */
  readonly partitionSpec?: PartitionSpec | undefined;
  readonly sortOrder?: SortOrder | undefined;
  /** Default: a location that the catalog chooses. */
  readonly location?: string | undefined;
  readonly properties: Readonly<Record<string, string>>;
}

/** A table as its catalog knows it at one moment. */
export interface LoadedTable {
  readonly metadata: TableMetadata;
  /** Of the metadata file. */
  readonly metadataLocation: string;
}

/**
 * An Iceberg catalog as the coordinator of a table uses it: the REST catalog's protocol (rest-catalog-open-api.yaml), without
 * its transport. Every promise rejects with a `CatalogError`, whose code says what is certain (`errors.ts`): above all
 * `CONFLICT` (this commit was not applied and never will be) against `UNKNOWN_OUTCOME` (it may have been applied, or may
 * be at any later time). Other rejections: a `FormatError` when the table's metadata cannot be read; the signal's reason
 * when a read was given up (a write that was given up is an `UNKNOWN_OUTCOME`).
 */
export interface Catalog {
  /** For messages. */
  readonly name: string;

  /** Succeeds when it exists already. */
  ensureNamespace(namespace: readonly string[], signal?: AbortSignal): Promise<void>;

  loadTable(table: TableIdentifier, signal?: AbortSignal): Promise<LoadedTable>;

  createTable(table: TableIdentifier, request: CreateTable, signal?: AbortSignal): Promise<LoadedTable>;

  /**
   * Applies all updates at once if every requirement holds. One attempt: nothing is sent again behind the caller's back.
   */
  commitTable(
    table: TableIdentifier,
    requirements: readonly TableRequirement[],
    updates: readonly TableUpdate[],
    signal?: AbortSignal,
  ): Promise<LoadedTable>;
}
