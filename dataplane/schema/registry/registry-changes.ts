import { SchemaError } from '../errors.ts';
import type { CompatibilityLevel } from './compatibility-level.ts';
import { incompatibilities, versionsToCheck } from './compatibility.ts';
import type { EarlierVersion } from './compatibility.ts';
import type { ParsedSchemas } from './parsed-schemas.ts';
import { RegistryError } from './registry-error.ts';
import type { RegistryRecord, SchemaValue } from './registry-record.ts';
import type { RegistrySchema } from './registry-schema.ts';
import type { RegisteredVersion, RegistryState } from './registry-state.ts';

/** What to append, as one batch, and what to answer when it is durable. No records: nothing changes. */
export interface RegistryChange<T> {
  readonly records: readonly RegistryRecord[];
  readonly answer: T;
}

/** Texts of all schemas together, in characters: they are kept in memory. */
const maxTextSize = 256 * 1024 * 1024;

/** A number, `latest` and -1 for the newest. */
export type AskedVersion = number | 'latest';

export interface Registration {
  readonly subject: string;
  readonly schema: RegistrySchema;
  /** What the client wants its version to be; it must be the next one. */
  readonly version?: number | undefined;
}

/**
 * A new version of a subject, or the one that has this schema already.
 *
 * @throws RegistryError incompatibleSchema, invalidSchema, storeError
 */
export function register(
  state: RegistryState,
  parsed: ParsedSchemas,
  { subject, schema, version }: Registration,
): RegistryChange<{ readonly id: number; readonly version: number }> {
  const knownId = state.idOf('AVRO', schema.text);
  const known = state.versions(subject).findLast(({ id }) => id === knownId);
  if (known !== undefined) return { records: [], answer: { id: known.id, version: known.version } };
  const next = (state.latest(subject, true)?.version ?? 0) + 1;
  if (version !== undefined && version !== next)
    throw new RegistryError(
      'invalidSchema',
      `version ${version} is not the next one of subject ${subject}: ${next} is`,
    );
  const level = state.levelOf(subject);
  const messages = incompatibilities(schema, earlierVersions(state, parsed, subject, level), level);
  if (messages.length > 0) {
    throw new RegistryError(
      'incompatibleSchema',
      `the schema is not compatible with earlier versions of subject ${subject} (compatibility level ${level}): ` +
        messages.join('; '),
    );
  }
  if (knownId === undefined && state.textSize + schema.text.length > maxTextSize)
    throw new RegistryError(
      'storeError',
      `the registry is full: its schemas have ${state.textSize} characters`,
    );
  const id = knownId ?? state.maxId + 1;
  const value = { id, schemaType: 'AVRO', text: schema.text, deleted: false, references: [] };
  return {
    records: [{ kind: 'schema', key: { subject, version: next }, value }],
    answer: { id, version: next },
  };
}

/** Versions that a new schema is held against. @throws RegistryError when one of them cannot be read */
export function earlierVersions(
  state: RegistryState,
  parsed: ParsedSchemas,
  subject: string,
  level: CompatibilityLevel,
): readonly EarlierVersion[] {
  const versions = state.versions(subject).map(({ version }) => version);
  return versionsToCheck(versions, level).map((version) => earlierVersion(state, parsed, subject, version));
}

export function earlierVersion(
  state: RegistryState,
  parsed: ParsedSchemas,
  subject: string,
  version: number,
): EarlierVersion {
  const { schemaType, ...schema } = valueOf(state, subject, version);
  try {
    if (schemaType !== 'AVRO') throw new SchemaError('NOT_BUILT', `it is of type ${schemaType}`);
    return { version, schema: parsed.get(schema) };
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    throw new RegistryError(
      'invalidSchema',
      `version ${version} of subject ${subject} cannot be compared with: ${error.message}`,
      { cause: error },
    );
  }
}

/** @throws RegistryError subjectNotFound, subjectSoftDeleted, subjectNotSoftDeleted */
export function deleteSubject(
  state: RegistryState,
  subject: string,
  permanent: boolean,
): RegistryChange<readonly number[]> {
  const all = state.versions(subject, true);
  const live = state.versions(subject);
  if (all.length === 0) throw subjectNotFound(subject);
  const answer = (live.length > 0 ? live : all).map(({ version }) => version);
  if (permanent) {
    if (live.length > 0)
      throw new RegistryError(
        'subjectNotSoftDeleted',
        `subject ${subject} was not deleted first: delete it without permanent=true, then again with it`,
      );
    return {
      records: all.map(({ version }) => ({ kind: 'schema', key: { subject, version }, value: undefined })),
      answer,
    };
  }
  if (live.length === 0)
    throw new RegistryError(
      'subjectSoftDeleted',
      `subject ${subject} is soft deleted: permanent=true deletes it for good`,
    );
  const records: RegistryRecord[] = [{ kind: 'deleteSubject', subject, upToVersion: answer.at(-1) ?? 0 }];
  if (state.ownLevel(subject) !== undefined) records.push({ kind: 'config', subject, level: undefined });
  return { records, answer };
}

/** @throws RegistryError subjectNotFound, versionNotFound, versionSoftDeleted, versionNotSoftDeleted */
export function deleteVersion(
  state: RegistryState,
  subject: string,
  asked: AskedVersion,
  permanent: boolean,
): RegistryChange<number> {
  const { version, deleted } = versionOf(state, subject, asked, true);
  const key = { subject, version };
  if (permanent) {
    if (!deleted)
      throw new RegistryError(
        'versionNotSoftDeleted',
        `version ${version} of subject ${subject} was not deleted first: delete it without permanent=true, then again with it`,
      );
    return { records: [{ kind: 'schema', key, value: undefined }], answer: version };
  }
  if (deleted)
    throw new RegistryError(
      'versionSoftDeleted',
      `version ${version} of subject ${subject} is soft deleted: permanent=true deletes it for good`,
    );
  const value = { ...valueOf(state, subject, version), deleted: true };
  return { records: [{ kind: 'schema', key, value }], answer: version };
}

/** @param subject `undefined`: for all that have no level of their own */
export function setLevel(
  subject: string | undefined,
  level: CompatibilityLevel,
): RegistryChange<CompatibilityLevel> {
  return { records: [{ kind: 'config', subject, level }], answer: level };
}

/** Answers with the level that is no more. @throws RegistryError subjectNotFound */
export function removeLevel(
  state: RegistryState,
  subject: string | undefined,
): RegistryChange<CompatibilityLevel> {
  const answer = subject === undefined ? state.globalLevel : state.ownLevel(subject);
  if (answer === undefined)
    throw new RegistryError('subjectNotFound', `subject ${subject} has no compatibility level of its own`);
  return { records: [{ kind: 'config', subject, level: undefined }], answer };
}

/** @throws RegistryError subjectNotFound, versionNotFound */
export function versionOf(
  state: RegistryState,
  subject: string,
  asked: AskedVersion,
  includeDeleted = false,
): RegisteredVersion {
  if (state.versions(subject, includeDeleted).length === 0) throw subjectNotFound(subject);
  const found =
    asked === 'latest'
      ? (state.latest(subject) ?? state.latest(subject, true))
      : state.version(subject, asked);
  if (found === undefined || (found.deleted && !includeDeleted))
    throw new RegistryError('versionNotFound', `subject ${subject} has no version ${asked}`);
  return found;
}

export function subjectNotFound(subject: string): RegistryError {
  return new RegistryError('subjectNotFound', `subject ${subject} not found`);
}

function valueOf(state: RegistryState, subject: string, version: number): SchemaValue {
  const known = versionOf(state, subject, version, true);
  const schema = state.schema(known.id);
  if (schema === undefined)
    throw new Error(`version ${version} of ${subject} has id ${known.id}, which has no schema`);
  return { ...schema, deleted: known.deleted };
}
