import { crc32c } from '../crc32c.ts';

/** Bytes of content in one chunk; AWS takes 8 KiB and more. */
export const awsChunkBytes = 64 * 1024;

const trailerName = 'x-amz-checksum-crc32c';

/**
 * Frames a body as `aws-chunked` with a trailing CRC32C, for `x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER`:
 *
 *     *( size-in-hex CRLF content CRLF )          every chunk but the last has 64 KiB
 *     "0" CRLF
 *     "x-amz-checksum-crc32c:" base64 CRLF
 *     CRLF
 *
 * Chunks of a fixed size make the length of the whole known beforehand (`awsChunkedSizeBytes`). Content is passed on in
 * views of the pieces it came in. The source must hold exactly `contentBytes`, and be checked for it: the trailer, which
 * completes the request, follows only after the source has ended.
 */
export async function* awsChunked(
  content: AsyncIterable<Uint8Array>,
  contentBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let crc = 0;
  let leftBytes = contentBytes;
  let chunkLeftBytes = 0;
  for await (const piece of content) {
    crc = crc32c(piece, crc);
    for (let at = 0; at < piece.byteLength;) {
      if (chunkLeftBytes === 0) {
        chunkLeftBytes = Math.min(awsChunkBytes, leftBytes);
        yield Buffer.from(`${chunkLeftBytes.toString(16)}\r\n`);
      }
      const part = piece.subarray(at, at + chunkLeftBytes);
      yield part;
      at += part.byteLength;
      leftBytes -= part.byteLength;
      chunkLeftBytes -= part.byteLength;
      if (chunkLeftBytes === 0) yield Buffer.from('\r\n');
    }
  }
  yield Buffer.from(`0\r\n${trailerName}:${crc32cBase64(crc)}\r\n\r\n`);
}

export function awsChunkedSizeBytes(contentBytes: number): number {
  const whole = Math.floor(contentBytes / awsChunkBytes);
  const rest = contentBytes % awsChunkBytes;
  const framed = (bytes: number): number => bytes.toString(16).length + 2 + bytes + 2;
  const trailerBytes = '0\r\n'.length + `${trailerName}:`.length + 'AAAAAA==\r\n\r\n'.length;
  return whole * framed(awsChunkBytes) + (rest > 0 ? framed(rest) : 0) + trailerBytes;
}

/** As S3 writes a CRC32C: big-endian, base64. */
export function crc32cBase64(crc: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc >>> 0);
  return bytes.toString('base64');
}
