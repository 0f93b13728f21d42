import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeDocument } from './document.ts';
import { LogFormatError } from './errors.ts';
import { decodeSessionRecord, encodeSessionRecord } from './session-record.ts';
import { decodeSnapshot, encodeSnapshot, type GroupSnapshot } from './snapshot.ts';
import { decodeTrim, encodeTrim } from './trim.ts';

const where = 'pg/00/some-group/snap-1';
const group = `${'ab'.repeat(16)}-0`;
const natural = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const int31 = fc.integer({ min: 0, max: 2 ** 31 - 1 });

const snapshot: fc.Arbitrary<GroupSnapshot> = fc.record({
  group: fc.constant(group),
  partitions: fc.array(
    fc.record({
      partition: int31,
      endOffset: natural,
      producers: fc.array(
        fc.record({
          producerId: natural,
          epoch: fc.integer({ min: 0, max: 0x7fff }),
          lastTimeMs: natural,
          batches: fc.array(
            fc.record({
              baseSequence: fc.oneof(int31, fc.constant(-1)),
              lastSequence: fc.oneof(int31, fc.constant(-1)),
              baseOffset: natural,
              lastOffset: natural,
              timeMs: natural,
            }),
            { maxLength: 5 },
          ),
          transactionFirstOffset: fc.option(natural, { nil: undefined }),
        }),
        { maxLength: 5 },
      ),
      abortedTransactions: fc.array(
        fc.record({
          producerId: natural,
          firstOffset: natural,
          lastOffset: natural,
          lastStableOffset: natural,
        }),
        { maxLength: 3 },
      ),
    }),
    { maxLength: 5 },
  ),
});

test('producer state comes back, in both format versions', () => {
  fc.assert(
    fc.property(snapshot, fc.constantFrom(1, 2), (value, formatVersion) => {
      // fast-check's records have no prototype.
      assert.deepEqual(decodeSnapshot(encodeSnapshot(value, formatVersion), where), structuredClone(value));
    }),
  );
});

test('a transaction that starts at offset 0 is not one that does not exist', () => {
  const producer = { producerId: 1, epoch: 0, lastTimeMs: 5, batches: [] };
  const value: GroupSnapshot = {
    group,
    partitions: [
      {
        partition: 0,
        endOffset: 1,
        producers: [
          { ...producer, transactionFirstOffset: 0 },
          { ...producer, transactionFirstOffset: undefined },
        ],
        abortedTransactions: [],
      },
    ],
  };
  const decoded = decodeSnapshot(encodeSnapshot(value, 1), where).partitions[0]?.producers;
  assert.deepEqual(
    decoded?.map(({ transactionFirstOffset }) => transactionFirstOffset),
    [0, undefined],
  );
});

test('a wrong field is named by its path', () => {
  const parts = [[0, 5, [[1, 0, 10, [[0, 'x', 0, 0, 0]], null]], []]];
  assert.throws(
    () => decodeSnapshot(encodeDocument('snapshot', 1, { group, parts }), where),
    (error: unknown) =>
      error instanceof LogFormatError &&
      error.message.includes('parts.0.producers.0.batches.0.lastSequence: expected an integer'),
  );
});

test('a session record comes back, in both format versions', () => {
  const record = {
    sid: '12'.repeat(16),
    broker: 3,
    podUid: 'd9607e19-f88f-11e6-a518-42010a800195',
    zone: 'eu-1a',
    version: '0.1.0',
    startedAtMs: 1_700_000_000_000,
  };
  for (const formatVersion of [1, 2]) {
    assert.deepEqual(decodeSessionRecord(encodeSessionRecord(record, formatVersion), where), record);
  }
});

test('a trim point comes back, in both format versions', () => {
  for (const formatVersion of [1, 2]) {
    for (const trim of [0, 1, Number.MAX_SAFE_INTEGER]) {
      assert.equal(decodeTrim(encodeTrim(trim, formatVersion), where), trim);
    }
  }
  assert.throws(
    () => decodeTrim(encodeDocument('trim', 1, { trim: -1 }), where),
    /trim: expected an integer/,
  );
  assert.throws(() => decodeTrim(encodeDocument('trim', 1, {}), where), /trim: expected .*, got nothing/);
});
