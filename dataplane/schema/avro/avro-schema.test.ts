import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SchemaError } from '../errors.ts';
import { parseFlatAvroRecord } from './avro-schema.ts';

function record(...fields: readonly unknown[]): string {
  return JSON.stringify({ type: 'record', name: 'Order', namespace: 'shop', fields });
}

function valueOf(type: unknown) {
  return parseFlatAvroRecord(record({ name: 'f', type })).fields[0]?.value;
}

function refusal(text: string): string {
  try {
    parseFlatAvroRecord(text);
  } catch (error) {
    assert.ok(error instanceof SchemaError);
    return `${error.code}: ${error.message}`;
  }
  return assert.fail('it was taken');
}

const flatOnly =
  'only flat records are built so far: fields of primitive types, enum, fixed, logical types, and ["null", T] of these';

test('a flat record has its full name and its fields in order', () => {
  assert.deepEqual(
    parseFlatAvroRecord(
      record(
        { name: 'id', type: 'long', doc: 'of the order' },
        { name: 'note', type: ['null', 'string'], default: null },
        { name: 'total', type: ['double', 'null'] },
        { name: 'state', type: { type: 'enum', name: 'State', symbols: ['NEW', 'PAID'] } },
        { name: 'before', type: ['null', 'State'] },
        { name: 'hash', type: { type: 'fixed', name: 'hashes.Md5', size: 16 } },
        { name: 'other', type: 'hashes.Md5' },
      ),
    ),
    {
      name: 'shop.Order',
      fields: [
        {
          name: 'id',
          value: { kind: 'primitive', type: 'long', logical: undefined },
          nullBranch: undefined,
          hasDefault: false,
          doc: 'of the order',
        },
        {
          name: 'note',
          value: { kind: 'primitive', type: 'string', logical: undefined },
          nullBranch: 0,
          hasDefault: true,
        },
        {
          name: 'total',
          value: { kind: 'primitive', type: 'double', logical: undefined },
          nullBranch: 1,
          hasDefault: false,
        },
        {
          name: 'state',
          value: { kind: 'enum', symbols: ['NEW', 'PAID'] },
          nullBranch: undefined,
          hasDefault: false,
        },
        {
          name: 'before',
          value: { kind: 'enum', symbols: ['NEW', 'PAID'] },
          nullBranch: 0,
          hasDefault: false,
        },
        {
          name: 'hash',
          value: { kind: 'fixed', size: 16, logical: undefined },
          nullBranch: undefined,
          hasDefault: false,
        },
        {
          name: 'other',
          value: { kind: 'fixed', size: 16, logical: undefined },
          nullBranch: undefined,
          hasDefault: false,
        },
      ],
    },
  );
});

test('logical types count where they suit the type; all others fall back to it', () => {
  const logical = (type: string, logicalType: string, more: object = {}): unknown => {
    const value = valueOf({ type, logicalType, ...more });
    return value?.kind === 'enum' ? 'enum' : value?.logical;
  };
  for (const name of ['date', 'time-millis']) assert.equal(logical('int', name), name);
  for (const name of [
    'time-micros',
    'timestamp-millis',
    'timestamp-micros',
    'local-timestamp-millis',
    'local-timestamp-micros',
  ])
    assert.equal(logical('long', name), name);
  assert.equal(logical('string', 'uuid'), 'uuid');
  assert.equal(logical('fixed', 'uuid', { name: 'F', size: 16 }), 'uuid');
  assert.equal(logical('fixed', 'duration', { name: 'F', size: 12 }), 'duration');
  assert.deepEqual(logical('bytes', 'decimal', { precision: 9, scale: 2 }), {
    kind: 'decimal',
    precision: 9,
    scale: 2,
  });
  assert.deepEqual(logical('fixed', 'decimal', { name: 'F', size: 4, precision: 9 }), {
    kind: 'decimal',
    precision: 9,
    scale: 0,
  });
  const plain: readonly (readonly [string, string, object?])[] = [
    ['long', 'date'],
    ['int', 'timestamp-millis'],
    ['long', 'timestamp-nanos'],
    ['string', 'made-up'],
    ['bytes', 'uuid'],
    ['fixed', 'uuid', { name: 'F', size: 15 }],
    ['fixed', 'decimal', { name: 'F', size: 4, precision: 10 }],
    ['bytes', 'decimal', { precision: 2, scale: 3 }],
    ['bytes', 'decimal', { precision: 0 }],
    ['bytes', 'decimal', { precision: '9' }],
    ['bytes', 'big-decimal'],
  ];
  for (const [type, name, more] of plain)
    assert.equal(logical(type, name, more), undefined, `${type} ${name}`);
});

test('what is not flat is refused with its field and what it is', () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [{ type: 'array', items: 'string' }, 'field f is an array'],
    [{ type: 'map', values: 'string' }, 'field f is a map'],
    [{ type: 'record', name: 'In', fields: [] }, 'field f is the record shop.In'],
    ['Order', 'field f is the record shop.Order'],
    ['null', 'field f is of type null'],
    [['int', 'string'], 'field f is a union of int, string'],
    [['null', 'int', 'string'], 'field f is a union of null, int, string'],
    [['int'], 'field f is a union of int'],
    [['null', { type: 'array', items: 'int' }], 'field f is an array'],
  ];
  for (const [type, what] of cases)
    assert.equal(refusal(record({ name: 'f', type })), `NOT_BUILT: ${what}: ${flatOnly}`);
  assert.equal(refusal('"string"'), `NOT_BUILT: the schema is of type string: ${flatOnly}`);
});

test('what is no Avro schema is refused with the place', () => {
  const field = 'INVALID_SCHEMA: field f is not valid Avro: ';
  const whole = 'INVALID_SCHEMA: the schema is not valid Avro: ';
  const cases: readonly (readonly [string, string])[] = [
    [
      record({ name: 'f', type: 'strin' }),
      `${field}there is no type "strin": a named type is defined before it is used`,
    ],
    [record({ name: 'f' }), `${field}it has no "type"`],
    [record({ name: 'f', type: 7 }), `${field}a type is a string, an object or an array, not 7`],
    [record({ name: 'f', type: {} }), `${field}"type" must be the name of a type, not nothing`],
    [record({ name: 'f', type: ['null', 'null'] }), `${field}the union has two branches of type null`],
    [
      record({ name: 'f', type: { type: 'enum', name: 'E', symbols: ['A', 'A'] } }),
      `${field}enum E has a symbol twice`,
    ],
    [
      record({ name: 'f', type: { type: 'fixed', name: 'F', size: -1 } }),
      `${field}"size" of fixed F is -1 but must be a number of bytes`,
    ],
    [
      record({ name: 'in', type: { type: 'record', name: 'In', fields: [{ name: 'f', type: 'x' }] } }),
      'INVALID_SCHEMA: field in.f is not valid Avro: there is no type "x": a named type is defined before it is used',
    ],
    [
      record({ name: 'a-b', type: 'int' }),
      `${whole}"a-b" cannot name a field of record Order: letters, digits and _ can`,
    ],
    [record({ name: 'a', type: 'int' }, { name: 'a', type: 'int' }), `${whole}record Order has two fields a`],
    ['{"type":"record","name":"R"}', `${whole}record R needs "fields", an array`],
    ['{"type":"record","name":"R); evil(","fields":[]}', `${whole}"R); evil(" cannot name a type`],
  ];
  for (const [text, message] of cases) assert.equal(refusal(text), message);
  assert.match(refusal('{"type":'), /^INVALID_SCHEMA: the schema is not JSON: /);
  assert.match(refusal('['.repeat(500) + ']'.repeat(500)), /nested more than 200 levels deep$/);
});
