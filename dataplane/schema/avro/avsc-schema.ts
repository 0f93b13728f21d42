import type { Schema } from 'avsc';
import type { AvroNode } from './avro-tree.ts';
import { schemaJson } from './canonical-schema.ts';
import { ExactNumber, isJsonObject } from './schema-json.ts';
import type { JsonObject } from './schema-json.ts';

/**
 * A schema in the form that avsc takes, for who only asks avsc whether it is one and what can be read with it. avsc knows
 * the specification as it was: the default of a union had to be of the first branch, it may be of any since Avro 1.12; and
 * integers of 64 bits that JavaScript does not hold are none to it.
 */
export function avscSchema(node: AvroNode): Schema {
  return adapted(schemaJson(node, '')) as Schema;
}

function adapted(value: unknown): unknown {
  if (value instanceof ExactNumber) return heldNumber(value.source);
  if (Array.isArray(value)) return (value as readonly unknown[]).map(adapted);
  if (!isJsonObject(value)) return value;
  const { fields } = value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [
      key,
      part === fields && Array.isArray(fields) ? fields.map(adaptedField) : adapted(part),
    ]),
  );
}

function adaptedField(field: unknown): unknown {
  const plain = adapted(field);
  if (!isJsonObject(plain) || !Array.isArray(plain['type']) || !Object.hasOwn(plain, 'default')) return plain;
  const branches = plain['type'] as readonly unknown[];
  const fallback = plain['default'];
  const first = branches.findIndex((branch) => mayBeOf(fallback, branch));
  const rest = branches.filter((_, index) => index !== first);
  return first <= 0 ? plain : ({ ...plain, type: [branches[first], ...rest] } satisfies JsonObject);
}

/** Whether a default may be of a branch, judged by its kind alone. */
function mayBeOf(value: unknown, branch: unknown): boolean {
  const type = isJsonObject(branch) ? branch['type'] : branch;
  switch (type) {
    case 'null':
      return value === null;
    case 'boolean':
      return typeof value === 'boolean';
    case 'int':
    case 'long':
      return typeof value === 'number' && Number.isInteger(value);
    case 'float':
    case 'double':
      return typeof value === 'number';
    case 'string':
    case 'bytes':
    case 'fixed':
      return typeof value === 'string';
    case 'enum':
      return typeof value === 'string' && isJsonObject(branch) && isOneOf(value, branch['symbols']);
    case 'array':
      return Array.isArray(value);
    case 'map':
    case 'record':
    case 'error':
      return isJsonObject(value);
    default:
      // The name of a type that was defined before.
      return typeof value === 'string' || isJsonObject(value);
  }
}

function isOneOf(value: string, list: unknown): boolean {
  return Array.isArray(list) && list.includes(value);
}

/** An integer of 64 bits becomes the nearest that avsc takes for a long, which is as much too large for an int. */
function heldNumber(source: string): number {
  if (!/^-?\d+$/.test(source) || BigInt.asIntN(64, BigInt(source)) !== BigInt(source)) return Number(source);
  const largest = Number.MAX_SAFE_INTEGER - 1;
  return Math.min(largest, Math.max(-largest, Number(source)));
}
