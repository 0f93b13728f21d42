import assert from 'node:assert/strict';
import { test } from 'node:test';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { compressionCodecs, codecId, codecOfAttributes, type CompressionCodec } from './codec.ts';
import { compress, compressAsync } from './compress.ts';
import { CompressionError, type CompressionErrorCode } from './compression-error.ts';
import { decompress, decompressAsync, decompressTransient } from './decompress.ts';

const realCodecs = compressionCodecs.filter((codec) => codec !== 'none');
const noLimit = 2 ** 30;

/** Bytes with repeats near and far, at all distances, as codecs like them, and some noise. */
const data = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc
        .tuple(fc.uint8Array({ minLength: 1, maxLength: 9 }), fc.integer({ min: 1, max: 200 }))
        .map(([unit, times]) => Buffer.concat(Array.from({ length: times }, () => unit))),
      fc.integer({ min: 1, max: 300 }).map((length) => Buffer.alloc(length, 'field-name":"value ')),
    ),
    { maxLength: 12 },
  )
  .map((parts) => Buffer.concat(parts));

function refused(code: CompressionErrorCode, work: () => unknown): void {
  assert.throws(work, (error: unknown) => {
    assert.ok(error instanceof CompressionError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
}

for (const codec of compressionCodecs) {
  test(`${codec}: what is compressed comes back, at once and asynchronously`, async () => {
    await fc.assert(
      fc.asyncProperty(data, async (bytes) => {
        const compressed = compress(codec, bytes);
        assert.deepEqual(Buffer.from(decompress(codec, compressed, noLimit)), bytes);
        assert.deepEqual(Buffer.from(decompressTransient(codec, compressed, noLimit)), bytes);
        assert.deepEqual(Buffer.from(await decompressAsync(codec, compressed, noLimit)), bytes);
        const again = await compressAsync(codec, bytes);
        assert.deepEqual(Buffer.from(decompress(codec, again, noLimit)), bytes);
      }),
    );
  });

  test(`${codec}: megabytes come back`, () => {
    for (const sizeBytes of [65_535, 65_536, 65_537, 5 * 1024 * 1024 + 3]) {
      const bytes = Buffer.alloc(sizeBytes);
      for (let at = 0; at < sizeBytes; at++) bytes[at] = ((at * 31) >>> 7) & (at % 1000 < 500 ? 0xff : 0x11);
      assert.ok(bytes.equals(decompress(codec, compress(codec, bytes), sizeBytes)));
    }
  });

  test(`${codec}: exactly as much as is allowed is accepted, one byte more is not`, async () => {
    const bytes = Buffer.alloc(100_000, 'abcdefg');
    const compressed = compress(codec, bytes);
    assert.equal(decompress(codec, compressed, bytes.length).length, bytes.length);
    for (const limit of [bytes.length - 1, 65_536, 65_535, 1, 0]) {
      refused('TOO_LARGE', () => decompress(codec, compressed, limit));
      await assert.rejects(decompressAsync(codec, compressed, limit), { code: 'TOO_LARGE' });
    }
  });
}

for (const codec of realCodecs) {
  test(`${codec}: a result stays as it is when others are decompressed`, () => {
    const first = decompress(codec, compress(codec, Buffer.alloc(1000, 'a')), noLimit);
    decompress(codec, compress(codec, Buffer.alloc(2000, 'b')), noLimit);
    assert.ok(Buffer.alloc(1000, 'a').equals(first));
  });

  test(`${codec}: cut anywhere, the data is refused`, () => {
    const compressed = compress(codec, Buffer.from('some records, and some records, and some records again'));
    for (let length = 0; length < compressed.length; length++) {
      const cut = compressed.subarray(0, length);
      // Streams of snappy chunks and of Zstandard frames have no end mark: cut between two they are shorter streams.
      if (codec === 'snappy' && length === 16) continue;
      assert.throws(() => decompress(codec, cut, noLimit), CompressionError, `${length} bytes`);
    }
  });

  test(`${codec}: damaged bytes give data or a typed error, never more data than allowed`, () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(data, damage, (bytes, changes) => {
        const compressed = Buffer.from(compress(codec, bytes));
        for (const [at, value] of changes) compressed[at % compressed.length] = value;
        holdsLimit(codec, compressed, 2000);
      }),
      { numRuns: 1000 },
    );
  });

  test(`${codec}: garbage gives data or a typed error`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => holdsLimit(codec, bytes, 2000)),
      { numRuns: 1000 },
    );
  });

  test(`${codec}: a bomb of zeros costs what is allowed, not what it holds`, () => {
    const bomb = compress(codec, Buffer.alloc(64 * 1024 * 1024));
    const before = process.memoryUsage();
    refused('TOO_LARGE', () => decompress(codec, bomb, 256 * 1024));
    const after = process.memoryUsage();
    assert.ok(after.arrayBuffers - before.arrayBuffers < 4 * 1024 * 1024, 'buffers of the size of the bomb');
  });
}

function holdsLimit(codec: CompressionCodec, bytes: Uint8Array, maxBytes: number): void {
  try {
    assert.ok(decompress(codec, bytes, maxBytes).length <= maxBytes);
  } catch (error) {
    assert.ok(error instanceof CompressionError, `${codec}: ${String(error)}`);
  }
}

test('damaged batches leave no memory behind', () => {
  const data = Buffer.alloc(512 * 1024, 'some text that repeats');
  const cut = realCodecs.map((codec) => [codec, compress(codec, data).subarray(0, -20)] as const);
  const refuseAll = (times: number): void => {
    for (let i = 0; i < times; i++) {
      for (const [codec, bytes] of cut)
        assert.throws(() => decompress(codec, bytes, noLimit), CompressionError);
    }
  };
  refuseAll(20);
  const before = process.memoryUsage().rss;
  refuseAll(300);
  assert.ok(process.memoryUsage().rss - before < 100 * 1024 * 1024);
});

test('codecs have the ids of the attribute bits', () => {
  for (const [id, codec] of compressionCodecs.entries()) {
    assert.equal(codecId(codec), id);
    assert.equal(codecOfAttributes(id | 0x38), codec);
  }
  for (const id of [5, 6, 7]) assert.equal(codecOfAttributes(id), undefined);
});

test('levels are passed on where a codec has them and refused where not', () => {
  const bytes = Buffer.from(Array.from({ length: 20_000 }, (_, i) => (i * i) % 251));
  for (const codec of ['gzip', 'zstd'] as const) {
    assert.ok(compress(codec, bytes, 9).length <= compress(codec, bytes, 1).length);
    assert.ok(bytes.equals(decompress(codec, compress(codec, bytes, 1), noLimit)));
    refused('UNSUPPORTED', () => compress(codec, bytes, 23));
    refused('UNSUPPORTED', () => compress(codec, bytes, 1.5));
  }
  for (const codec of ['none', 'snappy', 'lz4'] as const)
    refused('UNSUPPORTED', () => compress(codec, bytes, 1));
});

test('gzip members and Zstandard frames one after another are all read', async () => {
  for (const codec of ['gzip', 'zstd'] as const) {
    const parts = ['one ', 'two ', 'three'].map((text) => compress(codec, Buffer.from(text)));
    const bytes = Buffer.concat(parts);
    assert.equal(Buffer.from(decompress(codec, bytes, 13)).toString(), 'one two three');
    assert.equal(Buffer.from(await decompressAsync(codec, bytes, 13)).toString(), 'one two three');
    refused('TOO_LARGE', () => decompress(codec, bytes, 12));
    refused('TOO_LARGE', () => decompress(codec, bytes, 8));
    assert.throws(() => decompress(codec, bytes.subarray(0, -3), 100), CompressionError);
    assert.throws(
      () => decompress(codec, Buffer.concat([bytes, Buffer.from('what is this?')]), 100),
      CompressionError,
    );
  }
});

test('a great many Zstandard frames, which would each cost time, are refused', () => {
  const frame = compress('zstd', Buffer.from('x'));
  const frames = (count: number): Buffer => Buffer.concat(Array.from({ length: count }, () => frame));
  assert.equal(decompress('zstd', frames(64), noLimit).length, 64);
  refused('UNSUPPORTED', () => decompress('zstd', frames(65), noLimit));
});

test('sizes that bytes give of themselves are not believed', () => {
  const text = Buffer.alloc(5000, 'abc');
  const gzip = Buffer.from(compress('gzip', text));
  for (const claimed of [0, 1, 4999, 5001, 2 ** 32 - 1]) {
    gzip.writeUInt32LE(claimed, gzip.length - 4);
    refused('CORRUPT', () => decompress('gzip', gzip, noLimit));
  }
  for (const length of [1, 255, 256, 257, 65_791, 65_792, 100_000]) {
    const data = Buffer.alloc(length, 'abcdefgh');
    const sized = zlib.zstdCompressSync(data, { pledgedSrcSize: length });
    const unsized = zlib.zstdCompressSync(data, {
      params: { [zlib.constants.ZSTD_c_contentSizeFlag]: 0 },
    });
    assert.ok(data.equals(decompress('zstd', sized, length)));
    assert.ok(data.equals(decompress('zstd', unsized, length)));
    refused('TOO_LARGE', () => decompress('zstd', sized, length - 1));
  }
});

test('a Zstandard frame with the window of the highest level is read', () => {
  const bytes = zlib.zstdCompressSync(Buffer.alloc(1000, 'ab'), {
    params: { [zlib.constants.ZSTD_c_contentSizeFlag]: 0 },
  });
  const header = Buffer.from(bytes.subarray(0, 6));
  assert.equal(header[4], 0, 'no size of the content, so that a window follows');
  header[5] = 17 << 3;
  assert.equal(decompress('zstd', Buffer.concat([header, bytes.subarray(6)]), 1000).length, 1000);
  header[5] = 18 << 3;
  refused('UNSUPPORTED', () => decompress('zstd', Buffer.concat([header, bytes.subarray(6)]), 1000));
});
