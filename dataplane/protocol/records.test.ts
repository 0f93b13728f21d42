import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildBatch } from './record-batch-builder.ts';
import {
  batchOverheadBytes,
  RecordBatchError,
  readBatchHeader,
  type BatchHeader,
  type RecordBatchErrorCode,
} from './record-batch.ts';
import type { RecordInput } from './record-encoder.ts';
import { RecordCursor } from './records.ts';

interface PlainRecord {
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly { readonly key: string; readonly value: Buffer | null }[];
}

function readAll(header: BatchHeader, records: Uint8Array): PlainRecord[] {
  const plain = (bytes: Uint8Array | null): Buffer | null => (bytes === null ? null : Buffer.from(bytes));
  const all: PlainRecord[] = [];
  const cursor = new RecordCursor(header, records);
  while (cursor.next()) {
    const { offset, timestampMs, key, value, headers } = cursor;
    all.push({
      offset,
      timestampMs,
      key: plain(key),
      value: plain(value),
      headers: headers.map((entry) => ({ key: entry.key, value: plain(entry.value) })),
    });
  }
  return all;
}

function split(batch: Buffer): { header: BatchHeader; records: Buffer } {
  return { header: readBatchHeader(batch, 0), records: batch.subarray(batchOverheadBytes) };
}

const bytes = fc.option(fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)));
const plainObjects = { noNullPrototype: true };
const record = fc.record(
  {
    key: bytes,
    value: bytes,
    timestampMs: fc.integer({ min: -(2 ** 52), max: 2 ** 52 }),
    headers: fc.array(fc.record({ key: fc.string({ maxLength: 100 }), value: bytes }, plainObjects), {
      maxLength: 3,
    }),
  },
  plainObjects,
);

test('records are read back as they were built', () => {
  const baseOffset = fc.integer({ min: 0, max: 2 ** 52 });
  fc.assert(
    fc.property(baseOffset, fc.array(record, { minLength: 1, maxLength: 5 }), (baseOffset, inputs) => {
      const { header, records } = split(buildBatch({ baseOffset, records: inputs }));
      const expected = inputs.map((input, index) => ({ offset: baseOffset + index, ...input }));
      assert.deepEqual(readAll(header, records), expected);
    }),
  );
});

test('views share the memory of the batch', () => {
  const { header, records } = split(buildBatch({ records: [{ key: 'key', value: 'value' }] }));
  const cursor = new RecordCursor(header, records);
  assert.ok(cursor.next());
  assert.equal(cursor.value?.buffer, records.buffer);
  assert.equal(records.subarray(cursor.keyStart, cursor.keyEnd).toString(), 'key');
  assert.equal(records.subarray(cursor.valueStart, cursor.valueEnd).toString(), 'value');
  assert.equal(cursor.headerCount, 0);
  assert.ok(!cursor.next() && !cursor.next());
});

test('headers can be read twice, and going on after them works', () => {
  const headers = [
    { key: 'a', value: 'one' },
    { key: '', value: null },
  ];
  const { header, records } = split(buildBatch({ records: [{ headers }, { headers, value: 'v' }] }));
  const cursor = new RecordCursor(header, records);
  assert.ok(cursor.next());
  assert.deepEqual(cursor.headers, cursor.headers);
  assert.equal(cursor.headerCount, 2);
  assert.ok(cursor.next());
  assert.deepEqual(
    cursor.headers.map(({ key }) => key),
    ['a', ''],
  );
  assert.ok(!cursor.next());
});

test('log append time is the time of every record', () => {
  const batch = buildBatch({ records: [{ timestampMs: 5 }, { timestampMs: 9 }], attributes: 0x08 });
  const { header, records } = split(batch);
  assert.deepEqual(
    readAll(header, records).map(({ timestampMs }) => timestampMs),
    [9, 9],
  );
});

test('a batch that compaction left gaps in is read', () => {
  const first = buildBatch({ records: [{ value: 'a' }, { value: 'b' }, { value: 'c' }] });
  const { header, records } = split(first);
  // Each of the three takes 8 bytes.
  const kept = Buffer.concat([records.subarray(0, 8), records.subarray(16)]);
  const all = readAll({ ...header, baseOffset: 10, recordCount: 2 }, kept);
  assert.deepEqual(
    all.map(({ offset, value }) => [offset, value?.toString()]),
    [
      [10, 'a'],
      [12, 'c'],
    ],
  );
});

/** A header of a batch with so many records, at time 1000. */
function headerFor(recordCount: number): BatchHeader {
  const records: RecordInput[] = Array.from({ length: recordCount }, () => ({ timestampMs: 1000 }));
  return readBatchHeader(buildBatch({ records }), 0);
}

function refused(
  hex: string,
  message: RegExp,
  recordCount = 1,
  code: RecordBatchErrorCode = 'INVALID',
): void {
  assert.throws(
    () => readAll(headerFor(recordCount), Buffer.from(hex.replaceAll(' ', ''), 'hex')),
    (error: unknown) => {
      assert.ok(error instanceof RecordBatchError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    },
  );
}

test('refuses records that do not add up', () => {
  const sound = '0c 00 00 00 01 01 00';
  assert.equal(readAll(headerFor(1), Buffer.from(sound.replaceAll(' ', ''), 'hex')).length, 1);
  refused(sound, /record 1: the bytes end/, 2);
  refused(`${sound} 00`, /1 bytes follow it/);
  refused(`${sound} ${sound}`, /7 bytes follow it/);
  refused('0e 00 00 00 01 01 00', /a length of 7, 6 bytes are left/);
  refused('01 00 00 00 01 01 00', /a length of -1/);
  refused('0a 00 00 00 01 01 00', /take 1 bytes more/);
  refused('0e 00 00 00 01 01 00 00', /take -1 bytes more/);
  refused('0c 00 00 00 06 01 00', /a key of 3 bytes, 2 are left/);
  refused('0c 00 00 00 01 06 00', /a value of 3 bytes, 1 are left/);
  refused('0c 00 00 00 01 01 01', /-1 headers/);
  refused('0c 00 00 00 01 01 02', /1 headers in 0 bytes/);
  refused('14 00 00 00 01 01 feffffff0f', /2147483647 headers in 0 bytes/);
  refused('10 00 00 00 01 01 02 01 01', /a header without a key/);
  refused('10 00 00 00 01 01 02 00 04', /a header value of 2 bytes, 0 are left/);
});

test('refuses numbers with more bits than their type, or than can be held', () => {
  refused('808080808001 00', /more than 32 bits/);
  refused('8080808010 00', /more than 32 bits/);
  // 2^53 - 1 - 1000 is the last timestamp delta that is accepted.
  const delta = (value: bigint): string => {
    let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
    const out: number[] = [];
    for (; rest > 0x7fn; rest >>= 7n) out.push(Number(rest & 0x7fn) | 0x80);
    out.push(Number(rest));
    return Buffer.from([(5 + out.length) << 1, 0, ...out, 0, 1, 1, 0]).toString('hex');
  };
  for (const value of [
    2n ** 53n - 1001n,
    -(2n ** 53n) + 1n,
    0n,
    1n,
    -1n,
    2n ** 28n,
    -(2n ** 28n),
    2n ** 35n,
  ]) {
    const [read] = readAll(headerFor(1), Buffer.from(delta(value), 'hex'));
    assert.equal(read?.timestampMs, Number(value + 1000n));
  }
  for (const value of [
    2n ** 53n - 1000n,
    2n ** 53n,
    2n ** 63n - 1n,
    -(2n ** 53n),
    -(2n ** 53n) - 1n,
    -(2n ** 63n),
  ]) {
    refused(delta(value), /beyond ±2\^53/, 1, 'INVALID_TIMESTAMP');
  }
  refused('1e 00 80808080808080808002 00 01 01 00', /more than 64 bits/);
  refused('20 00 8080808080808080808001 00 01 01 00', /more than 64 bits/);
});

test('hostile bytes give records or a typed error', () => {
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 1, maxLength: 4 }),
      damage,
      fc.nat(),
      (inputs, changes, cut) => {
        const { header, records } = split(buildBatch({ records: inputs }));
        for (const [at, value] of changes) records[at % records.length] = value;
        for (const hostile of [records, records.subarray(0, cut % records.length)]) {
          try {
            for (const { key, value } of readAll(header, hostile)) {
              assert.ok((key?.length ?? 0) + (value?.length ?? 0) <= records.length);
            }
          } catch (error) {
            assert.ok(error instanceof RecordBatchError && error.code.startsWith('INVALID'), String(error));
          }
        }
      },
    ),
    { numRuns: 2000 },
  );
});
