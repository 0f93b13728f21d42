import type { AvroDecimal, AvroValue } from '../../schema/avro/avro-schema.ts';
import type { TableType } from '../../schema/table-type.ts';

/**
 * How a value of a writer gets into a column. `…ToBytes` and `bytes` fill a column of any length, `fixed` one of a fixed length.
 */
export type Conversion =
  | 'boolean'
  | 'int'
  | 'intToLong'
  | 'intToDouble'
  | 'long'
  | 'float'
  | 'floatToDouble'
  | 'double'
  | 'timeMillis'
  | 'timeMicros'
  | 'timestampMillis'
  | 'bytes'
  | 'enum'
  | 'fixed'
  | 'fixedToBytes'
  | 'uuidText'
  | 'decimal';

/** @returns undefined when not every value of the one fits the other */
export function conversionOf(value: AvroValue, type: TableType): Conversion | undefined {
  switch (value.kind) {
    case 'enum':
      return type.kind === 'string' ? 'enum' : undefined;
    case 'fixed':
      return fixedConversion(value, type);
    case 'primitive':
      return primitiveConversion(value, type);
  }
}

function fixedConversion(
  { size, logical }: Extract<AvroValue, { kind: 'fixed' }>,
  type: TableType,
): Conversion | undefined {
  if (isDecimal(logical)) return fitsDecimal(logical, type) ? 'decimal' : undefined;
  if (type.kind === 'uuid') return logical === 'uuid' ? 'fixed' : undefined;
  if (type.kind === 'fixed') return type.lengthBytes === size ? 'fixed' : undefined;
  return type.kind === 'binary' ? 'fixedToBytes' : undefined;
}

function primitiveConversion(
  { type: writer, logical }: Extract<AvroValue, { kind: 'primitive' }>,
  type: TableType,
): Conversion | undefined {
  if (isDecimal(logical)) return fitsDecimal(logical, type) ? 'decimal' : undefined;
  switch (logical) {
    case 'date':
      return type.kind === 'date' ? 'int' : undefined;
    case 'time-millis':
      return type.kind === 'time' ? 'timeMillis' : undefined;
    case 'time-micros':
      return type.kind === 'time' ? 'timeMicros' : undefined;
    case 'timestamp-millis':
      return type.kind === 'timestamptz' ? 'timestampMillis' : undefined;
    case 'timestamp-micros':
      return type.kind === 'timestamptz' ? 'long' : undefined;
    case 'local-timestamp-millis':
      return type.kind === 'timestamp' ? 'timestampMillis' : undefined;
    case 'local-timestamp-micros':
      return type.kind === 'timestamp' ? 'long' : undefined;
    case 'uuid':
      if (type.kind === 'uuid') return 'uuidText';
      return type.kind === 'string' ? 'bytes' : undefined;
    case undefined:
      return plainConversions[writer][type.kind];
  }
}

/** Only what loses nothing: an int fits a double, a long does not. */
const plainConversions: Readonly<
  Record<
    Extract<AvroValue, { kind: 'primitive' }>['type'],
    Readonly<Partial<Record<TableType['kind'], Conversion>>>
  >
> = {
  boolean: { boolean: 'boolean' },
  int: { int: 'int', long: 'intToLong', double: 'intToDouble' },
  long: { long: 'long' },
  float: { float: 'float', double: 'floatToDouble' },
  double: { double: 'double' },
  bytes: { binary: 'bytes', string: 'bytes' },
  string: { string: 'bytes', binary: 'bytes' },
};

function isDecimal(logical: unknown): logical is AvroDecimal {
  return typeof logical === 'object' && logical !== null;
}

function fitsDecimal(logical: AvroDecimal, type: TableType): boolean {
  return type.kind === 'decimal' && type.scale === logical.scale && type.precision >= logical.precision;
}
