import type { PlainKind, StructField, StructType, TableSchema, TableType } from '../../schema/table-type.ts';
import { FormatError } from '../errors.ts';
import { JsonObject, isJsonObject, shown } from './json-object.ts';

/** Iceberg spec, appendix C, "Schemas": how types are written in JSON. */

const plainKinds: Readonly<Record<PlainKind, true>> = {
  boolean: true,
  int: true,
  long: true,
  float: true,
  double: true,
  date: true,
  time: true,
  timestamp: true,
  timestamptz: true,
  string: true,
  uuid: true,
  binary: true,
};

/** Types of format version 3 that the type model does not have. */
const laterTypes = /^(timestamp_ns|timestamptz_ns|variant|unknown|geometry|geography)\b/;
const maxDepth = 64;

export function schemaJson(schema: TableSchema): Record<string, unknown> {
  const identifiers = schema.identifierFieldIds ?? [];
  return {
    type: 'struct',
    'schema-id': schema.schemaId,
    ...(identifiers.length > 0 ? { 'identifier-field-ids': identifiers } : {}),
    fields: schema.struct.fields.map(fieldJson),
  };
}

export function typeJson(type: TableType): unknown {
  switch (type.kind) {
    case 'struct':
      return { type: 'struct', fields: type.fields.map(fieldJson) };
    case 'list':
      return {
        type: 'list',
        'element-id': type.elementId,
        element: typeJson(type.element),
        'element-required': type.elementRequired,
      };
    case 'map':
      return {
        type: 'map',
        'key-id': type.keyId,
        key: typeJson(type.key),
        'value-id': type.valueId,
        value: typeJson(type.value),
        'value-required': type.valueRequired,
      };
    case 'decimal':
      return `decimal(${type.precision}, ${type.scale})`;
    case 'fixed':
      return `fixed[${type.lengthBytes}]`;
    default:
      return type.kind;
  }
}

function fieldJson(field: StructField): Record<string, unknown> {
  return {
    id: field.id,
    name: field.name,
    required: field.required,
    type: typeJson(field.type),
    ...(field.doc === undefined ? {} : { doc: field.doc }),
  };
}

/** A schema in a request may come without its id, which the catalog gives it: then it is 0. */
export function readSchema(json: JsonObject): TableSchema {
  const identifiers = json.has('identifier-field-ids') ? json.ids('identifier-field-ids') : [];
  return {
    schemaId: json.optionalInteger('schema-id', -1, 2 ** 31 - 1) ?? 0,
    struct: readStruct(json, 0),
    ...(identifiers.length > 0 ? { identifierFieldIds: identifiers } : {}),
  };
}

export function readType(value: unknown, source: string, path: string, depth = 0): TableType {
  if (typeof value === 'string') return readPrimitive(value, source, path);
  if (depth > maxDepth) {
    throw new FormatError('INVALID', { source, field: path }, `types are nested deeper than ${maxDepth}`);
  }
  if (!isJsonObject(value))
    throw new FormatError('INVALID', { source, field: path }, `${shown(value)} is no type`);
  const json = new JsonObject(value, source, path);
  const kind = json.text('type');
  switch (kind) {
    case 'struct':
      return readStruct(json, depth + 1);
    case 'list':
      return {
        kind,
        elementId: json.id('element-id'),
        elementRequired: json.flag('element-required'),
        element: json.decoded('element', (type, at, name) => readType(type, at, name, depth + 1)),
      };
    case 'map':
      return {
        kind,
        keyId: json.id('key-id'),
        key: json.decoded('key', (type, at, name) => readType(type, at, name, depth + 1)),
        valueId: json.id('value-id'),
        valueRequired: json.flag('value-required'),
        value: json.decoded('value', (type, at, name) => readType(type, at, name, depth + 1)),
      };
    default:
      return json.fail('type', `${shown(kind)} is none of struct, list, map`);
  }
}

function readStruct(json: JsonObject, depth: number): StructType {
  const names = new Set<string>();
  const fields = json.list('fields', (field): StructField => {
    const name = field.text('name');
    if (names.has(name))
      field.fail('name', `${shown(name)} names two fields of one struct; names must differ`);
    names.add(name);
    for (const later of ['initial-default', 'write-default']) {
      if (field.has(later))
        field.fail(later, 'default values need format version 3, which is not built', 'UNSUPPORTED');
    }
    const doc = field.optionalText('doc');
    return {
      id: field.id('id'),
      name,
      required: field.flag('required'),
      type: field.decoded('type', (type, at, path) => readType(type, at, path, depth)),
      ...(doc === undefined ? {} : { doc }),
    };
  });
  return { kind: 'struct', fields };
}

function readPrimitive(text: string, source: string, field: string): TableType {
  if (Object.hasOwn(plainKinds, text)) return { kind: text as PlainKind };
  const decimal = /^decimal\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)$/.exec(text);
  if (decimal !== null) {
    const precision = Number(decimal[1]);
    const scale = Number(decimal[2]);
    if (precision >= 1 && precision <= 38 && scale <= precision) return { kind: 'decimal', precision, scale };
    throw new FormatError(
      'INVALID',
      { source, field },
      `${text} is no decimal: 1 to 38 digits, and no more of them after the point`,
    );
  }
  const fixed = /^fixed\[\s*(\d{1,9})\s*\]$/.exec(text);
  if (fixed !== null) return { kind: 'fixed', lengthBytes: Number(fixed[1]) };
  if (laterTypes.test(text)) {
    throw new FormatError(
      'UNSUPPORTED',
      { source, field },
      `the type ${text} needs format version 3, which is not built`,
    );
  }
  throw new FormatError('INVALID', { source, field }, `${shown(text)} is no type of Iceberg`);
}
