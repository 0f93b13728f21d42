import { CatalogError } from '../errors.ts';
import { isJsonObject } from '../json/json-object.ts';
import type {
  PartitionSpec,
  Snapshot,
  SnapshotLogEntry,
  SnapshotRef,
  SortOrder,
  TableMetadata,
} from '../table-metadata.ts';
import type { TableSchema } from '../../schema/table-type.ts';
import { metadataLogAfter } from './metadata-log.ts';

export interface UpdateContext {
  /** Wall clock of the catalog. Metadata never goes back in time, even when the clock does. */
  readonly nowMs: number;
  /** Of the base; it goes to the metadata log. Undefined only without a base. */
  readonly metadataLocation: string | undefined;
}

/** Of a table without partitions (Iceberg spec, "Partitioning": ids of partition fields begin at 1000). */
export const unpartitionedLastId = 999;
/** In updates: the one that this commit added last. */
export const lastAdded = -1;

/** Metadata that updates are being applied to, one after the other. */
export class MetadataDraft {
  readonly base: TableMetadata | undefined;
  readonly nowMs: number;
  readonly #metadataLocation: string | undefined;
  changed = false;

  tableUuid: string;
  location: string;
  lastSequenceNumber: number;
  /** Undefined until a snapshot says it. */
  lastUpdatedMs: number | undefined;
  lastColumnId: number;
  currentSchemaId: number | undefined;
  readonly schemas: Map<number, TableSchema>;
  lastAddedSchemaId: number | undefined;
  defaultSpecId: number | undefined;
  readonly specs: Map<number, PartitionSpec>;
  lastAddedSpecId: number | undefined;
  lastPartitionId: number;
  defaultSortOrderId: number | undefined;
  readonly sortOrders: Map<number, SortOrder>;
  lastAddedSortOrderId: number | undefined;
  readonly properties: Map<string, string>;
  readonly snapshots: Map<bigint, Snapshot>;
  readonly addedSnapshots: Set<bigint> = new Set();
  readonly removedSnapshots: Set<bigint> = new Set();
  readonly refs: Map<string, SnapshotRef>;
  readonly snapshotLog: SnapshotLogEntry[];

  constructor(base: TableMetadata | undefined, { nowMs, metadataLocation }: UpdateContext) {
    this.base = base;
    this.nowMs = Math.max(nowMs, base?.lastUpdatedMs ?? 0);
    this.#metadataLocation = metadataLocation;
    this.tableUuid = base?.tableUuid ?? '';
    this.location = base?.location ?? '';
    this.lastSequenceNumber = base?.lastSequenceNumber ?? 0;
    this.lastColumnId = base?.lastColumnId ?? 0;
    this.currentSchemaId = base?.currentSchemaId;
    this.schemas = new Map(base?.schemas.map((schema) => [schema.schemaId, schema]));
    this.defaultSpecId = base?.defaultSpecId;
    this.specs = new Map(base?.partitionSpecs.map((spec) => [spec.specId, spec]));
    this.lastPartitionId = base?.lastPartitionId ?? unpartitionedLastId;
    this.defaultSortOrderId = base?.defaultSortOrderId;
    this.sortOrders = new Map(base?.sortOrders.map((order) => [order.orderId, order]));
    this.properties = new Map(Object.entries(base?.properties ?? {}));
    this.snapshots = new Map(base?.snapshots.map((snapshot) => [snapshot.snapshotId, snapshot]));
    this.refs = new Map(Object.entries(base?.refs ?? {}));
    this.snapshotLog = [...(base?.snapshotLog ?? [])];
  }

  get currentSchema(): TableSchema {
    const schema = this.currentSchemaId === undefined ? undefined : this.schemas.get(this.currentSchemaId);
    return schema ?? refuse('the table has no current schema: add one and set it first');
  }

  get currentSnapshotId(): bigint | undefined {
    return this.refs.get('main')?.snapshotId;
  }

  finish(): TableMetadata {
    const { base } = this;
    if (base !== undefined && !this.changed) return base;
    if (this.tableUuid === '') refuse('a new table needs a uuid (assign-uuid)');
    if (this.location === '') refuse('a new table needs a location (set-location)');
    const { schemaId } = this.currentSchema;
    for (const [name, { snapshotId }] of this.refs) {
      if (!this.snapshots.has(snapshotId))
        refuse(
          `snapshot ${snapshotId} cannot be removed: ${name} refers to it; move or remove that ref in the same commit`,
        );
    }
    // A new table that says nothing of partitions or order has neither.
    if (this.specs.size === 0) this.specs.set(0, { specId: 0, fields: [] });
    if (this.sortOrders.size === 0) this.sortOrders.set(0, { orderId: 0, fields: [] });
    const extra = this.#extra();
    return {
      formatVersion: 2,
      tableUuid: this.tableUuid,
      location: this.location,
      lastSequenceNumber: this.lastSequenceNumber,
      lastUpdatedMs: this.lastUpdatedMs ?? this.nowMs,
      lastColumnId: this.lastColumnId,
      currentSchemaId: schemaId,
      schemas: [...this.schemas.values()],
      defaultSpecId: this.defaultSpecId ?? 0,
      partitionSpecs: [...this.specs.values()],
      lastPartitionId: this.lastPartitionId,
      defaultSortOrderId: this.defaultSortOrderId ?? 0,
      sortOrders: [...this.sortOrders.values()],
      properties: Object.fromEntries(this.properties),
      currentSnapshotId: this.currentSnapshotId,
      snapshots: [...this.snapshots.values()],
      refs: Object.fromEntries(this.refs),
      snapshotLog: this.#snapshotLog(),
      metadataLog: metadataLogAfter(base, this.#metadataLocation, this.properties),
      ...(extra === undefined ? {} : { extra }),
    };
  }

  /**
   * Java's `TableMetadata.Builder.updateSnapshotLog`: snapshots that were current only within this commit never were; an
   * entry whose snapshot is gone ends the history before it.
   */
  #snapshotLog(): readonly SnapshotLogEntry[] {
    const current = this.currentSnapshotId;
    const kept: SnapshotLogEntry[] = [];
    for (const entry of this.snapshotLog) {
      const { snapshotId } = entry;
      if (!this.snapshots.has(snapshotId)) {
        if (this.removedSnapshots.has(snapshotId)) kept.length = 0;
        continue;
      }
      if (!this.addedSnapshots.has(snapshotId) || snapshotId === current) kept.push(entry);
    }
    return kept;
  }

  /** Statistics of snapshots that are gone go with them. */
  #extra(): Readonly<Record<string, unknown>> | undefined {
    const extra = this.base?.extra;
    if (extra === undefined || this.removedSnapshots.size === 0) return extra;
    return Object.fromEntries(
      Object.entries(extra).map(([name, value]) => [
        name,
        (name === 'statistics' || name === 'partition-statistics') && Array.isArray(value)
          ? (value as unknown[]).filter((entry) => !this.#isOfRemoved(entry))
          : value,
      ]),
    );
  }

  #isOfRemoved(entry: unknown): boolean {
    const id = isJsonObject(entry) ? entry['snapshot-id'] : undefined;
    return (typeof id === 'number' || typeof id === 'bigint') && this.removedSnapshots.has(BigInt(id));
  }
}

/** The update cannot be applied to any table like this one. */
export function refuse(what: string): never {
  throw new CatalogError('REFUSED', what);
}
