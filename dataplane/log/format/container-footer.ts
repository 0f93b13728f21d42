import { hash } from 'node:crypto';
import { crc32c } from '../../store/crc32c.ts';
import { headerBytes } from './container-header.ts';
import { corruptAdvice, LogFormatError } from './errors.ts';
import { MalformedBytesError, readInt64, writeInt64 } from './varint.ts';
import { checkFormatVersion } from './version.ts';

/**
 * The end of a container:
 *
 * ```
 *  0 index position u64     8 index length u32     12 index CRC u32     16 body CRC u32
 * 20 hash of the footer of the slot before, 16 B   36 size of the object u64
 * 44 format version u16    46 zero, 10 B           56 CRC u32 of bytes 0 to 56     60 magic "NRIF"
 * ```
 */
export interface FooterFields {
  readonly formatVersion: number;
  readonly indexPosition: number;
  readonly indexSizeBytes: number;
  readonly indexCrc32c: number;
  readonly bodyCrc32c: number;
  readonly previousFooterHash: string;
  readonly objectSizeBytes: number;
  /** What the next slot's `previousFooterHash` must be. */
  readonly footerHash: string;
}

export const footerBytes = 64;
/** In a session's first slot, in fences and in segments. */
export const noFooterHash = '0'.repeat(32);

const footerMagic = Buffer.from('NRIF');
const footerCrcPosition = 56;

export interface FooterInput {
  readonly formatVersion: number;
  readonly previousFooterHash: string;
  readonly indexPosition: number;
  readonly indexBytes: Uint8Array;
  readonly bodyCrc32c: number;
}

export function encodeFooter(input: FooterInput): Buffer {
  const { indexPosition, indexBytes } = input;
  const footer = Buffer.alloc(footerBytes);
  writeInt64(footer, indexPosition, 0);
  footer.writeUInt32BE(indexBytes.length, 8);
  footer.writeUInt32BE(crc32c(indexBytes), 12);
  footer.writeUInt32BE(input.bodyCrc32c, 16);
  footer.write(input.previousFooterHash, 20, 16, 'hex');
  writeInt64(footer, indexPosition + indexBytes.length + footerBytes, 36);
  footer.writeUInt16BE(input.formatVersion, 44);
  footer.writeUInt32BE(crc32c(footer.subarray(0, footerCrcPosition)), footerCrcPosition);
  footer.set(footerMagic, 60);
  return footer;
}

/**
 * @param tail the last bytes of the object, at least {@link footerBytes} of them unless the object is shorter
 * @throws LogFormatError
 */
export function decodeFooter(tail: Uint8Array, objectSizeBytes: number, where: string): FooterFields {
  if (objectSizeBytes < headerBytes + footerBytes) throw truncated(objectSizeBytes, where);
  const bytes = Buffer.from(tail.buffer, tail.byteOffset + tail.length - footerBytes, footerBytes);
  if (!bytes.subarray(60).equals(footerMagic)) {
    throw new LogFormatError(
      'TRUNCATED',
      where,
      `its last bytes are not the footer of a firn log object: it was cut short, or something else wrote it; ${corruptAdvice}`,
    );
  }
  if (crc32c(bytes.subarray(0, footerCrcPosition)) !== bytes.readUInt32BE(footerCrcPosition)) {
    throw new LogFormatError('CHECKSUM', where, `the CRC of its footer does not match: ${corruptAdvice}`);
  }
  const version = bytes.readUInt16BE(44);
  checkFormatVersion(version, where);
  try {
    const footer: FooterFields = {
      indexPosition: readInt64(bytes, 0),
      indexSizeBytes: bytes.readUInt32BE(8),
      indexCrc32c: bytes.readUInt32BE(12),
      bodyCrc32c: bytes.readUInt32BE(16),
      previousFooterHash: bytes.toString('hex', 20, 36),
      objectSizeBytes: readInt64(bytes, 36),
      formatVersion: version,
      footerHash: hashFooter(bytes),
    };
    if (footer.objectSizeBytes !== objectSizeBytes) throw wrongSize(footer, objectSizeBytes, where);
    if (
      footer.indexPosition < headerBytes ||
      footer.indexPosition + footer.indexSizeBytes !== objectSizeBytes - footerBytes
    ) {
      throw new MalformedBytesError(
        `its index of ${footer.indexSizeBytes} bytes at ${footer.indexPosition} does not end at the footer`,
      );
    }
    return footer;
  } catch (error) {
    if (!(error instanceof MalformedBytesError)) throw error;
    throw new LogFormatError('INVALID', where, `${error.message}: ${corruptAdvice}`, error);
  }
}

function wrongSize(footer: FooterFields, objectSizeBytes: number, where: string): LogFormatError {
  const code = objectSizeBytes < footer.objectSizeBytes ? 'TRUNCATED' : 'INVALID';
  return new LogFormatError(
    code,
    where,
    `it has ${objectSizeBytes} bytes, its footer says ${footer.objectSizeBytes}: ${corruptAdvice}`,
  );
}

/** The object is shorter than any container. */
export function truncated(sizeBytes: number, where: string): LogFormatError {
  return new LogFormatError(
    'TRUNCATED',
    where,
    `it has ${sizeBytes} bytes, a firn log object has at least ${headerBytes + footerBytes}: ${corruptAdvice}`,
  );
}

/** The first 16 bytes of the footer's SHA-256, 0.25 µs. */
export function hashFooter(footer: Uint8Array): string {
  return hash('sha256', footer, 'hex').slice(0, 32);
}
