import { SchemaError } from '../errors.ts';
import type { PrimitiveType, StructField, StructType } from '../table-type.ts';
import type {
  AvroDecimal,
  AvroPrimitive,
  AvroPrimitiveLogical,
  AvroRecord,
  AvroValue,
} from './avro-schema.ts';

/** The column beside the value's own that holds partition, offset, timestamp, key and headers (tables.md §4). */
const kafkaColumn = '_kafka';

/** Iceberg has no larger decimals. */
const maxDecimalPrecision = 38;

/**
 * The columns that the values of a record become, in the order of its fields: required unless the field may be null.
 *
 * @param firstId the field id of the first one; the others follow
 * @throws SchemaError COLUMN_CLASH; NOT_BUILT for a value that no column holds
 */
export function avroToTable(record: AvroRecord, firstId = 1): StructType {
  const names = new Map<string, string>();
  const fields = record.fields.map(({ name, value, nullBranch, doc }, index): StructField => {
    // Engines tell names apart without regard to case.
    const folded = name.toLowerCase();
    if (folded === kafkaColumn)
      throw new SchemaError(
        'COLUMN_CLASH',
        `field ${name} of ${record.name} cannot be a column: column ${kafkaColumn} holds what Kafka knows of a record. ` +
          'Give the field another name',
      );
    const other = names.get(folded);
    if (other !== undefined)
      throw new SchemaError(
        'COLUMN_CLASH',
        `fields ${other} and ${name} of ${record.name} cannot be columns of one table: engines take no notice of case. ` +
          'Give one of them another name',
      );
    names.set(folded, name);
    return {
      id: firstId + index,
      name,
      required: nullBranch === undefined,
      type: columnType(name, value),
      ...(doc === undefined ? {} : { doc }),
    };
  });
  return { kind: 'struct', fields };
}

/** @throws SchemaError NOT_BUILT */
function columnType(name: string, value: AvroValue): PrimitiveType {
  switch (value.kind) {
    case 'enum':
      return { kind: 'string' };
    case 'fixed':
      if (value.logical === 'uuid') return { kind: 'uuid' };
      if (typeof value.logical === 'object') return decimalType(name, value.logical);
      if (value.size === 0)
        throw new SchemaError('NOT_BUILT', `field ${name} is of 0 bytes always: no column holds that`);
      return { kind: 'fixed', lengthBytes: value.size };
    case 'primitive':
      if (value.logical === undefined) return { kind: plainKinds[value.type] };
      if (typeof value.logical === 'object') return decimalType(name, value.logical);
      return { kind: logicalKinds[value.logical] };
  }
}

function decimalType(name: string, { precision, scale }: AvroDecimal): PrimitiveType {
  if (precision <= maxDecimalPrecision) return { kind: 'decimal', precision, scale };
  throw new SchemaError(
    'NOT_BUILT',
    `field ${name} is a decimal of ${precision} digits: columns have at most ${maxDecimalPrecision}`,
  );
}

const plainKinds = {
  boolean: 'boolean',
  int: 'int',
  long: 'long',
  float: 'float',
  double: 'double',
  bytes: 'binary',
  string: 'string',
} as const satisfies Record<AvroPrimitive, PrimitiveType['kind']>;

/** Avro's timestamps are instants; `local-` ones are on a clock of no zone. */
const logicalKinds = {
  date: 'date',
  'time-millis': 'time',
  'time-micros': 'time',
  'timestamp-millis': 'timestamptz',
  'timestamp-micros': 'timestamptz',
  'local-timestamp-millis': 'timestamp',
  'local-timestamp-micros': 'timestamp',
  uuid: 'uuid',
} as const satisfies Record<Exclude<AvroPrimitiveLogical, AvroDecimal>, PrimitiveType['kind']>;
