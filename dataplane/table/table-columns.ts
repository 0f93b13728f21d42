import { kafkaStructField } from '../columnar/kafka-columns.ts';
import type { AvroRecord } from '../schema/avro/avro-schema.ts';
import { avroToTable } from '../schema/avro/avro-to-table.ts';
import type { StructType } from '../schema/table-type.ts';

/**
 * The columns of a new table: one for each field of the values, and the struct `_kafka` of what Kafka knows of a record
 * (tables.md §4). Ids count from 1, parents before children.
 *
 * @throws SchemaError for a schema that tables cannot be made of
 */
export function tableColumns(record: AvroRecord): StructType {
  const { fields } = avroToTable(record);
  let nextId = fields.length + 1;
  return { kind: 'struct', fields: [...fields, kafkaStructField(() => nextId++)] };
}
