import type { StructType, TableType } from '../table-type.ts';
import { tableTypeText } from '../table-type-text.ts';
import type { AvroRecord } from './avro-schema.ts';
import { avroToTable } from './avro-to-table.ts';

/**
 * Why records of a schema are no rows of a table as it is, a sentence for each reason; none when they are. Columns that no
 * schema of values fills (`_kafka`) are not looked at when they are optional.
 *
 * @throws SchemaError when no table at all holds such records
 */
export function whyUnfit(writer: AvroRecord, table: StructType): readonly string[] {
  const reasons: string[] = [];
  const columns = new Map(table.fields.map((column) => [column.name, column]));
  for (const field of avroToTable(writer).fields) {
    const column = columns.get(field.name);
    columns.delete(field.name);
    if (column === undefined) {
      reasons.push(`the table has no column for field ${field.name}, and adding columns is not built yet`);
      continue;
    }
    if (!fits(field.type, column.type)) {
      const types = `${tableTypeText(field.type)}, the column ${tableTypeText(column.type)}`;
      reasons.push(`field ${field.name} is ${types}, and changing the type of a column is not built yet`);
    }
    if (column.required && !field.required)
      reasons.push(
        `field ${field.name} may be null, and the column may not: making it optional is not built yet`,
      );
  }
  for (const { name, required } of columns.values())
    if (required) reasons.push(`the table requires column ${name}, and the schema has no such field`);
  return reasons;
}

/** Whether every value of the one type is a value of the other, without loss. */
function fits(writer: TableType, column: TableType): boolean {
  switch (writer.kind) {
    case 'int':
      return column.kind === 'int' || column.kind === 'long';
    case 'float':
      return column.kind === 'float' || column.kind === 'double';
    case 'decimal':
      return (
        column.kind === 'decimal' && column.scale === writer.scale && column.precision >= writer.precision
      );
    case 'fixed':
      return column.kind === 'fixed' && column.lengthBytes === writer.lengthBytes;
    default:
      return column.kind === writer.kind;
  }
}
