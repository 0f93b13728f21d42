import { snappyCompress } from '@platformatic/wasm-utils';
import { CompressionError, tooLarge } from './compression-error.ts';
import type { DecoderMemory } from './decoder-memory.ts';

/** How snappy-java's streams begin, and with them those of Kafka's own clients. */
const xerialMagic = Buffer.from('82534e4150505900', 'hex');
const xerialHeader = Buffer.concat([xerialMagic, Buffer.from('0000000100000001', 'hex')]);
/** The first four bytes of the magic, where a chunk length would stand: a stream appended to another. */
const xerialMagicWord = 0x82534e41;
const readableVersion = 1;
/** The block size of Kafka's own clients. */
const ownChunkBytes = 32 * 1024;
/** A copy of 64 bytes takes three: no block yields more for its own bytes. */
const maxExpansion = 22;

/**
 * Decodes Kafka's two kinds of Snappy in `memory` and returns the size of the data:
 *
 * ```
 * xerial: 82 "SNAPPY" 00, version u32 BE, oldest version that can read it u32 BE, { chunkLength u32 BE, block }…
 * raw:    block, as librdkafka and others send it
 * block:  size of the data varint, elements
 * ```
 */
export function decompressSnappy(bytes: Buffer, memory: DecoderMemory, maxBytes: number): number {
  memory.load(bytes);
  if (!bytes.subarray(0, xerialMagic.length).equals(xerialMagic)) {
    return decodeBlock(bytes, 0, bytes.length, memory, 0, maxBytes);
  }
  let position = readXerialHeader(bytes, 0);
  let size = 0;
  while (position < bytes.length) {
    if (bytes.length - position < 4) throw truncated('the length of a chunk');
    const chunkBytes = bytes.readUInt32BE(position);
    if (chunkBytes === xerialMagicWord) {
      position = readXerialHeader(bytes, position);
      continue;
    }
    position += 4;
    const end = position + chunkBytes;
    if (end > bytes.length) throw truncated('a chunk');
    size = decodeBlock(bytes, position, end, memory, size, maxBytes);
    position = end;
  }
  return size;
}

/** Returns where the chunks start. */
function readXerialHeader(bytes: Buffer, position: number): number {
  const end = position + xerialHeader.length;
  if (end > bytes.length) throw truncated('its header');
  if (!bytes.subarray(position, position + xerialMagic.length).equals(xerialMagic)) {
    throw corrupt('something that is no chunk follows the chunks');
  }
  const neededVersion = bytes.readUInt32BE(position + 12);
  if (neededVersion > readableVersion)
    throw corrupt(`readers of version ${neededVersion} are asked for, 1 exists`);
  return end;
}

function decodeBlock(
  bytes: Buffer,
  start: number,
  end: number,
  memory: DecoderMemory,
  usedBytes: number,
  maxBytes: number,
): number {
  let dataBytes = 0;
  let position = start;
  for (let shift = 0; ; shift += 7) {
    const byte = position < end ? bytes[position++] : undefined;
    if (byte === undefined) throw truncated('the size of a block');
    dataBytes += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
    if (shift === 28) throw corrupt('the size of a block is no 32-bit number');
  }
  if (dataBytes > (end - position) * maxExpansion) {
    throw corrupt(`a block of ${end - position} bytes cannot hold the ${dataBytes} it announces`);
  }
  const limit = usedBytes + dataBytes;
  if (limit > maxBytes) throw tooLarge('snappy', maxBytes);
  memory.reserve(limit);
  const decoded = memory.decodeSnappy(position, end, usedBytes, limit);
  if (decoded !== limit) throw corrupt('a block is damaged');
  return decoded;
}

/** With xerial framing, which every Kafka client reads, in chunks as Kafka's own clients make them. */
export function compressSnappy(bytes: Buffer): Buffer {
  const parts: Buffer[] = [xerialHeader];
  for (let start = 0; start < bytes.length; start += ownChunkBytes) {
    const block = snappyCompress(bytes.subarray(start, start + ownChunkBytes));
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

function truncated(what: string): CompressionError {
  return new CompressionError('TRUNCATED', 'snappy', `the data ends inside ${what}`);
}

function corrupt(what: string): CompressionError {
  return new CompressionError('CORRUPT', 'snappy', what);
}
