import type { PartitionField, PartitionSpec, SortField, SortOrder } from '../table-metadata.ts';
import type { JsonObject } from './json-object.ts';

/** Iceberg spec, appendix C, "Partition Specs" and "Sort Orders". */

/** The field id of a partition field whose id the catalog is to choose. */
export const unassignedFieldId = -1;

const transformPattern =
  /^(identity|void|year|month|day|hour|bucket\[[1-9]\d{0,9}\]|truncate\[[1-9]\d{0,9}\])$/;

export function specJson(spec: PartitionSpec): Record<string, unknown> {
  return { 'spec-id': spec.specId, fields: partitionFieldsJson(spec) };
}

export function partitionFieldsJson(spec: PartitionSpec): Record<string, unknown>[] {
  return spec.fields.map(({ sourceId, fieldId, name, transform }) => ({
    name,
    transform,
    'source-id': sourceId,
    'field-id': fieldId,
  }));
}

/** In requests a spec may come without its id, and its fields without theirs: `unassignedFieldId`. */
export function readSpec(json: JsonObject): PartitionSpec {
  return {
    specId: json.optionalInteger('spec-id', -1, 2 ** 31 - 1) ?? 0,
    fields: json.list('fields', readPartitionField),
  };
}

export function readPartitionField(json: JsonObject): PartitionField {
  return {
    sourceId: readSourceId(json),
    fieldId: json.optionalInteger('field-id', 0, 2 ** 31 - 1) ?? unassignedFieldId,
    name: json.text('name'),
    transform: readTransform(json),
  };
}

export function sortOrderJson(order: SortOrder): Record<string, unknown> {
  return {
    'order-id': order.orderId,
    fields: order.fields.map(({ sourceId, transform, direction, nullOrder }) => ({
      transform,
      'source-id': sourceId,
      direction,
      'null-order': nullOrder,
    })),
  };
}

export function readSortOrder(json: JsonObject): SortOrder {
  return {
    orderId: json.optionalInteger('order-id', -1, 2 ** 31 - 1) ?? 0,
    fields: json.list('fields', readSortField),
  };
}

function readSortField(json: JsonObject): SortField {
  const direction = json.text('direction').toLowerCase();
  const nullOrder = json.text('null-order').toLowerCase();
  if (direction !== 'asc' && direction !== 'desc') json.fail('direction', 'must be asc or desc');
  if (nullOrder !== 'nulls-first' && nullOrder !== 'nulls-last')
    json.fail('null-order', 'must be nulls-first or nulls-last');
  return { sourceId: readSourceId(json), transform: readTransform(json), direction, nullOrder };
}

function readSourceId(json: JsonObject): number {
  if (json.has('source-ids') && !json.has('source-id'))
    json.fail(
      'source-ids',
      'transforms of several columns need format version 3, which is not built',
      'UNSUPPORTED',
    );
  return json.id('source-id');
}

function readTransform(json: JsonObject): string {
  const transform = json.text('transform');
  if (transformPattern.test(transform)) return transform;
  return json.fail('transform', `${JSON.stringify(transform)} is no transform that is known`, 'UNSUPPORTED');
}
