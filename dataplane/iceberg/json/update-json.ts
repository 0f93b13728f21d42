import type { TableRequirement, TableUpdate } from '../table-update.ts';
import type { JsonObject } from './json-object.ts';
import { readSortOrder, readSpec } from './partition-json.ts';
import { readSchema } from './schema-json.ts';
import { readRef, readSnapshot } from './snapshot-json.ts';

const anyId = -1;

/** REST catalog, `TableRequirement`. */
export function readRequirement(json: JsonObject): TableRequirement {
  const type = json.text('type');
  switch (type) {
    case 'assert-create':
      return { type };
    case 'assert-table-uuid':
      return { type, uuid: json.text('uuid') };
    case 'assert-ref-snapshot-id':
      return { type, ref: json.text('ref'), snapshotId: json.optionalLong('snapshot-id') };
    case 'assert-last-assigned-field-id':
      return { type, lastAssignedFieldId: json.id('last-assigned-field-id') };
    case 'assert-current-schema-id':
      return { type, currentSchemaId: json.id('current-schema-id') };
    case 'assert-last-assigned-partition-id':
      return { type, lastAssignedPartitionId: json.id('last-assigned-partition-id') };
    case 'assert-default-spec-id':
      return { type, defaultSpecId: json.id('default-spec-id') };
    case 'assert-default-sort-order-id':
      return { type, defaultSortOrderId: json.id('default-sort-order-id') };
    default:
      return json.fail('type', `${JSON.stringify(type)} is no requirement that is known`);
  }
}

/** REST catalog, `TableUpdate`. Clients of before the specification say `updated` and `removed`. */
export function readUpdate(json: JsonObject): TableUpdate {
  const action = json.text('action');
  switch (action) {
    case 'assign-uuid':
      return { action, uuid: json.text('uuid') };
    case 'upgrade-format-version':
      return { action, formatVersion: json.id('format-version') };
    case 'add-schema':
      return {
        action,
        schema: readSchema(json.object('schema')),
        lastColumnId: json.optionalInteger('last-column-id', 0, 2 ** 31 - 1),
      };
    case 'set-current-schema':
      return { action, schemaId: json.id('schema-id', anyId) };
    case 'add-spec':
      return { action, spec: readSpec(json.object('spec')) };
    case 'set-default-spec':
      return { action, specId: json.id('spec-id', anyId) };
    case 'add-sort-order':
      return { action, sortOrder: readSortOrder(json.object('sort-order')) };
    case 'set-default-sort-order':
      return { action, sortOrderId: json.id('sort-order-id', anyId) };
    case 'add-snapshot':
      return { action, snapshot: readSnapshot(json.object('snapshot')) };
    case 'set-snapshot-ref':
      return { action, refName: json.text('ref-name'), ref: readRef(json) };
    case 'remove-snapshots':
      return { action, snapshotIds: json.longs('snapshot-ids') };
    case 'remove-snapshot-ref':
      return { action, refName: json.text('ref-name') };
    case 'remove-schemas':
      return { action, schemaIds: json.ids('schema-ids') };
    case 'remove-partition-specs':
      return { action, specIds: json.ids('spec-ids') };
    case 'set-location':
      return { action, location: json.text('location') };
    case 'set-properties':
      return { action, updates: json.texts(json.has('updates') ? 'updates' : 'updated') };
    case 'remove-properties':
      return { action, removals: json.strings(json.has('removals') ? 'removals' : 'removed') };
    default:
      return json.fail('action', `the update ${JSON.stringify(action)} is not built`, 'UNSUPPORTED');
  }
}
