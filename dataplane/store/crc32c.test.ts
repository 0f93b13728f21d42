import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c, crc32cCombine, crc32cOfFew } from './crc32c.ts';

test('the check value of CRC-32C', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283);
  assert.equal(crc32c(new Uint8Array(0)), 0);
  // RFC 3720 B.4
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
});

test('a CRC continues from the CRC of what comes before', () => {
  assert.equal(crc32c(Buffer.from('6789'), crc32c(Buffer.from('12345'))), 0xe3069283);
});

test('the CRC of a few bytes in the middle is that of a view of them', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(
      bytes,
      fc.nat(),
      fc.nat(),
      fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      (all, a, b, previous) => {
        const [start = 0, end = 0] = [a % (all.length + 1), b % (all.length + 1)].toSorted((x, y) => x - y);
        assert.equal(crc32cOfFew(all, start, end, previous), crc32c(all.subarray(start, end), previous));
      },
    ),
  );
});

test('combining two CRCs gives the CRC of the joined bytes', () => {
  const bytes = fc.uint8Array({ maxLength: 2000 });
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.equal(crc32cCombine(crc32c(a), crc32c(b), b.length), crc32c(Buffer.concat([a, b])));
    }),
  );
});

test('combining works for lengths of two, three and four bytes', () => {
  const a = Buffer.from('firn');
  for (const length of [255, 256, 65_535, 65_536, 70_001, 1 << 20, (1 << 24) + 77]) {
    const b = Buffer.alloc(length, length % 251);
    assert.equal(crc32cCombine(crc32c(a), crc32c(b), length), crc32c(b, crc32c(a)), `${length} bytes`);
  }
});

test('combining is associative up to lengths near 2^53', () => {
  const length = fc.integer({ min: 0, max: 2 ** 51 });
  const crc = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  fc.assert(
    fc.property(crc, crc, crc, length, length, (a, b, c, lengthB, lengthC) => {
      assert.equal(
        crc32cCombine(crc32cCombine(a, b, lengthB), c, lengthC),
        crc32cCombine(a, crc32cCombine(b, c, lengthC), lengthB + lengthC),
      );
    }),
  );
});
