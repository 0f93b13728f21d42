import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { frameValue, framedSchemaId, headerSchemaId, framePrefixBytes } from './framing.ts';

test('a framed value: zero, the id in four bytes, the payload', () => {
  assert.deepEqual([...frameValue(258, Buffer.from([9, 8]))], [0, 0, 0, 1, 2, 9, 8]);
  fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), fc.uint8Array({ maxLength: 40 }), (id, payload) => {
      const framed = frameValue(id, payload);
      assert.equal(framedSchemaId(framed), id);
      assert.deepEqual([...framed.subarray(framePrefixBytes)], [...payload]);
    }),
  );
});

test('what is not framed has no id', () => {
  for (const bytes of [
    [],
    [0],
    [0, 0, 0, 1],
    [1, 0, 0, 0, 1],
    [0, 255, 0, 0, 0],
    [...Buffer.from('{"a":1}')],
  ])
    assert.equal(framedSchemaId(Uint8Array.from(bytes)), undefined);
});

test('a header holds an id or a guid', () => {
  assert.deepEqual(headerSchemaId(Uint8Array.of(0, 0, 0, 1, 0)), { id: 256 });
  const guid = Uint8Array.from({ length: 16 }, (_, i) => i);
  assert.deepEqual(headerSchemaId(Uint8Array.of(1, ...guid)), { guid });
  for (const bytes of [[], [0, 0, 0, 1], [0, 0, 0, 0, 1, 0], [1, 2, 3], [2, 0, 0, 0, 1]])
    assert.equal(headerSchemaId(Uint8Array.from(bytes)), undefined);
});
