import { CatalogError } from '../errors.ts';
import type { TableMetadata } from '../table-metadata.ts';
import type { TableRequirement, TableUpdate } from '../table-update.ts';
import { checkRequirements } from './check-requirements.ts';
import { MetadataDraft, refuse } from './metadata-draft.ts';
import type { UpdateContext } from './metadata-draft.ts';
import {
  addSortOrder,
  addSpec,
  removeSpecs,
  setDefaultSortOrder,
  setDefaultSpec,
} from './partition-updates.ts';
import { addSchema, removeSchemas, setCurrentSchema } from './schema-updates.ts';
import { addSnapshot, removeSnapshotRef, removeSnapshots, setSnapshotRef } from './snapshot-updates.ts';

/** A property of requests that says the format version; it is never kept as a property. */
const formatVersionProperty = 'format-version';

/**
 * What a commit makes of a table (REST catalog, `CommitTableRequest`; rules as in Java's `TableMetadata.Builder`): the new
 * metadata, or why there is none: a CONFLICT when a requirement does not hold, REFUSED or UNSUPPORTED for an update that
 * can never be applied. All or nothing. The base itself is returned when the updates change nothing.
 *
 * @param base undefined: the table is being created
 */
export function applyUpdates(
  base: TableMetadata | undefined,
  requirements: readonly TableRequirement[],
  updates: readonly TableUpdate[],
  context: UpdateContext,
): TableMetadata | CatalogError {
  const conflict = checkRequirements(base, requirements);
  if (conflict !== undefined) return conflict;
  try {
    const draft = new MetadataDraft(base, context);
    for (const update of updates) apply(draft, update);
    return draft.finish();
  } catch (error) {
    if (error instanceof CatalogError) return error;
    throw error;
  }
}

function apply(draft: MetadataDraft, update: TableUpdate): void {
  switch (update.action) {
    case 'assign-uuid':
      return assignUuid(draft, update.uuid.toLowerCase());
    case 'upgrade-format-version':
      return upgradeFormatVersion(update.formatVersion);
    case 'add-schema':
      return addSchema(draft, update.schema, update.lastColumnId);
    case 'set-current-schema':
      return setCurrentSchema(draft, update.schemaId);
    case 'remove-schemas':
      return removeSchemas(draft, update.schemaIds);
    case 'add-spec':
      return addSpec(draft, update.spec);
    case 'set-default-spec':
      return setDefaultSpec(draft, update.specId);
    case 'remove-partition-specs':
      return removeSpecs(draft, update.specIds);
    case 'add-sort-order':
      return addSortOrder(draft, update.sortOrder);
    case 'set-default-sort-order':
      return setDefaultSortOrder(draft, update.sortOrderId);
    case 'add-snapshot':
      return addSnapshot(draft, update.snapshot);
    case 'set-snapshot-ref':
      return setSnapshotRef(draft, update.refName, update.ref);
    case 'remove-snapshots':
      return removeSnapshots(draft, update.snapshotIds);
    case 'remove-snapshot-ref':
      return removeSnapshotRef(draft, update.refName);
    case 'set-location':
      return setLocation(draft, update.location);
    case 'set-properties':
      return setProperties(draft, update.updates);
    case 'remove-properties':
      return removeProperties(draft, update.removals);
  }
}

function assignUuid(draft: MetadataDraft, uuid: string): void {
  if (!/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(uuid)) refuse(`${JSON.stringify(uuid)} is no uuid`);
  if (draft.tableUuid === uuid) return;
  if (draft.base !== undefined)
    refuse(`the table has uuid ${draft.tableUuid}: it cannot be assigned another one`);
  draft.tableUuid = uuid;
  draft.changed = true;
}

function upgradeFormatVersion(wanted: number): void {
  if (wanted > 2)
    throw new CatalogError(
      'UNSUPPORTED',
      `format version ${wanted} is not built; tables have format version 2`,
    );
  if (wanted < 2) refuse(`cannot downgrade a table of format version 2 to ${wanted}`);
}

function setLocation(draft: MetadataDraft, wanted: string): void {
  const location = wanted.replace(/\/+$/, '');
  if (location === '') refuse('the location is empty');
  if (draft.location === location) return;
  draft.location = location;
  draft.changed = true;
}

function setProperties(draft: MetadataDraft, updates: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(updates)) {
    if (name === formatVersionProperty) {
      upgradeFormatVersion(Number(value));
      continue;
    }
    if (draft.properties.get(name) === value) continue;
    draft.properties.set(name, value);
    draft.changed = true;
  }
}

function removeProperties(draft: MetadataDraft, removals: readonly string[]): void {
  for (const name of removals) {
    if (draft.properties.delete(name)) draft.changed = true;
  }
}
