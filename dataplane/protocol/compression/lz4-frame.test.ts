import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { lz4Decompress } from '@platformatic/wasm-utils';
import fc from 'fast-check';
import { compress } from './compress.ts';
import { CompressionError, type CompressionErrorCode } from './compression-error.ts';
import { decompress } from './decompress.ts';
import { lz4BlocksAreIndependent } from './lz4-frame.ts';
import { xxhash32 } from './xxhash32.ts';

const folder = path.join(import.meta.dirname, '../fixtures/records');
const linked = readFileSync(path.join(folder, 'lz4-linked-blocks.bin'));
const checked = readFileSync(path.join(folder, 'lz4-all-checksums.bin'));
const noLimit = 2 ** 30;

function frameText(): string {
  let text = '';
  for (let i = 0; text.length < 100_000; i++) text += `line ${(i * 7919) % 1000} of a large value\n`;
  return text.slice(0, 100_000).repeat(3);
}

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

/** A frame with these flags and blocks (each with its length before it), the header's checksum computed. */
function frame(flags: string, ...blocks: Buffer[]): Buffer {
  const descriptor = hex(flags);
  const checksum = (xxhash32(descriptor, 0, descriptor.length) >>> 8) & 0xff;
  return Buffer.concat([hex('04224d18'), descriptor, Buffer.of(checksum), ...blocks]);
}

const endMark = Buffer.alloc(4);
const storedAbc = hex('03000080 616263');

function refused(bytes: Buffer, code: CompressionErrorCode, message: RegExp, maxBytes = noLimit): void {
  assert.throws(
    () => decompress('lz4', bytes, maxBytes),
    (error: unknown) => {
      assert.ok(error instanceof CompressionError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    },
  );
}

test('hashes as XXH32 does', () => {
  const hash = (text: string): string => {
    const bytes = Buffer.from(text);
    return xxhash32(bytes, 0, bytes.length).toString(16);
  };
  assert.equal(hash(''), '2cc5d05');
  assert.equal(hash('a'), '550d7456');
  assert.equal(hash('abc'), '32d153ff');
  assert.equal(hash('Nobody inspects the spammish repetition'), 'e2293b2f');
});

test('reads a frame given byte by byte', () => {
  assert.deepEqual(decompress('lz4', frame('6040', storedAbc, endMark), 3), Buffer.from('abc'));
  // Literals "abc", a match of 4 + 15 + 1 bytes 3 back, then the literal "!".
  const block = hex('3f 616263 0300 01 10 21');
  const text = decompress('lz4', frame('6040', Buffer.of(block.length, 0, 0, 0), block, endMark), noLimit);
  assert.equal(Buffer.from(text).toString(), `${'abc'.repeat(8).slice(0, 23)}!`);
});

test('reads blocks that depend on one another, and tells that they do', () => {
  assert.ok(!lz4BlocksAreIndependent(linked));
  assert.equal(Buffer.from(decompress('lz4', linked, noLimit)).toString(), frameText());
  // A match may reach into the block before only where the frame says so.
  const second = hex('05000000 04 0300 10 21');
  assert.equal(decompress('lz4', frame('4040', storedAbc, second, endMark), noLimit).length, 12);
  refused(frame('6040', storedAbc, second, endMark), 'CORRUPT', /a block is damaged/);
});

test('reads checksums and sizes, and notices when header, block or size are not right', () => {
  assert.ok(lz4BlocksAreIndependent(checked));
  assert.equal(Buffer.from(decompress('lz4', checked, noLimit)).toString(), frameText());
  for (const [at, message] of [
    [6, /header does not match its checksum/],
    [14, /header does not match its checksum/],
    [5000, /a block does not match its checksum/],
  ] as const) {
    const damaged = Buffer.from(checked);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    refused(damaged, 'CORRUPT', message);
  }
  refused(frame('6840 0400000000000000', storedAbc, endMark), 'CORRUPT', /announces 4 bytes and has 3/);
  assert.equal(decompress('lz4', frame('6840 0000000000000000', storedAbc, endMark), noLimit).length, 3);
});

test('does not compare the checksum of the content, as Kafka does not', () => {
  const wrong = frame('6440', storedAbc, endMark, Buffer.from('deadbeef', 'hex'));
  assert.equal(decompress('lz4', wrong, noLimit).length, 3);
  refused(frame('6440', storedAbc, endMark), 'TRUNCATED', /inside the checksum of its content/);
});

test('refuses frames that no client can read', () => {
  refused(Buffer.from('not a frame'), 'CORRUPT', /magic number is missing/);
  refused(frame('2040', storedAbc, endMark), 'CORRUPT', /version 0/);
  refused(frame('6240', storedAbc, endMark), 'CORRUPT', /flags 62 40/);
  refused(frame('6030', storedAbc, endMark), 'CORRUPT', /flags 60 30/);
  refused(frame('60c0', storedAbc, endMark), 'CORRUPT', /flags 60 c0/);
  refused(frame('6140 00000000', storedAbc, endMark), 'UNSUPPORTED', /dictionary/);
  refused(frame('6040', storedAbc, hex('00000080'), endMark), 'CORRUPT', /a block without bytes/);
  refused(frame('6040', storedAbc, endMark, Buffer.of(0)), 'CORRUPT', /1 bytes follow the end/);
  refused(frame('6040', hex('01000100'), endMark), 'CORRUPT', /a block of 65537 bytes .* 65536 at most/);
  refused(frame('6040', storedAbc), 'TRUNCATED', /inside the length of a block/);
});

test('refuses blocks that are damaged', () => {
  const damaged = (block: string, message: RegExp = /a block is damaged/): void => {
    const bytes = hex(block);
    refused(frame('6040', Buffer.of(bytes.length, 0, 0, 0), bytes, endMark), 'CORRUPT', message);
  };
  damaged('30 6162'); // two of three literals
  damaged('f0'); // a count that goes on
  damaged('f0 ff');
  damaged('10 61 01'); // half an offset
  damaged('10 61 0000'); // a match at no distance
  damaged('10 61 0200 00'); // before the start
  damaged('1f 61 0100'); // a match length that goes on
  damaged('10 61 0100'); // ends with a match
});

test('a block with more data than its frame allows is damaged, one with more than the caller does is too large', () => {
  // One literal, then a match of 19 + 255 × 300 + 0 bytes.
  const block = Buffer.concat([hex('1f 61 0100'), Buffer.alloc(300, 0xff), hex('00 10 21')]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(block.length);
  const small = frame('6040', length, block, endMark);
  const big = frame('6050', length, block, endMark);
  refused(small, 'CORRUPT', /more data than its frame says/);
  assert.equal(decompress('lz4', big, noLimit).length, 1 + 19 + 255 * 300 + 1);
  refused(big, 'TOO_LARGE', /more than 70000 bytes/, 70_000);
});

test('another decoder reads what is compressed here', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), fc.integer({ min: 1, max: 100 }), (unit, times) => {
      const bytes = Buffer.concat(Array.from({ length: times }, () => unit));
      const compressed = Buffer.from(compress('lz4', bytes));
      assert.ok(lz4BlocksAreIndependent(compressed));
      assert.ok(lz4Decompress(compressed).equals(bytes));
    }),
    { numRuns: 50 },
  );
});
