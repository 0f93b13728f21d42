import assert from 'node:assert/strict';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { crc32c } from '../../store/crc32c.ts';
import { corruptAdvice, LogFormatError } from './errors.ts';
import { ShapeError, type Shape } from './shape.ts';
import { checkFormatVersion, isReadableFormatVersion } from './version.ts';

/** What a document is about; the frame says it, so that one cannot be taken for another. */
export type DocumentKind = keyof typeof kindCodes;

const kindCodes = {
  manifest: 1,
  page: 2,
  snapshot: 3,
  trim: 4,
  session: 5,
  checkpoint: 6,
  'pid-block': 7,
} as const;

const kinds = new Map<number, DocumentKind>(
  Object.entries(kindCodes).map(([kind, code]) => [code, kind as DocumentKind]),
);

/**
 * The frame around what the log stores beside slots and segments. Integers are big-endian.
 *
 * ```
 *  0 magic "FIRD"    4 kind u8    5 compression u8 (0 none, 1 zstd)    6 format version u16
 *  8 payload length u32           12 payload length when decompressed u32
 * 16 CRC-32C u32 of bytes 0 to 16 and the payload                      20 payload
 * ```
 *
 * The place of magic, version, length and CRC is the same in all versions.
 */
export interface Document {
  readonly formatVersion: number;
  readonly value: unknown;
}

export interface Frame {
  readonly formatVersion: number;
  readonly payload: Uint8Array;
}

const magic = Buffer.from('FIRD');
const prefixBytes = 20;
const compressAboveBytes = 4096;
const maxPayloadBytes = 256 * 2 ** 20;

/** JSON in a frame. */
export function encodeDocument(kind: DocumentKind, formatVersion: number, value: unknown): Uint8Array {
  return encodeFrame(kind, formatVersion, Buffer.from(JSON.stringify(value)));
}

/**
 * The JSON value of a document, whatever it is: see {@link decodeShape}.
 *
 * @throws LogFormatError
 */
export function decodeDocument(kind: DocumentKind, bytes: Uint8Array, where: string): Document {
  const { formatVersion, payload } = decodeFrame(kind, bytes, where);
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.length).toString('utf8');
  try {
    return { formatVersion, value: JSON.parse(text) as unknown };
  } catch (error) {
    throw new LogFormatError('INVALID', where, `its content is not JSON: ${corruptAdvice}`, error);
  }
}

/** {@link encodeDocument} for a value of the given shape. What could not be read back is never written: it throws. */
export function encodeShape(
  kind: DocumentKind,
  formatVersion: number,
  value: unknown,
  shape: Shape<unknown>,
): Uint8Array {
  try {
    shape(value);
  } catch (error) {
    assert.fail(`a ${kind} that nobody could read: ${String(error)}`);
  }
  return encodeDocument(kind, formatVersion, value);
}

/**
 * The value of a document, in the given shape.
 *
 * @throws LogFormatError
 */
export function decodeShape<T>(kind: DocumentKind, bytes: Uint8Array, where: string, shape: Shape<T>): T {
  const { value } = decodeDocument(kind, bytes, where);
  try {
    return shape(value);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new LogFormatError('INVALID', where, `${error.message} in this ${kind}: ${corruptAdvice}`, error);
  }
}

/** Bytes in a frame. Above 4 KiB they are compressed (zstd, level 1) when that makes them smaller. */
export function encodeFrame(kind: DocumentKind, formatVersion: number, payload: Uint8Array): Uint8Array {
  assert(isReadableFormatVersion(formatVersion), `format version ${formatVersion}`);
  assert(
    payload.length <= maxPayloadBytes,
    `a ${kind} of ${payload.length} bytes, ${maxPayloadBytes} are possible`,
  );
  const compressed =
    payload.length > compressAboveBytes
      ? zstdCompressSync(payload, { params: { [constants.ZSTD_c_compressionLevel]: 1 } })
      : payload;
  const smaller = compressed.length < payload.length;
  const stored = smaller ? compressed : payload;
  const bytes = Buffer.allocUnsafe(prefixBytes + stored.length);
  bytes.set(magic, 0);
  bytes.writeUInt8(kindCodes[kind], 4);
  bytes.writeUInt8(smaller ? 1 : 0, 5);
  bytes.writeUInt16BE(formatVersion, 6);
  bytes.writeUInt32BE(stored.length, 8);
  bytes.writeUInt32BE(payload.length, 12);
  bytes.writeUInt32BE(crc32c(stored, crc32c(bytes.subarray(0, 16))), 16);
  bytes.set(stored, prefixBytes);
  return bytes;
}

/** @throws LogFormatError */
export function decodeFrame(kind: DocumentKind, bytes: Uint8Array, where: string): Frame {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!buffer.subarray(0, magic.length).equals(magic.subarray(0, buffer.length))) {
    throw new LogFormatError(
      'FOREIGN',
      where,
      `it does not start with FIRD: something other than firn wrote it; move it out of the store`,
    );
  }
  if (buffer.length < prefixBytes || buffer.length < prefixBytes + buffer.readUInt32BE(8)) {
    throw new LogFormatError(
      'TRUNCATED',
      where,
      `it ends after ${buffer.length} bytes, in the middle of a ${kind}: ${corruptAdvice}`,
    );
  }
  const payloadEnd = prefixBytes + buffer.readUInt32BE(8);
  const stored = buffer.subarray(prefixBytes, payloadEnd);
  if (crc32c(stored, crc32c(buffer.subarray(0, 16))) !== buffer.readUInt32BE(16)) {
    throw new LogFormatError('CHECKSUM', where, `its CRC does not match: ${corruptAdvice}`);
  }
  const version = buffer.readUInt16BE(6);
  checkFormatVersion(version, where);
  const found = kinds.get(buffer.readUInt8(4));
  if (found !== kind || buffer.length > payloadEnd) {
    const what =
      found === kind
        ? `${buffer.length - payloadEnd} bytes follow its content`
        : `it holds a ${found ?? 'document of an unknown kind'} where a ${kind} belongs`;
    throw new LogFormatError('INVALID', where, `${what}: ${corruptAdvice}`);
  }
  return { formatVersion: version, payload: decompress(buffer, stored, where) };
}

function decompress(buffer: Buffer, stored: Buffer, where: string): Uint8Array {
  const compression = buffer.readUInt8(5);
  const payloadBytes = buffer.readUInt32BE(12);
  const invalid = (what: string, cause?: unknown): LogFormatError =>
    new LogFormatError('INVALID', where, `${what}: ${corruptAdvice}`, cause);
  if (payloadBytes > maxPayloadBytes) {
    throw invalid(`it claims ${payloadBytes} bytes, at most ${maxPayloadBytes} are possible`);
  }
  let payload: Uint8Array = stored;
  if (compression === 1) {
    try {
      payload = zstdDecompressSync(stored, { maxOutputLength: Math.max(payloadBytes, 1) });
    } catch (error) {
      throw invalid('it cannot be decompressed', error);
    }
  } else if (compression !== 0) {
    throw invalid(`it has the unknown compression ${compression}`);
  }
  if (payload.length !== payloadBytes) {
    throw invalid(`it has ${payload.length} bytes when decompressed, it claims ${payloadBytes}`);
  }
  return payload;
}
