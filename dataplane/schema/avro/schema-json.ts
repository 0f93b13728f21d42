import { SchemaError } from '../errors.ts';

/** A number that JavaScript would write differently (`1.0`) or not hold exactly (a default of 2^63 - 1). */
export class ExactNumber {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** Far beyond any schema that people write; keeps recursion over what is parsed from exhausting the stack. */
const maxDepth = 200;

/**
 * The JSON value of a schema text; numbers that would change are {@link ExactNumber}.
 *
 * @throws SchemaError INVALID_SCHEMA that says where the text stops being JSON
 */
export function parseSchemaJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text, exactNumbers);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SchemaError('INVALID_SCHEMA', `the schema is not JSON: ${why}`, { cause: error });
  }
  requireDepth(value, maxDepth);
  return value;
}

/** The text that {@link parseSchemaJson} reads as `value`, without white space. */
export function printSchemaJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (part instanceof ExactNumber ? rawJson(part) : part));
}

export function isJsonObject(value: unknown): value is JsonObject {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)
  );
}

function exactNumbers(_key: string, value: unknown, ...rest: unknown[]): unknown {
  if (typeof value !== 'number') return value;
  const { source } = rest[0] as { readonly source: string };
  return String(value) === source ? value : new ExactNumber(source);
}

// In V8 since 12.4, not in TypeScript's library.
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

function rawJson({ source }: ExactNumber): unknown {
  return rawJSON(source);
}

function requireDepth(value: unknown, left: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (left === 0)
    throw new SchemaError('INVALID_SCHEMA', `the schema is nested more than ${maxDepth} levels deep`);
  for (const part of Object.values(value)) requireDepth(part, left - 1);
}
