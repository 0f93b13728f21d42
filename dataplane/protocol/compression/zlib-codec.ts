import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { CompressionError, tooLarge } from './compression-error.ts';

export type ZlibCodec = 'gzip' | 'zstd';

/** Every output chunk but the last is copied once more; a chunk that is too large is wasted memory. */
const minChunkBytes = 16 * 1024;
const maxChunkBytes = 1024 * 1024;
/** What records usually shrink by: the first chunk then suffices. */
const usualRatio = 6;
/** What a size that the bytes themselves give is believed up to. */
const plausibleRatio = 32;
/** Frames in one batch: clients write one, and each costs 20 µs at least, whatever is in it. */
const maxZstdFrames = 64;
/** Magic number, window or size, one block header. */
const minZstdFrameBytes = 9;

/** What the functions return with the option `info`, in spite of their types: it tells how far they read. */
interface WithInfo {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

const gunzip = promisify(zlib.gunzip) as (bytes: Buffer, options: zlib.ZlibOptions) => Promise<Buffer>;
const unzstd = promisify(zlib.zstdDecompress) as unknown as (
  bytes: Buffer,
  options: zlib.ZstdOptions,
) => Promise<WithInfo>;
const gzip = promisify(zlib.gzip) as (bytes: Buffer, options: zlib.ZlibOptions) => Promise<Buffer>;
const zstd = promisify(zlib.zstdCompress) as (bytes: Buffer, options: zlib.ZstdOptions) => Promise<Buffer>;

/**
 * The data of gzip members or Zstandard frames that stand one after another. Memory: the output that is there already,
 * never what a header announces (a Zstandard window of 128 MiB is address space until it is written to).
 */
export function decompressZlib(codec: ZlibCodec, bytes: Buffer, maxBytes: number): Buffer {
  try {
    if (codec === 'gzip')
      return atMost(maxBytes, zlib.gunzipSync(bytes, outputOptions(codec, bytes, maxBytes)));
    const frames = new ZstdFrames(bytes, maxBytes);
    while (frames.unread !== undefined) {
      frames.take(zlib.zstdDecompressSync(frames.unread, frames.options) as unknown as WithInfo);
    }
    return frames.data;
  } catch (error) {
    throw asCompressionError(codec, error, maxBytes);
  }
}

/** The same on the thread pool. */
export async function decompressZlibAsync(
  codec: ZlibCodec,
  bytes: Buffer,
  maxBytes: number,
): Promise<Buffer> {
  try {
    if (codec === 'gzip') return atMost(maxBytes, await gunzip(bytes, outputOptions(codec, bytes, maxBytes)));
    const frames = new ZstdFrames(bytes, maxBytes);
    while (frames.unread !== undefined) frames.take(await unzstd(frames.unread, frames.options));
    return frames.data;
  } catch (error) {
    throw asCompressionError(codec, error, maxBytes);
  }
}

/** Node.js reads one Zstandard frame and leaves what follows, without a word. Java's clients read on, and so do we. */
class ZstdFrames {
  readonly #bytes: Buffer;
  readonly #maxBytes: number;
  readonly #parts: Buffer[] = [];
  #position = 0;
  #size = 0;

  constructor(bytes: Buffer, maxBytes: number) {
    this.#bytes = bytes;
    this.#maxBytes = maxBytes;
  }

  /** From the next frame on; undefined when there is none. */
  get unread(): Buffer | undefined {
    if (this.#position > 0 && this.#position === this.#bytes.length) return undefined;
    return this.#bytes.subarray(this.#position);
  }

  get options(): zlib.ZstdOptions {
    const unread = this.#bytes.subarray(this.#position);
    return { info: true, ...outputOptions('zstd', unread, this.#maxBytes - this.#size) };
  }

  get data(): Buffer {
    const [first] = this.#parts;
    return first !== undefined && this.#parts.length === 1 ? first : Buffer.concat(this.#parts);
  }

  take({ buffer, engine }: WithInfo): void {
    if (engine.bytesWritten < minZstdFrameBytes - 1) {
      throw new CompressionError('CORRUPT', 'zstd', `a frame of ${engine.bytesWritten} bytes`);
    }
    if (this.#parts.length === maxZstdFrames) {
      throw new CompressionError('UNSUPPORTED', 'zstd', `more than ${maxZstdFrames} frames`);
    }
    this.#position += engine.bytesWritten;
    this.#size += buffer.length;
    if (this.#size > this.#maxBytes) throw tooLarge('zstd', this.#maxBytes);
    this.#parts.push(buffer);
  }
}

/** Node.js refuses a limit of 0, so it is 1 then, and the result must be looked at. */
function outputOptions(
  codec: ZlibCodec,
  bytes: Buffer,
  maxBytes: number,
): { maxOutputLength: number; chunkSize: number } {
  const claimed = (codec === 'gzip' ? gzipSize(bytes) : zstdSize(bytes)) ?? Infinity;
  // More than what is plausible is not believed: it would be memory for bytes that have not come.
  const expected = claimed <= bytes.length * plausibleRatio ? claimed : bytes.length * usualRatio;
  const maxOutputLength = Math.max(1, maxBytes);
  // One byte to spare, so that the end is noticed without another chunk.
  const chunkSize = Math.min(Math.max(minChunkBytes, expected + 1), maxChunkBytes, maxOutputLength + 1);
  return { maxOutputLength, chunkSize: Math.max(64, chunkSize) };
}

/** What the last gzip member says of its size. */
function gzipSize(bytes: Buffer): number | undefined {
  return bytes.length < 18 ? undefined : bytes.readUInt32LE(bytes.length - 4);
}

/**
 * What a Zstandard frame says of its size, which clients that compress a stream leave out.
 *
 * ```
 * frame: magic u32, descriptor u8 (bits 7-6: bytes of the size 0, 2, 4, 8; 5: no window; 1-0: bytes of the dictionary's id),
 *        [window u8], [dictionary id], [size LE; one byte when there is no window and the code is 0; two: less 256], …
 * ```
 */
function zstdSize(bytes: Buffer): number | undefined {
  const descriptor = bytes[4] ?? 0;
  const hasWindow = (descriptor & 0x20) === 0;
  const sizeCode = descriptor >>> 6;
  if (sizeCode === 0 && hasWindow) return undefined;
  const at = 5 + (hasWindow ? 1 : 0) + ([0, 1, 2, 4][descriptor & 3] ?? 0);
  const sizeBytes = 1 << sizeCode;
  if (at + sizeBytes > bytes.length) return undefined;
  // Six bytes are as many as a number holds; the two above are zero in what is plausible, and else never matter.
  const size = bytes.readUIntLE(at, Math.min(sizeBytes, 6));
  return sizeCode === 1 ? size + 256 : size;
}

function atMost(maxBytes: number, data: Buffer): Buffer {
  if (data.length > maxBytes) throw tooLarge('gzip', maxBytes);
  return data;
}

/** @param level gzip 1 to 9, Zstandard -131,072 to 22; default: the codec's own (6 and 3), as Kafka's producers have it */
export function compressZlib(codec: ZlibCodec, bytes: Buffer, level: number | undefined): Buffer {
  const options = compressOptions(codec, level);
  return codec === 'gzip' ? zlib.gzipSync(bytes, options) : zlib.zstdCompressSync(bytes, options);
}

/** The same on the thread pool. */
export function compressZlibAsync(
  codec: ZlibCodec,
  bytes: Buffer,
  level: number | undefined,
): Promise<Buffer> {
  const options = compressOptions(codec, level);
  return codec === 'gzip' ? gzip(bytes, options) : zstd(bytes, options);
}

function compressOptions(codec: ZlibCodec, level: number | undefined): zlib.ZlibOptions & zlib.ZstdOptions {
  if (level === undefined) return {};
  const { minLevel, maxLevel } = levels[codec];
  if (!Number.isInteger(level) || level < minLevel || level > maxLevel) {
    throw new CompressionError(
      'UNSUPPORTED',
      codec,
      `level ${level} is not one of ${minLevel} to ${maxLevel}`,
    );
  }
  return codec === 'gzip' ? { level } : { params: { [zlib.constants.ZSTD_c_compressionLevel]: level } };
}

const levels: Readonly<Record<ZlibCodec, { readonly minLevel: number; readonly maxLevel: number }>> = {
  gzip: { minLevel: 1, maxLevel: 9 },
  zstd: { minLevel: -131_072, maxLevel: 22 },
};

function asCompressionError(codec: ZlibCodec, error: unknown, maxBytes: number): unknown {
  if (error instanceof CompressionError || !(error instanceof Error) || !('code' in error)) return error;
  switch (error.code) {
    case 'ERR_BUFFER_TOO_LARGE':
      return tooLarge(codec, maxBytes, { cause: error });
    case 'Z_BUF_ERROR':
      return new CompressionError('TRUNCATED', codec, 'the bytes end before the data does', { cause: error });
    case 'Z_NEED_DICT':
    case 'ZSTD_error_dictionary_wrong':
    case 'ZSTD_error_frameParameter_windowTooLarge':
      return new CompressionError('UNSUPPORTED', codec, error.message, { cause: error });
    default:
      return new CompressionError('CORRUPT', codec, error.message, { cause: error });
  }
}
