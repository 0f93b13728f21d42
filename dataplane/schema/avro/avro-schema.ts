import { SchemaError } from '../errors.ts';
import { fullName, readAvroTree } from './avro-tree.ts';
import type { AvroFieldNode, AvroFixedNode, AvroNode, AvroPrimitiveNode } from './avro-tree.ts';
import { parseSchemaJson } from './schema-json.ts';
import type { JsonObject } from './schema-json.ts';

export type AvroPrimitive = 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string';

export interface AvroDecimal {
  readonly kind: 'decimal';
  /** Digits, at least 1. */
  readonly precision: number;
  /** Of them after the point: 0 to `precision`. */
  readonly scale: number;
}

export type AvroPrimitiveLogical =
  | 'date'
  | 'time-millis'
  | 'time-micros'
  | 'timestamp-millis'
  | 'timestamp-micros'
  | 'local-timestamp-millis'
  | 'local-timestamp-micros'
  | 'uuid'
  | AvroDecimal;

/** `logical` is `undefined` also where the schema names one that is unknown or does not suit the type (Avro 1.12, "Logical Types"). */
export type AvroValue =
  | {
      readonly kind: 'primitive';
      readonly type: AvroPrimitive;
      readonly logical: undefined | AvroPrimitiveLogical;
    }
  | { readonly kind: 'enum'; readonly symbols: readonly string[] }
  | {
      readonly kind: 'fixed';
      /** Bytes. */
      readonly size: number;
      readonly logical: undefined | 'uuid' | 'duration' | AvroDecimal;
    };

export interface AvroField {
  readonly name: string;
  readonly value: AvroValue;
  /** Of a union with null: which branch null is. `undefined`: no union, no branch number in the bytes. */
  readonly nullBranch: undefined | 0 | 1;
  readonly hasDefault: boolean;
  readonly doc?: string | undefined;
}

/** A record whose fields are no records, arrays or maps themselves. */
export interface AvroRecord {
  /** With its namespace. */
  readonly name: string;
  /** In the order of their bytes. */
  readonly fields: readonly AvroField[];
}

/** Says what the flat records are that are taken so far. */
const flatOnly =
  'only flat records are built so far: fields of primitive types, enum, fixed, logical types, and ["null", T] of these';

/**
 * The record that a schema text describes.
 *
 * @throws SchemaError INVALID_SCHEMA; NOT_BUILT when it is valid and no flat record
 */
export function parseFlatAvroRecord(text: string): AvroRecord {
  return flatAvroRecord(readAvroTree(parseSchemaJson(text)));
}

/** @throws SchemaError NOT_BUILT */
export function flatAvroRecord(node: AvroNode): AvroRecord {
  if (node.kind !== 'record')
    throw new SchemaError('NOT_BUILT', `the schema is ${describe(node)}: ${flatOnly}`);
  return { name: fullName(node), fields: node.fields.map(flatField) };
}

function flatField({ name, type, default: fallback, doc }: AvroFieldNode): AvroField {
  const { value, nullBranch } = flatType(name, type);
  return {
    name,
    value,
    nullBranch,
    hasDefault: fallback !== undefined,
    ...(doc === undefined ? {} : { doc }),
  };
}

function flatType(path: string, node: AvroNode): Pick<AvroField, 'value' | 'nullBranch'> {
  if (node.kind !== 'union') return { value: flatValue(path, node), nullBranch: undefined };
  const [first, second, third] = node.branches;
  if (first !== undefined && second !== undefined && third === undefined) {
    if (isNull(first)) return { value: flatValue(path, second), nullBranch: 0 };
    if (isNull(second)) return { value: flatValue(path, first), nullBranch: 1 };
  }
  throw notFlat(path, node);
}

function flatValue(path: string, node: AvroNode): AvroValue {
  switch (node.kind) {
    case 'primitive':
      if (node.type === 'null') throw notFlat(path, node);
      return { kind: 'primitive', type: node.type, logical: primitiveLogical(node.type, node) };
    case 'enum':
      return { kind: 'enum', symbols: node.symbols };
    case 'fixed':
      return { kind: 'fixed', size: node.size, logical: fixedLogical(node) };
    case 'reference':
      return flatValue(path, node.target);
    case 'record':
    case 'array':
    case 'map':
    case 'union':
      throw notFlat(path, node);
  }
}

/** Which plain logical types suit a primitive one. */
const plainLogicals: Readonly<Record<AvroPrimitive, readonly Exclude<AvroPrimitiveLogical, AvroDecimal>[]>> =
  {
    boolean: [],
    int: ['date', 'time-millis'],
    long: [
      'time-micros',
      'timestamp-millis',
      'timestamp-micros',
      'local-timestamp-millis',
      'local-timestamp-micros',
    ],
    float: [],
    double: [],
    bytes: [],
    string: ['uuid'],
  };

function primitiveLogical(
  type: AvroPrimitive,
  { props }: AvroPrimitiveNode,
): AvroPrimitiveLogical | undefined {
  if (type === 'bytes') return decimalOf(props, Infinity);
  return plainLogicals[type].find((logical) => logical === props['logicalType']);
}

function fixedLogical({ size, props }: AvroFixedNode): undefined | 'uuid' | 'duration' | AvroDecimal {
  const { logicalType } = props;
  if (logicalType === 'uuid' && size === 16) return 'uuid';
  if (logicalType === 'duration' && size === 12) return 'duration';
  return decimalOf(props, Math.floor(Math.log10(2) * (8 * size - 1)));
}

function decimalOf(props: JsonObject, maxPrecision: number): AvroDecimal | undefined {
  const { logicalType, precision, scale = 0 } = props;
  if (logicalType !== 'decimal' || !isCount(precision) || !isCount(scale)) return undefined;
  if (precision < 1 || precision > maxPrecision || scale > precision) return undefined;
  return { kind: 'decimal', precision, scale };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}

function isNull(node: AvroNode): boolean {
  return node.kind === 'primitive' && node.type === 'null';
}

function notFlat(path: string, node: AvroNode): SchemaError {
  return new SchemaError('NOT_BUILT', `field ${path} is ${describe(node)}: ${flatOnly}`);
}

function describe(node: AvroNode): string {
  switch (node.kind) {
    case 'primitive':
      return `of type ${node.type}`;
    case 'reference':
      return describe(node.target);
    case 'record':
    case 'enum':
    case 'fixed':
      return `the ${node.kind} ${fullName(node)}`;
    case 'array':
    case 'map':
      return `${node.kind === 'array' ? 'an' : 'a'} ${node.kind}`;
    case 'union':
      return `a union of ${node.branches.map((branch) => describe(branch).replace(/^of type /, '')).join(', ')}`;
  }
}
