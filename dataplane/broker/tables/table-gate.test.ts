import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterClient } from '../../cluster/cluster-client.ts';
import type { Catalog } from '../../iceberg/catalog.ts';
import { CatalogError } from '../../iceberg/errors.ts';
import { parseFlatAvroRecord } from '../../schema/avro/avro-schema.ts';
import { SchemaError } from '../../schema/errors.ts';
import { RegistryError } from '../../schema/registry/registry-error.ts';
import type { FoundSchema, SchemaLookup } from '../../schema/registry/schema-lookup.ts';
import { TableGate, wantsTable } from './table-gate.ts';

const { signal } = new AbortController();

function gateWith(latest: SchemaLookup['latest']): TableGate {
  const catalog: Pick<Catalog, 'loadTable'> = {
    loadTable: () => Promise.reject(new CatalogError('NO_SUCH_TABLE', 'there is none')),
  };
  const cluster = { current: undefined } as ClusterClient;
  return new TableGate({ cluster, schemas: { latest }, catalog });
}

function found(record: FoundSchema['record']): FoundSchema & { version: number } {
  return { id: 7, version: 3, type: 'AVRO', text: '', record };
}

test('a topic can be a table while its subject has no schema, or a flat one', async () => {
  assert.equal(await gateWith(() => Promise.resolve(undefined)).whyNoTable('orders', signal), undefined);
  const flat = parseFlatAvroRecord('{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}');
  const subjects: string[] = [];
  const gate = gateWith((subject) => {
    subjects.push(subject);
    return Promise.resolve(found(flat));
  });
  assert.equal(await gate.whyNoTable('orders', signal), undefined);
  assert.deepEqual(subjects, ['orders-value']);
});

test('a topic whose newest schema makes no table is refused with the subject, the version and the reason', async () => {
  const gate = gateWith(() => Promise.resolve(found(new SchemaError('NOT_BUILT', 'field a is a map'))));
  const sentence = 'topic orders cannot be a table: version 3 of subject orders-value: field a is a map';
  assert.equal(await gate.whyNoTable('orders', signal), sentence);
  const clash = parseFlatAvroRecord('{"type":"record","name":"R","fields":[{"name":"_kafka","type":"int"}]}');
  assert.match((await gateWith(() => Promise.resolve(found(clash))).whyNoTable('t', signal)) ?? '', /_kafka/);
});

test('a registry that cannot answer refuses nothing: the status of the table tells', async () => {
  const gate = gateWith(() => Promise.reject(new RegistryError('noOwner', 'it is elsewhere')));
  assert.equal(await gate.whyNoTable('orders', signal), undefined);
});

test('a table is wanted by either name of the config', () => {
  assert(wantsTable({ 'table.topic.enable': ' TRUE ' }));
  assert(wantsTable({ 'automq.table.topic.enable': 'true' }));
  assert(!wantsTable({ 'table.topic.enable': 'false' }));
  assert(!wantsTable({}));
});
