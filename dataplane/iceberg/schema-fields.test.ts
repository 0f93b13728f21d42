import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StructType } from '../schema/table-type.ts';
import { highestFieldId, schemaNodes, withFreshIds } from './schema-fields.ts';

const struct: StructType = {
  kind: 'struct',
  fields: [
    { id: 70, name: 'a', required: true, type: { kind: 'long' } },
    {
      id: 60,
      name: 'b',
      required: false,
      type: {
        kind: 'map',
        keyId: 50,
        key: { kind: 'struct', fields: [{ id: 40, name: 'k', required: true, type: { kind: 'int' } }] },
        valueId: 30,
        valueRequired: false,
        value: {
          kind: 'list',
          elementId: 20,
          elementRequired: true,
          element: { kind: 'struct', fields: [{ id: 10, name: 'v', required: true, type: { kind: 'int' } }] },
        },
      },
    },
    { id: 80, name: 'c', required: true, type: { kind: 'string' } },
  ],
};

test('fresh ids are those of the reference implementation: all fields of a struct, then what lies in them', () => {
  const fresh = withFreshIds(struct);
  assert.deepEqual(
    [...schemaNodes(fresh.struct)].map(({ id, path }) => [path, id]),
    [
      ['a', 1],
      ['b', 2],
      ['b.key', 4],
      ['b.key.k', 6],
      ['b.value', 5],
      ['b.value.element', 7],
      ['b.value.element.v', 8],
      ['c', 3],
    ],
  );
  assert.equal(fresh.lastColumnId, 8);
  assert.equal(highestFieldId(fresh.struct), 8);
  assert.deepEqual(
    [70, 60, 80, 50, 30, 40, 20, 10].map((id) => fresh.newIds.get(id)),
    [1, 2, 3, 4, 5, 6, 7, 8],
  );
  assert.deepEqual(withFreshIds(fresh.struct).struct, fresh.struct);
});
