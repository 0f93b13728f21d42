import { kafkaStructField } from '../columnar/kafka-columns.ts';
import type { AvroRecord } from '../schema/avro/avro-schema.ts';
import { avroToTable } from '../schema/avro/avro-to-table.ts';
import { SchemaError } from '../schema/errors.ts';
import type { FoundSchema } from '../schema/registry/schema-lookup.ts';
import type { StructType } from '../schema/table-type.ts';
import { TableStop } from './errors.ts';

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

/**
 * The columns of a new table for a topic whose records have this schema.
 *
 * @throws TableStop UNSUPPORTED_SCHEMA
 */
export function columnsOf({ record }: FoundSchema, topic: string): StructType {
  try {
    if (record instanceof SchemaError) throw record;
    return tableColumns(record);
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    throw new TableStop(
      'UNSUPPORTED_SCHEMA',
      `no table can be made for topic ${topic}: ${error.message}; register another version under ${topic}-value`,
      error,
    );
  }
}
