import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildBatch } from '../../protocol/record-batch-builder.ts';
import { batchAttributes, readBatchHeader } from '../../protocol/record-batch.ts';
import { crc32c } from '../../store/crc32c.ts';
import {
  decodeContainer,
  decodeContainerTail,
  decodeIndexBytes,
  encodeContainer,
  readNote,
  type BlockInput,
  type ContainerInput,
  type EncodedContainer,
} from './container.ts';
import { footerBytes, noFooterHash } from './container-footer.ts';
import { decodeContainerHeader, headerBytes } from './container-header.ts';

const sid = '000102030405060708090a0b0c0d0e0f';
const topicId = 'f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff';
const where = 'wal/00/some-session/some-slot';

const bytesOf = (container: EncodedContainer): Buffer => Buffer.concat(container.pieces);

test('a fence, byte by byte', () => {
  const fence = encodeContainer({
    formatVersion: 1,
    kind: 'fence',
    sid,
    slot: 5,
    lastCheckpointSlot: 0,
    writerTimeMs: 1_700_000_000_000,
    previousFooterHash: noFooterHash,
    blocks: [],
    note: { reason: 'takeover' },
  });
  const header =
    '4649524e' + // FIRN
    '0001' + // format version
    '02' + // fence
    '00' +
    sid +
    '0000000000000005' + // slot
    '0000000000000000' + // no checkpoint
    '0000018bcfe56800' + // 1700000000000
    '00'.repeat(12) +
    'e7aebce7'; // CRC
  const note = Buffer.from('{"reason":"takeover"}').toString('hex');
  const index =
    header +
    noFooterHash +
    '00' + // not compressed
    '00000002' +
    '0000'; // no topics, no blocks
  const footer =
    '0000000000000055' + // index at 64 + 21
    '00000057' + // and 87 bytes long
    '975bea7e' + // index CRC
    'a8106298' + // body CRC
    noFooterHash +
    '00000000000000ec' + // 236 bytes in all
    '0001' +
    '00'.repeat(10) +
    '99555238' + // CRC
    '4e524946'; // NRIF
  assert.equal(bytesOf(fence).toString('hex'), header + note + index + footer);
  assert.deepEqual(readNote(bytesOf(fence), where), { reason: 'takeover' });
});

test('a slot with one block, byte by byte', () => {
  const batch = buildBatch({
    baseOffset: 1000,
    leaderEpoch: 3,
    records: [{ value: 'v', timestampMs: 1_700_000_000_007 }],
    producerId: 300,
    producerEpoch: 1,
    baseSequence: 9,
  });
  const slot = encodeContainer({
    formatVersion: 1,
    kind: 'data',
    sid,
    slot: 6,
    lastCheckpointSlot: 4,
    writerTimeMs: 1_700_000_000_010,
    previousFooterHash: '11'.repeat(16),
    blocks: [{ topicId, partition: 7, leaderEpoch: 3, pieces: [batch] }],
  });
  const bytes = bytesOf(slot);
  const index =
    '01' + // one topic
    topicId +
    '01' + // one block
    '01' + // records
    '00' + // topic
    '07' + // partition
    '03' + // leader epoch
    'e807' + // base offset
    '01' + // records
    crc32c(batch).toString(16).padStart(8, '0') +
    '01' + // one batch
    '01' + // it has a producer
    batch.length.toString(16) +
    '00' + // last offset is the base offset
    '00' + // attributes
    batch.toString('hex', 17, 21) + // its CRC
    '05' + // three milliseconds before the slot's time
    'ac02' + // producer id
    '01' + // producer epoch
    '0a'; // base sequence + 1
  assert.equal(bytes.toString('hex', headerBytes, headerBytes + batch.length), batch.toString('hex'));
  assert.equal(
    bytes.toString('hex', headerBytes + batch.length + headerBytes, bytes.length - footerBytes),
    `${'11'.repeat(16)}00${(index.length / 2).toString(16).padStart(8, '0')}${index}`,
  );
  assert.deepEqual(decodeContainer(bytes, where, { verifyBlocks: true }).index, [
    {
      kind: 'records',
      topicId,
      partition: 7,
      leaderEpoch: 3,
      baseOffset: 1000,
      lastOffset: 1000,
      position: 64,
      sizeBytes: batch.length,
      recordCount: 1,
      maxTimestampMs: 1_700_000_000_007,
      flags: 0,
      crc32c: crc32c(batch),
      batches: [
        {
          sizeBytes: batch.length,
          baseOffset: 1000,
          lastOffset: 1000,
          producerId: 300,
          producerEpoch: 1,
          baseSequence: 9,
          lastSequence: 9,
          maxTimestampMs: 1_700_000_000_007,
          attributes: 0,
          crc: readBatchHeader(batch, 0).crc,
        },
      ],
    },
  ]);
});

const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const int31 = fc.integer({ min: 0, max: 2 ** 31 - 1 });
const milliseconds = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }) },
  { weight: 1, arbitrary: fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }) },
  { weight: 1, arbitrary: fc.constant(-1) },
);

const producers = fc.oneof(
  fc.constant({}),
  fc.record({
    producerId: fc.constantFrom(0, 1, 2 ** 40),
    producerEpoch: fc.constantFrom(0, 0x7fff),
    baseSequence: fc.oneof(int31, fc.constantFrom(0, 1, 2, 2 ** 31 - 1)),
  }),
  fc.record({
    producerId: fc.constant(7),
    producerEpoch: fc.constant(2),
    attributes: fc.constant(batchAttributes.control | batchAttributes.transactional),
  }),
);

const block = (gaps: boolean): fc.Arbitrary<BlockInput> =>
  fc
    .record({
      topicId: fc.oneof(fc.constant(topicId), id),
      partition: int31,
      leaderEpoch: int31,
      baseOffset: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 2 ** 52 })),
      batches: fc.array(
        fc.record({
          gap: gaps ? fc.nat(1000) : fc.constant(0),
          timestampMs: milliseconds,
          records: fc.integer({ min: 1, max: 3 }),
          producer: producers,
        }),
        { minLength: 1, maxLength: 5 },
      ),
      piecesOf: fc.integer({ min: 1, max: 5 }),
    })
    .map(({ topicId, partition, leaderEpoch, baseOffset, batches, piecesOf }) => {
      let next = baseOffset;
      const encoded = batches.map(({ gap, timestampMs, records, producer }, index) => {
        if (index > 0) next += gap;
        const batch = buildBatch({
          ...producer,
          baseOffset: next,
          leaderEpoch,
          records: Array.from({ length: records }, (_, record) => ({
            value: `record ${record}`,
            timestampMs,
          })),
        });
        next += records;
        return batch;
      });
      const pieces: Uint8Array[] = [];
      for (let start = 0; start < encoded.length; start += piecesOf) {
        pieces.push(Buffer.concat(encoded.slice(start, start + piecesOf)));
      }
      return {
        topicId,
        partition,
        leaderEpoch,
        pieces,
      };
    });

const container: fc.Arbitrary<ContainerInput> = fc
  .constantFrom('data' as const, 'segment' as const)
  .chain((kind) =>
    fc.record({
      formatVersion: fc.constantFrom(1, 2),
      kind: fc.constant(kind),
      sid: id,
      slot: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      lastCheckpointSlot: fc.nat(),
      writerTimeMs: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
      previousFooterHash: id,
      blocks: fc.oneof(
        { weight: 3, arbitrary: fc.array(block(kind === 'segment'), { maxLength: 6 }) },
        // Large enough for the index to be compressed.
        { weight: 1, arbitrary: fc.array(block(kind === 'segment'), { minLength: 30, maxLength: 35 }) },
      ),
    }),
  );

test('what is encoded is decoded, in both format versions, from the whole object and from its tail', () => {
  fc.assert(
    fc.property(container, (input) => {
      const encoded = encodeContainer(input);
      const bytes = bytesOf(encoded);
      assert.equal(encoded.sizeBytes, bytes.length);
      assert.equal(encoded.crc32c, crc32c(bytes));

      const decoded = decodeContainer(bytes, where, { verifyBlocks: true });
      const { formatVersion, kind, sid, slot, lastCheckpointSlot, writerTimeMs } = input;
      const header = { formatVersion, kind, sid, slot, lastCheckpointSlot, writerTimeMs };
      assert.deepEqual(decoded.header, header);
      assert.deepEqual(decodeContainerHeader(bytes.subarray(0, headerBytes), where), header);
      assert.equal(decoded.footer.previousFooterHash, input.previousFooterHash);
      assert.equal(decoded.footer.footerHash, encoded.footerHash);
      assert.deepEqual(decoded.index, encoded.index);
      assert.deepEqual(Buffer.from(decoded.indexBytes), Buffer.from(encoded.indexBytes));

      const tail = decodeContainerTail(bytes.subarray(decoded.footer.indexPosition), bytes.length, where);
      assert.ok(tail.kind === 'decoded');
      assert.deepEqual({ ...tail, indexBytes: 0 }, { ...decoded, indexBytes: 0 });
      const { previousFooterHash } = input;
      assert.deepEqual(decodeIndexBytes(encoded.indexBytes, where), {
        header,
        previousFooterHash,
        index: encoded.index,
      });
    }),
    { numRuns: 200 },
  );
});

function slotOf(partitions: number, recordBytes: number): ContainerInput {
  return {
    formatVersion: 1,
    kind: 'data',
    sid,
    slot: 3,
    lastCheckpointSlot: 0,
    writerTimeMs: 1_700_000_000_000,
    previousFooterHash: noFooterHash,
    blocks: Array.from({ length: partitions }, (_, partition) => {
      const value = Buffer.alloc(recordBytes, partition);
      const piece = buildBatch({ baseOffset: 10, leaderEpoch: 0, records: [{ value }] });
      return { topicId, partition, leaderEpoch: 0, pieces: [piece] };
    }),
  };
}

test('an index above 1 KiB is compressed', () => {
  const compression = (partitions: number): number | undefined =>
    encodeContainer(slotOf(partitions, 10)).indexBytes[headerBytes + 16];
  assert.equal(compression(3), 0);
  assert.equal(compression(64), 1);
});

test('record bytes are passed on, not copied', () => {
  const input = slotOf(5, 100);
  const { pieces } = encodeContainer(input);
  assert.deepEqual(
    pieces.slice(1, -2).map((piece, index) => piece === input.blocks[index]?.pieces[0]),
    [true, true, true, true, true],
  );
});

test('a tail that is too short says how much is needed, in at most two steps', () => {
  const encoded = encodeContainer(slotOf(30, 20));
  const bytes = bytesOf(encoded);
  for (let length = 0; length <= bytes.length; length++) {
    const first = decodeContainerTail(bytes.subarray(bytes.length - length), bytes.length, where);
    if (first.kind === 'decoded') {
      assert.deepEqual(first.index, encoded.index);
      continue;
    }
    assert.ok(first.needBytes > length && first.needBytes <= bytes.length);
    const second = decodeContainerTail(bytes.subarray(-first.needBytes), bytes.length, where);
    assert.equal(second.kind, 'decoded', `after ${length} bytes`);
  }
});

test('the footer hash depends on everything before it', () => {
  const base = slotOf(3, 10);
  const hashes = [
    base,
    { ...base, slot: 4 },
    { ...base, writerTimeMs: base.writerTimeMs + 1 },
    { ...base, previousFooterHash: `${'0'.repeat(31)}1` },
    { ...base, blocks: base.blocks.slice(0, 2) },
    { ...base, blocks: base.blocks.toReversed() },
    slotOf(3, 11),
  ].map((input) => encodeContainer(input).footerHash);
  assert.equal(new Set(hashes).size, hashes.length);
});

test('what is no block of a slot is a bug of the writer', () => {
  const [block] = slotOf(1, 10).blocks;
  const [piece] = block?.pieces ?? [];
  assert.ok(block !== undefined && piece !== undefined);
  const encode = (changed: Partial<BlockInput>): unknown =>
    encodeContainer({ ...slotOf(1, 10), blocks: [{ ...block, ...changed }] });
  const assertion = { name: 'AssertionError' };
  assert.throws(() => encode({ pieces: [] }), assertion);
  assert.throws(() => encode({ pieces: [new Uint8Array(0)] }), assertion);
  assert.throws(() => encode({ leaderEpoch: 1 }), assertion);
  assert.throws(() => encode({ topicId: 'a-name' }), assertion);
  assert.throws(() => encode({ topicId: topicId.toUpperCase() }), assertion);
  assert.throws(() => encode({ partition: 2 ** 31 }), assertion);
  assert.throws(() => encode({ partition: -1 }), assertion);
  // Its first offset is 10: batches of a slot follow one another.
  assert.throws(() => encode({ pieces: [piece, piece] }), assertion);
  const twoRecords = Buffer.from(piece);
  twoRecords.writeInt32BE(2, 57);
  assert.throws(() => encode({ pieces: [twoRecords] }), assertion);
  assert.throws(() => encode({ pieces: [piece.subarray(0, 70), piece.subarray(70)] }), assertion);
  const gap = { pieces: [piece, buildBatch({ baseOffset: 12, leaderEpoch: 0, records: [{}] })] };
  assert.throws(() => encode(gap), assertion);
  assert.doesNotThrow(() =>
    encodeContainer({ ...slotOf(1, 10), kind: 'segment', blocks: [{ ...block, ...gap }] }),
  );
});

test('a piece that ends inside the header of a batch is a bug of the writer', () => {
  const [block] = slotOf(1, 10).blocks;
  const [piece] = block?.pieces ?? [];
  assert.ok(block !== undefined && piece !== undefined);
  const blocks = [{ ...block, pieces: [piece.subarray(0, 40), piece.subarray(40)] }];
  assert.throws(() => encodeContainer({ ...slotOf(1, 10), blocks }), { name: 'RecordBatchError' });
});
