/** Batches between us and the two clients written in JavaScript, both ways, with every codec that they bring. */
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { createRecordsBatch, Reader, readRecordsBatch } from '@platformatic/kafka';
import fc from 'fast-check';
import { batchData } from './batch-data.ts';
import { compressionCodecs, codecId } from './compression/codec.ts';
import { buildBatch } from './record-batch-builder.ts';
import { parseBatches } from './record-batch.ts';
import { RecordCursor } from './records.ts';
import { validateBatch } from './validate-records.ts';

interface PlainRecord {
  readonly key: string | null;
  readonly value: string | null;
  readonly timestampMs: number;
  readonly headers: readonly (readonly [key: string, value: string])[];
}

/** Values that repeat now and then: a codec has something to do. Header keys are unique: kafkajs has them in an object. */
const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.integer({ min: 1, max: 400 }).map((times) => 'value '.repeat(times)),
);
const record: fc.Arbitrary<PlainRecord> = fc.record({
  key: fc.option(text),
  value: fc.option(text),
  timestampMs: fc.integer({ min: 1_700_000_000_000, max: 1_700_100_000_000 }),
  headers: fc.uniqueArray(fc.tuple(fc.stringMatching(/^h-[a-z]{1,20}$/), text), {
    maxLength: 3,
    selector: ([key]) => key,
  }),
});
const records = fc.array(record, { minLength: 1, maxLength: 12 });

function builtByUs(inputs: readonly PlainRecord[], codec: (typeof compressionCodecs)[number]): Buffer {
  const built = inputs.map(({ headers, ...rest }) => ({
    ...rest,
    headers: headers.map(([key, value]) => ({ key, value })),
  }));
  return buildBatch({ records: built, baseOffset: 1000, compression: codec });
}

function readByUs(batch: Buffer): PlainRecord[] {
  const [header] = parseBatches(batch, { verifyCrc: true });
  assert.ok(header !== undefined);
  const { maxTimestampMs } = validateBatch(header, batch, 0, 2 ** 30);
  const cursor = new RecordCursor(header, batchData(header, batch, 0, 2 ** 30));
  const all: PlainRecord[] = [];
  while (cursor.next()) {
    const { key, value, timestampMs } = cursor;
    const headers = cursor.headers.map((entry) => [entry.key, plain(entry.value) ?? ''] as const);
    all.push({ key: plain(key), value: plain(value), timestampMs, headers });
  }
  assert.equal(maxTimestampMs, Math.max(...all.map(({ timestampMs }) => timestampMs)));
  return all;
}

function plain(bytes: Uint8Array | null | undefined): string | null {
  return bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString();
}

/** fast-check makes objects without a prototype. */
function asExpected(inputs: readonly PlainRecord[]): PlainRecord[] {
  return inputs.map(({ key, value, timestampMs, headers }) => ({ key, value, timestampMs, headers }));
}

for (const codec of compressionCodecs) {
  test(`${codec}: @platformatic/kafka reads what we build`, () => {
    fc.assert(
      fc.property(records, (inputs) => {
        const batch = readRecordsBatch(Reader.from(builtByUs(inputs, codec)));
        assert.equal(batch.firstOffset, 1000n);
        const read = batch.records.map(({ key, value, timestampDelta, headers }) => ({
          key: plain(key),
          value: plain(value),
          timestampMs: Number(batch.firstTimestamp + timestampDelta),
          headers: headers.map((entry) => [plain(entry[0]), plain(entry[1])]),
        }));
        assert.deepEqual(read, asExpected(inputs));
      }),
    );
  });

  test(`${codec}: we read what @platformatic/kafka builds`, () => {
    fc.assert(
      fc.property(records, (inputs) => {
        const messages = inputs.map(({ key, value, timestampMs, headers }) => ({
          topic: 'topic',
          ...(key === null ? {} : { key: Buffer.from(key) }),
          // Its types want a value; null is a tombstone.
          value: (value === null ? null : Buffer.from(value)) as Buffer,
          timestamp: BigInt(timestampMs),
          headers: new Map(headers.map((entry) => [Buffer.from(entry[0]), Buffer.from(entry[1])])),
        }));
        const batch = createRecordsBatch(messages, { compression: codec });
        assert.deepEqual(readByUs(Buffer.from(batch.buffer)), asExpected(inputs));
      }),
    );
  });
}

/** What kafkajs has inside; it comes without types. */
interface KafkajsEncoder {
  readonly buffer: Buffer;
}
interface KafkajsRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly timestamp: string;
  readonly offset: string;
  readonly headers: Readonly<Record<string, Buffer>>;
}
const require = createRequire(import.meta.url);
const folder = 'kafkajs/src/protocol';
const { RecordBatch } = require(`${folder}/recordBatch/v0`) as {
  readonly RecordBatch: (input: Record<string, unknown>) => Promise<KafkajsEncoder>;
};
const encodeRecord = require(`${folder}/recordBatch/record/v0`) as (input: object) => KafkajsEncoder;
const decodeBatch = require(`${folder}/recordBatch/v0/decoder`) as (
  decoder: object,
) => Promise<{ readonly records: readonly KafkajsRecord[] }>;
const Decoder = require(`${folder}/decoder`) as new (bytes: Buffer) => object;

for (const codec of ['none', 'gzip'] as const) {
  test(`${codec}: kafkajs reads what we build`, async () => {
    await fc.assert(
      fc.asyncProperty(records, async (inputs) => {
        const batch = await decodeBatch(new Decoder(builtByUs(inputs, codec)));
        const read = batch.records.map(({ key, value, timestamp, headers }) => ({
          key: plain(key),
          value: plain(value),
          timestampMs: Number(timestamp),
          headers: Object.entries(headers).map(([name, bytes]) => [name, plain(bytes)]),
        }));
        assert.deepEqual(read, asExpected(inputs));
        assert.equal(batch.records[0]?.offset, '1000');
      }),
    );
  });

  test(`${codec}: we read what kafkajs builds`, async () => {
    await fc.assert(
      fc.asyncProperty(records, async (inputs) => {
        const firstTimestamp = inputs[0]?.timestampMs ?? 0;
        const encoded = inputs.map(({ key, value, timestampMs, headers }, offsetDelta) =>
          encodeRecord({
            key: key === null ? null : Buffer.from(key),
            value: value === null ? null : Buffer.from(value),
            offsetDelta,
            timestampDelta: timestampMs - firstTimestamp,
            headers: Object.fromEntries(headers.map(([name, bytes]) => [name, Buffer.from(bytes)])),
          }),
        );
        const batch = await RecordBatch({
          compression: codecId(codec),
          firstTimestamp,
          maxTimestamp: Math.max(...inputs.map(({ timestampMs }) => timestampMs)),
          lastOffsetDelta: inputs.length - 1,
          records: encoded,
        });
        assert.deepEqual(readByUs(batch.buffer), asExpected(inputs));
      }),
    );
  });
}
