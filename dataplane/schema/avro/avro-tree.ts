import { SchemaError } from '../errors.ts';
import { isJsonObject } from './schema-json.ts';
import type { JsonObject } from './schema-json.ts';

/**
 * A whole Avro schema (Avro 1.12, "Schema Declaration") with its names resolved. What the specification leaves to
 * resolvers (defaults that fit their types) is not judged here.
 */
export type AvroNode =
  AvroPrimitiveNode | AvroNamedNode | AvroReferenceNode | AvroContainerNode | AvroUnionNode;

export type AvroPrimitiveName = (typeof primitiveNames)[number];

export interface AvroPrimitiveNode {
  readonly kind: 'primitive';
  readonly type: AvroPrimitiveName;
  readonly props: JsonObject;
}

/** What has a name, and can be referred to. */
export type AvroNamedNode = AvroRecordNode | AvroEnumNode | AvroFixedNode;

interface Named {
  /** Without the namespace. */
  readonly name: string;
  /** Empty: none. */
  readonly namespace: string;
  readonly aliases: readonly string[];
  readonly doc: string | undefined;
  /** Attributes that the specification does not name for this type, such as `logicalType`. */
  readonly props: JsonObject;
}

export interface AvroRecordNode extends Named {
  readonly kind: 'record';
  readonly isError: boolean;
  readonly fields: readonly AvroFieldNode[];
}

export interface AvroEnumNode extends Named {
  readonly kind: 'enum';
  readonly symbols: readonly string[];
  readonly default: string | undefined;
}

export interface AvroFixedNode extends Named {
  readonly kind: 'fixed';
  readonly size: number;
}

/** A named type where it occurs again. */
export interface AvroReferenceNode {
  readonly kind: 'reference';
  readonly target: AvroNamedNode;
}

export interface AvroContainerNode {
  readonly kind: 'array' | 'map';
  /** Elements, or values. */
  readonly items: AvroNode;
  readonly props: JsonObject;
}

export interface AvroUnionNode {
  readonly kind: 'union';
  readonly branches: readonly AvroNode[];
}

export interface AvroFieldNode {
  readonly name: string;
  readonly type: AvroNode;
  readonly doc: string | undefined;
  /** Present when the field has a default, which may be null. */
  readonly default: { readonly value: unknown } | undefined;
  readonly order: 'ascending' | 'descending' | 'ignore';
  readonly aliases: readonly string[];
  readonly props: JsonObject;
}

const primitiveNames = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const;
const orders = ['ascending', 'descending', 'ignore'] as const;
const namePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Attributes that are never `props`. */
const schemaAttributes: ReadonlySet<string> = new Set(
  'type name namespace doc aliases fields symbols size items values'.split(' '),
);
const fieldAttributes: ReadonlySet<string> = new Set(['name', 'type', 'doc', 'default', 'order', 'aliases']);

export function fullName({ name, namespace }: Pick<Named, 'name' | 'namespace'>): string {
  return namespace === '' ? name : `${namespace}.${name}`;
}

/** @throws SchemaError INVALID_SCHEMA that names the place */
export function readAvroTree(json: unknown): AvroNode {
  return new TreeReader().node(json, { namespace: '', path: '' });
}

interface Place {
  /** Of the type around it. */
  readonly namespace: string;
  /** Names of fields, with dots; empty at the top. */
  readonly path: string;
}

class TreeReader {
  readonly #named = new Map<string, AvroNamedNode>();

  node(json: unknown, place: Place): AvroNode {
    if (typeof json === 'string') return this.#byName(json, {}, place);
    if (Array.isArray(json)) return this.#union(json, place);
    if (!isJsonObject(json))
      throw invalid(place, `a type is a string, an object or an array, not ${show(json)}`);
    const { type } = json;
    switch (type) {
      case 'record':
      case 'error':
        return this.#record(json, type === 'error', place);
      case 'enum':
        return this.#enum(json, place);
      case 'fixed':
        return this.#fixed(json, place);
      case 'array':
      case 'map': {
        const of = type === 'array' ? 'items' : 'values';
        if (json[of] === undefined) throw invalid(place, `a type of kind ${type} needs "${of}"`);
        return { kind: type, items: this.node(json[of], place), props: propsOf(json) };
      }
      default:
        if (typeof type !== 'string')
          throw invalid(place, `"type" must be the name of a type, not ${show(type)}`);
        return this.#byName(type, propsOf(json), place);
    }
  }

  #byName(name: string, props: JsonObject, place: Place): AvroNode {
    const primitive = primitiveNames.find((known) => known === name);
    if (primitive !== undefined) return { kind: 'primitive', type: primitive, props };
    const target = this.#named.get(
      name.includes('.') ? name : fullName({ name, namespace: place.namespace }),
    );
    if (target === undefined)
      throw invalid(place, `there is no type ${show(name)}: a named type is defined before it is used`);
    return { kind: 'reference', target };
  }

  #union(json: readonly unknown[], place: Place): AvroUnionNode {
    const branches = json.map((branch) => this.node(branch, place));
    const seen = new Set<string>();
    for (const branch of branches) {
      if (branch.kind === 'union') throw invalid(place, 'a union is directly inside another one');
      const name = branchName(branch);
      if (seen.has(name)) throw invalid(place, `the union has two branches of type ${name}`);
      seen.add(name);
    }
    if (branches.length === 0) throw invalid(place, 'the union has no branches');
    return { kind: 'union', branches };
  }

  #record(json: JsonObject, isError: boolean, place: Place): AvroRecordNode {
    const { fields: list } = json;
    const named = readName(json, place);
    if (!Array.isArray(list)) throw invalid(place, `record ${named.name} needs "fields", an array`);
    const fields: AvroFieldNode[] = [];
    const record = { kind: 'record', isError, ...named, fields } as const;
    this.#define(record, place);
    const names = new Set<string>();
    for (const each of list as readonly unknown[]) {
      const field = this.#field(each, { namespace: named.namespace, path: place.path }, named.name);
      if (names.has(field.name)) throw invalid(place, `record ${named.name} has two fields ${field.name}`);
      names.add(field.name);
      fields.push(field);
    }
    return record;
  }

  #field(json: unknown, place: Place, record: string): AvroFieldNode {
    if (!isJsonObject(json))
      throw invalid(place, `a field of record ${record} is an object, not ${show(json)}`);
    const { name, type, doc, order = 'ascending' } = json;
    if (typeof name !== 'string' || !namePattern.test(name))
      throw invalid(
        place,
        `${show(name)} cannot name a field of record ${record}: letters, digits and _ can`,
      );
    const here = { namespace: place.namespace, path: place.path === '' ? name : `${place.path}.${name}` };
    if (type === undefined) throw invalid(here, 'it has no "type"');
    const known = orders.find((one) => one === order);
    if (known === undefined)
      throw invalid(here, `"order" is ${show(order)} but must be one of ${orders.join(', ')}`);
    return {
      name,
      type: this.node(type, here),
      doc: typeof doc === 'string' ? doc : undefined,
      default: Object.hasOwn(json, 'default') ? { value: json['default'] } : undefined,
      order: known,
      aliases: namesOf(json['aliases'], 'aliases', here),
      props: propsOf(json, fieldAttributes),
    };
  }

  #enum(json: JsonObject, place: Place): AvroEnumNode {
    const named = readName(json, place);
    const symbols = namesOf(json['symbols'] ?? null, 'symbols', place);
    if (new Set(symbols).size < symbols.length) throw invalid(place, `enum ${named.name} has a symbol twice`);
    const { default: fallback, ...props } = named.props;
    if (fallback !== undefined && (typeof fallback !== 'string' || !symbols.includes(fallback)))
      throw invalid(
        place,
        `the default of enum ${named.name} is ${show(fallback)}, which is none of its symbols`,
      );
    return this.#define({ kind: 'enum', ...named, props, symbols, default: fallback }, place);
  }

  #fixed(json: JsonObject, place: Place): AvroFixedNode {
    const named = readName(json, place);
    const { size } = json;
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > 2 ** 31 - 1)
      throw invalid(place, `"size" of fixed ${named.name} is ${show(size)} but must be a number of bytes`);
    return this.#define({ kind: 'fixed', ...named, size }, place);
  }

  #define<T extends AvroNamedNode>(node: T, place: Place): T {
    const name = fullName(node);
    if (this.#named.has(name)) throw invalid(place, `type ${name} is defined twice`);
    this.#named.set(name, node);
    return node;
  }
}

function readName(json: JsonObject, place: Place): Named {
  const { name, namespace, doc } = json;
  if (typeof name !== 'string')
    throw invalid(place, `a type of kind ${show(json['type'])} needs "name", a string`);
  const parts = name.split('.');
  const last = parts.pop() ?? '';
  const given = typeof namespace === 'string' ? namespace : place.namespace;
  const space = parts.length > 0 ? parts.join('.') : given;
  const all = space === '' ? [last] : [...space.split('.'), last];
  if (!all.every((part) => namePattern.test(part)) || (primitiveNames as readonly string[]).includes(last))
    throw invalid(place, `${show(fullName({ name: last, namespace: space }))} cannot name a type`);
  return {
    name: last,
    namespace: space,
    aliases: namesOf(json['aliases'], 'aliases', place, true),
    doc: typeof doc === 'string' ? doc : undefined,
    props: propsOf(json),
  };
}

function namesOf(json: unknown, attribute: string, place: Place, areFull = false): readonly string[] {
  if (json === undefined) return [];
  if (!Array.isArray(json))
    throw invalid(place, `"${attribute}" must be an array of names, not ${show(json)}`);
  return (json as readonly unknown[]).map((name) => {
    const parts = typeof name !== 'string' ? [''] : areFull ? name.split('.') : [name];
    if (typeof name !== 'string' || !parts.every((part) => namePattern.test(part)))
      throw invalid(place, `${show(name)} in "${attribute}" is no name: letters, digits and _ make one`);
    return name;
  });
}

function propsOf(json: JsonObject, attributes = schemaAttributes): JsonObject {
  return Object.fromEntries(Object.entries(json).filter(([key]) => !attributes.has(key)));
}

/** What tells branches of a union apart. */
function branchName(node: AvroNode): string {
  switch (node.kind) {
    case 'primitive':
      return node.type;
    case 'reference':
      return fullName(node.target);
    case 'record':
    case 'enum':
    case 'fixed':
      return fullName(node);
    default:
      return node.kind;
  }
}

function invalid({ path }: Place, what: string): SchemaError {
  const where = path === '' ? 'the schema is not valid Avro' : `field ${path} is not valid Avro`;
  return new SchemaError('INVALID_SCHEMA', `${where}: ${what}`);
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
