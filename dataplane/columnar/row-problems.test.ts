import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseFlatAvroRecord } from '../schema/avro/avro-schema.ts';
import type { PrimitiveType, StructField, TableSchema } from '../schema/table-type.ts';
import { SchemaMismatchError } from './errors.ts';
import type { SchemaMismatchCode } from './errors.ts';
import { kafkaStructField } from './kafka-columns.ts';
import { RowFile } from './row-file.ts';
import type { RowProblemCode } from './row-problem.ts';
import { spansOf } from './spans-fixture.ts';
import type { FixtureRecord } from './spans-fixture.ts';

const writerOf = (type: unknown): ReturnType<typeof parseFlatAvroRecord> =>
  parseFlatAvroRecord(JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'f', type }] }));

const columnOf = (type: PrimitiveType, required = true): StructField => ({
  id: 1,
  name: 'f',
  required,
  type,
});

function fileOf(...fields: readonly StructField[]): RowFile {
  const schema: TableSchema = { schemaId: 3, struct: { kind: 'struct', fields } };
  return new RowFile({ schema, icebergSchemaJson: '{}', partition: 0 });
}

describe('a record that cannot become a row', () => {
  const enumType = { type: 'enum', name: 'E', symbols: ['A'] };
  const decimal = { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 };
  const cases: readonly [
    what: string,
    avro: unknown,
    column: PrimitiveType,
    hex: string,
    code: RowProblemCode,
    message: RegExp,
  ][] = [
    ['nothing where a field should be', 'int', { kind: 'int' }, '', 'TRUNCATED', /field f/],
    ['a number that goes on behind the end', 'long', { kind: 'long' }, '8080', 'TRUNCATED', /field f/],
    ['a string that goes on behind the end', 'string', { kind: 'string' }, '0a6162', 'TRUNCATED', /field f/],
    ['half a double', 'double', { kind: 'double' }, '00000000', 'TRUNCATED', /field f/],
    [
      'bytes behind the last field',
      'int',
      { kind: 'int' },
      '0200',
      'LEFTOVER_BYTES',
      /behind its last field/,
    ],
    ['an int of more than 32 bits', 'int', { kind: 'int' }, '8080808010', 'INVALID_NUMBER', /32 bits/],
    [
      'a long of more than 64 bits',
      'long',
      { kind: 'long' },
      '80808080808080808002',
      'INVALID_NUMBER',
      /64 bits/,
    ],
    ['a varint without end', 'long', { kind: 'long' }, 'ff'.repeat(40), 'INVALID_NUMBER', /64 bits/],
    ['a negative length', 'bytes', { kind: 'binary' }, '01', 'INVALID_LENGTH', /negative length/],
    ['a length of 2 GB', 'bytes', { kind: 'binary' }, 'feffffff0f', 'TRUNCATED', /field f/],
    ['a union branch that there is not', ['null', 'int'], { kind: 'int' }, '0402', 'INVALID_BRANCH', /union/],
    ['a boolean of 2', 'boolean', { kind: 'boolean' }, '02', 'INVALID_BRANCH', /boolean/],
    ['a symbol that there is not', enumType, { kind: 'string' }, '02', 'INVALID_BRANCH', /symbol/],
    ['a negative symbol', enumType, { kind: 'string' }, '01', 'INVALID_BRANCH', /symbol/],
    ['text that is not UTF-8', 'string', { kind: 'string' }, '02ff', 'INVALID_TEXT', /UTF-8/],
    ['an encoded surrogate', 'string', { kind: 'string' }, '06eda080', 'INVALID_TEXT', /UTF-8/],
    [
      'text that is no UUID',
      { type: 'string', logicalType: 'uuid' },
      { kind: 'uuid' },
      '046162',
      'INVALID_TEXT',
      /UUID/,
    ],
    [
      'no digits of a decimal',
      decimal,
      { kind: 'decimal', precision: 9, scale: 2 },
      '00',
      'OUT_OF_RANGE',
      /9 digits/,
    ],
    [
      'a decimal of too many digits',
      decimal,
      { kind: 'decimal', precision: 9, scale: 2 },
      '083b9aca00',
      'OUT_OF_RANGE',
      /9 digits/,
    ],
    [
      'a timestamp that overflows',
      { type: 'long', logicalType: 'timestamp-millis' },
      { kind: 'timestamptz' },
      'ffffffffffffffffff01',
      'OUT_OF_RANGE',
      /64 bits of microseconds/,
    ],
    [
      'a time of 24 hours',
      { type: 'int', logicalType: 'time-millis' },
      { kind: 'time' },
      '80f0b252',
      'OUT_OF_RANGE',
      /time of a day/,
    ],
    ['null for a required column', ['null', 'int'], { kind: 'int' }, '00', 'NULL_IN_REQUIRED', /required/],
  ];
  for (const [what, avro, type, hex, code, message] of cases) {
    it(`is named with the field: ${what}`, () => {
      const appender = fileOf(columnOf(type)).appender(writerOf(avro));
      const { next, problem } = appender.append(spansOf([{ value: Buffer.from(hex, 'hex') }]), 0, 1, 0);
      assert.equal(next, 0);
      assert.equal(problem?.code, code);
      assert.match(problem?.message ?? '', message);
    });
  }

  it('may be a tombstone, or shorter than its frame', () => {
    const appender = fileOf(columnOf({ kind: 'int' })).appender(writerOf('int'));
    assert.equal(appender.append(spansOf([{ value: null }]), 0, 1, 5).problem?.code, 'NULL_VALUE');
    assert.equal(appender.append(spansOf([{ value: Buffer.alloc(4) }]), 0, 1, 5).problem?.code, 'TRUNCATED');
    const framed = spansOf([{ value: Buffer.from('000000002a02', 'hex') }]);
    assert.deepEqual(appender.append(framed, 0, 1, 5), { next: 1 });
  });

  it('leaves the rows before it and takes nothing with it, wherever in the record it goes wrong', () => {
    const good: FixtureRecord = {
      value: Buffer.from('026104', 'hex'),
      key: Buffer.from('k'),
      headers: [['a', null]],
    };
    const bad: readonly FixtureRecord[] = [
      { ...good, value: Buffer.from('0262', 'hex') },
      { ...good, value: Buffer.from('02620400', 'hex') },
      {
        ...good,
        headers: [
          ['b', Buffer.from('x')],
          [Buffer.from([0xff]), null],
        ],
      },
      { ...good, timestampMs: 2 ** 53 - 1 },
    ];
    const writer = parseFlatAvroRecord(
      JSON.stringify({
        type: 'record',
        name: 'R',
        fields: [
          { name: 's', type: 'string' },
          { name: 'n', type: 'int' },
        ],
      }),
    );
    let id = 10;
    const newFile = (): RowFile =>
      fileOf(
        { id: 1, name: 's', required: true, type: { kind: 'string' } },
        { id: 2, name: 'n', required: true, type: { kind: 'int' } },
        kafkaStructField(() => id++),
      );
    const [clean, other] = [newFile(), newFile()];
    const cleanAppender = clean.appender(writer);
    const otherAppender = other.appender(writer);
    for (const record of bad) {
      assert.equal(cleanAppender.append(spansOf([good, good]), 0, 2, 0).problem, undefined);
      const spans = spansOf([good, good, record, record, good]);
      const { next, problem } = otherAppender.append(spans, 0, 5, 0);
      assert.equal(next, 2);
      assert.ok(problem);
      assert.equal(otherAppender.append(spans, 3, 5, 0).next, 3);
    }
    const expected = clean.finish();
    const found = other.finish();
    assert.equal(found.recordCount, 8);
    // Offsets are the same in both, since each batch of the fixture begins with 0; ids of `_kafka` differ.
    assert.deepEqual([...found.metrics.valueCounts.values()], [...expected.metrics.valueCounts.values()]);
    assert.deepEqual([...found.metrics.upperBounds.values()], [...expected.metrics.upperBounds.values()]);
    assert.deepEqual([...found.metrics.columnSizes.values()], [...expected.metrics.columnSizes.values()]);
  });
});

describe('schemas that do not fit', () => {
  const refused = (what: string, code: SchemaMismatchCode, message: RegExp, make: () => unknown): void => {
    it(`are refused with a sentence: ${what}`, () => {
      assert.throws(make, (error) => {
        assert.ok(error instanceof SchemaMismatchError);
        assert.equal(error.code, code);
        assert.match(error.message, message);
        return true;
      });
    });
  };
  refused(
    'a field that the table lacks',
    'COLUMN_MISSING',
    /R do not fit version 3 .* no column for its field f/,
    () => fileOf({ id: 1, name: 'g', required: false, type: { kind: 'int' } }).appender(writerOf('int')),
  );
  refused('a required column that records lack', 'FIELD_MISSING', /requires g/, () =>
    fileOf(columnOf({ kind: 'int' }), { id: 2, name: 'g', required: true, type: { kind: 'int' } }).appender(
      writerOf('int'),
    ),
  );
  refused('a long for an int', 'TYPE_MISMATCH', /field f is long, the column int/, () =>
    fileOf(columnOf({ kind: 'int' })).appender(writerOf('long')),
  );
  refused('a decimal of another scale', 'TYPE_MISMATCH', /decimal\(9, 3\), the column decimal\(9, 2\)/, () =>
    fileOf(columnOf({ kind: 'decimal', precision: 9, scale: 2 })).appender(
      writerOf({ type: 'bytes', logicalType: 'decimal', precision: 9, scale: 3 }),
    ),
  );
  refused('something that records have not in _kafka', 'INVALID_METADATA_COLUMN', /no colour/, () =>
    fileOf({
      id: 1,
      name: '_kafka',
      required: false,
      type: { kind: 'struct', fields: [{ id: 2, name: 'colour', required: false, type: { kind: 'int' } }] },
    }),
  );
});
