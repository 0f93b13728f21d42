import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { awsChunkBytes, awsChunked, awsChunkedSizeBytes, crc32cBase64 } from './aws-chunked.ts';

async function framed(content: Buffer, cuts: readonly number[]): Promise<Buffer> {
  const edges = [0, ...cuts.toSorted((a, b) => a - b), content.length];
  const pieces = edges.slice(1).map((end, i) => content.subarray(edges[i], end));
  async function* source(): AsyncGenerator<Uint8Array> {
    for (const piece of pieces) yield await Promise.resolve(piece);
  }
  const parts: Uint8Array[] = [];
  for await (const part of awsChunked(source(), content.length)) parts.push(part);
  return Buffer.concat(parts);
}

describe('awsChunked', () => {
  it('frames chunks and ends with the checksum of the content', async () => {
    assert.equal(
      (await framed(Buffer.from('123456789'), [4, 4])).toString(),
      '9\r\n123456789\r\n0\r\nx-amz-checksum-crc32c:4waSgw==\r\n\r\n',
    );
    assert.equal(
      (await framed(Buffer.alloc(0), [])).toString(),
      '0\r\nx-amz-checksum-crc32c:AAAAAA==\r\n\r\n',
    );
  });

  it('cuts chunks of 64 KiB whatever pieces the content comes in', async () => {
    const content = Buffer.alloc(awsChunkBytes * 2 + 5, 'x');
    const whole = await framed(content, []);
    assert.equal(whole.subarray(0, 7).toString(), '10000\r\n');
    assert.equal(whole.indexOf('\r\n5\r\nxxxxx\r\n0\r\n'), 2 * (awsChunkBytes + 9) - 2);
    assert.deepEqual(await framed(content, [1, 65_535, 65_536, 65_537, 131_076]), whole);
  });

  it('has the size that was announced', async () => {
    const sizes = fc.oneof(
      fc.nat(40),
      fc.nat(3 * awsChunkBytes),
      fc.constantFrom(awsChunkBytes, 2 * awsChunkBytes),
    );
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
        async (size, cuts) => {
          const body = await framed(
            Buffer.alloc(size),
            cuts.map((cut) => Math.floor(cut * size)),
          );
          assert.equal(body.length, awsChunkedSizeBytes(size));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('writes checksums as S3 does', () => {
    assert.equal(crc32cBase64(0xe3069283), '4waSgw==');
    assert.equal(crc32cBase64(-1), '/////w==');
  });
});
