import type { PrimitiveType } from '../../schema/table-type.ts';
import { physicalTypes } from './parquet-schema.ts';
import type { GroupNode, Repetition, SchemaNode } from './parquet-schema.ts';
import type { ThriftWriter } from './thrift-writer.ts';

const repetitions: Readonly<Record<Repetition, number>> = { required: 0, optional: 1, repeated: 2 };

/** Parquet's `ConvertedType`: the older annotation, which some readers know alone. */
const convertedTypes = {
  UTF8: 0,
  MAP: 1,
  LIST: 3,
  DECIMAL: 5,
  DATE: 6,
  TIME_MICROS: 8,
  TIMESTAMP_MICROS: 10,
} as const;

/** Fields of the union `LogicalType`. */
const logicalTypes = {
  STRING: 1,
  MAP: 2,
  LIST: 3,
  DECIMAL: 5,
  DATE: 6,
  TIME: 7,
  TIMESTAMP: 8,
  UUID: 14,
} as const;

/** The list of `SchemaElement`s in a `FileMetaData`: the tree in depth-first order. */
export function writeSchemaElements(thrift: ThriftWriter, root: GroupNode): void {
  const nodes: SchemaNode[] = [];
  const visit = (node: SchemaNode): void => {
    nodes.push(node);
    if (node.kind === 'group') node.children.forEach(visit);
  };
  visit(root);
  thrift.beginList(2, 'struct', nodes.length);
  for (const node of nodes) writeElement(thrift, node);
}

function writeElement(thrift: ThriftWriter, node: SchemaNode): void {
  thrift.beginElement();
  if (node.kind === 'leaf') {
    thrift.i32(1, physicalTypes[node.physical]);
    if (node.physical === 'FIXED_LEN_BYTE_ARRAY') thrift.i32(2, node.lengthBytes);
  }
  if (node.repetition !== undefined) thrift.i32(3, repetitions[node.repetition]);
  thrift.binary(4, node.name);
  if (node.kind === 'group') thrift.i32(5, node.children.length);
  const converted = convertedType(node);
  if (converted !== undefined) thrift.i32(6, convertedTypes[converted]);
  if (node.kind === 'leaf' && node.type.kind === 'decimal') {
    thrift.i32(7, node.type.scale);
    thrift.i32(8, node.type.precision);
  }
  if (node.fieldId !== undefined) thrift.i32(9, node.fieldId);
  writeLogicalType(thrift, node);
  thrift.endStruct();
}

/**
 * Times and timestamps without a zone get the annotation too, though it used to mean UTC: the format asks for it
 * (LogicalTypes.md, "Deprecated time ConvertedType").
 */
function convertedType(node: SchemaNode): keyof typeof convertedTypes | undefined {
  if (node.kind === 'group') return node.annotation && (node.annotation === 'list' ? 'LIST' : 'MAP');
  switch (node.type.kind) {
    case 'string':
      return 'UTF8';
    case 'date':
      return 'DATE';
    case 'time':
      return 'TIME_MICROS';
    case 'timestamp':
    case 'timestamptz':
      return 'TIMESTAMP_MICROS';
    case 'decimal':
      return 'DECIMAL';
    default:
      return undefined;
  }
}

function writeLogicalType(thrift: ThriftWriter, node: SchemaNode): void {
  if (node.kind === 'group') {
    if (node.annotation !== undefined) emptyLogical(thrift, node.annotation === 'list' ? 'LIST' : 'MAP');
  } else {
    writeLeafLogical(thrift, node.type);
  }
}

function writeLeafLogical(thrift: ThriftWriter, type: PrimitiveType): void {
  switch (type.kind) {
    case 'string':
      return emptyLogical(thrift, 'STRING');
    case 'date':
      return emptyLogical(thrift, 'DATE');
    case 'uuid':
      return emptyLogical(thrift, 'UUID');
    case 'time':
      return microsLogical(thrift, 'TIME', false);
    case 'timestamp':
      return microsLogical(thrift, 'TIMESTAMP', false);
    case 'timestamptz':
      return microsLogical(thrift, 'TIMESTAMP', true);
    case 'decimal':
      thrift.beginStruct(10);
      thrift.beginStruct(logicalTypes.DECIMAL);
      thrift.i32(1, type.scale);
      thrift.i32(2, type.precision);
      thrift.endStruct();
      return thrift.endStruct();
    default:
  }
}

function emptyLogical(thrift: ThriftWriter, name: keyof typeof logicalTypes): void {
  thrift.beginStruct(10);
  thrift.beginStruct(logicalTypes[name]);
  thrift.endStruct();
  thrift.endStruct();
}

function microsLogical(thrift: ThriftWriter, name: 'TIME' | 'TIMESTAMP', isAdjustedToUtc: boolean): void {
  thrift.beginStruct(10);
  thrift.beginStruct(logicalTypes[name]);
  thrift.bool(1, isAdjustedToUtc);
  thrift.beginStruct(2);
  // TimeUnit.MICROS
  thrift.beginStruct(2);
  thrift.endStruct();
  thrift.endStruct();
  thrift.endStruct();
  thrift.endStruct();
}
