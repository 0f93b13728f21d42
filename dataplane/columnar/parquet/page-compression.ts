import { snappyCompress } from '@platformatic/wasm-utils';
import zlib from 'node:zlib';

export type Compression = 'zstd' | 'snappy' | 'gzip' | 'uncompressed';

/** Parquet's `CompressionCodec`. */
export const codecNumbers: Readonly<Record<Compression, number>> = {
  uncompressed: 0,
  snappy: 1,
  gzip: 2,
  zstd: 6,
};

export type PageCompressor = (page: Buffer) => Uint8Array;

/** zlib puts its output together from stretches of this size: larger ones are worth it for larger pages. */
const smallStretch = 16 * 1024;
const largeStretch = 128 * 1024;

/** Returns memory of its own, and hardly more than the bytes need: they wait for the rest of the file. */
export function pageCompressor(compression: Compression, level: number | undefined): PageCompressor {
  switch (compression) {
    case 'uncompressed':
      return copied;
    case 'snappy':
      return (page) => snappyCompress(page);
    case 'gzip': {
      const options = { level: level ?? 6 };
      return (page) => trimmed(zlib.gzipSync(page, { ...options, chunkSize: stretchOf(page) }));
    }
    case 'zstd': {
      const params = { [zlib.constants.ZSTD_c_compressionLevel]: level ?? 1 };
      return (page) => trimmed(zlib.zstdCompressSync(page, { params, chunkSize: stretchOf(page) }));
    }
  }
}

function stretchOf(page: Buffer): number {
  return page.length > 4 * smallStretch ? largeStretch : smallStretch;
}

/** A small view keeps all the memory that it is of. */
function trimmed(bytes: Buffer): Uint8Array {
  return bytes.buffer.byteLength > 2 * bytes.length ? copied(bytes) : bytes;
}

function copied(bytes: Buffer): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes);
}
