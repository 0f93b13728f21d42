import type { TableSchema } from '../../schema/table-type.ts';
import { schemaJson } from '../json/schema-json.ts';
import { highestFieldId, schemaNodes } from '../schema-fields.ts';
import { lastAdded, refuse } from './metadata-draft.ts';
import type { MetadataDraft } from './metadata-draft.ts';

/**
 * A schema equal to one that is there keeps that one's id: schema ids do not pile up when a client evolves back.
 *
 * @param claimedLastColumnId of clients that still send it. It may be too low: Java's sends the highest id that is left when a
 * column is dropped. Ids that were given are never given again.
 */
export function addSchema(
  draft: MetadataDraft,
  schema: TableSchema,
  claimedLastColumnId: number | undefined,
): void {
  checkFields(schema);
  const lastColumnId = Math.max(claimedLastColumnId ?? 0, draft.lastColumnId, highestFieldId(schema.struct));
  const columns = columnsOf(schema);
  const equal = [...draft.schemas.values()].find((other) => columnsOf(other) === columns);
  const schemaId = equal?.schemaId ?? Math.max(-1, ...draft.schemas.keys()) + 1;
  draft.lastAddedSchemaId = schemaId;
  if (equal !== undefined && lastColumnId === draft.lastColumnId) return;
  draft.lastColumnId = lastColumnId;
  if (equal === undefined) draft.schemas.set(schemaId, { ...schema, schemaId });
  draft.changed = true;
}

export function setCurrentSchema(draft: MetadataDraft, wanted: number): void {
  const schemaId = wanted === lastAdded ? draft.lastAddedSchemaId : wanted;
  if (schemaId === undefined) refuse('cannot set the last added schema: this commit adds none');
  if (!draft.schemas.has(schemaId)) refuse(`cannot set unknown schema ${schemaId}`);
  if (draft.currentSchemaId === schemaId) return;
  draft.currentSchemaId = schemaId;
  draft.changed = true;
}

export function removeSchemas(draft: MetadataDraft, schemaIds: readonly number[]): void {
  for (const schemaId of schemaIds) {
    if (schemaId === draft.currentSchemaId) refuse(`cannot remove the current schema ${schemaId}`);
    if (draft.schemas.delete(schemaId)) draft.changed = true;
  }
}

function columnsOf(schema: TableSchema): string {
  const identifierFieldIds = [...(schema.identifierFieldIds ?? [])].sort((a, b) => a - b);
  return JSON.stringify(schemaJson({ ...schema, schemaId: 0, identifierFieldIds }));
}

function checkFields({ struct, identifierFieldIds = [] }: TableSchema): void {
  const nodes = new Map<number, string>();
  for (const { id, path } of schemaNodes(struct)) {
    const other = nodes.get(id);
    if (other !== undefined) refuse(`field id ${id} names both ${other} and ${path}`);
    nodes.set(id, path);
  }
  for (const id of identifierFieldIds) {
    if (!nodes.has(id)) refuse(`identifier field ${id} is no field of the schema`);
  }
}
