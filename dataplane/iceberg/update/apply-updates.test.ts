import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TableSchema } from '../../schema/table-type.ts';
import { CatalogError } from '../errors.ts';
import type { CatalogErrorCode } from '../errors.ts';
import { ordersStruct } from '../iceberg-fixture.ts';
import { newTableUpdates } from '../new-table.ts';
import type { Snapshot, TableMetadata } from '../table-metadata.ts';
import type { TableRequirement, TableUpdate } from '../table-update.ts';
import { applyUpdates } from './apply-updates.ts';

const uuid = '0f8fad5b-d9cb-469f-a165-70867728950e';
const context = { nowMs: 1_000, metadataLocation: 's3://m/00001.metadata.json' };

function table(): TableMetadata {
  const updates = newTableUpdates(
    { struct: ordersStruct, properties: { a: '1' } },
    { uuid, location: 's3://t' },
  );
  const made = applyUpdates(undefined, [{ type: 'assert-create' }], updates, {
    ...context,
    metadataLocation: undefined,
  });
  assert.ok(!(made instanceof CatalogError));
  return made;
}

function apply(base: TableMetadata, updates: readonly TableUpdate[], nowMs = 2_000): TableMetadata {
  const next = applyUpdates(base, [], updates, { ...context, nowMs });
  if (next instanceof CatalogError) throw next;
  return next;
}

function assertCode(base: TableMetadata, updates: readonly TableUpdate[], code: CatalogErrorCode): void {
  const result = applyUpdates(base, [], updates, context);
  assert.ok(result instanceof CatalogError, `expected ${code}`);
  assert.equal(result.code, code, result.message);
}

function snapshot(id: bigint, sequenceNumber: number, parent?: bigint, timestampMs = 3_000): Snapshot {
  return {
    snapshotId: id,
    parentSnapshotId: parent,
    sequenceNumber,
    timestampMs,
    manifestList: `s3://t/${id}.avro`,
    summary: { operation: 'append' },
    schemaId: 0,
  };
}

function add(
  id: bigint,
  sequenceNumber: number,
  parent?: bigint,
  timestampMs?: number,
): readonly TableUpdate[] {
  return [
    { action: 'add-snapshot', snapshot: snapshot(id, sequenceNumber, parent, timestampMs) },
    { action: 'set-snapshot-ref', refName: 'main', ref: { snapshotId: id, type: 'branch' } },
  ];
}

function schemaWith(...names: readonly string[]): TableSchema {
  const more = names.map((name, at) => ({
    id: 3 + at,
    name,
    required: false,
    type: { kind: 'string' as const },
  }));
  return { schemaId: 99, struct: { kind: 'struct', fields: [...ordersStruct.fields, ...more] } };
}

describe('updates of a table', () => {
  it('that change nothing leave the very metadata', () => {
    const base = table();
    assert.equal(apply(base, []), base);
    assert.equal(apply(base, [{ action: 'set-properties', updates: { a: '1' } }]), base);
    assert.equal(apply(base, [{ action: 'assign-uuid', uuid: uuid.toUpperCase() }]), base);
    assert.equal(apply(base, [{ action: 'remove-properties', removals: ['b'] }]), base);
  });

  it('need every requirement to hold', () => {
    const base = apply(table(), add(5n, 1));
    const holds: readonly TableRequirement[] = [
      { type: 'assert-table-uuid', uuid: uuid.toUpperCase() },
      { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: 5n },
      { type: 'assert-ref-snapshot-id', ref: 'constructor', snapshotId: undefined },
      { type: 'assert-last-assigned-field-id', lastAssignedFieldId: 2 },
      { type: 'assert-current-schema-id', currentSchemaId: 0 },
      { type: 'assert-last-assigned-partition-id', lastAssignedPartitionId: 999 },
      { type: 'assert-default-spec-id', defaultSpecId: 0 },
      { type: 'assert-default-sort-order-id', defaultSortOrderId: 0 },
    ];
    assert.equal(applyUpdates(base, holds, [], context), base);
    const fails: readonly TableRequirement[] = [
      { type: 'assert-create' },
      { type: 'assert-table-uuid', uuid: uuid.replace('0', '1') },
      { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: undefined },
      { type: 'assert-ref-snapshot-id', ref: 'main', snapshotId: 6n },
      { type: 'assert-ref-snapshot-id', ref: 'tag', snapshotId: 5n },
      { type: 'assert-last-assigned-field-id', lastAssignedFieldId: 1 },
      { type: 'assert-current-schema-id', currentSchemaId: 1 },
      { type: 'assert-last-assigned-partition-id', lastAssignedPartitionId: 1000 },
      { type: 'assert-default-spec-id', defaultSpecId: 1 },
      { type: 'assert-default-sort-order-id', defaultSortOrderId: 1 },
    ];
    for (const fail of fails) {
      const result = applyUpdates(base, [...holds, fail], [], context);
      assert.ok(result instanceof CatalogError && result.code === 'CONFLICT', fail.type);
    }
  });

  it('put a snapshot on main: sequence number, log, time, and the metadata before it', () => {
    const base = table();
    const next = apply(base, [
      ...add(5n, 1),
      { action: 'set-snapshot-ref', refName: 't', ref: { snapshotId: 5n, type: 'tag' } },
    ]);
    assert.equal(next.currentSnapshotId, 5n);
    assert.equal(next.lastSequenceNumber, 1);
    assert.equal(next.lastUpdatedMs, 3_000);
    assert.deepEqual(next.snapshotLog, [{ timestampMs: 3_000, snapshotId: 5n }]);
    assert.deepEqual(next.metadataLog, [
      { timestampMs: base.lastUpdatedMs, metadataFile: context.metadataLocation },
    ]);
    assert.deepEqual(Object.keys(next.refs), ['main', 't']);
  });

  it('refuse snapshots that cannot be', () => {
    const base = apply(table(), add(5n, 1));
    assertCode(base, add(5n, 2, 5n), 'REFUSED');
    assertCode(base, add(0n, 2, 5n), 'REFUSED');
    // Somebody else was faster: the client is to build it anew.
    assertCode(base, add(6n, 1, 5n), 'CONFLICT');
    assertCode(
      base,
      [{ action: 'set-snapshot-ref', refName: 'main', ref: { snapshotId: 9n, type: 'branch' } }],
      'REFUSED',
    );
    assertCode(
      base,
      [{ action: 'set-snapshot-ref', refName: 'main', ref: { snapshotId: 5n, type: 'tag' } }],
      'REFUSED',
    );
  });

  it('never take time back, so that readers accept the log', () => {
    const base = apply(table(), add(5n, 1, undefined, 500_000));
    const next = apply(base, add(6n, 2, 5n, 1_000));
    assert.deepEqual(
      next.snapshotLog.map(({ timestampMs }) => timestampMs),
      [500_000, 500_000],
    );
    assert.equal(next.lastUpdatedMs, 500_000);
    assert.equal(apply(next, [{ action: 'set-properties', updates: { a: '2' } }], 1).lastUpdatedMs, 500_000);
  });

  it('forget the history before a snapshot that was removed, and what was current within one commit only', () => {
    let base = apply(table(), add(5n, 1));
    base = apply(base, add(6n, 2, 5n));
    base = apply(base, [...add(7n, 3, 6n), ...add(8n, 4, 7n)]);
    assert.deepEqual(
      base.snapshotLog.map(({ snapshotId }) => snapshotId),
      [5n, 6n, 8n],
    );
    base = apply({ ...base, extra: { statistics: [{ 'snapshot-id': 6 }, { 'snapshot-id': 8 }], other: 1 } }, [
      { action: 'remove-snapshots', snapshotIds: [6n, 77n] },
    ]);
    assert.deepEqual(
      base.snapshotLog.map(({ snapshotId }) => snapshotId),
      [8n],
    );
    assert.deepEqual(base.extra, { statistics: [{ 'snapshot-id': 8 }], other: 1 });
  });

  it('do not remove a snapshot that a ref names, unless the ref goes with it', () => {
    const tag: TableUpdate = {
      action: 'set-snapshot-ref',
      refName: 't',
      ref: { snapshotId: 5n, type: 'tag' },
    };
    const base = apply(apply(table(), [...add(5n, 1), tag]), add(6n, 2, 5n));
    const remove: TableUpdate = { action: 'remove-snapshots', snapshotIds: [5n] };
    assertCode(base, [remove], 'REFUSED');
    const gone = apply(base, [remove, { action: 'remove-snapshot-ref', refName: 't' }]);
    assert.deepEqual(Object.keys(gone.refs), ['main']);
    assert.equal(
      apply(gone, [{ action: 'remove-snapshot-ref', refName: 'main' }]).currentSnapshotId,
      undefined,
    );
  });

  it('evolve the schema: new ids, ids of equal schemas again, -1 for the one just added', () => {
    const base = table();
    const wider = apply(base, [
      { action: 'add-schema', schema: schemaWith('note') },
      { action: 'set-current-schema', schemaId: -1 },
    ]);
    assert.deepEqual([wider.currentSchemaId, wider.lastColumnId, wider.schemas.length], [1, 3, 2]);
    const back = apply(wider, [
      { action: 'add-schema', schema: { schemaId: 0, struct: ordersStruct }, lastColumnId: 3 },
      { action: 'set-current-schema', schemaId: -1 },
    ]);
    assert.deepEqual([back.currentSchemaId, back.lastColumnId, back.schemas.length], [0, 3, 2]);
    assert.equal(apply(back, [{ action: 'remove-schemas', schemaIds: [1] }]).schemas.length, 1);

    assertCode(wider, [{ action: 'remove-schemas', schemaIds: [1] }], 'REFUSED');
    assertCode(base, [{ action: 'set-current-schema', schemaId: -1 }], 'REFUSED');
    assertCode(base, [{ action: 'set-current-schema', schemaId: 5 }], 'REFUSED');
    // Java's client, dropping the last column, claims that the highest id that is left was the last one given.
    const dropped = apply(wider, [
      {
        action: 'add-schema',
        schema: { schemaId: 0, struct: { kind: 'struct', fields: ordersStruct.fields.slice(0, 1) } },
        lastColumnId: 1,
      },
    ]);
    assert.deepEqual([dropped.lastColumnId, dropped.schemas.length], [3, 3]);
    const twice = schemaWith('x', 'y');
    const clash = {
      ...twice,
      struct: { ...twice.struct, fields: twice.struct.fields.map((field) => ({ ...field, id: 1 })) },
    };
    assertCode(base, [{ action: 'add-schema', schema: clash }], 'REFUSED');
    assertCode(
      base,
      [{ action: 'add-schema', schema: { ...schemaWith('x'), identifierFieldIds: [50] } }],
      'REFUSED',
    );
  });

  it('evolve the partition spec: field ids are never used for anything else', () => {
    const spec = (name: string, sourceId: number, fieldId = -1): TableUpdate => ({
      action: 'add-spec',
      spec: { specId: 0, fields: [{ sourceId, fieldId, name, transform: 'identity' }] },
    });
    const one = apply(table(), [spec('by_id', 1), { action: 'set-default-spec', specId: -1 }]);
    assert.equal(one.defaultSpecId, 1);
    assert.equal(one.partitionSpecs[1]?.fields[0]?.fieldId, 1000);
    assert.equal(one.lastPartitionId, 1000);
    const two = apply(one, [spec('by_amount', 2), { action: 'set-default-spec', specId: -1 }]);
    assert.equal(two.partitionSpecs[2]?.fields[0]?.fieldId, 1001);
    const three = apply(two, [spec('again', 1)]);
    assert.equal(three.partitionSpecs[3]?.fields[0]?.fieldId, 1000);
    assert.equal(apply(three, [spec('by_id', 1)]), three);
    assert.equal(apply(three, [{ action: 'remove-partition-specs', specIds: [1] }]).partitionSpecs.length, 3);

    assertCode(one, [{ action: 'remove-partition-specs', specIds: [1] }], 'REFUSED');
    assertCode(one, [spec('x', 77)], 'REFUSED');
    assertCode(one, [{ action: 'set-default-spec', specId: -1 }], 'REFUSED');
    assertCode(one, [{ action: 'set-default-spec', specId: 9 }], 'REFUSED');
  });

  it('set sort orders: 0 is none and stays none', () => {
    const field = { sourceId: 1, transform: 'identity', direction: 'asc', nullOrder: 'nulls-first' } as const;
    const sorted = apply(table(), [
      { action: 'add-sort-order', sortOrder: { orderId: 7, fields: [field] } },
      { action: 'set-default-sort-order', sortOrderId: -1 },
    ]);
    assert.equal(sorted.defaultSortOrderId, 1);
    const unsorted = apply(sorted, [
      { action: 'add-sort-order', sortOrder: { orderId: 3, fields: [] } },
      { action: 'set-default-sort-order', sortOrderId: -1 },
    ]);
    assert.equal(unsorted.defaultSortOrderId, 0);
    assertCode(sorted, [{ action: 'set-default-sort-order', sortOrderId: 5 }], 'REFUSED');
    assertCode(sorted, [{ action: 'set-default-sort-order', sortOrderId: -1 }], 'REFUSED');
  });

  it('do not change what a table is', () => {
    const base = table();
    assertCode(base, [{ action: 'assign-uuid', uuid: uuid.replace('0', '1') }], 'REFUSED');
    assertCode(base, [{ action: 'assign-uuid', uuid: 'x' }], 'REFUSED');
    assertCode(base, [{ action: 'upgrade-format-version', formatVersion: 3 }], 'UNSUPPORTED');
    assertCode(base, [{ action: 'upgrade-format-version', formatVersion: 1 }], 'REFUSED');
    assertCode(base, [{ action: 'set-properties', updates: { 'format-version': '3' } }], 'UNSUPPORTED');
    assertCode(base, [{ action: 'set-location', location: '' }], 'REFUSED');
    assert.equal(apply(base, [{ action: 'upgrade-format-version', formatVersion: 2 }]), base);
  });

  it('keep as many metadata files in the log as the table says', () => {
    let base = apply(table(), [
      { action: 'set-properties', updates: { 'write.metadata.previous-versions-max': '3' } },
    ]);
    for (let at = 0; at < 6; at += 1)
      base = apply(base, [{ action: 'set-properties', updates: { at: String(at) } }]);
    assert.equal(base.metadataLog.length, 3);
  });

  it('are applied whole or not at all', () => {
    const base = table();
    const before = structuredClone(base);
    assertCode(base, [...add(5n, 1), { action: 'set-current-schema', schemaId: 5 }], 'REFUSED');
    assert.deepEqual(base, before);
  });
});
