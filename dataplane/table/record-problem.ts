import { SchemaMismatchError } from '../columnar/errors.ts';
import type { AvroRecord } from '../schema/avro/avro-schema.ts';
import { SchemaError } from '../schema/errors.ts';
import type { SchemaLookup } from '../schema/registry/schema-lookup.ts';
import type { OpenDataFile, RecordProblemCode } from './data-file-writer.ts';

/** Why a worker does not go on: that record cannot become a row. */
export interface RecordProblem {
  readonly offset: number;
  readonly code: RecordProblemCode | 'COMMITTED_ABOVE_END';
  readonly reason: string;
}

/** What is wrong with a record, without its place. */
export interface UnfitRecord {
  readonly code: RecordProblemCode;
  readonly reason: string;
}

export function problemAt(offset: number, { code, reason }: UnfitRecord): RecordProblem {
  return {
    offset,
    code,
    reason:
      `${reason}; the record was not skipped, and nothing after it is read. It is tried again when a schema is ` +
      `registered or the topic's settings change. Until dead letters are built the way around it is DeleteRecords ` +
      `up to offset ${offset + 1}`,
  };
}

/** The schema of an id, as tables see it, or why records of it cannot be rows. Rejects when the signal aborts. */
export async function lookUpSchema(
  schemaId: number,
  schemas: SchemaLookup,
  signal: AbortSignal,
): Promise<AvroRecord | UnfitRecord> {
  let found;
  try {
    found = await schemas.byId(schemaId, signal);
  } catch (error) {
    signal.throwIfAborted();
    const why = error instanceof Error ? error.message : String(error);
    return { code: 'REGISTRY_UNAVAILABLE', reason: `schema ${schemaId} could not be looked up: ${why}` };
  }
  if (found === undefined)
    return { code: 'UNKNOWN_SCHEMA', reason: `the registry has no schema ${schemaId}` };
  if (found.record instanceof SchemaError)
    return { code: 'UNSUPPORTED_SCHEMA', reason: `schema ${schemaId}: ${found.record.message}` };
  return found.record;
}

/** Lets a file know the schema of an id; says why its records cannot be rows. Rejects when the signal aborts. */
export async function learnSchema(
  file: OpenDataFile,
  schemaId: number,
  schemas: SchemaLookup,
  signal: AbortSignal,
): Promise<UnfitRecord | undefined> {
  const found = await lookUpSchema(schemaId, schemas, signal);
  if ('code' in found) return found;
  try {
    await file.learn(schemaId, found);
    return undefined;
  } catch (error) {
    if (!(error instanceof SchemaMismatchError)) throw error;
    return { code: 'SCHEMA_DOES_NOT_FIT', reason: `schema ${schemaId}: ${error.message}` };
  }
}
