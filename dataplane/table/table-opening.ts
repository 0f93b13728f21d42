import { ingestTag } from '../iceberg/append.ts';
import type { Catalog, LoadedTable, TableIdentifier } from '../iceberg/catalog.ts';
import { CatalogError } from '../iceberg/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { RunningState } from '../runtime/running-state.ts';
import type { StructType } from '../schema/table-type.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { CrashPoints } from './crash-points.ts';
import { TableStop } from './errors.ts';
import type { IngestSource } from './ingest-state.ts';
import { decodeIngestHead, isSameSource } from './ingest-state.ts';
import { readRegisteredTable, registerTable } from './registered-table.ts';
import { dropped } from './table-commit.ts';
import { ownedByOther, requireDescent, tagMissing, tagSnapshot } from './table-verdict.ts';

export interface TableOpening {
  readonly catalog: Catalog;
  readonly store: ObjectStore;
  readonly runtime: Runtime;
  readonly identifier: TableIdentifier;
  /** For messages. */
  readonly name: string;
  readonly topicName: string;
  readonly source: IngestSource;
  readonly state: RunningState;
  readonly crashPoint: CrashPoints;
  /**
   * The columns that a new table has; asked for only when there is to be one, and waits until a schema says so. Rejects
   * when the coordinator is stopped.
   */
  readonly columns: () => Promise<StructType>;
  /** Resolves when it is certain that this process still led the topic when it was called. */
  readonly confirm: (signal: AbortSignal) => Promise<void>;
}

const propertyKeys = { clusterId: 'firn.cluster-id', topicId: 'firn.topic-id', topic: 'firn.topic' } as const;

/**
 * The table that a topic fills, created when there never was one (tables.md §7, 2 and 8). What it is, is written down once
 * ({@link registerTable}) before anybody claims it, so that a table that was dropped is not created again, by this
 * coordinator or by one that does not know yet that it was replaced: at worst such a one leaves an empty table that
 * nobody ever fills.
 *
 * @throws TableStop; CatalogError when the catalog does not answer
 */
export async function openTable(opening: TableOpening): Promise<LoadedTable> {
  const { catalog, store, identifier, name, source, state, runtime, crashPoint } = opening;
  const { signal } = state;
  for (;;) {
    const registered = await readRegisteredTable(store, source.topicId, identifier, signal);
    const table = await existing(opening);
    if (table !== undefined && registered !== undefined) {
      checkIdentity(table, registered.uuid, opening);
      return table;
    }
    if (table !== undefined) {
      checkFresh(table, opening);
      await opening.confirm(signal);
      await registerTable(
        store,
        source.topicId,
        identifier,
        { uuid: table.metadata.tableUuid },
        { runtime, signal },
      );
      crashPoint('coordinator.table.registered');
      continue;
    }
    if (registered !== undefined) throw dropped(name);
    const struct = await opening.columns();
    await catalog.ensureNamespace(identifier.namespace, signal);
    crashPoint('coordinator.namespace.ensured');
    await opening.confirm(signal);
    crashPoint('coordinator.table.create.before');
    await create(opening, struct);
    crashPoint('coordinator.table.created');
  }
}

async function existing({ catalog, identifier, state }: TableOpening): Promise<LoadedTable | undefined> {
  try {
    return await catalog.loadTable(identifier, state.signal);
  } catch (error) {
    if (error instanceof CatalogError && isMissing(error)) return undefined;
    throw error;
  }
}

async function create(
  { catalog, identifier, source, topicName, state }: TableOpening,
  struct: StructType,
): Promise<void> {
  try {
    await catalog.createTable(
      identifier,
      {
        struct,
        properties: {
          'write.format.default': 'parquet',
          'write.parquet.compression-codec': 'zstd',
          // Each commit writes a metadata file that repeats all snapshots: old ones are not left lying.
          'write.metadata.delete-after-commit.enabled': 'true',
          'write.metadata.previous-versions-max': '100',
          [propertyKeys.clusterId]: source.clusterId,
          [propertyKeys.topicId]: source.topicId,
          [propertyKeys.topic]: topicName,
        },
      },
      state.signal,
    );
  } catch (error) {
    // Whoever created it, and whether we did: loading it tells.
    if (!(error instanceof CatalogError)) throw error;
    if (error.code === 'REFUSED' || error.code === 'UNSUPPORTED')
      throw new TableStop(
        'CATALOG_REFUSED',
        `the catalog refuses to create a table: ${error.message}`,
        error,
      );
    if (error.code !== 'ALREADY_EXISTS' && error.code !== 'CONFLICT' && error.code !== 'UNKNOWN_OUTCOME')
      throw error;
  }
}

/** Ours, and where we left it? */
function checkIdentity(
  { metadata }: LoadedTable,
  registeredUuid: string,
  { name, source }: TableOpening,
): void {
  if (metadata.tableUuid !== registeredUuid) {
    throw new TableStop(
      'TABLE_RECREATED',
      `table ${name} has uuid ${metadata.tableUuid}, the one that this topic fills has ${registeredUuid}: it was dropped and ` +
        'created anew; drop the new one and bring the old one back, or give the topic another table.topic.namespace',
    );
  }
  const tag = metadata.refs[ingestTag]?.snapshotId;
  if (tag === undefined) {
    // Registered, and never claimed: nobody has written to it.
    if (metadata.lastSequenceNumber === 0) return;
    throw tagMissing(name);
  }
  const head = decodeIngestHead(tagSnapshot(metadata, tag, name).summary);
  if (!isSameSource(head.source, source)) throw ownedByOther(name, head, source);
  requireDescent(metadata, tag, name);
}

/** A table that is not registered: just created by a coordinator of this topic, or somebody else's. */
function checkFresh({ metadata }: LoadedTable, { name, source }: TableOpening): void {
  const tag = metadata.refs[ingestTag]?.snapshotId;
  if (tag !== undefined) {
    const head = decodeIngestHead(tagSnapshot(metadata, tag, name).summary);
    if (!isSameSource(head.source, source)) throw ownedByOther(name, head, source);
    return;
  }
  const { properties } = metadata;
  const isOurs =
    properties[propertyKeys.clusterId] === source.clusterId &&
    properties[propertyKeys.topicId] === source.topicId;
  if (isOurs && metadata.lastSequenceNumber === 0) return;
  throw new TableStop(
    'TABLE_OWNED_BY_OTHER',
    `table ${name} exists and was not created for this topic (id ${source.topicId}): filling tables that others made is not ` +
      'built yet; drop or rename the table, or give the topic another table.topic.namespace',
  );
}

function isMissing({ code }: CatalogError): boolean {
  return code === 'NO_SUCH_TABLE' || code === 'NO_SUCH_NAMESPACE';
}
