import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ParquetReader } from '@dsnp/parquetjs';
import avsc from 'avsc';
import { parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { parseFlatAvroRecord } from '../schema/avro/avro-schema.ts';
import type { StructField, TableSchema, TableType } from '../schema/table-type.ts';
import type { EncodedFile } from './data-file.ts';
import { kafkaStructField } from './kafka-columns.ts';
import type { Compression } from './parquet/page-compression.ts';
import { RowFile } from './row-file.ts';
import { spansOf } from './spans-fixture.ts';

const orderJson = JSON.stringify({
  type: 'record',
  name: 'shop.Order',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'customer', type: 'string' },
    { name: 'note', type: ['null', 'string'] },
    { name: 'amount', type: 'double' },
    { name: 'paid', type: 'boolean' },
  ],
});

const orderColumns: readonly StructField[] = [
  { id: 1, name: 'id', required: true, type: { kind: 'long' } },
  { id: 2, name: 'customer', required: true, type: { kind: 'string' } },
  { id: 3, name: 'note', required: false, type: { kind: 'string' } },
  { id: 4, name: 'amount', required: true, type: { kind: 'double' } },
  { id: 5, name: 'paid', required: true, type: { kind: 'boolean' } },
];

async function readBack(file: EncodedFile): Promise<Record<string, unknown>[]> {
  const bytes = Buffer.concat(file.pieces);
  assert.equal(bytes.length, file.sizeBytes);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const metadata = await parquetMetadataAsync(buffer);
  assert.equal(Number(metadata.num_rows), file.recordCount);
  return parquetReadObjects({ file: buffer, compressors, utf8: false });
}

describe('a row file', () => {
  const avro = avsc.Type.forSchema(JSON.parse(orderJson) as avsc.Schema);
  const writer = parseFlatAvroRecord(orderJson);
  let id = 100;
  const schema: TableSchema = {
    schemaId: 0,
    struct: { kind: 'struct', fields: [...orderColumns, kafkaStructField(() => id++)] },
  };
  const newFile = (compression: Compression = 'zstd'): RowFile =>
    new RowFile({ schema, icebergSchemaJson: '{}', partition: 7, compression });

  it('holds the records as rows, with what Kafka knows of them', async () => {
    const file = newFile();
    const orders = Array.from({ length: 3000 }, (_, i) => ({
      id: i * 1_000_003,
      customer: `c${i % 10}`,
      note: i % 3 === 0 ? null : `note ${i}`,
      amount: i / 7,
      paid: i % 2 === 0,
    }));
    const spans = spansOf(
      orders.map((order, i) => ({
        value: avro.toBuffer(order),
        offset: 50 + i,
        timestampMs: i % 5 === 0 ? -1 : 1_700_000_000_000 + i,
        key: i % 4 === 0 ? null : Buffer.from(`k${i}`),
        headers: Array.from(
          { length: i % 3 },
          (_, h) => [`h${h}`, h === 1 ? null : Buffer.from([i & 255])] as const,
        ),
      })),
    );
    assert.deepEqual(file.appender(writer).append(spans, 0, orders.length, 0), { next: orders.length });
    assert.equal(file.rowCount, orders.length);
    const rows = await readBack(file.finish());
    assert.equal(rows.length, orders.length);
    for (const [i, row] of rows.entries()) {
      const order = orders[i];
      assert.deepEqual(
        { ...row },
        {
          id: BigInt(order?.id ?? 0),
          customer: order?.customer,
          note: order?.note ?? null,
          amount: order?.amount,
          paid: order?.paid,
          _kafka: {
            partition: 7,
            offset: BigInt(50 + i),
            timestamp: i % 5 === 0 ? null : new Date(1_700_000_000_000 + i),
            key: i % 4 === 0 ? null : Uint8Array.from(Buffer.from(`k${i}`)),
            headers: Array.from({ length: i % 3 }, (_, h) => ({
              name: `h${h}`,
              value: h === 1 ? null : Uint8Array.of(i & 255),
            })),
          },
        },
      );
    }
    assert.equal(file.rowCount, 0);
  });

  it('has nulls in columns that records lack, however deep they are', async () => {
    let next = 20;
    const list = (): TableType => ({
      kind: 'list',
      elementId: next++,
      elementRequired: true,
      element: { kind: 'string' },
    });
    const map: TableType = {
      kind: 'map',
      keyId: next++,
      key: { kind: 'string' },
      valueId: next++,
      valueRequired: false,
      value: list(),
    };
    const inner = [{ id: next++, name: 'list', required: true, type: list() }];
    const fields: readonly StructField[] = [
      ...orderColumns,
      { id: next++, name: 'list', required: false, type: list() },
      { id: next++, name: 'map', required: false, type: map },
      { id: next++, name: 'struct', required: false, type: { kind: 'struct', fields: inner } },
      { id: next++, name: 'text', required: false, type: { kind: 'string' } },
    ];
    const file = new RowFile({
      schema: { schemaId: 1, struct: { kind: 'struct', fields } },
      icebergSchemaJson: '{}',
      partition: 0,
      rowGroupRows: 2,
    });
    const order = { id: 1, customer: 'c', note: null, amount: 1, paid: true };
    const spans = spansOf(Array.from({ length: 5 }, () => ({ value: avro.toBuffer(order) })));
    file.appender(writer).append(spans, 0, 5, 0);
    const rows = await readBack(file.finish());
    // hyparquet's two ways to say null.
    const absent = { list: undefined, map: undefined, struct: undefined, text: null };
    assert.deepEqual(
      rows.map((row) => ({ ...row })),
      Array.from({ length: 5 }, () => ({ ...order, id: 1n, ...absent })),
    );
  });

  it('is read by @dsnp/parquetjs too, which has no zstd', async () => {
    const file = newFile('snappy');
    const records = Array.from({ length: 2500 }, (_, i) => ({
      value: avro.toBuffer({
        id: i,
        customer: `c${i % 3}`,
        note: i % 2 === 0 ? null : `n${i}`,
        amount: i / 4,
        paid: true,
      }),
    }));
    file.appender(writer).append(spansOf(records), 0, records.length, 0);
    const reader = await ParquetReader.openBuffer(Buffer.concat(file.finish().pieces));
    try {
      const cursor = reader.getCursor([
        ['id'],
        ['customer'],
        ['note'],
        ['amount'],
        ['paid'],
        ['_kafka', 'offset'],
      ]);
      for (let i = 0; i < records.length; i++) {
        const row = (await cursor.next()) as Record<string, unknown>;
        assert.deepEqual(
          { ...row },
          {
            id: BigInt(i),
            customer: `c${i % 3}`,
            note: i % 2 === 0 ? null : `n${i}`,
            amount: i / 4,
            paid: true,
            _kafka: { offset: BigInt(i) },
          },
        );
      }
      assert.equal(await cursor.next(), null);
    } finally {
      await reader.close();
    }
  });
});
