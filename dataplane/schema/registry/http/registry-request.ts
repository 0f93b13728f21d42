import type { HttpRequest } from '../../../runtime/http-exchange.ts';
import { isJsonObject } from '../../avro/schema-json.ts';
import type { JsonObject } from '../../avro/schema-json.ts';
import { SchemaError } from '../../errors.ts';
import { RegistryError } from '../registry-error.ts';
import { RegistrySchema } from '../registry-schema.ts';
import type { AskedVersion } from '../registry-changes.ts';

/** A request that HTTP alone refuses: the error code is the status. */
export class HttpRefusal extends Error {
  override readonly name = 'HttpRefusal';
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

export function flag(query: URLSearchParams, name: string): boolean {
  return query.get(name) === 'true';
}

/** A count in the query. @throws HttpRefusal */
export function count(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name);
  if (text === null) return otherwise;
  if (!/^\d{1,9}$/.test(text))
    throw new HttpRefusal(400, `${name} is ${JSON.stringify(text)} but must be a count`);
  return Number(text);
}

/** @throws RegistryError invalidVersion */
export function askedVersion(text: string): AskedVersion {
  if (text === 'latest' || text === '-1') return 'latest';
  if (/^[1-9]\d{0,9}$/.test(text) && Number(text) < 2 ** 31) return Number(text);
  throw new RegistryError(
    'invalidVersion',
    `version ${JSON.stringify(text)} must be a number from 1 on, or "latest"`,
  );
}

/** @throws RegistryError invalidSubject */
export function validSubject(subject: string): string {
  if (subject.startsWith(':.'))
    throw new RegistryError('invalidSubject', `subject ${subject} names a context: contexts are not built`);
  if (subject === '__GLOBAL' || subject === '__EMPTY')
    throw new RegistryError('invalidSubject', `${subject} stands for something else in Confluent's registry`);
  if (subject.length > 1_000 || hasControlCharacter(subject))
    throw new RegistryError(
      'invalidSubject',
      'a subject has at most 1000 characters and no control characters',
    );
  return subject;
}

function hasControlCharacter(text: string): boolean {
  for (const character of text) if (character < ' ' || character === '\u007F') return true;
  return false;
}

const jsonTypes = /^application\/(vnd\.schemaregistry(\.v1)?\+json|json)\s*(;|$)/i;

/**
 * The JSON object in a request. Other content types are refused: a web page can send those to this port without asking
 * for permission, but not JSON.
 *
 * @throws HttpRefusal
 */
export function bodyOf({ headers, body, method }: HttpRequest): JsonObject {
  if (!jsonTypes.test(headers['content-type'] ?? ''))
    throw new HttpRefusal(
      415,
      `${method} needs Content-Type application/vnd.schemaregistry.v1+json or application/json`,
    );
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new HttpRefusal(400, `the body is not JSON: ${why}`, { cause });
  }
  if (!isJsonObject(value)) throw new HttpRefusal(400, 'the body is not a JSON object');
  return value;
}

export interface AskedSchema {
  readonly schema: RegistrySchema;
  readonly version: number | undefined;
}

/** What is bound by a record of `_schemas`. */
const maxTextLength = 1_000_000;

/**
 * The schema that a body holds (`schema`, `schemaType`, `references`, …).
 *
 * @throws RegistryError invalidSchema with the place; operationNotPermitted when the body chooses its id
 */
export function schemaOf(body: JsonObject): AskedSchema {
  const { schema: text, schemaType, references, id, version, metadata, ruleSet } = body;
  if (!isAbsent(schemaType) && schemaType !== 'AVRO')
    throw invalid(`"schemaType" is ${JSON.stringify(schemaType)}: only AVRO is built so far`);
  if (!isAbsent(references) && !(Array.isArray(references) && references.length === 0))
    throw invalid('references to other subjects are not built: put the types they hold into the schema');
  if (!isAbsent(metadata) || !isAbsent(ruleSet))
    throw invalid('"metadata" and "ruleSet" (data contracts) are not built: leave them out');
  if (typeof text !== 'string' || text.trim() === '') throw invalid('"schema" must be the text of a schema');
  if (text.length > maxTextLength)
    throw invalid(`the schema has ${text.length} characters, at most ${maxTextLength} are possible`);
  if (typeof id === 'number' && id > 0) {
    throw new RegistryError(
      'operationNotPermitted',
      `the body asks for id ${id}: ids are given out by the registry (mode IMPORT is not built)`,
    );
  }
  try {
    const schema = RegistrySchema.parse(text);
    // Also what only avsc finds is found now, and not when the next version comes.
    void schema.type;
    return { schema, version: typeof version === 'number' && version > 0 ? version : undefined };
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    throw new RegistryError('invalidSchema', error.message, { cause: error });
  }
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null;
}

function invalid(message: string): RegistryError {
  return new RegistryError('invalidSchema', message);
}
