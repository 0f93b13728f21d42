import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildBatch } from '../../protocol/record-batch-builder.ts';
import { crc32c } from '../../store/crc32c.ts';
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint.ts';
import { decodeContainerTail, encodeContainer, type EncodedContainer } from './container.ts';
import { noFooterHash } from './container-footer.ts';
import { encodeFrame } from './document.ts';
import { LogFormatError } from './errors.ts';

const where = 'wal/00/some-session/ck-00000000000000000009';
const sid = '77'.repeat(16);

function chain(from: number, count: number, formatVersion = 1): EncodedContainer[] {
  const slots: EncodedContainer[] = [];
  for (let index = 0; index < count; index++) {
    const piece = buildBatch({ baseOffset: index, leaderEpoch: 2, records: [{ value: `slot ${index}` }] });
    slots.push(
      encodeContainer({
        formatVersion,
        kind: 'data',
        sid,
        slot: from + index,
        lastCheckpointSlot: 3,
        writerTimeMs: 1_700_000_000_000 + index,
        previousFooterHash: slots.at(-1)?.footerHash ?? noFooterHash,
        blocks: [
          {
            topicId: 'ab'.repeat(16),
            partition: 1,
            leaderEpoch: 2,
            pieces: [piece],
          },
        ],
      }),
    );
  }
  return slots;
}

function checkpoint(from: number, slots: readonly EncodedContainer[], formatVersion = 1): Uint8Array {
  return encodeCheckpoint(
    {
      sid,
      from,
      slot: from + slots.length,
      slots: slots.map(({ footerHash, indexBytes }, index) => ({
        slot: from + index,
        footerHash,
        indexBytes,
      })),
    },
    formatVersion,
  );
}

test('a checkpoint tells what the tails of its slots tell, in any mix of format versions', () => {
  for (const [slotVersion, version] of [
    [1, 1],
    [1, 2],
    [2, 2],
  ] as const) {
    const slots = chain(5, 4, slotVersion);
    const decoded = decodeCheckpoint(checkpoint(5, slots, version), where);
    assert.deepEqual([decoded.sid, decoded.from, decoded.slot, decoded.slots.length], [sid, 5, 9, 4]);
    for (const [index, slot] of slots.entries()) {
      const bytes = Buffer.concat(slot.pieces);
      const tail = decodeContainerTail(bytes, bytes.length, where);
      assert.ok(tail.kind === 'decoded');
      const { indexBytes, ...rest } = decoded.slots[index] ?? {};
      assert.deepEqual(rest, {
        slot: 5 + index,
        footerHash: tail.footer.footerHash,
        previousFooterHash: tail.footer.previousFooterHash,
        writerTimeMs: tail.header.writerTimeMs,
        lastCheckpointSlot: tail.header.lastCheckpointSlot,
        index: tail.index,
      });
      assert.deepEqual(Buffer.from(indexBytes ?? []), Buffer.from(tail.indexBytes));
    }
  }
});

test('checkpoints are made from checkpoints', () => {
  const bytes = checkpoint(5, chain(5, 4));
  const { slots } = decodeCheckpoint(bytes, where);
  const again = encodeCheckpoint({ sid, from: 7, slot: 9, slots: slots.slice(2) }, 1);
  assert.deepEqual(
    decodeCheckpoint(again, where).slots.map(({ slot }) => slot),
    [7, 8],
  );
});

function refused(bytes: Uint8Array, message: RegExp): void {
  assert.throws(
    () => decodeCheckpoint(bytes, where),
    (error: unknown) => {
      assert.ok(error instanceof LogFormatError, String(error));
      assert.equal(error.where, where);
      assert.match(error.message, message);
      return true;
    },
  );
}

test('slots that do not follow one another, or are of another session, are refused', () => {
  const slots = chain(5, 4);
  const [first, second] = slots;
  assert.ok(first !== undefined && second !== undefined);
  refused(checkpoint(5, [first, first]), /data 5 of 7+ stands where slot 6 of 7+ belongs/);
  refused(checkpoint(6, slots), /data 5 of 7+ stands where slot 6/);
  refused(checkpoint(5, [{ ...first, footerHash: noFooterHash }, second]), /slot 6 does not continue slot 5/);
  const foreign = encodeCheckpoint(
    { sid: '88'.repeat(16), from: 5, slot: 6, slots: [{ slot: 5, ...first }] },
    1,
  );
  refused(foreign, /data 5 of 7+ stands where slot 5 of 8+ belongs/);
});

test('cut short anywhere or with any bit changed, it is refused', () => {
  const bytes = Buffer.from(checkpoint(5, chain(5, 2)));
  for (let length = 0; length < bytes.length; length++) refused(bytes.subarray(0, length), /./);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    refused(bytes, /./);
    bytes.writeUInt8(bytes.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  }
});

test('cut short under a valid checksum, or covering nothing, it is refused', () => {
  const payload = Buffer.from(checkpoint(5, chain(5, 2))).subarray(20);
  for (let length = 0; length < payload.length; length++) {
    refused(encodeFrame('checkpoint', 1, payload.subarray(0, length)), /bytes|CRC|continue|number/);
  }
  refused(
    encodeFrame('checkpoint', 1, Buffer.concat([payload, Buffer.of(0)])),
    /1 bytes follow its last slot/,
  );
  const nothing = Buffer.concat([Buffer.alloc(16, 0x77), Buffer.of(5, 5)]);
  refused(encodeFrame('checkpoint', 1, nothing), /covers no slots/);
  const endless = Buffer.concat([
    Buffer.alloc(16, 0x77),
    Buffer.of(5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f),
  ]);
  refused(encodeFrame('checkpoint', 1, endless), /bytes expected/);
});

test('a changed index under valid outer checksums is refused by its own header', () => {
  const bytes = Buffer.from(checkpoint(5, chain(5, 1)));
  const slotField = 20 + 18 + 16 + 1 + 31;
  bytes.writeUInt8(9, slotField);
  bytes.writeUInt32BE(crc32c(bytes.subarray(20), crc32c(bytes.subarray(0, 16))), 16);
  refused(bytes, /the CRC of its header does not match/);
});
