import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { crc32c } from '../../store/crc32c.ts';
import { decodeDocument, decodeFrame, decodeShape, encodeDocument, encodeFrame } from './document.ts';
import { LogFormatError, type LogFormatErrorCode } from './errors.ts';
import { natural, object } from './shape.ts';

const where = 'pg/00/some-group/manifest';

function refused(decode: () => unknown, what: string, code: LogFormatErrorCode): void {
  try {
    decode();
  } catch (error) {
    assert.ok(error instanceof LogFormatError, `${what}: ${String(error)}`);
    assert.equal(error.code, code, `${what}: ${error.message}`);
    assert.equal(error.where, where);
    return;
  }
  assert.fail(`${what} went unnoticed`);
}

/** Makes the CRC valid again. */
function sealed(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(crc32c(bytes.subarray(20), crc32c(bytes.subarray(0, 16))), 16);
  return bytes;
}

test('a document, byte by byte', () => {
  assert.equal(
    Buffer.from(encodeDocument('trim', 1, { trim: 42 })).toString('hex'),
    '46495244' + // FIRD
      '04' + // trim
      '00' + // not compressed
      '0001' + // format version
      '0000000b' + // 11 bytes
      '0000000b' +
      '51f2c6cc' + // CRC
      Buffer.from('{"trim":42}').toString('hex'),
  );
});

test('any JSON value comes back, in both format versions', () => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(1, 2), (json, formatVersion) => {
      const value: unknown = JSON.parse(json);
      const bytes = encodeDocument('manifest', formatVersion, value);
      assert.deepEqual(decodeDocument('manifest', bytes, where), { formatVersion, value });
    }),
  );
});

test('large documents are compressed, incompressible ones are not', () => {
  const value = Array.from({ length: 5000 }, (_, index) => index);
  const bytes = encodeDocument('page', 1, value);
  assert.ok(bytes.length < JSON.stringify(value).length / 2);
  assert.equal(bytes[5], 1);
  assert.deepEqual(decodeDocument('page', bytes, where).value, value);

  let state = 1;
  const noise = Buffer.from(
    Array.from({ length: 5000 }, () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) >>> 24),
  );
  const frame = encodeFrame('checkpoint', 1, noise);
  assert.equal(frame[5], 0);
  assert.deepEqual(Buffer.from(decodeFrame('checkpoint', frame, where).payload), noise);
});

for (const [name, value] of Object.entries({
  'a small document': { trim: 42 },
  'a compressed document': Array.from({ length: 2000 }, (_, index) => index % 7),
})) {
  const bytes = encodeDocument('manifest', 1, value);

  test(`${name}, cut short or continued anywhere, is refused`, () => {
    for (let length = 0; length < bytes.length; length++) {
      refused(
        () => decodeDocument('manifest', bytes.subarray(0, length), where),
        `${length} bytes`,
        'TRUNCATED',
      );
    }
    const longer = Buffer.concat([bytes, Buffer.alloc(1)]);
    refused(() => decodeDocument('manifest', longer, where), 'one byte more', 'INVALID');
  });

  test(`${name}, with any bit changed, is refused`, () => {
    const changed = Buffer.from(bytes);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const position = bit >> 3;
      changed.writeUInt8(changed.readUInt8(position) ^ (1 << (bit & 7)), position);
      assert.throws(
        () => decodeDocument('manifest', changed, where),
        (error) =>
          error instanceof LogFormatError && ['CHECKSUM', 'TRUNCATED', 'FOREIGN'].includes(error.code),
        `bit ${bit}`,
      );
      changed.writeUInt8(bytes[position] ?? 0, position);
    }
  });
}

test('foreign objects are refused as such', () => {
  for (const text of ['{"v":1}', '\u0000'.repeat(100), 'FIRN'.repeat(50), 'FIRNCLST'.repeat(10), 'x']) {
    refused(() => decodeDocument('manifest', Buffer.from(text), where), text, 'FOREIGN');
  }
});

test('one kind is not taken for another', () => {
  const bytes = encodeDocument('trim', 1, { trim: 3 });
  refused(() => decodeDocument('manifest', bytes, where), 'a trim', 'INVALID');
  assert.throws(() => decodeDocument('manifest', bytes, where), /holds a trim where a manifest belongs/);
  const unknown = Buffer.from(bytes);
  unknown.writeUInt8(99, 4);
  refused(() => decodeDocument('trim', sealed(unknown), where), 'kind 99', 'INVALID');
});

test('a version that does not exist yet is refused, and the message says what to do', () => {
  for (const version of [0, 3, 0xffff]) {
    const bytes = Buffer.from(encodeDocument('trim', 1, { trim: 3 }));
    bytes.writeUInt16BE(version, 6);
    refused(() => decodeDocument('trim', sealed(bytes), where), `version ${version}`, 'FUTURE_VERSION');
    assert.throws(
      () => decodeDocument('trim', bytes, where),
      /use the release that wrote it, or a newer one/,
    );
  }
});

test('valid checksums do not make contradictions acceptable', () => {
  const small = encodeDocument('trim', 1, { trim: 3 });
  const large = encodeDocument(
    'trim',
    1,
    Array.from({ length: 5000 }, () => 7),
  );
  const edit = (bytes: Uint8Array, change: (copy: Buffer) => void): Buffer => {
    const copy = Buffer.from(bytes);
    change(copy);
    return sealed(copy);
  };
  const cases = {
    'unknown compression': edit(small, (copy) => copy.writeUInt8(2, 5)),
    'not compressed at all': edit(small, (copy) => copy.writeUInt8(1, 5)),
    'more than it claims': edit(large, (copy) => copy.writeUInt32BE(copy.readUInt32BE(12) - 1, 12)),
    'less than it claims': edit(large, (copy) => copy.writeUInt32BE(copy.readUInt32BE(12) + 1, 12)),
    'gigabytes claimed': edit(large, (copy) => copy.writeUInt32BE(0xffffffff, 12)),
    'not JSON': edit(small, (copy) => copy.write('#', 20)),
  };
  for (const [what, bytes] of Object.entries(cases)) {
    refused(() => decodeDocument('trim', bytes, where), what, 'INVALID');
  }
});

test('a value of another shape is refused with its path', () => {
  const bytes = encodeDocument('trim', 1, { trim: 'x' });
  assert.throws(
    () => decodeShape('trim', bytes, where, object({ trim: natural })),
    new RegExp(
      `^LogFormatError: ${where}: trim: expected an integer from 0 to 2\\^53 - 1, got "x" in this trim`,
    ),
  );
});
