import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compressionCodecs, codecId, type CompressionCodec } from './compression/codec.ts';
import { compress } from './compression/compress.ts';
import { buildBatch } from './record-batch-builder.ts';
import {
  batchOverheadBytes,
  parseBatches,
  readBatchHeader,
  RecordBatchError,
  type RecordBatchErrorCode,
} from './record-batch.ts';
import type { RecordInput } from './record-encoder.ts';
import {
  validateBatch,
  validateBatchAsync,
  validateRecords,
  type RecordsSummary,
} from './validate-records.ts';

const noLimit = 2 ** 30;

/** A batch whose records are `compressed` as they are; the CRC is not right. */
function withRecords(batch: Buffer, codec: CompressionCodec, compressed: Uint8Array): Buffer {
  const bytes = Buffer.concat([batch.subarray(0, batchOverheadBytes), compressed]);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes[22] = codecId(codec);
  return bytes;
}

function compressed(batch: Buffer, codec: CompressionCodec): Buffer {
  return withRecords(batch, codec, compress(codec, batch.subarray(batchOverheadBytes)));
}

async function validated(batch: Buffer, maxDataBytes = noLimit): Promise<RecordsSummary> {
  const position = 5;
  const bytes = Buffer.concat([Buffer.alloc(position), batch, Buffer.alloc(3)]);
  const [header] = parseBatches(batch, { verifyCrc: false });
  assert.ok(header !== undefined);
  const summary = validateBatch(header, bytes, position, maxDataBytes);
  assert.deepEqual(await validateBatchAsync(header, bytes, position, maxDataBytes), summary);
  return summary;
}

async function refused(
  batch: Buffer,
  code: RecordBatchErrorCode,
  message: RegExp,
  maxDataBytes = noLimit,
): Promise<void> {
  const header = readBatchHeader(batch, 0);
  const right = (error: unknown): boolean => {
    assert.ok(error instanceof RecordBatchError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
  assert.throws(() => validateBatch(header, batch, 0, maxDataBytes), right);
  await assert.rejects(validateBatchAsync(header, batch, 0, maxDataBytes), right);
}

const records: RecordInput[] = [
  { key: 'a', value: 'one', timestampMs: 1000 },
  { value: 'two', timestampMs: 3000, headers: [{ key: 'h', value: null }] },
  { key: 'c', timestampMs: 500 },
  { key: 'd', timestampMs: 3000 },
];

for (const codec of compressionCodecs) {
  test(`${codec}: sums up what a broker must know`, async () => {
    const batch = compressed(buildBatch({ baseOffset: 70, records }), codec);
    const { sizeBytes, ...summary } = await validated(batch);
    assert.equal(sizeBytes, buildBatch({ records }).length - batchOverheadBytes);
    assert.deepEqual(summary, {
      minTimestampMs: 500,
      maxTimestampMs: 3000,
      maxTimestampOffsetDelta: 1,
      nullKeys: 1,
    });
  });

  test(`${codec}: refuses another number of records than the header says`, async () => {
    for (const [recordCount, message] of [
      [3, /record 2: 7 bytes follow it|record 2: \d+ bytes follow it/],
      [5, /record 4: the bytes end/],
    ] as const) {
      const batch = buildBatch({ records });
      batch.writeInt32BE(recordCount - 1, 23);
      batch.writeInt32BE(recordCount, 57);
      await refused(compressed(batch, codec), 'INVALID', message);
    }
  });

  test(`${codec}: refuses offsets with gaps, repeats and jumps back`, async () => {
    const one = buildBatch({ records: [{ value: 'x' }] }).subarray(batchOverheadBytes);
    assert.equal(one[3], 0);
    for (const deltas of [
      [0, 2, 3],
      [0, 0, 1],
      [1, 2, 3],
      [0, 2, 1],
      [0, 1, -1],
    ]) {
      const parts = deltas.map((delta) => Buffer.from(one).fill((delta << 1) ^ (delta >> 31), 3, 4));
      const data = Buffer.concat(parts);
      const batch = buildBatch({ records: [{}, {}, {}] });
      const wrong = deltas.findIndex((delta, index) => delta !== index);
      const message = new RegExp(`record ${wrong} has offset delta ${deltas[wrong]}`);
      await refused(withRecords(batch, codec, compress(codec, data)), 'INVALID', message);
    }
  });
}

test('timestamps of -1 are no timestamps', async () => {
  const none = await validated(buildBatch({ records: [{ timestampMs: -1 }, { timestampMs: -1 }] }));
  assert.equal(none.minTimestampMs, undefined);
  assert.equal(none.maxTimestampMs, -1);
  assert.equal(none.maxTimestampOffsetDelta, -1);
  const one = await validated(buildBatch({ records: [{ timestampMs: -1 }, { timestampMs: 7 }] }));
  assert.equal(one.minTimestampMs, 7);
  assert.equal(one.maxTimestampMs, 7);
  assert.equal(one.maxTimestampOffsetDelta, 1);
});

test('the greatest timestamp is that of the records, whatever the header claims', () => {
  const batch = buildBatch({ records });
  batch.writeBigInt64BE(1n, 35);
  const header = readBatchHeader(batch, 0);
  assert.equal(validateRecords(header, batch.subarray(batchOverheadBytes)).maxTimestampMs, 3000);
});

test('compressed bytes that are none, and those that hold too much, are told apart', async () => {
  const batch = buildBatch({ records: [{ value: Buffer.alloc(100_000) }] });
  for (const codec of compressionCodecs) {
    await refused(compressed(batch, codec), 'TOO_LARGE', /more than 99999 bytes/, 99_999);
    if (codec === 'none') continue;
    await refused(withRecords(batch, codec, Buffer.from('certainly not this')), 'INVALID', new RegExp(codec));
    await refused(withRecords(batch, codec, Buffer.alloc(0)), 'INVALID', new RegExp(codec));
  }
  batch[22] = 5;
  await refused(batch, 'UNSUPPORTED_COMPRESSION', /codec 5/);
});
