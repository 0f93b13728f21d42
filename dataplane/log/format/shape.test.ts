import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  integer,
  list,
  natural,
  nullable,
  object,
  oneOf,
  ShapeError,
  text,
  textMatching,
  tuple,
  type Shape,
} from './shape.ts';

function refused(shape: Shape<unknown>, value: unknown, message: string): void {
  assert.throws(
    () => shape(value),
    (error: unknown) => {
      assert.ok(error instanceof ShapeError);
      assert.equal(error.message, message);
      return true;
    },
  );
}

test('an error names the path, what was expected and what was there', () => {
  const shape = object({ parts: list(tuple({ logStart: natural, name: text })) });
  refused(
    shape,
    {
      parts: [
        [0, 'a'],
        [1, 'b'],
        [2, 'c'],
        ['x', 'd'],
      ],
    },
    'parts.3.logStart: expected an integer from 0 to 2^53 - 1, got "x"',
  );
  refused(shape, { parts: [[0]] }, 'parts.0.name: expected a string of at most 1024 characters, got nothing');
  refused(shape, { parts: {} }, 'parts: expected an array, got an object');
  refused(shape, {}, 'parts: expected an array, got nothing');
  refused(shape, [], 'expected an object, got an array');
  refused(shape, null, 'expected an object, got null');
});

test('integers are whole, in range and exact', () => {
  for (const value of [0, 1, Number.MAX_SAFE_INTEGER]) assert.equal(natural(value), value);
  for (const value of [-1, 0.5, Number.MAX_SAFE_INTEGER + 1, Number.NaN, Infinity, '1', true, null]) {
    assert.throws(() => natural(value), ShapeError);
  }
  refused(integer(-1, 5), 6, 'expected an integer from -1 to 5, got 6');
});

test('absent is null, and not the same as zero or missing', () => {
  const shape = object({ to: nullable(natural) });
  assert.deepEqual(shape({ to: null }), { to: undefined });
  assert.deepEqual(shape({ to: 0 }), { to: 0 });
  refused(shape, {}, 'to: expected an integer from 0 to 2^53 - 1, got nothing');
});

test('choices and patterns', () => {
  assert.equal(oneOf('a', 'b')('b'), 'b');
  refused(oneOf('a', 'b'), 'c', 'expected one of a, b, got "c"');
  const hex = textMatching((value) => /^[0-9a-f]+$/.test(value), 'hexadecimal digits');
  assert.equal(hex('0f'), '0f');
  refused(hex, 'xyz', 'expected hexadecimal digits, got "xyz"');
  refused(hex, 'x'.repeat(200), `expected hexadecimal digits, got "${'x'.repeat(76)}…`);
});

test('what the next version added is passed over', () => {
  assert.deepEqual(object({ a: natural })({ a: 1, b: 2 }), { a: 1 });
  assert.deepEqual(tuple({ a: natural })([1, 2, 3]), { a: 1 });
});

test('names that objects inherit are not fields', () => {
  refused(
    object({ constructor: natural }),
    {},
    'constructor: expected an integer from 0 to 2^53 - 1, got nothing',
  );
});
