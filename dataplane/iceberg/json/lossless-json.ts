import { FormatError } from '../errors.ts';

/**
 * JSON whose whole numbers survive: snapshot ids are 64 bits wide, and `JSON.parse` alone rounds what is beyond 2^53.
 * Whole numbers that a `number` cannot hold exactly come as `bigint`, all others as `number`.
 *
 * Rests on "JSON.parse source text access" (ECMAScript 2026; in V8 since 2023), which TypeScript's library does not declare.
 */
interface SourceTextJson {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): object;
}

const sourceTextJson = JSON as unknown as SourceTextJson;

/** @param source what the text is, for the error: a {@link FormatError} when it is no JSON. */
export function parseJson(text: string, source: string): unknown {
  try {
    return sourceTextJson.parse(text, exactNumbers);
  } catch (cause) {
    // Also a RangeError for values nested too deeply.
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new FormatError('INVALID', { source, field: '' }, `is no JSON: ${why}`, cause);
  }
}

function exactNumbers(_key: string, value: unknown, context: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const text = context.source;
  return text !== undefined && /^-?\d{1,40}$/.test(text) ? BigInt(text) : value;
}

/** `bigint` is written as the number it is. */
export function printJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? sourceTextJson.rawJSON(part.toString()) : part,
  );
}
