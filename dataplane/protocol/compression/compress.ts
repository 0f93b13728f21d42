import type { CompressionCodec } from './codec.ts';
import { CompressionError } from './compression-error.ts';
import { compressLz4 } from './lz4-frame.ts';
import { compressSnappy } from './snappy-stream.ts';
import { compressZlib, compressZlibAsync } from './zlib-codec.ts';

/**
 * The bytes that every Kafka client can read: gzip; xerial-framed Snappy; an LZ4 frame of independent blocks; Zstandard.
 * `bytes` itself for `none`. Blocks the event loop: 1 to 2 ms a MiB, 20 ms with gzip, which {@link compressAsync} avoids.
 *
 * @param level only for gzip (1 to 9) and Zstandard (up to 22); default: Kafka's
 * @throws CompressionError UNSUPPORTED for a level that the codec does not have
 */
export function compress(codec: CompressionCodec, bytes: Uint8Array, level?: number): Uint8Array {
  if (codec === 'gzip' || codec === 'zstd') return compressZlib(codec, asBuffer(bytes), level);
  return compressWithoutLevel(codec, bytes, level);
}

/** As {@link compress}; gzip and Zstandard on the thread pool. `bytes` must not change meanwhile. */
export async function compressAsync(
  codec: CompressionCodec,
  bytes: Uint8Array,
  level?: number,
): Promise<Uint8Array> {
  if (codec === 'gzip' || codec === 'zstd') return await compressZlibAsync(codec, asBuffer(bytes), level);
  return compressWithoutLevel(codec, bytes, level);
}

function compressWithoutLevel(
  codec: 'none' | 'snappy' | 'lz4',
  bytes: Uint8Array,
  level: number | undefined,
): Uint8Array {
  if (level !== undefined) {
    throw new CompressionError(
      'UNSUPPORTED',
      codec,
      `level ${level}: this codec has one level only, leave it out`,
    );
  }
  if (codec === 'none') return bytes;
  return codec === 'lz4' ? compressLz4(asBuffer(bytes)) : compressSnappy(asBuffer(bytes));
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
