import assert from 'node:assert/strict';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { BlockEntry } from './block-entry.ts';
import { decodeIndex, encodeIndex, type IndexedBlock } from './container-index.ts';
import { decodeContainerHeader, headerBytes, type ContainerHeader } from './container-header.ts';
import { corruptAdvice, LogFormatError } from './errors.ts';
import { MalformedBytesError } from './varint.ts';

/**
 * The index as stored, complete in itself so that checkpoints can carry it:
 *
 * ```
 *  0 copy of the container's header, 64 B      64 hash of the footer of the slot before, 16 B
 * 80 compression u8 (0 none, 1 zstd)           81 index length u32, decompressed                 85 index
 * ```
 */
export interface IndexSection {
  readonly header: ContainerHeader;
  readonly previousFooterHash: string;
  readonly index: BlockEntry[];
}

const compressionPosition = headerBytes + 16;
const indexPosition = compressionPosition + 5;

/** Below this, zstd's 30 µs buy nothing. */
const compressAboveBytes = 1024;
/** 2 million batches. A segment or slot is closed long before. */
const maxIndexBytes = 64 * 2 ** 20;

export function encodeIndexSection(
  header: Uint8Array,
  previousFooterHash: string,
  blocks: readonly IndexedBlock[],
  version: number,
  writerTimeMs: number,
): Buffer {
  const index = encodeIndex(blocks, version, writerTimeMs).written();
  assert(
    index.length <= maxIndexBytes,
    `an index of ${index.length} bytes: close slots and segments earlier`,
  );
  const compressed =
    index.length > compressAboveBytes
      ? zstdCompressSync(index, { params: { [constants.ZSTD_c_compressionLevel]: 1 } })
      : index;
  const smaller = compressed.length < index.length;
  const stored = smaller ? compressed : index;
  const section = Buffer.allocUnsafe(indexPosition + stored.length);
  section.set(header, 0);
  section.write(previousFooterHash, headerBytes, 16, 'hex');
  section.writeUInt8(smaller ? 1 : 0, compressionPosition);
  section.writeUInt32BE(index.length, compressionPosition + 1);
  section.set(stored, indexPosition);
  return section;
}

/**
 * @param bodyBytes size of the container's body, where the whole object is known
 * @throws LogFormatError
 */
export function decodeIndexSection(
  section: Uint8Array,
  bodyBytes: number | undefined,
  where: string,
): IndexSection {
  if (section.length < indexPosition) {
    throw new LogFormatError('INVALID', where, `its index has ${section.length} bytes: ${corruptAdvice}`);
  }
  const header = decodeContainerHeader(section, where);
  const bytes = Buffer.from(section.buffer, section.byteOffset, section.length);
  try {
    const index = decodeIndex(decompress(bytes, bodyBytes), {
      version: header.formatVersion,
      writerTimeMs: header.writerTimeMs,
      bodyPosition: headerBytes,
      bodyBytes: header.kind === 'fence' || header.kind === 'end' ? 0 : bodyBytes,
      allowGaps: header.kind === 'segment',
    });
    refuseReserved(index, where);
    return { header, previousFooterHash: bytes.toString('hex', headerBytes, compressionPosition), index };
  } catch (error) {
    if (!(error instanceof MalformedBytesError)) throw error;
    throw new LogFormatError('INVALID', where, `${error.message}: ${corruptAdvice}`, error);
  }
}

function decompress(section: Buffer, bodyBytes: number | undefined): Uint8Array {
  const compression = section.readUInt8(compressionPosition);
  const indexBytes = section.readUInt32BE(compressionPosition + 1);
  const stored = section.subarray(indexPosition);
  // A batch takes at most 60 bytes of index and at least 61 of body, a block of one batch at most 120 more.
  const limit = Math.min(maxIndexBytes, bodyBytes === undefined ? maxIndexBytes : 1024 + 4 * bodyBytes);
  if (indexBytes > limit) {
    throw new MalformedBytesError(`its index claims ${indexBytes} bytes, at most ${limit} are possible`);
  }
  let index: Uint8Array = stored;
  if (compression === 1) {
    try {
      index = zstdDecompressSync(stored, { maxOutputLength: Math.max(indexBytes, 1) });
    } catch (error) {
      throw new MalformedBytesError('its index cannot be decompressed', error);
    }
  } else if (compression !== 0) {
    throw new MalformedBytesError(`its index has the unknown compression ${compression}`);
  }
  if (index.length !== indexBytes) {
    throw new MalformedBytesError(`its index has ${index.length} bytes, it claims ${indexBytes}`);
  }
  return index;
}

function refuseReserved(index: readonly BlockEntry[], where: string): void {
  const reserved = index.find((block) => block.kind !== 'records');
  if (reserved === undefined) return;
  throw new LogFormatError(
    'FUTURE_VERSION',
    where,
    `it has a ${reserved.kind} block of ${reserved.topicId}-${reserved.partition}, written by zone ingress, which ` +
      `this release of firn does not have: use the release that wrote it`,
  );
}
