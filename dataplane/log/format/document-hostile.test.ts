import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeDocument, type DocumentKind } from './document.ts';
import { LogFormatError } from './errors.ts';
import {
  decodeManifest,
  decodePage,
  emptyPartitionManifest,
  encodeManifest,
  encodePage,
} from './manifest.ts';
import { decodeSessionRecord, encodeSessionRecord } from './session-record.ts';
import { decodeSnapshot, encodeSnapshot } from './snapshot.ts';
import { decodeTrim, encodeTrim } from './trim.ts';

const where = 'pg/9c/some-group/some-object';
const sid = '12'.repeat(16);
const topicId = 'ab'.repeat(16);
const setsum = '0123456789abcdef';
const segment = {
  object: '1-12121212-4',
  baseOffset: 0,
  endOffset: 10,
  position: 64,
  sizeBytes: 1000,
  maxTimestampMs: 1_700_000_000_000,
  setsum,
};

interface Codec {
  readonly kind: DocumentKind;
  readonly bytes: (formatVersion: number) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => unknown;
}

const codecs: readonly Codec[] = [
  {
    kind: 'manifest',
    bytes: (formatVersion) =>
      encodeManifest(
        {
          version: 5,
          group: `${topicId}-0`,
          topicId,
          firstPartition: 0,
          partitionCount: 2,
          epoch: 3,
          owner: { sid, broker: 1, zone: 'a' },
          writer: sid,
          assignmentGeneration: 2,
          state: 'owned',
          runs: [{ sid, epoch: 3, from: 0, to: undefined, flushedTo: 0 }],
          partitions: [
            { ...emptyPartitionManifest(0), segmentEnd: 10, segments: [segment], appended: setsum },
            emptyPartitionManifest(1),
          ],
          snapshot: { object: 'snap-3-12121212-1' },
        },
        formatVersion,
      ),
    decode: (bytes) => decodeManifest(bytes, where),
  },
  {
    kind: 'page',
    bytes: (formatVersion) => encodePage([segment, segment], formatVersion),
    decode: (bytes) => decodePage(bytes, where),
  },
  {
    kind: 'snapshot',
    bytes: (formatVersion) =>
      encodeSnapshot(
        {
          group: `${topicId}-0`,
          partitions: [
            {
              partition: 0,
              endOffset: 10,
              producers: [
                {
                  producerId: 4000,
                  epoch: 0,
                  lastTimeMs: 1_700_000_000_000,
                  batches: [
                    {
                      baseSequence: 0,
                      lastSequence: 9,
                      baseOffset: 0,
                      lastOffset: 9,
                      timeMs: 1_700_000_000_000,
                    },
                  ],
                  transactionFirstOffset: undefined,
                },
              ],
              abortedTransactions: [],
            },
          ],
        },
        formatVersion,
      ),
    decode: (bytes) => decodeSnapshot(bytes, where),
  },
  {
    kind: 'session',
    bytes: (formatVersion) =>
      encodeSessionRecord(
        { sid, broker: 1, podUid: 'uid', zone: 'a', version: '1.0.0', startedAtMs: 1_700_000_000_000 },
        formatVersion,
      ),
    decode: (bytes) => decodeSessionRecord(bytes, where),
  },
  {
    kind: 'trim',
    bytes: (formatVersion) => encodeTrim(7, formatVersion),
    decode: (bytes) => decodeTrim(bytes, where),
  },
];

function refused(decode: () => unknown, what: string): void {
  try {
    decode();
  } catch (error) {
    assert.ok(error instanceof LogFormatError, `${what}: ${String(error)}`);
    assert.equal(error.where, where, what);
    assert.ok(error.message.startsWith(`${where}: `), error.message);
    return;
  }
  assert.fail(`${what} went unnoticed`);
}

for (const { kind, bytes, decode } of codecs) {
  test(`a ${kind}, cut short anywhere or with any bit changed, is refused`, () => {
    for (const formatVersion of [1, 2]) {
      const changed = Buffer.from(bytes(formatVersion));
      assert.doesNotThrow(() => decode(changed));
      for (let length = 0; length < changed.length; length++) {
        refused(() => decode(changed.subarray(0, length)), `${length} bytes`);
      }
      for (let bit = 0; bit < changed.length * 8; bit++) {
        changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        refused(() => decode(changed), `bit ${bit}`);
        changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      }
    }
  });

  test(`any JSON in place of a ${kind} is refused or read, nothing else`, () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        try {
          decode(encodeDocument(kind, 1, value));
        } catch (error) {
          assert.ok(error instanceof LogFormatError, String(error));
          assert.equal(error.code, 'INVALID');
        }
      }),
    );
  });

  test(`other documents are not taken for a ${kind}`, () => {
    for (const other of codecs) {
      if (other.kind !== kind) refused(() => decode(other.bytes(1)), other.kind);
    }
  });
}
