import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { PrimitiveType } from '../../schema/table-type.ts';
import { parquetSchema } from '../parquet/parquet-schema.ts';
import type { Leaf } from '../parquet/parquet-schema.ts';
import { lowerBound, upperBound } from './single-value.ts';
import { lowerTextBound, upperBytesBound, upperTextBound } from './truncate-bound.ts';

const utf8 = (text: string): Buffer => Buffer.from(text);

describe('bounds of text', () => {
  it('are the text itself when it is short', () => {
    assert.deepEqual(lowerTextBound(utf8('日本'), 2), utf8('日本'));
    assert.deepEqual(upperTextBound(utf8('日本'), 2), utf8('日本'));
  });

  it('are cut between characters, the upper one with a greater last character', () => {
    assert.deepEqual(Buffer.from(lowerTextBound(utf8('日本語🦊'), 3)), utf8('日本語'));
    assert.deepEqual(upperTextBound(utf8('日本語🦊'), 3), utf8('日本誟'));
    assert.deepEqual(upperTextBound(utf8('🦊🦊'), 1), utf8('🦋'));
  });

  it('step over surrogates and carry over the greatest character', () => {
    assert.deepEqual(upperTextBound(utf8('a\ud7ffx'), 2), utf8('a\ue000'));
    assert.deepEqual(upperTextBound(utf8('a\u{10ffff}x'), 2), utf8('b'));
    assert.equal(upperTextBound(utf8('\u{10ffff}\u{10ffff}x'), 2), undefined);
  });

  it('enclose the text in the order of bytes', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 12 }),
        fc.integer({ min: 1, max: 8 }),
        (text, characters) => {
          const bytes = utf8(text);
          assert.ok(Buffer.compare(lowerTextBound(bytes, characters), bytes) <= 0);
          const upper = upperTextBound(bytes, characters);
          if (upper === undefined) assert.ok(text.startsWith('\u{10ffff}'));
          else
            assert.ok(
              Buffer.compare(upper, bytes) >= 0 && Buffer.from(upper).toString().length <= 2 * characters,
            );
        },
      ),
    );
  });
});

describe('bounds of bytes', () => {
  it('carry over 0xff, and there is none above 0xff alone', () => {
    assert.deepEqual(upperBytesBound(Buffer.from('01ff02', 'hex'), 2), Uint8Array.of(2));
    assert.deepEqual(upperBytesBound(Buffer.from('010203', 'hex'), 2), Uint8Array.of(1, 3));
    assert.equal(upperBytesBound(Buffer.from('ffffff', 'hex'), 2), undefined);
    assert.deepEqual(upperBytesBound(Buffer.from('ffff', 'hex'), 2), Buffer.from('ffff', 'hex'));
  });
});

describe('single values in Iceberg’s serialization (appendix D)', () => {
  const cases: readonly (readonly [
    name: string,
    type: PrimitiveType,
    plain: string,
    lower: string,
    upper?: string,
  ])[] = [
    ['an int', { kind: 'int' }, '22000000', '22000000'],
    [
      'a decimal of 4 bytes: big endian, no more bytes than needed',
      { kind: 'decimal', precision: 9, scale: 2 },
      'd2040000',
      '04d2',
    ],
    ['a negative one', { kind: 'decimal', precision: 9, scale: 2 }, 'ffffffff', 'ff'],
    [
      'one with the sign in a byte of its own',
      { kind: 'decimal', precision: 18, scale: 0 },
      '8000000000000000',
      '0080',
    ],
    ['zero', { kind: 'decimal', precision: 18, scale: 0 }, '0000000000000000', '00'],
    [
      'a decimal of many bytes',
      { kind: 'decimal', precision: 38, scale: 0 },
      `${'ff'.repeat(14)}7f01`,
      'ff7f01',
    ],
    [
      'a fixed of 17 bytes',
      { kind: 'fixed', lengthBytes: 17 },
      '00'.repeat(17),
      '00'.repeat(16),
      `${'00'.repeat(15)}01`,
    ],
    ['a uuid, whole', { kind: 'uuid' }, 'f7'.repeat(16), 'f7'.repeat(16)],
  ];
  for (const [name, type, plain, lower, upper = lower] of cases) {
    it(name, () => {
      const leaf = leafOf(type);
      const value = Buffer.from(plain, 'hex');
      assert.equal(Buffer.from(lowerBound(leaf, value)).toString('hex'), lower);
      assert.equal(Buffer.from(upperBound(leaf, value) ?? []).toString('hex'), upper);
    });
  }
});

function leafOf(type: PrimitiveType): Leaf {
  const { leaves } = parquetSchema({
    kind: 'struct',
    fields: [{ id: 1, name: 'c', required: true, type }],
  });
  assert.ok(leaves[0]);
  return leaves[0];
}
