import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildBatch } from '../../protocol/record-batch-builder.ts';
import { crc32c } from '../../store/crc32c.ts';
import {
  decodeContainer,
  decodeContainerTail,
  encodeContainer,
  readNote,
  type ContainerInput,
} from './container.ts';
import { footerBytes, noFooterHash } from './container-footer.ts';
import { headerBytes } from './container-header.ts';
import { encodeIndex } from './container-index.ts';
import { LogFormatError, type LogFormatErrorCode } from './errors.ts';

const where = 'wal/5a/the-session/00000000000000000007';
const sid = '5aa55aa55aa55aa55aa55aa55aa55aa5';

function sample(kind: ContainerInput['kind'], formatVersion: number, blocks: number): Buffer {
  const encoded = encodeContainer({
    formatVersion,
    kind,
    sid,
    slot: 7,
    lastCheckpointSlot: 2,
    writerTimeMs: 1_700_000_000_000,
    previousFooterHash: noFooterHash,
    blocks: Array.from({ length: blocks }, (_, index) => {
      const piece = buildBatch({
        baseOffset: index * 3,
        leaderEpoch: 1,
        records: [{ key: `key ${index}`, timestampMs: 1_700_000_000_000 - index }, { value: 'x' }],
        ...(index % 2 === 0 ? {} : { producerId: index, producerEpoch: 0, baseSequence: 5 }),
      });
      return {
        topicId: index % 3 === 0 ? 'ab'.repeat(16) : 'cd'.repeat(16),
        partition: index,
        leaderEpoch: 1,
        pieces: [piece],
      };
    }),
    ...(kind === 'fence' || kind === 'end' ? { note: { reason: 'takeover', pgId: 'x' } } : {}),
  });
  return Buffer.concat(encoded.pieces);
}

const samples = {
  'a slot': sample('data', 1, 3),
  'a slot of the next version': sample('data', 2, 3),
  'a slot with a compressed index': sample('data', 1, 60),
  'an empty slot': sample('data', 1, 0),
  'a segment': sample('segment', 1, 2),
  'a fence': sample('fence', 1, 0),
  'an end': sample('end', 1, 0),
};

function refused(decode: () => unknown, what: string, code?: LogFormatErrorCode): void {
  try {
    decode();
  } catch (error) {
    assert.ok(error instanceof LogFormatError, `${what}: ${String(error)}`);
    assert.equal(error.where, where, what);
    assert.ok(error.message.startsWith(`${where}: `), `${what}: ${error.message}`);
    if (code !== undefined) assert.equal(error.code, code, `${what}: ${error.message}`);
    return;
  }
  assert.fail(`${what} went unnoticed`);
}

const decodeTail = (bytes: Uint8Array): unknown => decodeContainerTail(bytes, bytes.length, where);

for (const [name, bytes] of Object.entries(samples)) {
  const footerPosition = bytes.length - footerBytes;
  const indexPosition = Number(bytes.readBigUInt64BE(footerPosition));

  test(`${name}, cut short anywhere, is refused`, () => {
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.subarray(0, length);
      refused(() => decodeContainer(cut, where), `the first ${length} bytes`, 'TRUNCATED');
      refused(() => decodeTail(cut), `the tail of the first ${length} bytes`, 'TRUNCATED');
    }
  });

  test(`${name}, without its beginning or with bytes after its end, is refused`, () => {
    for (let start = 1; start < bytes.length; start += 3) {
      refused(() => decodeContainer(bytes.subarray(start), where), `from byte ${start}`);
      refused(() => decodeTail(bytes.subarray(start)), `tail from byte ${start}`, 'TRUNCATED');
    }
    refused(() => decodeContainer(Buffer.concat([bytes, Buffer.alloc(1)]), where), 'one byte more');
    refused(() => decodeContainer(Buffer.concat([bytes, bytes]), where), 'twice', 'INVALID');
  });

  test(`${name}, with any bit changed, is refused`, () => {
    const whole = decodeContainer(bytes, where);
    const changed = Buffer.from(bytes);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const position = bit >> 3;
      const inBody = position >= headerBytes && position < indexPosition;
      if (inBody && bytes.length > 2000 && bit % 13 !== 0) continue;
      changed.writeUInt8(bytes.readUInt8(position) ^ (1 << (bit & 7)), position);
      refused(() => decodeContainer(changed, where), `bit ${bit}`);
      refused(() => decodeContainer(changed, where, { verifyBlocks: true }), `bit ${bit}, blocks verified`);
      if (position >= indexPosition) {
        refused(() => decodeTail(changed), `bit ${bit} of the tail`);
      } else {
        const tail = decodeContainerTail(changed, changed.length, where);
        assert.ok(tail.kind === 'decoded');
        assert.deepEqual(tail.index, whole.index);
      }
      changed.writeUInt8(bytes.readUInt8(position), position);
    }
  });
}

test('a block whose bytes changed is named with its partition and offsets', () => {
  const bytes = Buffer.from(samples['a slot']);
  bytes.writeUInt8(bytes.readUInt8(headerBytes + 70) ^ 1, headerBytes + 70);
  assert.throws(
    () => decodeContainer(bytes, where, { verifyBlocks: true }),
    /block of (ab)+-0 at byte 64 \(offsets 0 to 1\)/,
  );
});

test('foreign objects are refused as such', () => {
  const foreign = [
    '{"some":"json"}',
    '\u0000'.repeat(500),
    'FIRD'.repeat(100),
    `PK\u0003\u0004${'x'.repeat(200)}`,
  ];
  for (const text of foreign) {
    const bytes = Buffer.from(text);
    refused(() => decodeContainer(bytes, where), text, 'FOREIGN');
    refused(() => decodeTail(bytes), text, 'TRUNCATED');
  }
  refused(() => decodeContainer(Buffer.from('FIRNCLST'.repeat(100)), where), 'the cluster state', 'CHECKSUM');
});

/** Makes checksums valid again after header, index or footer were changed. */
function sealed(bytes: Buffer): Buffer {
  const footerPosition = bytes.length - footerBytes;
  const indexPosition = Number(bytes.readBigUInt64BE(footerPosition));
  for (const header of [0, indexPosition]) {
    bytes.writeUInt32BE(crc32c(bytes.subarray(header, header + 60)), header + 60);
  }
  bytes.writeUInt32BE(crc32c(bytes.subarray(indexPosition, footerPosition)), footerPosition + 12);
  bytes.writeUInt32BE(crc32c(bytes.subarray(headerBytes, indexPosition)), footerPosition + 16);
  bytes.writeUInt32BE(crc32c(bytes.subarray(footerPosition, footerPosition + 56)), footerPosition + 56);
  return bytes;
}

function edited(
  bytes: Buffer,
  edit: (copy: Buffer, indexPosition: number, footerPosition: number) => void,
): Buffer {
  const copy = Buffer.from(bytes);
  const footerPosition = copy.length - footerBytes;
  edit(copy, Number(copy.readBigUInt64BE(footerPosition)), footerPosition);
  return sealed(copy);
}

test('a version that does not exist yet is refused, and the message says what to do', () => {
  for (const version of [0, 3, 4, 0x100, 0xffff]) {
    const bytes = edited(samples['a slot'], (copy, indexPosition, footerPosition) => {
      copy.writeUInt16BE(version, 4);
      copy.writeUInt16BE(version, indexPosition + 4);
      copy.writeUInt16BE(version, footerPosition + 44);
    });
    refused(() => decodeContainer(bytes, where), `version ${version}`, 'FUTURE_VERSION');
    refused(() => decodeTail(bytes), `version ${version}`, 'FUTURE_VERSION');
    assert.throws(
      () => decodeTail(bytes),
      new RegExp(`has format version ${version}, this release of firn reads 1 and 2: use the release`),
    );
  }
});

test('valid checksums do not make contradictions acceptable', () => {
  const slot = samples['a slot'];
  const cases: Record<string, Buffer> = {
    'the kind is unknown': edited(slot, (copy, index) => {
      copy.writeUInt8(9, 6);
      copy.writeUInt8(9, index + 6);
    }),
    'the copy of the header is of another slot': edited(slot, (copy, index) =>
      copy.writeUInt8(9, index + 31),
    ),
    'the slot is beyond 2^53': edited(slot, (copy, index) => {
      copy.writeUInt8(1, 24);
      copy.writeUInt8(1, index + 24);
    }),
    'the slot is negative': edited(slot, (copy, index) => {
      copy.fill(0xff, 24, 32);
      copy.fill(0xff, index + 24, index + 32);
    }),
    'the versions differ': edited(slot, (copy, _index, footer) => copy.writeUInt16BE(2, footer + 44)),
    'the previous hashes differ': edited(slot, (copy, _index, footer) => copy.writeUInt8(1, footer + 20)),
    'the compression is unknown': edited(slot, (copy, index) => copy.writeUInt8(2, index + 80)),
    'what is not compressed is to be decompressed': edited(slot, (copy, index) =>
      copy.writeUInt8(1, index + 80),
    ),
    'the index is shorter than claimed': edited(slot, (copy, index) =>
      copy.writeUInt32BE(copy.readUInt32BE(index + 81) + 1, index + 81),
    ),
    'the index decompresses to more than it claims': edited(
      samples['a slot with a compressed index'],
      (copy, index) => copy.writeUInt32BE(copy.readUInt32BE(index + 81) - 1, index + 81),
    ),
    'the index decompresses to less than it claims': edited(
      samples['a slot with a compressed index'],
      (copy, index) => copy.writeUInt32BE(copy.readUInt32BE(index + 81) + 1, index + 81),
    ),
    'the index claims gigabytes': edited(slot, (copy, index) => copy.writeUInt32BE(0xffffffff, index + 81)),
    'a slot calls itself a fence': edited(slot, (copy, index) => {
      copy.writeUInt8(2, 6);
      copy.writeUInt8(2, index + 6);
    }),
    'a slot of version 1 calls itself version 2': edited(slot, (copy, index, footer) => {
      copy.writeUInt16BE(2, 4);
      copy.writeUInt16BE(2, index + 4);
      copy.writeUInt16BE(2, footer + 44);
    }),
  };
  for (const [what, bytes] of Object.entries(cases)) {
    refused(() => decodeContainer(bytes, where), what, 'INVALID');
  }
  const shifted = Buffer.from(slot);
  const footerPosition = shifted.length - footerBytes;
  shifted.writeBigUInt64BE(shifted.readBigUInt64BE(footerPosition) + 1n, footerPosition);
  shifted.writeUInt32BE(crc32c(shifted.subarray(footerPosition, footerPosition + 56)), footerPosition + 56);
  refused(() => decodeContainer(shifted, where), 'the index is elsewhere', 'INVALID');
});

test('an index of arbitrary bytes under valid checksums is refused or consistent, and never takes long', () => {
  for (const bytes of [samples['a slot'], samples['a slot of the next version'], samples['a segment']]) {
    const indexStart = Number(bytes.readBigUInt64BE(bytes.length - footerBytes)) + 85;
    const indexEnd = bytes.length - footerBytes;
    const edits = fc.array(
      fc.record({
        position: fc.integer({ min: indexStart, max: indexEnd - 1 }),
        value: fc.oneof(fc.constantFrom(0, 0x7f, 0x80, 0xff), fc.nat(255)),
      }),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(edits, (changes) => {
        const hostile = edited(bytes, (copy) => {
          for (const { position, value } of changes) copy.writeUInt8(value, position);
        });
        let index;
        try {
          ({ index } = decodeContainer(hostile, where));
        } catch (error) {
          assert.ok(error instanceof LogFormatError, String(error));
          assert.equal(error.where, where);
          return;
        }
        let position = headerBytes;
        for (const block of index) {
          assert.equal(block.position, position);
          position += block.sizeBytes;
          assert.equal(
            block.batches.reduce((sum, batch) => sum + batch.sizeBytes, 0),
            block.sizeBytes,
          );
          assert.ok(Number.isSafeInteger(block.lastOffset) && block.lastOffset >= block.baseOffset);
        }
        assert.equal(position, indexStart - 85);
      }),
      { numRuns: 1500 },
    );
  }
});

test('blocks of zone ingress are refused with a sentence', () => {
  const [block] = decodeContainer(samples['a slot'], where).index;
  assert.ok(block !== undefined);
  for (const kind of ['staged', 'ref'] as const) {
    const entry = { ...block, kind, ...(kind === 'ref' ? { source: { sid, slot: 3 } } : {}) };
    const index = encodeIndex([{ entry, baseTimestampMs: 0 }], 1, 1_700_000_000_000).written();
    const head = samples['a slot'].subarray(0, headerBytes);
    const prefix = Buffer.alloc(21);
    prefix.writeUInt32BE(index.length, 17);
    const body = kind === 'ref' ? Buffer.alloc(0) : samples['a slot'].subarray(64, 64 + block.sizeBytes);
    const footer = Buffer.from(samples['a slot'].subarray(-footerBytes));
    const bytes = Buffer.concat([head, body, head, prefix, index, footer]);
    const footerPosition = bytes.length - footerBytes;
    bytes.writeBigUInt64BE(BigInt(64 + body.length), footerPosition);
    bytes.writeUInt32BE(footerPosition - 64 - body.length, footerPosition + 8);
    bytes.writeBigUInt64BE(BigInt(bytes.length), footerPosition + 36);
    refused(() => decodeContainer(sealed(bytes), where), kind, 'FUTURE_VERSION');
    assert.throws(() => decodeTail(bytes), new RegExp(`a ${kind} block of .*, written by zone ingress`));
  }
});

test('only fences and ends have a note', () => {
  refused(() => readNote(samples['a slot'], where), 'a slot', 'INVALID');
  assert.deepEqual(readNote(samples['an end'], where), { reason: 'takeover', pgId: 'x' });
  const broken = edited(samples['a fence'], (copy) => copy.write('#', headerBytes));
  refused(() => readNote(broken, where), 'a note that is not JSON', 'INVALID');
});
