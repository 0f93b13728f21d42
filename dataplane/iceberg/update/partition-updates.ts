import { unassignedFieldId } from '../json/partition-json.ts';
import { schemaNodes } from '../schema-fields.ts';
import type { PartitionField, PartitionSpec, SortOrder } from '../table-metadata.ts';
import { lastAdded, refuse } from './metadata-draft.ts';
import type { MetadataDraft } from './metadata-draft.ts';

/** A spec with the same fields as one that is there keeps that one's id. */
export function addSpec(draft: MetadataDraft, spec: PartitionSpec): void {
  checkNames(spec);
  checkSources(draft, `partition spec`, spec.fields);
  const same = [...draft.specs.values()].find((other) => fieldsOf(other) === fieldsOf(spec));
  if (same !== undefined) {
    draft.lastAddedSpecId = same.specId;
    return;
  }
  const fields = spec.fields.map((field): PartitionField => {
    if (field.fieldId !== unassignedFieldId) return field;
    const fieldId = equalFieldId(draft, field) ?? draft.lastPartitionId + 1;
    draft.lastPartitionId = Math.max(draft.lastPartitionId, fieldId);
    return { ...field, fieldId };
  });
  if (new Set(fields.map(({ fieldId }) => fieldId)).size !== fields.length)
    refuse('two fields of the partition spec have one field id');
  const specId = Math.max(-1, ...draft.specs.keys()) + 1;
  draft.specs.set(specId, { specId, fields });
  draft.lastPartitionId = Math.max(draft.lastPartitionId, ...fields.map(({ fieldId }) => fieldId));
  draft.lastAddedSpecId = specId;
  draft.changed = true;
}

export function setDefaultSpec(draft: MetadataDraft, wanted: number): void {
  const specId = wanted === lastAdded ? draft.lastAddedSpecId : wanted;
  if (specId === undefined) refuse('cannot set the last added partition spec: this commit adds none');
  const spec = draft.specs.get(specId);
  if (spec === undefined) refuse(`cannot set unknown partition spec ${specId}`);
  checkSources(draft, `partition spec ${specId}`, spec.fields);
  if (draft.defaultSpecId === specId) return;
  draft.defaultSpecId = specId;
  draft.changed = true;
}

export function removeSpecs(draft: MetadataDraft, specIds: readonly number[]): void {
  for (const specId of specIds) {
    if (specId === draft.defaultSpecId) refuse(`cannot remove the default partition spec ${specId}`);
    if (draft.specs.delete(specId)) draft.changed = true;
  }
}

/** Order 0 is no order, and no other order is without fields (Iceberg spec, "Sorting"). */
export function addSortOrder(draft: MetadataDraft, order: SortOrder): void {
  checkSources(draft, 'sort order', order.fields);
  const text = JSON.stringify(order.fields);
  const same = [...draft.sortOrders.values()].find(({ fields }) => JSON.stringify(fields) === text);
  const orderId =
    same?.orderId ?? (order.fields.length === 0 ? 0 : Math.max(0, ...draft.sortOrders.keys()) + 1);
  draft.lastAddedSortOrderId = orderId;
  if (same !== undefined) return;
  draft.sortOrders.set(orderId, { orderId, fields: order.fields });
  draft.changed = true;
}

export function setDefaultSortOrder(draft: MetadataDraft, wanted: number): void {
  const orderId = wanted === lastAdded ? draft.lastAddedSortOrderId : wanted;
  if (orderId === undefined) refuse('cannot set the last added sort order: this commit adds none');
  if (!draft.sortOrders.has(orderId)) refuse(`cannot set unknown sort order ${orderId}`);
  if (draft.defaultSortOrderId === orderId) return;
  draft.defaultSortOrderId = orderId;
  draft.changed = true;
}

function fieldsOf({ fields }: PartitionSpec): string {
  return JSON.stringify(fields.map(({ sourceId, name, transform }) => [sourceId, name, transform]));
}

function equalFieldId(draft: MetadataDraft, wanted: PartitionField): number | undefined {
  return [...draft.specs.values()]
    .flatMap(({ fields }) => fields)
    .find(({ sourceId, transform }) => sourceId === wanted.sourceId && transform === wanted.transform)
    ?.fieldId;
}

function checkNames({ fields }: PartitionSpec): void {
  const names = new Set<string>();
  for (const { name } of fields) {
    if (name === '') refuse('a partition field has no name');
    if (names.has(name)) refuse(`two partition fields are called ${JSON.stringify(name)}`);
    names.add(name);
  }
}

function checkSources(
  draft: MetadataDraft,
  what: string,
  fields: readonly { readonly sourceId: number; readonly transform: string }[],
): void {
  if (fields.length === 0) return;
  const ids = new Map([...schemaNodes(draft.currentSchema.struct)].map((node) => [node.id, node]));
  for (const { sourceId, transform } of fields) {
    if (transform === 'void') continue;
    const node = ids.get(sourceId);
    if (node === undefined) refuse(`${what}: the current schema has no field with id ${sourceId}`);
    if (node.type.kind === 'struct' || node.type.kind === 'list' || node.type.kind === 'map')
      refuse(`${what}: ${node.path} is a ${node.type.kind}; only primitive fields can be used`);
  }
}
