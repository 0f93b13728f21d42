import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildBatch, type BatchInput } from './record-batch-builder.ts';
import {
  batchAttributes,
  isControl,
  isTransactional,
  lastSequence,
  parseBatches,
  patchBatch,
  readBatchHeader,
  RecordBatchError,
  setLogAppendTime,
  setMaxTimestamp,
  type RecordBatchErrorCode,
} from './record-batch.ts';

/** Put together by hand from the message format; only the CRC was computed. */
const literal = Buffer.from(
  [
    '0000000000000000', // base offset
    '00000044', // 68 bytes follow
    'ffffffff', // leader epoch
    '02', // magic
    'f6c0cd0b', // CRC
    '0000', // attributes
    '00000001', // last offset delta
    '0000018bcfe56800', // 1700000000000
    '0000018bcfe56801',
    '0000000000000007', // producer id
    '0001', // producer epoch
    '00000003', // base sequence
    '00000002', // records
    '16 00 00 00 02 6b 02 76 02 02 68 01', // length 11: k = v, header h = null
    '0c 00 02 02 01 01 00', // length 6: one millisecond and one offset later, null = null
  ]
    .join('')
    .replaceAll(' ', ''),
  'hex',
);

const literalInput: BatchInput = {
  records: [
    { key: 'k', value: 'v', timestampMs: 1_700_000_000_000, headers: [{ key: 'h', value: null }] },
    { timestampMs: 1_700_000_000_001 },
  ],
  producerId: 7,
  producerEpoch: 1,
  baseSequence: 3,
};

test('reads a batch given byte by byte', () => {
  assert.deepEqual(parseBatches(literal, { verifyCrc: true }), [
    {
      baseOffset: 0,
      sizeBytes: 80,
      leaderEpoch: -1,
      magic: 2,
      crc: 0xf6c0cd0b,
      attributes: 0,
      lastOffsetDelta: 1,
      baseTimestampMs: 1_700_000_000_000,
      maxTimestampMs: 1_700_000_000_001,
      producerId: 7,
      producerEpoch: 1,
      baseSequence: 3,
      recordCount: 2,
    },
  ]);
});

test('builds the same bytes', () => {
  assert.equal(buildBatch(literalInput).toString('hex'), literal.toString('hex'));
});

const time = fc.integer({ min: -(2 ** 52), max: 2 ** 52 });
const natural = fc.integer({ min: 0, max: 2 ** 52 });

test('what is built is read back, several batches in a row', () => {
  const batch = fc.record({
    baseOffset: natural,
    leaderEpoch: fc.integer({ min: -1, max: 2 ** 31 - 1 }),
    attributes: fc.constantFrom(0, batchAttributes.logAppendTime, batchAttributes.transactional),
    producerId: natural,
    producerEpoch: fc.integer({ min: 0, max: 0x7fff }),
    baseSequence: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    records: fc.array(
      fc.record({
        key: fc.option(fc.uint8Array({ maxLength: 20 })),
        value: fc.option(fc.uint8Array({ maxLength: 200 })),
        timestampMs: time,
      }),
      { minLength: 1, maxLength: 4 },
    ),
  });
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 4 }), (inputs) => {
      const bytes = Buffer.concat(inputs.map((input) => buildBatch(input)));
      const headers = parseBatches(bytes, { verifyCrc: true });
      assert.equal(headers.length, inputs.length);
      for (const [index, input] of inputs.entries()) {
        const header = headers[index];
        assert.ok(header !== undefined);
        const { baseOffset, leaderEpoch, attributes, producerId, producerEpoch, baseSequence } = header;
        const { records, ...fields } = input;
        assert.deepEqual(
          { baseOffset, leaderEpoch, attributes, producerId, producerEpoch, baseSequence },
          fields,
        );
        assert.equal(header.recordCount, records.length);
        assert.equal(header.baseTimestampMs, records[0]?.timestampMs);
        assert.equal(header.maxTimestampMs, Math.max(...records.map(({ timestampMs }) => timestampMs)));
      }
    }),
  );
});

test('assigning offset and epoch changes nothing else and leaves the CRC valid', () => {
  fc.assert(
    fc.property(natural, fc.integer({ min: 0, max: 2 ** 31 - 1 }), (baseOffset, leaderEpoch) => {
      const bytes = Buffer.concat([literal, literal]);
      patchBatch(bytes, 80, baseOffset, leaderEpoch);
      const [first, second] = parseBatches(bytes, { verifyCrc: true });
      assert.deepEqual(first, readBatchHeader(literal, 0));
      assert.deepEqual(second, { ...readBatchHeader(literal, 0), baseOffset, leaderEpoch });
    }),
  );
});

test('log append time sets attribute and max timestamp under a new, valid CRC', () => {
  const bytes = Buffer.concat([literal, literal]);
  setLogAppendTime(bytes, 80, 1_800_000_000_000);
  const [first, second] = parseBatches(bytes, { verifyCrc: true });
  assert.ok(first !== undefined && second !== undefined);
  assert.deepEqual(first, readBatchHeader(literal, 0));
  assert.notEqual(second.crc, first.crc);
  assert.deepEqual(second, {
    ...first,
    crc: second.crc,
    attributes: batchAttributes.logAppendTime,
    maxTimestampMs: 1_800_000_000_000,
  });
});

test('a max timestamp that is set leaves a valid CRC, and the times of the records count again', () => {
  const bytes = Buffer.concat([literal, literal]);
  setLogAppendTime(bytes, 80, 5);
  setMaxTimestamp(bytes, 80, 1_700_000_000_001);
  assert.deepEqual(bytes, Buffer.concat([literal, literal]));
  assert.equal(parseBatches(bytes, { verifyCrc: true }).length, 2);
});

test('sequences wrap after 2^31 - 1', () => {
  assert.equal(lastSequence({ baseSequence: 5, lastOffsetDelta: 3 }), 8);
  assert.equal(lastSequence({ baseSequence: 2 ** 31 - 1, lastOffsetDelta: 0 }), 2 ** 31 - 1);
  assert.equal(lastSequence({ baseSequence: 2 ** 31 - 1, lastOffsetDelta: 1 }), 0);
  assert.equal(lastSequence({ baseSequence: 2 ** 31 - 2, lastOffsetDelta: 10 }), 8);
  assert.equal(lastSequence({ baseSequence: -1, lastOffsetDelta: 3 }), -1);
});

test('attribute bits', () => {
  assert.ok(isControl(0x30) && isTransactional(0x30));
  assert.ok(!isControl(0x10) && !isTransactional(0x20));
});

function refused(bytes: Uint8Array, code: RecordBatchErrorCode, message: RegExp, allowGaps = false): void {
  assert.throws(
    () => parseBatches(bytes, { verifyCrc: false, allowGaps }),
    (error: unknown) => {
      assert.ok(error instanceof RecordBatchError);
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    },
  );
}

function changed(change: (batch: Buffer) => void): Buffer {
  const batch = Buffer.from(literal);
  change(batch);
  return batch;
}

test('refuses what is not whole batches of format 2', () => {
  const twice = Buffer.concat([literal, literal]);
  for (let length = 1; length < twice.length; length++) {
    if (length === literal.length) continue;
    refused(twice.subarray(0, length), 'TRUNCATED', /only \d+ are there/);
  }
  refused(Buffer.concat([literal, Buffer.of(0)]), 'TRUNCATED', /record batch at byte 80/);
  refused(
    changed((batch) => batch.writeInt8(1, 16)),
    'UNSUPPORTED_MAGIC',
    /format 1, only format 2/,
  );
  refused(Buffer.alloc(17), 'UNSUPPORTED_MAGIC', /format 0/);
  refused(
    changed((batch) => batch.writeInt32BE(48, 8)),
    'INVALID',
    /length field is 48/,
  );
  refused(
    changed((batch) => batch.writeInt32BE(-1, 8)),
    'INVALID',
    /length field is -1/,
  );
  refused(
    changed((batch) => batch.writeUInt16BE(5, 21)),
    'UNSUPPORTED_COMPRESSION',
    /codec 5/,
  );
});

test('refuses fields that contradict one another', () => {
  const count = (records: number, delta: number): Buffer =>
    changed((batch) => {
      batch.writeInt32BE(delta, 23);
      batch.writeInt32BE(records, 57);
    });
  refused(count(1, 1), 'INVALID', /1 records do not fit a last offset delta of 1/);
  refused(count(3, 1), 'INVALID', /3 records/);
  refused(count(0, -1), 'INVALID', /delta is -1/);
  refused(count(3, 2), 'INVALID', /80 bytes are too few for 3 records/);
  refused(count(-1, 5), 'INVALID', /-1 records/, true);
  refused(count(7, 5), 'INVALID', /7 records/, true);
  assert.equal(parseBatches(count(1, 1000), { verifyCrc: false, allowGaps: true })[0]?.recordCount, 1);
  refused(
    changed((batch) => batch.writeInt32BE(-1, 0)),
    'INVALID',
    /offsets -?\d+/,
  );
  refused(
    changed((batch) => batch.writeInt16BE(-1, 51)),
    'INVALID',
    /epoch -1/,
  );
  refused(
    changed((batch) => batch.writeInt32BE(-1, 53)),
    'INVALID',
    /base sequence -1/,
  );
});

test('refuses numbers that would be rounded', () => {
  for (const [position, name] of [
    [0, 'base offset'],
    [27, 'base timestamp'],
    [35, 'max timestamp'],
    [43, 'producer id'],
  ] as const) {
    for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 53n), -(2n ** 63n)]) {
      const batch = changed((bytes) => bytes.writeBigInt64BE(value, position));
      const code = name.endsWith('timestamp') ? 'INVALID_TIMESTAMP' : 'INVALID';
      refused(batch, code, new RegExp(`${name} is beyond`));
    }
  }
});

test('every changed bit is noticed, except in offset and epoch, which the CRC does not cover', () => {
  for (let bit = 0; bit < literal.length * 8; bit++) {
    const position = bit >> 3;
    const batch = changed((bytes) =>
      bytes.writeUInt8(bytes.readUInt8(position) ^ (1 << (bit & 7)), position),
    );
    const outsideCrc = position < 8 || (position >= 12 && position < 16);
    try {
      parseBatches(batch, { verifyCrc: true });
      assert.ok(outsideCrc, `bit ${bit} went unnoticed`);
    } catch (error) {
      assert.ok(error instanceof RecordBatchError, `bit ${bit}: ${String(error)}`);
    }
  }
});
