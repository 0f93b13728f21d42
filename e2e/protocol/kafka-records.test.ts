import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import { snappyCompress } from '@platformatic/wasm-utils';
import fc from 'fast-check';
import { checkProducedRecords } from '../../dataplane/broker/produced-records.ts';
import {
  codecId,
  compressionCodecs,
  type CompressionCodec,
} from '../../dataplane/protocol/compression/codec.ts';
import { compress } from '../../dataplane/protocol/compression/compress.ts';
import { xxhash32 } from '../../dataplane/protocol/compression/xxhash32.ts';
import { buildBatch, type BatchInput } from '../../dataplane/protocol/record-batch-builder.ts';
import {
  batchAttributes,
  batchOverheadBytes,
  setLogAppendTime,
} from '../../dataplane/protocol/record-batch.ts';
import type { RecordInput } from '../../dataplane/protocol/record-encoder.ts';
import { skipUnless } from '../tools/real-part.ts';
import { appendToKafka, readByKafka } from './kafka-record-batches.ts';

const time = 1_700_000_000_000;

const bytes = fc.option(fc.uint8Array({ maxLength: 2000 }), { nil: undefined });
const record = fc.record({
  key: bytes,
  value: fc.oneof(
    bytes,
    fc.integer({ min: 1, max: 200_000 }).map((length) => Buffer.alloc(length, 'value, ')),
  ),
  timestampMs: fc.oneof(fc.constant(-1), fc.integer({ min: time, max: time + 10_000_000 })),
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 80 }), value: fc.option(fc.uint8Array()) }), {
    maxLength: 3,
  }),
});
const batch: fc.Arbitrary<BatchInput> = fc.record({
  baseOffset: fc.nat({ max: 2 ** 50 }),
  leaderEpoch: fc.nat(),
  producerId: fc.nat({ max: 2 ** 50 }),
  producerEpoch: fc.nat({ max: 2 ** 15 - 1 }),
  baseSequence: fc.nat({ max: 2 ** 31 - 1 }),
  attributes: fc.constantFrom(0, batchAttributes.transactional),
  compression: fc.constantFrom(...compressionCodecs),
  records: fc.array(record, { minLength: 1, maxLength: 20 }),
});

function hex(value: Uint8Array | string | null | undefined): string | null {
  return value === null || value === undefined ? null : Buffer.from(value).toString('hex');
}

function expected(input: BatchInput): unknown {
  const { records, baseOffset = 0, attributes = 0, compression: codec, ...rest } = input;
  return {
    ...rest,
    baseOffset,
    lastOffset: baseOffset + records.length - 1,
    codec,
    timestampType: 'CreateTime',
    maxTimestampMs: Math.max(...records.map(({ timestampMs = 0 }) => timestampMs)),
    transactional: attributes !== 0,
    control: false,
    records: records.map(({ timestampMs, key, value, headers = [] }, index) => ({
      offset: baseOffset + index,
      timestampMs,
      key: hex(key),
      value: hex(value),
      headers: headers.map((header) => [hex(header.key), hex(header.value)]),
    })),
  };
}

/** `data` after the header of `batch`, in length and CRC right whatever it is. */
function withData(batch: Buffer, codec: CompressionCodec | number, data: Uint8Array): Buffer {
  const changed = Buffer.concat([batch.subarray(0, batchOverheadBytes), data]);
  changed[22] = typeof codec === 'number' ? codec : codecId(codec);
  return finish(changed);
}

function changed(change: (batch: Buffer) => void): Buffer {
  const copy = Buffer.from(two);
  change(copy);
  return finish(copy);
}

function finish(batch: Buffer): Buffer {
  batch.writeInt32BE(batch.length - 12, 8);
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
  return batch;
}

const records: readonly RecordInput[] = [
  { key: 'a', value: 'one', timestampMs: time },
  { value: 'two', timestampMs: time + 1, headers: [{ key: 'h', value: null }] },
];
const two = buildBatch({ records });
const data = two.subarray(batchOverheadBytes);
const one = buildBatch({ records: [{ timestampMs: time }] });

/** The error of both, or Kafka's and ours. */
type Case = readonly [name: string, batch: Uint8Array, kafka: string, ours?: string];

/**
 * `accident`: Kafka fails with UNKNOWN_SERVER_ERROR where its code did not foresee the fault. `poison`: Kafka takes what
 * no client can read, and we do not.
 */
const accident = 'UNKNOWN_SERVER_ERROR';
const poison = 'NONE';
const invalid = 'INVALID_RECORD';

function batchCases(): Case[] {
  const message = Buffer.alloc(36);
  message.writeInt32BE(24, 8);
  message[16] = 1;
  return [
    ['sound', two, 'NONE'],
    ['of message format 1', message, invalid],
    ['of message format 0', Buffer.from(message).fill(0, 16, 17), invalid],
    ['none', Buffer.alloc(0), invalid],
    ['two', Buffer.concat([two, two]), invalid],
    ['cut', two.subarray(0, -1), invalid],
    ['cut in the header', two.subarray(0, 40), invalid],
    ['with a wrong CRC', Buffer.from(two).fill(0xff, 80, 81), 'CORRUPT_MESSAGE'],
    ['of codec 5', withData(two, 5, data), accident, 'UNSUPPORTED_COMPRESSION_TYPE'],
    ['with control records', changed((copy) => copy.writeInt16BE(batchAttributes.control, 21)), invalid],
    ['with count -1', changed((copy) => copy.writeInt32BE(-1, 57)), invalid],
    ['with another last offset', changed((copy) => copy.writeInt32BE(5, 23)), invalid],
    ['with a producer id and no sequence', changed((copy) => copy.writeBigInt64BE(5n, 43)), invalid],
    ['with a sequence and no producer id', changed((copy) => copy.writeInt32BE(1, 53)), 'NONE'],
    ['with another max timestamp', changed((copy) => copy.writeBigInt64BE(1n, 35)), 'NONE'],
    ['with unused attributes', changed((copy) => copy.writeUInt16BE(0xff80, 21)), 'NONE'],
    ['without timestamps', buildBatch({ records: [{ timestampMs: -1 }] }), 'NONE'],
    ['of the far future', buildBatch({ records: [{ timestampMs: 2 ** 52 }] }), 'INVALID_TIMESTAMP'],
    [
      'with nanoseconds',
      changed((copy) => {
        copy.writeBigInt64BE(BigInt(time) * 1_000_000n, 27);
        copy.writeBigInt64BE(BigInt(time) * 1_000_000n, 35);
      }),
      'INVALID_TIMESTAMP',
    ],
    ['with log append time', appendTime(), 'NONE'],
    ['of raw snappy', withData(two, 'snappy', snappyCompress(data)), 'NONE'],
    ['of gzip with zeros after it', withData(two, 'gzip', padded('gzip')), 'NONE'],
    ...lz4Cases(),
  ];
}

function appendTime(): Buffer {
  const copy = Buffer.from(two);
  setLogAppendTime(copy, 0, time);
  return copy;
}

function padded(codec: CompressionCodec): Buffer {
  return Buffer.concat([compress(codec, data), Buffer.alloc(4)]);
}

function lz4Cases(): Case[] {
  const frame = (flags: string, ...parts: Uint8Array[]): Buffer => {
    const descriptor = Buffer.from(flags, 'hex');
    const checksum = Buffer.of((xxhash32(descriptor, 0, descriptor.length) >>> 8) & 0xff);
    const magic = Buffer.from('04224d18', 'hex');
    return withData(two, 'lz4', Buffer.concat([magic, descriptor, checksum, ...parts]));
  };
  const word = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const stored = Buffer.concat([word(0x80000000 + data.length), data]);
  const end = word(0);
  return [
    ['of a stored LZ4 block', frame('6040', stored, end), 'NONE'],
    ['of LZ4 blocks that depend on one another', frame('4040', stored, end), accident, invalid],
    ['of LZ4 with a wrong checksum of its content', frame('6440', stored, end, word(1)), 'NONE'],
    ['of LZ4 with a wrong checksum of a block', frame('7040', stored, word(1), end), accident, invalid],
    ['of LZ4 with a block of no bytes', frame('6040', word(0x80000000), stored, end), invalid],
    ['of LZ4 without end', frame('6040', stored), accident, invalid],
    ['of LZ4 with blocks of 16 KiB', frame('6030', stored, end), accident, invalid],
    ['of LZ4 with bytes after its end', frame('6040', stored, end, word(1)), 'NONE', invalid],
    ['of two LZ4 frames', frame('6040', stored, end, compress('lz4', data)), 'NONE', invalid],
  ];
}

function recordCases(codec: CompressionCodec): Case[] {
  const isPlain = codec === 'none';
  const packed = Buffer.from(compress(codec, data));
  const of = (records: string): Buffer =>
    withData(one, codec, compress(codec, Buffer.from(records.replaceAll(' ', ''), 'hex')));
  const counted = (count: number): Buffer => {
    const copy = withData(two, codec, packed);
    copy.writeInt32BE(count - 1, 23);
    copy.writeInt32BE(count, 57);
    return finish(copy);
  };
  const gap = Buffer.from(data);
  gap[3] = 2;
  const garbage = Buffer.from('certainly not what it should be, and long enough');
  const cases: Case[] = [
    ['sound', withData(two, codec, packed), 'NONE'],
    ['garbage', withData(two, codec, garbage), isPlain ? invalid : accident, invalid],
    [
      'nothing',
      withData(two, codec, Buffer.alloc(0)),
      isPlain || codec === 'zstd' ? invalid : accident,
      invalid,
    ],
    ['cut', withData(two, codec, packed.subarray(0, -3)), isPlain ? invalid : accident, invalid],
    [
      'a byte after the records',
      withData(two, codec, compress(codec, Buffer.concat([data, Buffer.of(0)]))),
      invalid,
    ],
    ['fewer than the header says', counted(3), invalid],
    ['more than the header says', counted(1), invalid],
    [
      'a gap in the offsets',
      withData(two, codec, compress(codec, gap)),
      isPlain ? 'NONE' : accident,
      invalid,
    ],
    ['a negative length', of('01 00 00 00 01 01 00'), isPlain ? invalid : poison, invalid],
    ['a length beyond the end', of('0e 00 00 00 01 01 00'), isPlain ? invalid : poison, invalid],
    ['a length that is too short', of('0a 00 00 00 01 01 00'), isPlain ? invalid : poison, invalid],
    ['a length that is too long', of('0e 00 00 00 01 01 00 00'), invalid],
    ['a key beyond the end', of('0c 00 00 00 06 01 00'), invalid],
    ['a header without key', of('10 00 00 00 01 01 02 01 01'), invalid],
    ['a negative number of headers', of('0c 00 00 00 01 01 01'), invalid],
    ['more headers than bytes', of('14 00 00 00 01 01 feffffff0f'), invalid],
    ['a key of length -2', of('0c 00 00 00 03 01 00'), 'NONE'],
    ['attributes of a record', of('0c ff 00 00 01 01 00'), 'NONE'],
  ];
  if (codec === 'gzip' || codec === 'snappy' || codec === 'zstd') {
    const parts = [data.subarray(0, 9), data.subarray(9)].map((part) => compress(codec, part));
    cases.push(['two streams', withData(two, codec, Buffer.concat(parts)), 'NONE']);
  }
  return cases.map(([name, ...rest]) => [`${codec}: ${name}`, ...rest]);
}

/** Of the configs' defaults. */
const settings = {
  maxMessageBytes: 1_048_588,
  logAppendTime: false,
  needsKeys: false,
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: 3_600_000,
  isTable: false,
};

function ourAnswer(bytes: Uint8Array): { readonly error: string; readonly maxTimestampMs?: number } {
  const copy = Buffer.from(bytes);
  const answer = checkProducedRecords(copy, { settings, apiVersion: 12, nowMs: Date.now() });
  return 'error' in answer ? answer : { error: 'NONE', maxTimestampMs: answer.maxTimestampMs };
}

describe("Kafka's own record batches", { skip: await skipUnless('kafka') }, () => {
  test('a consumer reads what we build, with every codec', async () => {
    const inputs = fc.sample(batch, 300);
    const seen = await readByKafka(inputs.map((input) => buildBatch(input)));
    for (const [index, input] of inputs.entries()) assert.deepEqual(seen[index], [plain(expected(input))]);
  });

  test('a broker takes what we build', async () => {
    const inputs = fc.sample(batch, 100);
    const answers = await appendToKafka(
      inputs.map((input) => buildBatch({ ...input, baseOffset: 0, attributes: 0 })),
    );
    for (const { error, why } of answers) assert.equal(error, 'NONE', why);
  });

  test('a broker of ours answers to faulty batches as one of Kafka, or more to the point', async () => {
    const cases = [...batchCases(), ...compressionCodecs.flatMap((codec) => recordCases(codec))];
    const answers = await appendToKafka(cases.map(([, bytes]) => bytes));
    for (const [index, [name, bytes, kafka, ours = kafka]] of cases.entries()) {
      const theirs = answers[index];
      assert.ok(theirs !== undefined);
      assert.equal(theirs.error, kafka, `Kafka to a batch ${name}: ${theirs.why}`);
      const answer = ourAnswer(bytes);
      assert.equal(answer.error, ours, `a batch ${name}`);
      if (theirs.error === 'NONE' && answer.error === 'NONE') {
        assert.equal(answer.maxTimestampMs, theirs.maxTimestampMs, name);
      }
    }
  });
});

/** fast-check makes objects without a prototype. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
