import { lz4Compress } from '@platformatic/wasm-utils';
import { CompressionError, tooLarge } from './compression-error.ts';
import { blockCorrupt, blockTooLarge } from './block-decoders.ts';
import type { DecoderMemory } from './decoder-memory.ts';
import { xxhash32 } from './xxhash32.ts';

const magic = 0x184d2204;
const flags = {
  version: 0xc0,
  blocksIndependent: 0x20,
  blockChecksum: 0x10,
  contentSize: 0x08,
  contentChecksum: 0x04,
  reserved: 0x02,
  dictionary: 0x01,
};
const stored = 0x80000000;
/** No sequence of an LZ4 block yields more than 255 bytes for one of its own. */
const maxExpansion = 255;
/** How far back a match can reach. */
const windowBytes = 65_535;

/** Version 1, independent blocks of at most 64 KiB, no checksums: what Kafka's own clients write. */
const ownHeader = Buffer.from('04224d18604082', 'hex');
const ownBlockBytes = 64 * 1024;
const endMark = Buffer.alloc(4);

/**
 * Decodes one LZ4 frame in `memory` and returns the size of its data.
 *
 * ```
 * frame: magic u32 LE, FLG u8, BD u8, [contentSize u64 LE], headerChecksum u8,
 *        { blockSize u32 LE (highest bit: stored as is), block, [checksum u32 LE] }…, 0 u32, [contentChecksum u32 LE]
 * ```
 *
 * Checks what Kafka's broker and clients check: the checksums of header and blocks, not that of the content, which some
 * clients write (it is slow to compute here, and the batch's CRC covers the same bytes). Unlike Kafka it reads blocks
 * that depend on one another; see {@link lz4BlocksAreIndependent}.
 */
export function decompressLz4(bytes: Buffer, memory: DecoderMemory, maxBytes: number): number {
  const header = readHeader(bytes);
  memory.load(bytes);
  let position = header.end;
  let size = 0;
  for (;;) {
    const word = readWord(bytes, position, 'the length of a block');
    position += 4;
    if (word === 0) break;
    const isStored = word >= stored;
    const blockBytes = isStored ? word - stored : word;
    if (blockBytes === 0) throw corrupt('a block without bytes, which Kafka takes for the end');
    if (blockBytes > header.maxBlockBytes) {
      throw corrupt(
        `a block of ${blockBytes} bytes in a frame whose blocks have ${header.maxBlockBytes} at most`,
      );
    }
    const end = position + blockBytes;
    if (end > bytes.length) throw truncated('a block');
    if (header.blockChecksum) {
      const checksum = readWord(bytes, end, 'the checksum of a block');
      if (xxhash32(bytes, position, end) !== checksum) throw corrupt('a block does not match its checksum');
    }

    const blockLimit = size + Math.min(header.maxBlockBytes, blockBytes * maxExpansion);
    const limit = Math.min(maxBytes, blockLimit);
    memory.reserve(limit);
    if (isStored) {
      if (blockBytes > limit - size) throw tooLarge('lz4', maxBytes);
      memory.copyStored(position, end, size);
      size += blockBytes;
    } else {
      const historyStart = header.blocksIndependent ? size : Math.max(0, size - windowBytes);
      const decoded = memory.decodeLz4(position, end, size, limit, historyStart);
      if (decoded === blockTooLarge) {
        throw limit < blockLimit
          ? tooLarge('lz4', maxBytes)
          : corrupt('a block has more data than its frame says');
      }
      if (decoded === blockCorrupt) throw corrupt('a block is damaged');
      size = decoded;
    }
    position = end + (header.blockChecksum ? 4 : 0);
  }
  if (header.contentChecksum) position += 4;
  if (position > bytes.length) throw truncated('the checksum of its content');
  if (position < bytes.length) throw corrupt(`${bytes.length - position} bytes follow the end of the frame`);
  if (header.contentSize !== 0n && header.contentSize !== BigInt(size)) {
    throw corrupt(`the frame announces ${header.contentSize} bytes and has ${size}`);
  }
  return size;
}

/** Of a sound frame. Java's clients cannot read one for which this is false: a broker that takes it stores poison. */
export function lz4BlocksAreIndependent(bytes: Uint8Array): boolean {
  return ((bytes[4] ?? 0) & flags.blocksIndependent) !== 0;
}

interface FrameHeader {
  readonly blocksIndependent: boolean;
  readonly blockChecksum: boolean;
  readonly contentChecksum: boolean;
  /** 0: not given. */
  readonly contentSize: bigint;
  readonly maxBlockBytes: number;
  /** Where the blocks start. */
  readonly end: number;
}

function readHeader(bytes: Buffer): FrameHeader {
  if (readWord(bytes, 0, 'its magic number') !== magic)
    throw corrupt('no LZ4 frame: its magic number is missing');
  const flag = bytes[4];
  const descriptor = bytes[5];
  if (flag === undefined || descriptor === undefined) throw truncated('its header');
  if ((flag & flags.version) !== 0x40)
    throw corrupt(`version ${flag >>> 6} of the frame format, only 1 exists`);
  const blockSizeCode = (descriptor >>> 4) & 7;
  if ((flag & flags.reserved) !== 0 || (descriptor & 0x8f) !== 0 || blockSizeCode < 4) {
    throw corrupt(`flags ${flag.toString(16)} ${descriptor.toString(16)} are not defined`);
  }
  if ((flag & flags.dictionary) !== 0) {
    throw new CompressionError('UNSUPPORTED', 'lz4', 'the frame needs a dictionary');
  }
  const hasContentSize = (flag & flags.contentSize) !== 0;
  const checksumAt = hasContentSize ? 14 : 6;
  const checksum = bytes[checksumAt];
  if (checksum === undefined) throw truncated('its header');
  if (((xxhash32(bytes, 4, checksumAt) >>> 8) & 0xff) !== checksum) {
    throw corrupt('the header does not match its checksum');
  }
  return {
    blocksIndependent: (flag & flags.blocksIndependent) !== 0,
    blockChecksum: (flag & flags.blockChecksum) !== 0,
    contentChecksum: (flag & flags.contentChecksum) !== 0,
    contentSize: hasContentSize ? bytes.readBigUInt64LE(6) : 0n,
    maxBlockBytes: 1 << (8 + 2 * blockSizeCode),
    end: checksumAt + 1,
  };
}

/**
 * One frame as Kafka's clients write it. Blocks are compressed one by one, so that the WebAssembly memory, which never
 * shrinks, stays small.
 */
export function compressLz4(bytes: Buffer): Buffer {
  const parts: Buffer[] = [ownHeader];
  for (let start = 0; start < bytes.length; start += ownBlockBytes) {
    // A frame of one block each time: seven bytes of header before it, the end mark after it.
    const frame = lz4Compress(bytes.subarray(start, start + ownBlockBytes));
    parts.push(frame.subarray(ownHeader.length, frame.length - endMark.length));
  }
  parts.push(endMark);
  return Buffer.concat(parts);
}

function readWord(bytes: Buffer, position: number, what: string): number {
  if (position + 4 > bytes.length) throw truncated(what);
  return bytes.readUInt32LE(position);
}

function truncated(what: string): CompressionError {
  return new CompressionError('TRUNCATED', 'lz4', `the frame ends inside ${what}`);
}

function corrupt(what: string): CompressionError {
  return new CompressionError('CORRUPT', 'lz4', what);
}
