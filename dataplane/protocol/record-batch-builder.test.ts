import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { batchData } from './batch-data.ts';
import { compressionCodecs } from './compression/codec.ts';
import { CompressionError } from './compression/compression-error.ts';
import { batchSizeBytes, buildBatch, buildBatchAsync } from './record-batch-builder.ts';
import { batchAttributes, parseBatches, type BatchHeader } from './record-batch.ts';
import type { RecordInput } from './record-encoder.ts';
import { RecordCursor } from './records.ts';
import { validateBatch } from './validate-records.ts';

const noLimit = 2 ** 30;
const bytes = fc.option(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.string({ maxLength: 300 })), {
  nil: undefined,
});
const record = fc.record({
  key: bytes,
  value: bytes,
  timestampMs: fc.oneof(
    fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_000 + 100_000 }),
    fc.integer({ min: -(2 ** 52), max: 2 ** 52 }),
  ),
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 80 }), value: fc.option(fc.string()) }), {
    maxLength: 4,
  }),
});
const records = fc.array(record, { minLength: 1, maxLength: 20 });

function onlyHeader(batch: Buffer): BatchHeader {
  const [header, ...others] = parseBatches(batch, { verifyCrc: true });
  assert.ok(header !== undefined && others.length === 0);
  return header;
}

function hex(value: Uint8Array | string | null | undefined): string | null {
  return value === null || value === undefined ? null : Buffer.from(value).toString('hex');
}

function contents(header: BatchHeader, batch: Buffer): unknown[] {
  const cursor = new RecordCursor(header, batchData(header, batch, 0, noLimit));
  const all: unknown[] = [];
  while (cursor.next()) {
    const headers = cursor.headers.map(({ key, value }) => [key, hex(value)]);
    all.push([cursor.offset, cursor.timestampMs, hex(cursor.key), hex(cursor.value), headers]);
  }
  return all;
}

function expectedContents(baseOffset: number, inputs: readonly RecordInput[]): unknown[] {
  return inputs.map(({ timestampMs, key, value, headers = [] }, index) => [
    baseOffset + index,
    timestampMs,
    hex(key),
    hex(value),
    headers.map((header) => [header.key, hex(header.value)]),
  ]);
}

for (const compression of compressionCodecs) {
  test(`${compression}: what is built is valid and read back, at once and asynchronously`, async () => {
    await fc.assert(
      fc.asyncProperty(records, fc.nat({ max: 2 ** 40 }), async (inputs, baseOffset) => {
        const producer = { producerId: 2 ** 40, producerEpoch: 7, baseSequence: 2 ** 31 - 1 };
        const input = { records: inputs, baseOffset, compression, leaderEpoch: 3, ...producer };
        const batch = buildBatch(input);
        const header = onlyHeader(batch);
        const { producerId, producerEpoch, baseSequence, leaderEpoch, attributes } = header;
        assert.deepEqual({ producerId, producerEpoch, baseSequence }, producer);
        assert.equal(leaderEpoch, 3);
        assert.equal(compressionCodecs[attributes], compression);
        assert.deepEqual(contents(header, batch), expectedContents(baseOffset, inputs));
        assert.equal(validateBatch(header, batch, 0, noLimit).sizeBytes + 61, batchSizeBytes(inputs));
        if (compression === 'none') assert.equal(batch.length, batchSizeBytes(inputs));
        const async = await buildBatchAsync(input);
        assert.deepEqual(contents(onlyHeader(async), async), expectedContents(baseOffset, inputs));
      }),
      { numRuns: 50 },
    );
  });
}

test('attributes are kept beside the codec', () => {
  const attributes = batchAttributes.transactional | batchAttributes.control;
  const batch = buildBatch({ records: [{ value: 'v' }], attributes, compression: 'zstd' });
  assert.equal(onlyHeader(batch).attributes, attributes | 4);
});

test('levels reach the codec', () => {
  const input = { records: [{ value: Buffer.alloc(100_000, 'some text that repeats itself, ') }] };
  const small = buildBatch({ ...input, compression: 'gzip', compressionLevel: 9 });
  const large = buildBatch({ ...input, compression: 'gzip', compressionLevel: 1 });
  assert.ok(small.length < large.length);
  assert.throws(() => buildBatch({ ...input, compression: 'lz4', compressionLevel: 1 }), CompressionError);
});

test('refuses what no batch can say', () => {
  assert.throws(() => buildBatch({ records: [] }), /at least one record/);
  assert.throws(() => buildBatch({ records: [{}], attributes: 1 }), /codec is given by name/);
  const apart = [{ timestampMs: -(2 ** 53) + 1 }, { timestampMs: 2 ** 53 - 1 }];
  assert.throws(() => buildBatch({ records: apart }), /cannot be written exactly/);
});
