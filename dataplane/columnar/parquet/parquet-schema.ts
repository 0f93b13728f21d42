import type { PrimitiveType, StructField, StructType, TableType } from '../../schema/table-type.ts';

/** Parquet's `Type`. */
export const physicalTypes = {
  BOOLEAN: 0,
  INT32: 1,
  INT64: 2,
  FLOAT: 4,
  DOUBLE: 5,
  BYTE_ARRAY: 6,
  FIXED_LEN_BYTE_ARRAY: 7,
} as const;

export type PhysicalType = keyof typeof physicalTypes;

export type Repetition = 'required' | 'optional' | 'repeated';

/** A node of Parquet's schema tree. */
export type SchemaNode = LeafNode | GroupNode;

interface NamedNode {
  readonly name: string;
  /** The root has none. */
  readonly repetition: Repetition | undefined;
  /** Iceberg's. The root and the repeated groups in lists and maps have none: they are nodes of Parquet's only. */
  readonly fieldId: number | undefined;
}

export interface LeafNode extends NamedNode {
  readonly kind: 'leaf';
  readonly type: PrimitiveType;
  readonly physical: PhysicalType;
  /** Of FIXED_LEN_BYTE_ARRAY; 0 otherwise. */
  readonly lengthBytes: number;
}

export interface GroupNode extends NamedNode {
  readonly kind: 'group';
  readonly annotation: 'list' | 'map' | undefined;
  readonly children: readonly SchemaNode[];
}

/** A column of a file: what its builder and its metadata start from. */
export interface Leaf {
  readonly fieldId: number;
  readonly type: PrimitiveType;
  readonly physical: PhysicalType;
  readonly lengthBytes: number;
  /** Names from below the root, those of Parquet's own nodes too: `_kafka.headers.list.element.name`. */
  readonly path: readonly string[];
  /** Definition level of a value that is there; 0: no levels are written. */
  readonly maxDefinition: number;
  /** How many lists and maps are around it. */
  readonly maxRepetition: number;
}

export interface ParquetSchema {
  readonly root: GroupNode;
  /** In the order of the columns in a row group. */
  readonly leaves: readonly Leaf[];
}

/**
 * Parquet's schema of a table, as Iceberg's specification wants it (appendix A, "Parquet"): lists in three levels
 * (`list`, `element`), maps as `key_value`, field ids on every node that has one.
 */
export function parquetSchema(struct: StructType): ParquetSchema {
  const children = struct.fields.map(fieldNode);
  const root: GroupNode = {
    kind: 'group',
    name: 'table',
    repetition: undefined,
    fieldId: undefined,
    annotation: undefined,
    children,
  };
  const leaves: Leaf[] = [];
  for (const child of children) collectLeaves(child, [], 0, 0, leaves);
  return { root, leaves };
}

/** Smallest number of bytes that hold every decimal of this precision in two's complement. */
export function decimalBytes(precision: number): number {
  let bytes = 1;
  while (10n ** BigInt(precision) > 2n ** BigInt(8 * bytes - 1)) bytes++;
  return bytes;
}

function fieldNode(field: StructField): SchemaNode {
  return node(field.name, field.required ? 'required' : 'optional', field.id, field.type);
}

function node(name: string, repetition: Repetition, fieldId: number, type: TableType): SchemaNode {
  switch (type.kind) {
    case 'struct': {
      const children = type.fields.map(fieldNode);
      return { kind: 'group', name, repetition, fieldId, annotation: undefined, children };
    }
    case 'list': {
      const required = type.elementRequired ? 'required' : 'optional';
      const list = repeatedGroup('list', [node('element', required, type.elementId, type.element)]);
      return { kind: 'group', name, repetition, fieldId, annotation: 'list', children: [list] };
    }
    case 'map': {
      const keyValue = repeatedGroup('key_value', [
        node('key', 'required', type.keyId, type.key),
        node('value', type.valueRequired ? 'required' : 'optional', type.valueId, type.value),
      ]);
      return { kind: 'group', name, repetition, fieldId, annotation: 'map', children: [keyValue] };
    }
    default:
      return { kind: 'leaf', name, repetition, fieldId, type, ...storage(type) };
  }
}

function repeatedGroup(name: string, children: readonly SchemaNode[]): GroupNode {
  return { kind: 'group', name, repetition: 'repeated', fieldId: undefined, annotation: undefined, children };
}

function storage(type: PrimitiveType): Pick<LeafNode, 'physical' | 'lengthBytes'> {
  switch (type.kind) {
    case 'boolean':
      return { physical: 'BOOLEAN', lengthBytes: 0 };
    case 'int':
    case 'date':
      return { physical: 'INT32', lengthBytes: 0 };
    case 'long':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return { physical: 'INT64', lengthBytes: 0 };
    case 'float':
      return { physical: 'FLOAT', lengthBytes: 0 };
    case 'double':
      return { physical: 'DOUBLE', lengthBytes: 0 };
    case 'string':
    case 'binary':
      return { physical: 'BYTE_ARRAY', lengthBytes: 0 };
    case 'uuid':
      return { physical: 'FIXED_LEN_BYTE_ARRAY', lengthBytes: 16 };
    case 'fixed':
      return { physical: 'FIXED_LEN_BYTE_ARRAY', lengthBytes: type.lengthBytes };
    case 'decimal':
      if (type.precision <= 9) return { physical: 'INT32', lengthBytes: 0 };
      if (type.precision <= 18) return { physical: 'INT64', lengthBytes: 0 };
      return { physical: 'FIXED_LEN_BYTE_ARRAY', lengthBytes: decimalBytes(type.precision) };
  }
}

function collectLeaves(
  node: SchemaNode,
  outerPath: readonly string[],
  outerDefinition: number,
  outerRepetition: number,
  leaves: Leaf[],
): void {
  const path = [...outerPath, node.name];
  const maxDefinition = outerDefinition + (node.repetition === 'required' ? 0 : 1);
  const maxRepetition = outerRepetition + (node.repetition === 'repeated' ? 1 : 0);
  if (node.kind === 'leaf') {
    const { fieldId = 0, type, physical, lengthBytes } = node;
    leaves.push({ fieldId, type, physical, lengthBytes, path, maxDefinition, maxRepetition });
  } else {
    for (const child of node.children) collectLeaves(child, path, maxDefinition, maxRepetition, leaves);
  }
}
