import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SchemaError } from '../errors.ts';
import type { PrimitiveType, StructType } from '../table-type.ts';
import { parseFlatAvroRecord } from './avro-schema.ts';
import type { AvroRecord } from './avro-schema.ts';
import { avroToTable } from './avro-to-table.ts';
import { whyUnfit } from './schema-fit.ts';

function recordOf(...fields: readonly unknown[]): AvroRecord {
  return parseFlatAvroRecord(JSON.stringify({ type: 'record', name: 'R', fields }));
}

const types: readonly (readonly [unknown, PrimitiveType])[] = [
  ['boolean', { kind: 'boolean' }],
  ['int', { kind: 'int' }],
  ['long', { kind: 'long' }],
  ['float', { kind: 'float' }],
  ['double', { kind: 'double' }],
  ['bytes', { kind: 'binary' }],
  ['string', { kind: 'string' }],
  [{ type: 'int', logicalType: 'date' }, { kind: 'date' }],
  [{ type: 'int', logicalType: 'time-millis' }, { kind: 'time' }],
  [{ type: 'long', logicalType: 'time-micros' }, { kind: 'time' }],
  [{ type: 'long', logicalType: 'timestamp-millis' }, { kind: 'timestamptz' }],
  [{ type: 'long', logicalType: 'timestamp-micros' }, { kind: 'timestamptz' }],
  [{ type: 'long', logicalType: 'local-timestamp-millis' }, { kind: 'timestamp' }],
  [{ type: 'long', logicalType: 'local-timestamp-micros' }, { kind: 'timestamp' }],
  [{ type: 'string', logicalType: 'uuid' }, { kind: 'uuid' }],
  [
    { type: 'bytes', logicalType: 'decimal', precision: 38, scale: 4 },
    { kind: 'decimal', precision: 38, scale: 4 },
  ],
  [{ type: 'enum', name: 'E', symbols: ['A'] }, { kind: 'string' }],
  [
    { type: 'fixed', name: 'F', size: 3 },
    { kind: 'fixed', lengthBytes: 3 },
  ],
  [{ type: 'fixed', name: 'F', size: 16, logicalType: 'uuid' }, { kind: 'uuid' }],
  [
    { type: 'fixed', name: 'F', size: 12, logicalType: 'duration' },
    { kind: 'fixed', lengthBytes: 12 },
  ],
  [
    { type: 'fixed', name: 'F', size: 8, logicalType: 'decimal', precision: 18 },
    { kind: 'decimal', precision: 18, scale: 0 },
  ],
];

test('every type of a flat record has its column', () => {
  for (const [type, column] of types) {
    assert.deepEqual(avroToTable(recordOf({ name: 'f', type, doc: 'what it is' }), 7), {
      kind: 'struct',
      fields: [{ id: 7, name: 'f', required: true, type: column, doc: 'what it is' }],
    });
  }
});

test('fields that may be null are optional; ids follow one another', () => {
  const { fields } = avroToTable(
    recordOf(
      { name: 'a', type: 'int' },
      { name: 'b', type: ['null', 'int'] },
      { name: 'c', type: ['int', 'null'] },
    ),
  );
  assert.deepEqual(
    fields.map(({ id, required }) => [id, required]),
    [
      [1, true],
      [2, false],
      [3, false],
    ],
  );
});

test('names that engines cannot tell apart, and the name of the Kafka column, are refused', () => {
  const clash = (...names: readonly string[]): string => {
    try {
      avroToTable(recordOf(...names.map((name) => ({ name, type: 'int' }))));
    } catch (error) {
      assert.ok(error instanceof SchemaError && error.code === 'COLUMN_CLASH');
      return error.message;
    }
    return assert.fail('they were taken');
  };
  assert.match(clash('userId', 'userid'), /^fields userId and userid of R cannot be columns of one table/);
  assert.match(clash('_KAFKA'), /^field _KAFKA of R cannot be a column/);
});

test('what no column holds is refused', () => {
  const refused = (type: unknown, message: RegExp): void => {
    assert.throws(() => avroToTable(recordOf({ name: 'f', type })), {
      name: 'SchemaError',
      code: 'NOT_BUILT',
      message,
    });
  };
  refused({ type: 'bytes', logicalType: 'decimal', precision: 39 }, /^field f is a decimal of 39 digits/);
  refused({ type: 'fixed', name: 'F', size: 0 }, /^field f is of 0 bytes/);
});

test('a schema fits the table that was made of it', () => {
  const field = fc.record({
    type: fc.constantFrom(...types.map(([type]) => type)),
    optional: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(field, { maxLength: 8 }), (fields) => {
      const record = recordOf(
        ...fields.map(({ type, optional }, index) => {
          const own =
            typeof type === 'object' && type !== null && 'name' in type
              ? { ...type, name: `T${index}` }
              : type;
          return { name: `f${index}`, type: optional ? ['null', own] : own };
        }),
      );
      assert.deepEqual(whyUnfit(record, avroToTable(record)), []);
    }),
  );
});

function table(
  ...fields: readonly (readonly [name: string, required: boolean, type: PrimitiveType])[]
): StructType {
  return {
    kind: 'struct',
    fields: fields.map(([name, required, type], index) => ({ id: index + 1, name, required, type })),
  };
}

test('narrower numbers, and fields that an optional column lacks, fit', () => {
  const wide = table(
    ['a', true, { kind: 'long' }],
    ['b', true, { kind: 'double' }],
    ['c', true, { kind: 'decimal', precision: 20, scale: 2 }],
    ['d', false, { kind: 'string' }],
    ['e', false, { kind: 'string' }],
  );
  const writer = recordOf(
    { name: 'c', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } },
    { name: 'b', type: 'float' },
    { name: 'a', type: 'int' },
    { name: 'd', type: 'string' },
  );
  assert.deepEqual(whyUnfit(writer, wide), []);
});

test('all that does not fit is named', () => {
  const writer = recordOf(
    { name: 'a', type: 'long' },
    { name: 'b', type: ['null', 'string'] },
    { name: 'new', type: 'int' },
    { name: 'd', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 3 } },
  );
  const reasons = whyUnfit(
    writer,
    table(
      ['a', true, { kind: 'int' }],
      ['b', true, { kind: 'string' }],
      ['c', true, { kind: 'date' }],
      ['d', true, { kind: 'decimal', precision: 9, scale: 2 }],
    ),
  );
  assert.deepEqual(reasons, [
    'field a is long, the column int, and changing the type of a column is not built yet',
    'field b may be null, and the column may not: making it optional is not built yet',
    'the table has no column for field new, and adding columns is not built yet',
    'field d is decimal(9, 3), the column decimal(9, 2), and changing the type of a column is not built yet',
    'the table requires column c, and the schema has no such field',
  ]);
});
