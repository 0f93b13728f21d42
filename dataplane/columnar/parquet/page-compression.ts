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

/** Returns memory of its own: the page's may be used again. */
export function pageCompressor(compression: Compression, level: number | undefined): PageCompressor {
  switch (compression) {
    case 'uncompressed':
      return (page) => Uint8Array.prototype.slice.call(page);
    case 'snappy':
      return (page) => snappyCompress(page);
    case 'gzip':
      return (page) => zlib.gzipSync(page, { level: level ?? 6 });
    case 'zstd': {
      const params = { [zlib.constants.ZSTD_c_compressionLevel]: level ?? 1 };
      return (page) => zlib.zstdCompressSync(page, { params });
    }
  }
}
