import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { batchData } from './batch-data.ts';
import { codecOfAttributes } from './compression/codec.ts';
import { buildBatch } from './record-batch-builder.ts';
import { parseBatches } from './record-batch.ts';
import type { RecordInput } from './record-encoder.ts';
import { RecordCursor } from './records.ts';
import { validateBatch } from './validate-records.ts';

const folder = path.join(import.meta.dirname, 'fixtures/records');
const time = 1_700_000_000_000;

const small: readonly RecordInput[] = [
  { timestampMs: time, key: 'key', value: 'value' },
  {
    timestampMs: time + 1,
    value: 'no key',
    headers: [
      { key: 'trace', value: 'a1b2' },
      { key: 'null', value: null },
      { key: 'empty', value: '' },
      { key: 'überschrift', value: Buffer.of(0, 0xff) },
    ],
  },
  { timestampMs: time - 5, key: 'no value' },
  { timestampMs: time + 3_600_000, key: '', value: '' },
  { timestampMs: time + 2, key: 'repeats', value: 'abcdefgh'.repeat(50) },
];

const large: readonly RecordInput[] = [0, 1, 2].map((index) => ({
  timestampMs: time + index,
  key: `large-${index}`,
  value: largeValue(index),
}));

function largeValue(seed: number): string {
  let text = '';
  for (let i = 0; text.length < 100_000; i++) text += `line ${(i * 7919 + seed) % 1000} of a large value\n`;
  return text.slice(0, 100_000);
}

function plain(value: Uint8Array | string | null | undefined): string | null {
  return value === null || value === undefined ? null : Buffer.from(value).toString('hex');
}

const files = readdirSync(folder).filter((name) => name.endsWith('.bin') && !name.startsWith('lz4-'));

test('there are fixtures of four clients with every codec', () => {
  for (const client of ['java', 'kafka-python', 'librdkafka', 'franz-go']) {
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
      assert.ok(files.includes(`${client}-${codec}.bin`), `${client} ${codec}`);
    }
  }
});

for (const file of files) {
  test(`reads what the client wrote: ${file}`, () => {
    const expected = file.endsWith('-large.bin') ? large : small;
    const bytes = readFileSync(path.join(folder, file));
    const [header, ...others] = parseBatches(bytes, { verifyCrc: true });
    assert.ok(header !== undefined && others.length === 0);
    const codec = codecOfAttributes(header.attributes);
    assert.ok(file.replace('-large', '').endsWith(`-${codec}.bin`), `compressed with ${codec}`);
    assert.equal(header.recordCount, expected.length);

    const data = batchData(header, bytes, 0, 2 ** 20);
    const cursor = new RecordCursor(header, data);
    for (const [offset, record] of expected.entries()) {
      assert.ok(cursor.next());
      assert.equal(cursor.offset, offset);
      assert.equal(cursor.timestampMs, record.timestampMs);
      assert.equal(plain(cursor.key), plain(record.key));
      assert.equal(plain(cursor.value), plain(record.value));
      assert.deepEqual(
        cursor.headers.map(({ key, value }) => [key, plain(value)]),
        (record.headers ?? []).map(({ key, value }) => [key, plain(value)]),
      );
    }
    assert.ok(!cursor.next());

    const maxTimestampMs = Math.max(...expected.map(({ timestampMs = -1 }) => timestampMs));
    assert.equal(header.maxTimestampMs, maxTimestampMs);
    assert.deepEqual(validateBatch(header, bytes, 0, 2 ** 20), {
      sizeBytes: data.length,
      minTimestampMs: Math.min(...expected.map(({ timestampMs = -1 }) => timestampMs)),
      maxTimestampMs,
      maxTimestampOffsetDelta: expected.findIndex(({ timestampMs }) => timestampMs === maxTimestampMs),
      nullKeys: expected.filter(({ key }) => key === undefined).length,
    });
  });
}

for (const [client, leaderEpoch] of [
  ['java', -1],
  ['kafka-python', 0],
] as const) {
  test(`builds the same bytes as ${client}`, () => {
    const bytes = readFileSync(path.join(folder, `${client}-none.bin`));
    const producer = { producerId: 4000, producerEpoch: 3, baseSequence: 70 };
    const built = buildBatch({ records: small, leaderEpoch, ...producer });
    assert.equal(built.toString('hex'), bytes.toString('hex'));
  });
}
