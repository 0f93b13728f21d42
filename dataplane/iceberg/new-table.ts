import type { CreateTable } from './catalog.ts';
import { CatalogError } from './errors.ts';
import { withFreshIds } from './schema-fields.ts';
import type { TableUpdate } from './table-update.ts';

/**
 * A request for a new table as the updates that make it. Ids are given anew, as REST catalogs do (`withFreshIds`); what
 * refers to the request's ids (partition spec, sort order, identifier fields) follows. Throws REFUSED when it refers to an
 * id that the request does not have.
 */
export function newTableUpdates(
  request: CreateTable,
  { uuid, location }: { readonly uuid: string; readonly location: string },
): readonly TableUpdate[] {
  const { struct, newIds, lastColumnId } = withFreshIds(request.struct);
  const fresh = (id: number): number => {
    const found = newIds.get(id);
    if (found === undefined) throw new CatalogError('REFUSED', `the schema has no field with id ${id}`);
    return found;
  };
  const { identifierFieldIds = [], partitionSpec, sortOrder } = request;
  const identifiers =
    identifierFieldIds.length === 0 ? {} : { identifierFieldIds: identifierFieldIds.map(fresh) };
  const spec = {
    specId: 0,
    // As in Java's `freshSpec`: ids of partition fields are given anew as well.
    fields: (partitionSpec?.fields ?? []).map((field, at) => ({
      ...field,
      sourceId: fresh(field.sourceId),
      fieldId: 1000 + at,
    })),
  };
  const order = {
    orderId: (sortOrder?.fields.length ?? 0) === 0 ? 0 : 1,
    fields: (sortOrder?.fields ?? []).map((field) => ({ ...field, sourceId: fresh(field.sourceId) })),
  };
  return [
    { action: 'assign-uuid', uuid },
    { action: 'add-schema', schema: { schemaId: 0, struct, ...identifiers }, lastColumnId },
    { action: 'set-current-schema', schemaId: -1 },
    { action: 'add-spec', spec },
    { action: 'set-default-spec', specId: -1 },
    { action: 'add-sort-order', sortOrder: order },
    { action: 'set-default-sort-order', sortOrderId: -1 },
    { action: 'set-location', location },
    { action: 'set-properties', updates: request.properties },
  ];
}
