import { codecOfAttributes, type CompressionCodec } from './compression/codec.ts';
import { CompressionError } from './compression/compression-error.ts';
import { decompress, decompressAsync, decompressTransient } from './compression/decompress.ts';
import { batchAttributes, batchOverheadBytes, RecordBatchError, type BatchHeader } from './record-batch.ts';

/**
 * The records of a batch, decompressed, for a {@link RecordCursor}: views of `bytes` when the batch is not compressed, else
 * memory of their own. Synchronous, as `decompress` is: {@link batchDataAsync} is for large gzip and Zstandard batches.
 *
 * @param bytes the batch starts at `position` and is all there
 * @param maxDataBytes the most data to accept
 * @throws RecordBatchError INVALID, TOO_LARGE (the cause is a CompressionError), UNSUPPORTED_COMPRESSION
 */
export function batchData(
  header: BatchHeader,
  bytes: Uint8Array,
  position: number,
  maxDataBytes: number,
): Uint8Array {
  const codec = batchCodec(header, position);
  try {
    return decompress(codec, compressedData(header, bytes, position), maxDataBytes);
  } catch (error) {
    throw asBatchError(error, position);
  }
}

/** As {@link batchData}, but valid only until something else is decompressed: see `decompressTransient`. */
export function batchDataTransient(
  header: BatchHeader,
  bytes: Uint8Array,
  position: number,
  maxDataBytes: number,
): Uint8Array {
  const codec = batchCodec(header, position);
  try {
    return decompressTransient(codec, compressedData(header, bytes, position), maxDataBytes);
  } catch (error) {
    throw asBatchError(error, position);
  }
}

/** As {@link batchData}, with gzip and Zstandard on the thread pool; `bytes` must not change meanwhile. */
export async function batchDataAsync(
  header: BatchHeader,
  bytes: Uint8Array,
  position: number,
  maxDataBytes: number,
): Promise<Uint8Array> {
  const codec = batchCodec(header, position);
  try {
    return await decompressAsync(codec, compressedData(header, bytes, position), maxDataBytes);
  } catch (error) {
    throw asBatchError(error, position);
  }
}

/** @throws RecordBatchError UNSUPPORTED_COMPRESSION */
export function batchCodec(header: BatchHeader, position: number): CompressionCodec {
  const codec = codecOfAttributes(header.attributes);
  if (codec !== undefined) return codec;
  const id = header.attributes & batchAttributes.compressionMask;
  throw new RecordBatchError('UNSUPPORTED_COMPRESSION', position, `compression codec ${id} is unknown`);
}

/** What follows the header, as it came. */
export function compressedData(header: BatchHeader, bytes: Uint8Array, position: number): Uint8Array {
  return bytes.subarray(position + batchOverheadBytes, position + header.sizeBytes);
}

function asBatchError(error: unknown, position: number): unknown {
  if (!(error instanceof CompressionError)) return error;
  const code = error.code === 'TOO_LARGE' ? 'TOO_LARGE' : 'INVALID';
  return new RecordBatchError(code, position, error.message, { cause: error });
}
