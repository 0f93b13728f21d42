import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { FormatError } from '../errors.ts';
import type { StructField, TableType } from '../../schema/table-type.ts';
import type { Snapshot, TableMetadata } from '../table-metadata.ts';
import { parseJson, printJson } from './lossless-json.ts';
import { decodeTableMetadata, parseTableMetadata, printTableMetadata } from './table-metadata-json.ts';

/** In the form that Java's implementation writes. */
const javaStyle = `{
  "format-version" : 2,
  "table-uuid" : "9C12D441-03FE-4693-9A96-A0705DDF69C1",
  "location" : "s3://bucket/test/location/",
  "last-sequence-number" : 34,
  "last-updated-ms" : 1602638573590,
  "last-column-id" : 5,
  "current-schema-id" : 1,
  "schemas" : [ {
    "type" : "struct",
    "schema-id" : 0,
    "fields" : [ { "id" : 1, "name" : "x", "required" : true, "type" : "long" } ]
  }, {
    "type" : "struct",
    "schema-id" : 1,
    "identifier-field-ids" : [ 1, 2 ],
    "fields" : [
      { "id" : 1, "name" : "x", "required" : true, "type" : "long" },
      { "id" : 2, "name" : "y", "required" : true, "type" : "decimal(9, 2)", "doc" : "comment" },
      { "id" : 3, "name" : "z", "required" : false, "type" :
        { "type" : "list", "element-id" : 4, "element" : "fixed[16]", "element-required" : false } } ]
  } ],
  "default-spec-id" : 0,
  "partition-specs" : [ { "spec-id" : 0, "fields" : [
    { "name" : "x", "transform" : "bucket[16]", "source-id" : 1, "field-id" : 1000 } ] } ],
  "last-partition-id" : 1000,
  "default-sort-order-id" : 3,
  "sort-orders" : [ { "order-id" : 3, "fields" : [
    { "transform" : "identity", "source-id" : 2, "direction" : "asc", "null-order" : "nulls-first" } ] } ],
  "properties" : { "owner" : "me" },
  "current-snapshot-id" : 3055729675574597004,
  "refs" : { "main" : { "snapshot-id" : 3055729675574597004, "type" : "branch" },
             "kept" : { "snapshot-id" : 3051729675574597004, "type" : "tag", "max-ref-age-ms" : 10000000 } },
  "snapshots" : [ {
    "snapshot-id" : 3051729675574597004,
    "timestamp-ms" : 1515100955770,
    "sequence-number" : 0,
    "summary" : { "operation" : "append" },
    "manifest-list" : "s3://a/b/1.avro"
  }, {
    "snapshot-id" : 3055729675574597004,
    "parent-snapshot-id" : 3051729675574597004,
    "timestamp-ms" : 1555100955770,
    "sequence-number" : 1,
    "summary" : { "operation" : "append" },
    "manifest-list" : "s3://a/b/2.avro",
    "schema-id" : 1,
    "added-rows" : 9223372036854775807
  } ],
  "statistics" : [ { "snapshot-id" : 3055729675574597004, "statistics-path" : "s3://a/b/stats.puffin" } ],
  "snapshot-log" : [ { "snapshot-id" : 3051729675574597004, "timestamp-ms" : 1515100955770 },
                     { "snapshot-id" : 3055729675574597004, "timestamp-ms" : 1555100955770 } ],
  "metadata-log" : [ { "timestamp-ms" : 1515100955770, "metadata-file" : "s3://bucket/foo/v1.json" } ]
}`;

const source = 's3://bucket/v2.metadata.json';

/** The text with the value at `path` replaced. */
function changed(path: readonly (string | number)[], value: unknown): string {
  const root = parseJson(javaStyle, source) as Record<string | number, unknown>;
  let at = root;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
  const last = path.at(-1) ?? '';
  if (value === undefined) delete at[last];
  else at[last] = value;
  return printJson(root);
}

/** Objects as literals make them: `deepEqual` looks at prototypes too. */
function record<T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true });
}

const plain = fc.constantFrom<TableType>(
  { kind: 'boolean' },
  { kind: 'int' },
  { kind: 'long' },
  { kind: 'float' },
  { kind: 'double' },
  { kind: 'date' },
  { kind: 'time' },
  { kind: 'timestamp' },
  { kind: 'timestamptz' },
  { kind: 'string' },
  { kind: 'uuid' },
  { kind: 'binary' },
  { kind: 'decimal', precision: 38, scale: 38 },
  { kind: 'fixed', lengthBytes: 7 },
);

const id = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const text = fc.string({ maxLength: 12 });
const long = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n });
const timeMs = fc.integer({ min: 0, max: 2 ** 45 });

const type: fc.Arbitrary<TableType> = fc.letrec<{ type: TableType; field: StructField }>((tie) => ({
  type: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    plain,
    fc.uniqueArray(tie('field'), { maxLength: 3, selector: ({ name }) => name }).map((fields) => ({
      kind: 'struct' as const,
      fields,
    })),
    record({
      kind: fc.constant('list' as const),
      elementId: id,
      elementRequired: fc.boolean(),
      element: tie('type'),
    }),
    record({
      kind: fc.constant('map' as const),
      keyId: id,
      key: tie('type'),
      valueId: id,
      valueRequired: fc.boolean(),
      value: tie('type'),
    }),
  ),
  field: fc.record(
    { id, name: text, required: fc.boolean(), type: tie('type'), doc: text },
    { requiredKeys: ['id', 'name', 'required', 'type'], noNullPrototype: true },
  ),
})).type;

const struct = fc
  .uniqueArray(record({ id, name: text, required: fc.boolean(), type }), {
    maxLength: 4,
    selector: ({ name }) => name,
  })
  .map((fields) => ({ kind: 'struct' as const, fields: fields.map((field) => ({ ...field })) }));

const snapshot: fc.Arbitrary<Snapshot> = record({
  snapshotId: long,
  parentSnapshotId: fc.option(long, { nil: undefined }),
  sequenceNumber: fc.nat(),
  timestampMs: timeMs,
  manifestList: text,
  summary: fc.dictionary(text, text, { maxKeys: 3, noNullPrototype: true }),
  schemaId: fc.option(fc.nat(), { nil: undefined }),
});

const tableMetadata: fc.Arbitrary<TableMetadata> = record({
  struct,
  snapshots: fc.uniqueArray(snapshot, { maxLength: 4, selector: ({ snapshotId }) => snapshotId }),
  properties: fc.dictionary(text, text, { maxKeys: 4, noNullPrototype: true }),
  lastUpdatedMs: timeMs,
  uuid: fc.uuid(),
  location: text,
  unknown: fc.option(
    record({
      'a-later-field': fc.oneof(
        long.filter((n) => n > 2n ** 53n),
        fc.nat(),
        text,
      ),
    }),
    {
      nil: undefined,
    },
  ),
}).map(({ struct, snapshots, properties, lastUpdatedMs, uuid, location, unknown }) => {
  const current = snapshots.at(-1)?.snapshotId;
  return {
    formatVersion: 2,
    tableUuid: uuid,
    location: `s3://bucket/${location}x`,
    lastSequenceNumber: 2 ** 31 - 1,
    lastUpdatedMs,
    lastColumnId: 2 ** 31 - 1,
    currentSchemaId: 4,
    schemas: [{ schemaId: 4, struct }],
    defaultSpecId: 2,
    partitionSpecs: [
      { specId: 2, fields: [] },
      { specId: 3, fields: [{ sourceId: 1, fieldId: 1000, name: 'a', transform: 'truncate[4]' }] },
    ],
    lastPartitionId: 1000,
    defaultSortOrderId: 0,
    sortOrders: [{ orderId: 0, fields: [] }],
    properties,
    currentSnapshotId: current,
    snapshots,
    refs:
      current === undefined ? {} : { main: { snapshotId: current, type: 'branch', minSnapshotsToKeep: 3 } },
    snapshotLog: snapshots.map(({ timestampMs, snapshotId }) => ({ timestampMs, snapshotId })),
    metadataLog: [{ timestampMs: 1, metadataFile: 's3://x' }],
    ...(unknown === undefined ? {} : { extra: { ...unknown } }),
  };
});

describe('table metadata', () => {
  it('is read as the reference implementation writes it', () => {
    const metadata = parseTableMetadata(javaStyle, source);
    assert.equal(metadata.tableUuid, '9c12d441-03fe-4693-9a96-a0705ddf69c1');
    assert.equal(metadata.location, 's3://bucket/test/location');
    assert.equal(metadata.currentSnapshotId, 3055729675574597004n);
    assert.equal(metadata.snapshots[1]?.parentSnapshotId, 3051729675574597004n);
    assert.deepEqual(metadata.snapshots[1]?.extra, { 'added-rows': 9223372036854775807n });
    assert.deepEqual(metadata.schemas[1]?.struct.fields[2]?.type, {
      kind: 'list',
      elementId: 4,
      elementRequired: false,
      element: { kind: 'fixed', lengthBytes: 16 },
    });
    assert.deepEqual(metadata.extra, {
      statistics: [{ 'snapshot-id': 3055729675574597004n, 'statistics-path': 's3://a/b/stats.puffin' }],
    });
    assert.deepEqual(metadata.refs['kept'], {
      snapshotId: 3051729675574597004n,
      type: 'tag',
      maxRefAgeMs: 10000000,
    });
  });

  it('survives being written and read, unknown fields and 64-bit ids included', () => {
    const metadata = parseTableMetadata(javaStyle, source);
    const text = printTableMetadata(metadata);
    assert.ok(text.includes('3055729675574597004') && text.includes('9223372036854775807'));
    assert.deepEqual(parseTableMetadata(text, source), metadata);
    fc.assert(
      fc.property(tableMetadata, (any) => {
        assert.deepEqual(parseTableMetadata(printTableMetadata(any), source), any);
      }),
      { numRuns: 200 },
    );
  });

  it('may be gzipped', () => {
    assert.deepEqual(decodeTableMetadata(gzipSync(javaStyle), source), parseTableMetadata(javaStyle, source));
  });

  it('has no current snapshot when it says -1 or nothing, and no refs when there were none yet', () => {
    const fresh = printJson({
      ...(parseJson(changed(['snapshots'], []), source) as object),
      'current-snapshot-id': -1,
      refs: undefined,
    });
    assert.equal(parseTableMetadata(fresh, source).currentSnapshotId, undefined);
    assert.deepEqual(parseTableMetadata(changed(['refs'], undefined), source).refs, {
      main: { snapshotId: 3055729675574597004n, type: 'branch' },
    });
  });

  it('whose optional fields are null loses nothing that it is given later', () => {
    const names = ['current-snapshot-id', 'refs', 'snapshots', 'snapshot-log', 'metadata-log', 'properties'];
    const nulls = Object.fromEntries([...names, 'of-later-versions'].map((name) => [name, null]));
    const empty = parseTableMetadata(
      printJson({ ...(parseJson(javaStyle, source) as object), ...nulls }),
      source,
    );
    assert.deepEqual(Object.keys(empty.extra ?? {}), ['statistics', 'of-later-versions']);
    const { snapshots, refs, snapshotLog, metadataLog, properties, currentSnapshotId } = parseTableMetadata(
      javaStyle,
      source,
    );
    const filled = { ...empty, snapshots, refs, snapshotLog, metadataLog, properties, currentSnapshotId };
    assert.deepEqual(parseTableMetadata(printTableMetadata(filled), source), filled);
    // Metadata that was decoded by whatever means: a field of its own is never replaced by one that it does not know.
    const shadowed = { ...filled, extra: { ...filled.extra, ...nulls } };
    assert.deepEqual(parseTableMetadata(printTableMetadata(shadowed), source), filled);
  });

  it('has snapshots that lose no field to a null either', () => {
    const text = changed(['snapshots', 0, 'parent-snapshot-id'], null);
    const [first] = parseTableMetadata(text, source).snapshots;
    assert.equal(first?.parentSnapshotId, undefined);
    assert.equal(first?.extra, undefined);
  });

  const wrong: readonly (readonly [path: readonly (string | number)[], value: unknown, field: string])[] = [
    [['table-uuid'], undefined, 'table-uuid'],
    [['last-sequence-number'], -1, 'last-sequence-number'],
    [['last-column-id'], 2 ** 31, 'last-column-id'],
    [['last-updated-ms'], 1.5, 'last-updated-ms'],
    [['schemas', 0, 'fields', 0, 'type'], 'lng', 'schemas[0].fields[0].type'],
    [['schemas', 0, 'fields', 0, 'required'], 'yes', 'schemas[0].fields[0].required'],
    [['schemas', 1, 'fields', 1, 'type'], 'decimal(39, 2)', 'schemas[1].fields[1].type'],
    [['schemas', 1, 'fields', 1, 'name'], 'x', 'schemas[1].fields[1].name'],
    [['schemas', 1, 'fields', 2, 'type', 'element-id'], null, 'schemas[1].fields[2].type.element-id'],
    [['current-schema-id'], 7, 'current-schema-id'],
    [['default-spec-id'], 7, 'default-spec-id'],
    [['partition-specs', 0, 'fields', 0, 'field-id'], undefined, 'partition-specs'],
    [['default-sort-order-id'], 7, 'default-sort-order-id'],
    [['snapshots', 0, 'snapshot-id'], 2n ** 63n, 'snapshots[0].snapshot-id'],
    [['snapshots', 0, 'snapshot-id'], 3055729675574597004n, 'snapshots'],
    [['snapshots', 1, 'summary', 'operation'], 5, 'snapshots[1].summary.operation'],
    [['refs', 'main', 'snapshot-id'], 1, 'refs.main'],
    [['refs', 'kept', 'snapshot-id'], 1, 'refs.kept'],
    [['refs', 'kept', 'min-snapshots-to-keep'], 1, 'refs.kept'],
    [['properties'], ['a'], 'properties'],
    [['snapshot-log', 0], 'x', 'snapshot-log[0]'],
  ];

  it('that is wrong is refused with the location and the field', () => {
    for (const [path, value, field] of wrong) {
      assert.throws(
        () => parseTableMetadata(changed(path, value), source),
        (error) =>
          error instanceof FormatError &&
          error.code === 'INVALID' &&
          error.field === field &&
          error.source === source,
        `${path.join('.')} = ${String(value)}`,
      );
    }
  });

  it('of versions and types that are not built is told apart from what is wrong', () => {
    const unsupported: readonly (readonly [(string | number)[], unknown])[] = [
      [['format-version'], 1],
      [['format-version'], 3],
      [['schemas', 0, 'fields', 0, 'type'], 'timestamp_ns'],
      [['schemas', 0, 'fields', 0, 'type'], 'variant'],
      [['schemas', 0, 'fields', 0, 'initial-default'], 5],
      [['partition-specs', 0, 'fields', 0, 'transform'], 'zorder'],
    ];
    for (const [path, value] of unsupported)
      assert.throws(() => parseTableMetadata(changed(path, value), source), {
        name: 'FormatError',
        code: 'UNSUPPORTED',
      });
  });

  it('that is no JSON, or nested without end, is a typed error too', () => {
    const deep = `{"schemas": ${'['.repeat(200_000)}`;
    for (const text of ['', '{', '[]', 'null', '"x"', deep, deep + ']'.repeat(200_000)])
      assert.throws(() => parseTableMetadata(text, source), { name: 'FormatError', code: 'INVALID' });
    const type = `${'{"type":"list","element-id":1,"element-required":true,"element":'.repeat(1000)}"int"${'}'.repeat(1000)}`;
    const nested = changed(['schemas', 0, 'fields', 0, 'type'], parseJson(type, source));
    assert.throws(() => parseTableMetadata(nested, source), { name: 'FormatError', code: 'INVALID' });
    assert.throws(() => decodeTableMetadata(Uint8Array.of(0x1f, 0x8b, 1, 2), source), {
      name: 'FormatError',
    });
  });
});
