import type { CompressionCodec } from './codec.ts';
import { tooLarge } from './compression-error.ts';
import { DecoderMemory, maxDecoderBytes } from './decoder-memory.ts';
import { decompressLz4 } from './lz4-frame.ts';
import { decompressSnappy } from './snappy-stream.ts';
import { decompressZlib, decompressZlibAsync } from './zlib-codec.ts';

/** One a thread, made when the first batch comes. */
let sharedMemory: DecoderMemory | undefined;

/**
 * The data that `bytes` hold, as memory of its own; `bytes` itself for `none`.
 *
 * Blocks the event loop, for a MiB of data 0.3 ms (LZ4, snappy), 0.4 (Zstandard) or 0.7 (gzip), whatever `bytes.length` is:
 * a bomb costs what `maxBytes` allows. {@link decompressAsync} is for more than a little of gzip and Zstandard.
 *
 * @param maxBytes the most data to accept; memory stays within a small multiple of what was really decoded
 * @throws CompressionError and nothing else
 */
export function decompress(codec: CompressionCodec, bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (codec === 'snappy' || codec === 'lz4') {
    return Buffer.from(decodeBlocks(codec, asBuffer(bytes), maxBytes));
  }
  return decompressTransient(codec, bytes, maxBytes);
}

/**
 * As {@link decompress}, without the copy: the result is valid until the next call of any function of this file, so use
 * it up before anything is awaited. For validation, where nothing of the data is kept.
 */
export function decompressTransient(
  codec: CompressionCodec,
  bytes: Uint8Array,
  maxBytes: number,
): Uint8Array {
  switch (codec) {
    case 'none':
      if (bytes.length > maxBytes) throw tooLarge(codec, maxBytes);
      return bytes;
    case 'gzip':
    case 'zstd':
      return decompressZlib(codec, asBuffer(bytes), maxBytes);
    case 'snappy':
    case 'lz4':
      return decodeBlocks(codec, asBuffer(bytes), maxBytes);
  }
}

/**
 * As {@link decompress}; gzip and Zstandard on the thread pool, which costs this thread 20 to 50 µs a call and so pays from
 * about 128 KiB of data on. `bytes` must not change meanwhile. Snappy and LZ4 run on this thread all the same: moving them
 * would cost more than they do.
 */
export async function decompressAsync(
  codec: CompressionCodec,
  bytes: Uint8Array,
  maxBytes: number,
): Promise<Uint8Array> {
  return codec === 'gzip' || codec === 'zstd'
    ? await decompressZlibAsync(codec, asBuffer(bytes), maxBytes)
    : decompress(codec, bytes, maxBytes);
}

function decodeBlocks(codec: 'snappy' | 'lz4', bytes: Buffer, maxBytes: number): Buffer {
  const memory = (sharedMemory ??= new DecoderMemory());
  // What the memory's addresses allow; no batch is near it.
  const limit = Math.min(maxBytes, maxDecoderBytes - 2 * bytes.length);
  try {
    const sizeBytes = (codec === 'lz4' ? decompressLz4 : decompressSnappy)(bytes, memory, limit);
    return memory.data(sizeBytes);
  } finally {
    memory.trim();
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
