/** A table that Firn writes: Avro records into Parquet files, appended through the catalog. */
import avsc from 'avsc';
import { kafkaStructField } from '../../dataplane/columnar/kafka-columns.ts';
import { RowFile } from '../../dataplane/columnar/row-file.ts';
import { spansOf } from '../../dataplane/columnar/spans-fixture.ts';
import { buildAppend, ingestTag } from '../../dataplane/iceberg/append.ts';
import type { LoadedTable, TableIdentifier } from '../../dataplane/iceberg/catalog.ts';
import { printJson } from '../../dataplane/iceberg/json/lossless-json.ts';
import { schemaJson } from '../../dataplane/iceberg/json/schema-json.ts';
import type { AddedFile } from '../../dataplane/iceberg/manifest/manifest-entry.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { parseFlatAvroRecord } from '../../dataplane/schema/avro/avro-schema.ts';
import type { StructType } from '../../dataplane/schema/table-type.ts';
import type { ServedCatalog } from './catalog-fixture.ts';

export interface Order {
  readonly id: number;
  readonly customer: string;
  readonly note: string | null;
  readonly amount: number;
}

const orderJson = JSON.stringify({
  type: 'record',
  name: 'shop.Order',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'customer', type: 'string' },
    { name: 'note', type: ['null', 'string'] },
    { name: 'amount', type: 'double' },
  ],
});

export const ordersTable: TableIdentifier = { namespace: ['shop'], name: 'orders.v1' };

export function ordersStruct(): StructType {
  let nextId = 5;
  return {
    kind: 'struct',
    fields: [
      { id: 1, name: 'id', required: true, type: { kind: 'long' } },
      { id: 2, name: 'customer', required: true, type: { kind: 'string' } },
      { id: 3, name: 'note', required: false, type: { kind: 'string' } },
      { id: 4, name: 'amount', required: true, type: { kind: 'double' } },
      kafkaStructField(() => nextId++),
    ],
  };
}

/** Row `i` of all tests, by its number. */
export function orderOf(i: number): Order {
  return {
    id: i * 1_000_003,
    customer: `c-${i % 13}-ä`,
    note: i % 3 === 0 ? null : `note ${i}`,
    amount: i / 8,
  };
}

export async function createOrdersTable({ catalog }: ServedCatalog): Promise<LoadedTable> {
  await catalog.ensureNamespace(ordersTable.namespace);
  return await catalog.createTable(ordersTable, { struct: ordersStruct(), properties: {} });
}

const avro = avsc.Type.forSchema(JSON.parse(orderJson) as avsc.Schema);

/** Orders `from` to `to` (exclusive) as a data file of the table. */
export async function writeOrders(
  { io }: ServedCatalog,
  { metadata }: LoadedTable,
  from: number,
  to: number,
): Promise<AddedFile> {
  const schema = metadata.schemas.find(({ schemaId }) => schemaId === metadata.currentSchemaId);
  if (schema === undefined) throw new Error('the table has no current schema');
  const file = new RowFile({ schema, icebergSchemaJson: printJson(schemaJson(schema)), partition: 0 });
  const records = Array.from({ length: to - from }, (_, at) => ({
    value: avro.toBuffer(orderOf(from + at)),
    offset: from + at,
    timestampMs: 1_700_000_000_000 + from + at,
    key: Buffer.from(`k${from + at}`),
    headers: [['h', Buffer.from([1, 2])]] as const,
  }));
  const appended = file
    .appender(parseFlatAvroRecord(orderJson))
    .append(spansOf(records), 0, records.length, 0);
  if (appended.next !== records.length) throw new Error(`record ${appended.next} did not become a row`);
  const encoded = file.finish();
  const location = `${metadata.location}/data/${from}-${to}-${realRuntime.random.uint32()}.parquet`;
  await io.write(location, encoded.pieces);
  const { recordCount, sizeBytes, metrics } = encoded;
  return { location, recordCount, sizeBytes, metrics };
}

/** One commit that adds these orders; CONFLICT when somebody else was first. */
export async function appendOrders(
  served: ServedCatalog,
  from: number,
  to: number,
  summary: Readonly<Record<string, string>> = {},
): Promise<LoadedTable> {
  const table = await served.catalog.loadTable(ordersTable);
  const files = from === to ? [] : [await writeOrders(served, table, from, to)];
  const { metadata } = table;
  const expected = { main: metadata.currentSnapshotId, ingest: metadata.refs[ingestTag]?.snapshotId };
  const commit = await buildAppend(served.io, realRuntime, { metadata, files, summary, expected });
  return await served.catalog.commitTable(ordersTable, commit.requirements, commit.updates);
}
