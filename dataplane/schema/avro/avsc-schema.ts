import type { Schema } from 'avsc';
import type { AvroFieldNode, AvroNode, AvroPrimitiveName } from './avro-tree.ts';
import { schemaJson } from './canonical-schema.ts';
import { ExactNumber, isJsonObject } from './schema-json.ts';
import type { JsonObject } from './schema-json.ts';

/**
 * A schema in the form that avsc takes, for who only asks avsc whether it is one and what can be read with it. avsc knows
 * the specification as it was: the default of a union had to be of the first branch, it may be of any since Avro 1.12; and
 * integers of 64 bits that JavaScript does not hold are none to it.
 */
export function avscTree(node: AvroNode): AvroNode {
  switch (node.kind) {
    case 'reference':
      return node;
    case 'primitive':
    case 'enum':
    case 'fixed':
      return { ...node, props: heldObject(node.props) };
    case 'array':
    case 'map':
      return { ...node, items: avscTree(node.items), props: heldObject(node.props) };
    case 'union':
      return { ...node, branches: node.branches.map(avscTree) };
    case 'record':
      return { ...node, fields: node.fields.map(avscField), props: heldObject(node.props) };
  }
}

/** @param tree of {@link avscTree} */
export function avscSchema(tree: AvroNode): Schema {
  return schemaJson(tree, '') as Schema;
}

function avscField(field: AvroFieldNode): AvroFieldNode {
  const type = avscTree(field.type);
  const plain = {
    ...field,
    name: avscName(field.name),
    aliases: field.aliases.map(avscName),
    type,
    props: heldObject(field.props),
  };
  if (field.default === undefined) return plain;
  const value = held(field.default.value);
  if (type.kind !== 'union') return { ...plain, default: { value } };
  const first = type.branches.find((branch) => mayBeOf(value, branch));
  const rest = type.branches.filter((branch) => branch !== first);
  return {
    ...plain,
    type: first === undefined ? type : { ...type, branches: [first, ...rest] },
    default: { value },
  };
}

/** Whether a default may be of a branch, judged by its kind alone. */
function mayBeOf(value: unknown, branch: AvroNode): boolean {
  const node = branch.kind === 'reference' ? branch.target : branch;
  switch (node.kind) {
    case 'primitive':
      return primitives[node.type](value);
    case 'fixed':
      return typeof value === 'string';
    case 'enum':
      return typeof value === 'string' && node.symbols.includes(value);
    case 'array':
      return Array.isArray(value);
    case 'map':
    case 'record':
      return isJsonObject(value);
    case 'union':
      return false;
  }
}

const primitives: Readonly<Record<AvroPrimitiveName, (value: unknown) => boolean>> = {
  null: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  int: Number.isInteger,
  long: Number.isInteger,
  float: (value) => typeof value === 'number',
  double: (value) => typeof value === 'number',
  string: (value) => typeof value === 'string',
  bytes: (value) => typeof value === 'string',
};

function held(value: unknown): unknown {
  if (value instanceof ExactNumber) return heldNumber(value.source);
  if (Array.isArray(value)) return (value as readonly unknown[]).map(held);
  return isJsonObject(value) ? heldObject(value) : value;
}

const prefix = 'avsc_cannot_';

/** avsc keeps fields by name in plain objects, where `constructor` and the like are taken: it gets others for them. */
function avscName(name: string): string {
  return name in Object.prototype || name.startsWith(prefix) ? prefix + name : name;
}

/** Without a prototype: avsc would take `constructor` of `{}` for the value of a field of that name. */
function heldObject(object: JsonObject): JsonObject {
  const bare = Object.create(null) as Record<string, unknown>;
  for (const [key, part] of Object.entries(object)) bare[avscName(key)] = held(part);
  return bare;
}

/** An integer of 64 bits becomes the nearest that avsc takes for a long, which is as much too large for an int. */
function heldNumber(source: string): number {
  if (!/^-?\d+$/.test(source) || BigInt.asIntN(64, BigInt(source)) !== BigInt(source)) return Number(source);
  const largest = Number.MAX_SAFE_INTEGER - 1;
  return Math.min(largest, Math.max(-largest, Number(source)));
}
