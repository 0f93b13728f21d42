import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snappyCompress } from '@platformatic/wasm-utils';
import fc from 'fast-check';
import { compress } from './compress.ts';
import { CompressionError, type CompressionErrorCode } from './compression-error.ts';
import { decompress } from './decompress.ts';

const noLimit = 2 ** 30;
const header = '82534e4150505900 00000001 00000001';

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}

function read(text: string): string {
  return Buffer.from(decompress('snappy', hex(text), noLimit)).toString();
}

function refused(text: string, code: CompressionErrorCode, message: RegExp): void {
  assert.throws(
    () => decompress('snappy', hex(text), noLimit),
    (error: unknown) => {
      assert.ok(error instanceof CompressionError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    },
  );
}

test('reads blocks given byte by byte', () => {
  assert.equal(read('00'), '');
  assert.equal(read('03 08 616263'), 'abc');
  assert.equal(read('0a 08 616263 0d 03'), 'abcabcabca'); // copy with a byte of offset: length 4 + 3
  assert.equal(read('0a 08 616263 1a 0300'), 'abcabcabca'); // with two
  assert.equal(read('0a 08 616263 1b 03000000'), 'abcabcabca'); // with four
  assert.equal(read(`45 f0 44 ${'61'.repeat(69)}`), 'a'.repeat(69)); // literals with a length of one to four bytes
  assert.equal(read(`45 f4 4400 ${'61'.repeat(69)}`), 'a'.repeat(69));
  assert.equal(read(`45 f8 440000 ${'61'.repeat(69)}`), 'a'.repeat(69));
  assert.equal(read(`45 fc 44000000 ${'61'.repeat(69)}`), 'a'.repeat(69));
});

test('reads chunks in the framing of snappy-java, and one stream after another', () => {
  assert.equal(read(header), '');
  assert.equal(read(`${header} 00000005 03 08 616263`), 'abc');
  assert.equal(read(`${header} 00000005 03 08 616263 00000003 01 00 64`), 'abcd');
  assert.equal(read(`${header} 00000005 03 08 616263 ${header} 00000003 01 00 64`), 'abcd');
});

test('reads raw blocks, as librdkafka sends them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), fc.integer({ min: 1, max: 100 }), (unit, times) => {
      const bytes = Buffer.concat(Array.from({ length: times }, () => unit));
      assert.ok(bytes.equals(decompress('snappy', snappyCompress(bytes), noLimit)));
    }),
    { numRuns: 50 },
  );
});

test('writes the framing of snappy-java in chunks of 32 KiB', () => {
  const bytes = compress('snappy', Buffer.alloc(70_000, 'abcdefgh'));
  assert.equal(Buffer.from(bytes.subarray(0, 16)).toString('hex'), header.replaceAll(' ', ''));
  let chunks = 0;
  for (let at = 16; at < bytes.length; chunks++) at += 4 + Buffer.from(bytes).readUInt32BE(at);
  assert.equal(chunks, 3);
});

test('refuses chunks and blocks that are cut', () => {
  refused('', 'TRUNCATED', /inside the size of a block/);
  refused('80', 'TRUNCATED', /inside the size of a block/);
  refused(header.slice(0, -3), 'TRUNCATED', /inside its header/);
  refused(`${header} 0000`, 'TRUNCATED', /inside the length of a chunk/);
  refused(`${header} 00000005 03 08 6162`, 'TRUNCATED', /inside a chunk/);
  refused(`${header} 00000000`, 'TRUNCATED', /inside the size of a block/);
  refused(`${header} 82534e41`, 'TRUNCATED', /inside its header/);
});

test('refuses what is damaged', () => {
  refused('82534e4150505900 00000002 00000002', 'CORRUPT', /readers of version 2/);
  refused(`${header} 82534e41 ffffffff 00000001 00000001`, 'CORRUPT', /no chunk/);
  refused('808080808001', 'CORRUPT', /no 32-bit number/);
  refused('ffffffff0f 00', 'CORRUPT', /cannot hold the 4294967295 it announces/);
  for (const block of [
    '04 08 616263', // less than announced
    '02 08 616263', // more
    '03 08 6162', // a literal that goes on
    '03 f0', // no length
    '05 f4 04', // half a length
    '0a 08 616263 0d', // no offset
    '0a 08 616263 1a 03',
    '0a 08 616263 1b 030000',
    '0a 08 616263 0d 00', // no distance
    '0a 08 616263 0d 04', // before the start
    '0a 08 616263 1b ffffffff',
    '09 08 616263 0d 03', // a copy beyond the announced size
  ]) {
    refused(block, 'CORRUPT', /a block is damaged/);
  }
});

test('a copy does not reach into the chunk before', () => {
  refused(`${header} 00000005 03 08 616263 00000003 04 01 03`, 'CORRUPT', /a block is damaged/);
});
