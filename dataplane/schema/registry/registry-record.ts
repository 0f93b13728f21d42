import { isJsonObject } from '../avro/schema-json.ts';
import type { JsonObject } from '../avro/schema-json.ts';
import { isCompatibilityLevel } from './compatibility-level.ts';
import type { CompatibilityLevel } from './compatibility-level.ts';

/**
 * The records of topic `_schemas`, as Confluent's registry writes them: key and value are JSON, a value of null deletes
 * what the key names.
 *
 * ```
 * {"keytype":"SCHEMA","subject":"s","version":1,"magic":1}   {"subject":"s","version":1,"id":7,"schema":"…","deleted":false}
 * {"keytype":"CONFIG","subject":null,"magic":0}              {"compatibilityLevel":"FULL"}
 * {"keytype":"DELETE_SUBJECT","subject":"s","magic":0}       {"subject":"s","version":3}   all versions up to 3 are soft deleted
 * ```
 */
export type RegistryRecord =
  | { readonly kind: 'schema'; readonly key: VersionKey; readonly value: SchemaValue | undefined }
  | {
      readonly kind: 'config';
      /** `undefined`: for all subjects that have none of their own. */
      readonly subject: string | undefined;
      readonly level: CompatibilityLevel | undefined;
    }
  | { readonly kind: 'deleteSubject'; readonly subject: string; readonly upToVersion: number };

export interface VersionKey {
  readonly subject: string;
  readonly version: number;
}

export interface SchemaValue {
  /** Of the text, all over the registry. */
  readonly id: number;
  readonly schemaType: string;
  readonly text: string;
  readonly deleted: boolean;
  /** As they were written: Firn writes none. */
  readonly references: readonly unknown[];
}

export interface RecordBytes {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

export function encodeRegistryRecord(record: RegistryRecord): RecordBytes {
  const [key, value] = toJson(record);
  return { key: bytesOf(key), value: value === undefined ? null : bytesOf(value) };
}

function toJson(record: RegistryRecord): readonly [key: JsonObject, value: JsonObject | undefined] {
  switch (record.kind) {
    case 'schema': {
      const { subject, version } = record.key;
      const { value } = record;
      const key = { keytype: 'SCHEMA', subject, version, magic: 1 };
      if (value === undefined) return [key, undefined];
      const { id, schemaType, text: schema, deleted, references } = value;
      const type = schemaType === 'AVRO' ? {} : { schemaType };
      const refers = references.length === 0 ? {} : { references };
      return [key, { subject, version, id, ...type, ...refers, schema, deleted }];
    }
    case 'config': {
      const subject = record.subject ?? null;
      const key = { keytype: 'CONFIG', subject, magic: 0 };
      if (record.level === undefined) return [key, undefined];
      return [key, { ...(subject === null ? {} : { subject }), compatibilityLevel: record.level }];
    }
    case 'deleteSubject': {
      const { subject, upToVersion: version } = record;
      return [
        { keytype: 'DELETE_SUBJECT', subject, magic: 0 },
        { subject, version },
      ];
    }
  }
}

/**
 * @returns undefined for kinds of records that mean nothing here (MODE, NOOP, CLEAR_SUBJECT, contexts)
 * @throws RegistryRecordError for a record that should mean something and cannot be read
 */
export function decodeRegistryRecord(key: Uint8Array, value: Uint8Array | null): RegistryRecord | undefined {
  const { keytype, subject, version } = jsonOf(key, 'key');
  const content = value === null ? undefined : jsonOf(value, 'value');
  switch (keytype) {
    case 'SCHEMA':
      return {
        kind: 'schema',
        key: { subject: text(subject, 'subject'), version: count(version, 'version') },
        value: content === undefined ? undefined : schemaValue(content),
      };
    case 'CONFIG': {
      const level = content?.['compatibilityLevel'];
      if (level !== undefined && level !== null && !isCompatibilityLevel(level))
        throw new RegistryRecordError(`"compatibilityLevel" is ${JSON.stringify(level)}`);
      return {
        kind: 'config',
        subject: subject === null || subject === undefined ? undefined : text(subject, 'subject'),
        level: level ?? undefined,
      };
    }
    case 'DELETE_SUBJECT':
      if (content === undefined) return undefined;
      return {
        kind: 'deleteSubject',
        subject: text(subject, 'subject'),
        upToVersion: count(content['version'], 'version'),
      };
    default:
      return undefined;
  }
}

/** A record of `_schemas` is not what it must be. */
export class RegistryRecordError extends Error {
  override readonly name = 'RegistryRecordError';
}

function schemaValue(content: JsonObject): SchemaValue {
  const { schemaType, references } = content;
  return {
    id: count(content['id'], 'id'),
    schemaType: typeof schemaType === 'string' ? schemaType : 'AVRO',
    text: text(content['schema'], 'schema'),
    deleted: content['deleted'] === true,
    references: Array.isArray(references) ? references : [],
  };
}

function bytesOf(json: JsonObject): Uint8Array {
  return Buffer.from(JSON.stringify(json));
}

function jsonOf(bytes: Uint8Array, what: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (cause) {
    throw new RegistryRecordError(`the ${what} of a record of _schemas is not JSON`, { cause });
  }
  if (!isJsonObject(value)) throw new RegistryRecordError(`the ${what} of a record of _schemas is no object`);
  return value;
}

function text(value: unknown, name: string): string {
  if (typeof value === 'string') return value;
  throw new RegistryRecordError(
    `"${name}" of a record of _schemas is ${JSON.stringify(value)}, not a string`,
  );
}

function count(value: unknown, name: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31) return value;
  throw new RegistryRecordError(`"${name}" of a record of _schemas is ${JSON.stringify(value)}, not a count`);
}
