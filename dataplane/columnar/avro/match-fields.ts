import type { AvroField, AvroRecord, AvroValue } from '../../schema/avro/avro-schema.ts';
import type { PrimitiveType, StructField, TableSchema } from '../../schema/table-type.ts';
import { tableTypeText } from '../../schema/table-type-text.ts';
import { SchemaMismatchError } from '../errors.ts';
import { kafkaColumnName } from '../kafka-columns.ts';
import { conversionOf } from './value-conversion.ts';
import type { Conversion } from './value-conversion.ts';

export interface MatchedField {
  readonly writer: AvroField;
  readonly column: StructField;
  readonly type: PrimitiveType;
  readonly conversion: Conversion;
}

export interface MatchedFields {
  /** In the order of the writer's fields. */
  readonly fields: readonly MatchedField[];
  /** Columns of the table that the writer does not have: null in every row. */
  readonly absent: readonly StructField[];
}

/**
 * Which field of the writer fills which column, by name.
 *
 * @throws SchemaMismatchError
 */
export function matchFields(writer: AvroRecord, schema: TableSchema): MatchedFields {
  const columns = new Map(schema.struct.fields.map((field) => [field.name, field]));
  columns.delete(kafkaColumnName);
  const fields = writer.fields.map((field) => {
    const column = columns.get(field.name);
    if (column === undefined)
      throw mismatch('COLUMN_MISSING', writer, schema, `the table has no column for its field ${field.name}`);
    columns.delete(field.name);
    const conversion = conversionOf(field.value, column.type);
    const { type } = column;
    if (conversion === undefined || type.kind === 'struct' || type.kind === 'list' || type.kind === 'map') {
      const what = `its field ${field.name} is ${describeValue(field.value)}, the column ${tableTypeText(type)}`;
      throw mismatch('TYPE_MISMATCH', writer, schema, what);
    }
    return { writer: field, column, type, conversion };
  });
  const absent = [...columns.values()];
  const missing = absent.filter(({ required }) => required).map(({ name }) => name);
  if (missing.length > 0) {
    const what = `the table requires ${missing.join(', ')}, which the records do not have`;
    throw mismatch('FIELD_MISSING', writer, schema, what);
  }
  return { fields, absent };
}

function mismatch(
  code: SchemaMismatchError['code'],
  writer: AvroRecord,
  schema: TableSchema,
  what: string,
): SchemaMismatchError {
  return new SchemaMismatchError(
    code,
    `records ${writer.name} do not fit version ${schema.schemaId} of the table's columns: ${what}`,
  );
}

function describeValue(value: AvroValue): string {
  if (value.kind === 'enum') return 'an enum';
  const { logical } = value;
  const base = value.kind === 'fixed' ? `fixed(${value.size})` : value.type;
  if (logical === undefined) return base;
  return `${base} with ${typeof logical === 'object' ? `decimal(${logical.precision}, ${logical.scale})` : logical}`;
}
