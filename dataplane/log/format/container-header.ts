import assert from 'node:assert/strict';
import { crc32c } from '../../store/crc32c.ts';
import { corruptAdvice, LogFormatError } from './errors.ts';
import { MalformedBytesError, readInt64, writeInt64 } from './varint.ts';
import { checkFormatVersion, isReadableFormatVersion, newestReadableFormatVersion } from './version.ts';

export type ContainerKind = 'data' | 'fence' | 'end' | 'segment';

/**
 * ```
 *  0 magic "FIRN"      4 format version u16      6 kind u8 (1 data, 2 fence, 3 end, 4 segment)     7 flags u8 = 0
 *  8 sid, 16 B        24 slot u64               32 last checkpoint's slot u64
 * 40 writer's wall clock i64                    48 zero, 12 B        60 CRC-32C u32 of bytes 0 to 60
 * ```
 */
export interface ContainerHeader {
  readonly formatVersion: number;
  readonly kind: ContainerKind;
  /** The session that wrote it (a fence: the session it ends; who wrote the fence stands in its note). */
  readonly sid: string;
  /** The slot's number; a segment's sequence number in its writer's session. */
  readonly slot: number;
  /**
   * The newest durable checkpoint the writer knew. 0: none (a checkpoint covers the slots below its own, so none is at
   * 0). Only speeds up reading.
   */
  readonly lastCheckpointSlot: number;
  /** The writer's wall clock, milliseconds since 1970. For expiry and for people, never for ordering. */
  readonly writerTimeMs: number;
}

export const headerBytes = 64;

const magic = Buffer.from('FIRN');
const crcPosition = 60;
const kindCodes = { data: 1, fence: 2, end: 3, segment: 4 } as const satisfies Record<ContainerKind, number>;
const kinds: readonly (ContainerKind | undefined)[] = [undefined, 'data', 'fence', 'end', 'segment'];

export function encodeContainerHeader(header: ContainerHeader): Buffer {
  assert(/^[0-9a-f]{32}$/.test(header.sid), `sid ${header.sid}`);
  assert(header.slot >= 0 && header.lastCheckpointSlot >= 0, `slot ${header.slot}`);
  assert(
    isReadableFormatVersion(header.formatVersion),
    `format version ${header.formatVersion}, at most ${newestReadableFormatVersion} can be written`,
  );
  const bytes = Buffer.alloc(headerBytes);
  bytes.set(magic, 0);
  bytes.writeUInt16BE(header.formatVersion, 4);
  bytes.writeUInt8(kindCodes[header.kind], 6);
  bytes.write(header.sid, 8, 16, 'hex');
  writeInt64(bytes, header.slot, 24);
  writeInt64(bytes, header.lastCheckpointSlot, 32);
  writeInt64(bytes, header.writerTimeMs, 40);
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, crcPosition)), crcPosition);
  return bytes;
}

/**
 * Reads the header at the start of `bytes` (at least 64).
 *
 * @throws LogFormatError
 */
export function decodeContainerHeader(bytes: Uint8Array, where: string): ContainerHeader {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, headerBytes));
  if (!buffer.subarray(0, magic.length).equals(magic.subarray(0, buffer.length))) {
    throw new LogFormatError(
      'FOREIGN',
      where,
      `it does not start with FIRN: something other than firn wrote it; move it out of the store`,
    );
  }
  if (buffer.length < headerBytes) {
    throw new LogFormatError(
      'TRUNCATED',
      where,
      `it ends after ${buffer.length} of the ${headerBytes} bytes of its header: ${corruptAdvice}`,
    );
  }
  if (crc32c(buffer.subarray(0, crcPosition)) !== buffer.readUInt32BE(crcPosition)) {
    throw new LogFormatError('CHECKSUM', where, `the CRC of its header does not match: ${corruptAdvice}`);
  }
  const version = buffer.readUInt16BE(4);
  checkFormatVersion(version, where);
  const kindCode = buffer.readUInt8(6);
  const kind = kinds[kindCode];
  if (kind === undefined) {
    throw new LogFormatError('INVALID', where, `it has the unknown kind ${kindCode}: ${corruptAdvice}`);
  }
  try {
    return {
      formatVersion: version,
      kind,
      sid: buffer.toString('hex', 8, 24),
      slot: nonNegative(readInt64(buffer, 24), 'slot'),
      lastCheckpointSlot: nonNegative(readInt64(buffer, 32), 'last checkpoint slot'),
      writerTimeMs: readInt64(buffer, 40),
    };
  } catch (error) {
    if (!(error instanceof MalformedBytesError)) throw error;
    throw new LogFormatError('INVALID', where, `${error.message} in its header: ${corruptAdvice}`, error);
  }
}

function nonNegative(value: number, what: string): number {
  if (value < 0) throw new MalformedBytesError(`the ${what} is ${value}`);
  return value;
}
