import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SchemaError } from '../errors.ts';
import { RegistrySchema, whyUnreadable } from './registry-schema.ts';

function record(...fields: readonly unknown[]): string {
  return JSON.stringify({ type: 'record', name: 'R', namespace: 'n', fields });
}

function fixed(name: string): unknown {
  return { type: 'fixed', name, size: 1 };
}

/** By Avro's Java library (1.12) too. */
test('defaults may be of any branch of a union, and of any size that their type has', () => {
  const taken: readonly string[] = [
    record({ name: 'f', type: ['string', 'null'], default: null }),
    record({ name: 'f', type: ['null', 'string'], default: 'x' }),
    record({ name: 'f', type: ['null', { type: 'map', values: 'int' }], default: { a: 1 } }),
    record(
      { name: 'e', type: { type: 'enum', name: 'E', symbols: ['A'] } },
      { name: 'f', type: ['null', 'E'], default: 'A' },
    ),
    '{"type":"record","name":"R","fields":[{"name":"f","type":"long","default":9223372036854775807}]}',
    '{"type":"record","name":"R","fields":[{"name":"f","type":"double","default":1.0}]}',
  ];
  for (const text of taken) {
    const schema = RegistrySchema.parse(text);
    assert.equal(schema.type.typeName, 'record', text);
  }
});

test('defaults that do not fit are refused', () => {
  const refused: readonly string[] = [
    record({ name: 'f', type: 'int', default: 'x' }),
    record({ name: 'f', type: ['null', 'int'], default: 'x' }),
    record({ name: 'f', type: { type: 'enum', name: 'E', symbols: ['A'] }, default: 'B' }),
    '{"type":"record","name":"R","fields":[{"name":"f","type":"int","default":9223372036854775807}]}',
    '{"type":"record","name":"R","fields":[{"name":"f","type":"long","default":9223372036854775808}]}',
  ];
  for (const text of refused) {
    const schema = RegistrySchema.parse(text);
    assert.throws(() => schema.type, SchemaError, text);
  }
});

/** Records inside records, whose fields all have the default `{}`: a text of a few lines, `width` ** `depth` values. */
function nestedDefaults(depth: number, width: number): string {
  let inner: unknown = { type: 'record', name: 'R0', fields: [{ name: 'a', type: 'int', default: 1 }] };
  for (let level = 1; level <= depth; level++) {
    const fields = Array.from({ length: width }, (_, index) => ({
      name: `f${index}`,
      type: index === 0 ? inner : `R${level - 1}`,
      default: {},
    }));
    inner = { type: 'record', name: `R${level}`, fields };
  }
  return JSON.stringify(inner);
}

test('defaults that would keep avsc busy are refused before it sees them', () => {
  assert.equal(RegistrySchema.parse(nestedDefaults(5, 6)).type.typeName, 'record');
  const tooMany = /hold more than 100000 values, .*: give fewer fields that are records a default/;
  const badUnion = { type: 'array', items: Array.from({ length: 1_000 }, (_, i) => fixed(`F${i}`)) };
  const refused: readonly string[] = [
    // Hours of work, and more than there are numbers to count it with.
    nestedDefaults(20, 6),
    nestedDefaults(50, 60),
    nestedDefaults(8, 6).replaceAll('"type":"R3"', '"type":["null","R3"]'),
    record({ name: 'f', type: badUnion, default: Array.from({ length: 60_000 }, () => ({})) }),
  ];
  for (const text of refused) {
    const schema = RegistrySchema.parse(text);
    assert.throws(() => schema.type, { name: 'SchemaError', code: 'INVALID_SCHEMA', message: tooMany });
  }
});

test('nothing stands for a record that is none, nor for a field what all objects have', () => {
  const named = { type: 'record', name: 'N', fields: [{ name: 'length', type: 'int', default: 0 }] };
  for (const value of [1, 'text', [1], true])
    assert.throws(() => RegistrySchema.parse(record({ name: 'f', type: named, default: value })).type, {
      name: 'SchemaError',
      message: /a default is .*, which is no record N$/,
    });
  const inherited = { type: 'record', name: 'I', fields: [{ name: 'constructor', type: named }] };
  assert.throws(
    () => RegistrySchema.parse(record({ name: 'f', type: inherited, default: {} })).type,
    SchemaError,
  );
  const inside = { constructor: { length: 3 } };
  assert.equal(
    RegistrySchema.parse(record({ name: 'f', type: inherited, default: inside })).type.typeName,
    'record',
  );
});

test('what can be read with what', () => {
  const why = (reader: string, writer: string): string | undefined =>
    whyUnreadable(RegistrySchema.parse(reader), RegistrySchema.parse(writer));
  assert.equal(why('"double"', '"int"'), undefined);
  assert.equal(why('"string"', '"bytes"'), undefined);
  assert.match(why('"int"', '"long"') ?? '', /cannot read/);
  const a = { name: 'a', type: 'int' };
  assert.equal(why(record({ ...a, type: ['string', 'null'], default: null }), record()), undefined);
  assert.equal(why(record({ name: 'b', type: 'int', aliases: ['a'] }), record(a)), undefined);
  assert.match(why(record(a), record()) ?? '', /no matching field for default-less n.R.a/);
  const moved = JSON.stringify({ type: 'record', name: 'R', namespace: 'elsewhere', fields: [a] });
  assert.equal(why(moved, record(a)), undefined);
  assert.match(
    why(JSON.stringify({ type: 'record', name: 'Other', fields: [a] }), record(a)) ?? '',
    /no alias found/,
  );
  const recursive = record({ name: 'next', type: ['null', 'R'], default: null });
  assert.equal(why(recursive, recursive), undefined);
});

/** Almost a schema: words of the specification where they belong, and where they do not. */
const word = fc.constantFrom(
  ...'record enum fixed array map error null int long bytes string R n.R decimal'.split(' '),
  '',
  '__proto__',
  'constructor',
  'a);evil(',
  'a b',
);
const { almost } = fc.letrec((tie) => ({
  almost: fc.oneof(
    { maxDepth: 5 },
    word,
    fc.constantFrom(null, true, 0, -1, 1.5, 2 ** 40),
    fc.array(tie('almost'), { maxLength: 3 }),
    fc.record(
      {
        type: fc.oneof(word, tie('almost')),
        name: word,
        namespace: word,
        fields: fc.array(fc.oneof(fc.record({ name: word, type: tie('almost') }), tie('almost')), {
          maxLength: 3,
        }),
        symbols: fc.array(word, { maxLength: 3 }),
        size: fc.constantFrom(0, 4, -1, '4'),
        items: tie('almost'),
        values: tie('almost'),
        default: tie('almost'),
        aliases: fc.array(word, { maxLength: 2 }),
        logicalType: word,
        precision: fc.constantFrom(0, 4, 'x'),
      },
      { requiredKeys: ['type'] },
    ),
  ),
}));

test('any text is a schema or a SchemaError; the text of a schema is one again, and the same', () => {
  let schemas = 0;
  fc.assert(
    fc.property(
      fc.oneof(
        almost.map((json) => JSON.stringify(json)),
        fc.string(),
      ),
      (text) => {
        let schema: RegistrySchema;
        try {
          schema = RegistrySchema.parse(text);
          void schema.type;
        } catch (error) {
          assert.ok(error instanceof SchemaError, String(error));
          return;
        }
        schemas++;
        assert.equal(RegistrySchema.parse(schema.text).text, schema.text);
        assert.equal(whyUnreadable(schema, schema), undefined);
        assert.ok(schema.record instanceof SchemaError || schema.record.fields.length >= 0);
      },
    ),
    { numRuns: 3_000 },
  );
  assert.ok(schemas > 100, `${schemas} of them were schemas`);
});
