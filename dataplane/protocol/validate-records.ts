import { batchCodec, batchDataAsync, batchDataTransient, compressedData } from './batch-data.ts';
import { lz4BlocksAreIndependent } from './compression/lz4-frame.ts';
import { RecordBatchError, type BatchHeader } from './record-batch.ts';
import { RecordCursor } from './records.ts';

/** What a broker must know of the records of a batch it is about to append. */
export interface RecordsSummary {
  /** Decompressed. */
  readonly sizeBytes: number;
  /** Of the records that have a timestamp; undefined when none has. */
  readonly minTimestampMs: number | undefined;
  /** -1 when no record has a timestamp. What the header's field must say; producers can get it wrong. */
  readonly maxTimestampMs: number;
  /** Of the first record with `maxTimestampMs`; -1 when no record has a timestamp. */
  readonly maxTimestampOffsetDelta: number;
  /** Records with a null key: topics with `cleanup.policy=compact` take none. */
  readonly nullKeys: number;
}

/**
 * Checks the records of a batch as Kafka's LogValidator does before it appends them:
 *
 * - as many records as the header says, nothing after the last, no length or count beyond what surrounds it, no header
 *   without a key;
 * - each record's fields as long as its length says. Kafka 4.3 checks that only where a batch is not compressed, and so
 *   stores compressed batches that no client can read;
 * - offset deltas 0, 1, 2, … Kafka 4.3 answers UNKNOWN_SERVER_ERROR to a compressed batch in which they are otherwise, and
 *   stores an uncompressed one as it is; we refuse both, as no client sends such a batch.
 *
 * Timestamps are only summed up, since the rules are a topic's. Kafka compares *every record's* with
 * `message.timestamp.before.max.ms` and `.after.max.ms` (not those that are -1, and none when the topic has
 * `message.timestamp.type=LogAppendTime`), and one outside refuses the batch with INVALID_TIMESTAMP: least and greatest
 * decide that. The header's max timestamp is a claim of the producer's, so it does not suffice; Kafka overwrites it with
 * the greatest found, and so must a broker when they differ (`setMaxTimestamp`).
 *
 * 17 ns a record (`bench/records.bench.ts`), 7 ns more for each header.
 *
 * @param records what follows the header, decompressed
 * @param position where the batch starts in what was read, for errors
 * @throws RecordBatchError INVALID, INVALID_TIMESTAMP
 */
export function validateRecords(header: BatchHeader, records: Uint8Array, position = 0): RecordsSummary {
  const cursor = new RecordCursor(header, records, position);
  let minTimestampMs = Infinity;
  let maxTimestampMs = -1;
  let maxTimestampOffsetDelta = -1;
  let nullKeys = 0;
  let nextOffset = header.baseOffset;
  while (cursor.next()) {
    if (cursor.offset !== nextOffset) {
      throw new RecordBatchError(
        'INVALID',
        position,
        `record ${cursor.index} has offset delta ${cursor.offset - header.baseOffset}`,
      );
    }
    nextOffset++;
    const { timestampMs } = cursor;
    if (timestampMs > maxTimestampMs) {
      maxTimestampMs = timestampMs;
      maxTimestampOffsetDelta = cursor.index;
    }
    if (timestampMs < minTimestampMs && timestampMs !== -1) minTimestampMs = timestampMs;
    if (cursor.keyEnd < 0) nullKeys++;
  }
  return {
    sizeBytes: records.length,
    minTimestampMs: minTimestampMs === Infinity ? undefined : minTimestampMs,
    maxTimestampMs,
    maxTimestampOffsetDelta,
    nullKeys,
  };
}

/**
 * {@link validateRecords} for a batch as it came, compressed or not: all at once on this thread; `maxDataBytes` bounds what
 * that costs, whatever was sent. Nanoseconds for a record of 1,000 bytes of JSON (`bench/records.bench.ts`), and what the
 * LogValidator of Kafka 4.3.1 takes for the same batches on the same machine:
 *
 * ```
 *        none  lz4  snappy  zstd  gzip
 * Firn     18  138     133   390   540
 * Kafka    24  180     524   345  1288
 * ```
 *
 * @param bytes the batch starts at `position`; its header is sound (`parseBatches`)
 * @param maxDataBytes the most data to accept, decompressed
 * @throws RecordBatchError INVALID, INVALID_TIMESTAMP, TOO_LARGE, UNSUPPORTED_COMPRESSION; the cause: what the codec found
 */
export function validateBatch(
  header: BatchHeader,
  bytes: Uint8Array,
  position: number,
  maxDataBytes: number,
): RecordsSummary {
  const records = batchDataTransient(header, bytes, position, maxDataBytes);
  assertReadableByAll(header, bytes, position);
  return validateRecords(header, records, position);
}

/** As {@link validateBatch}, with gzip and Zstandard on the thread pool; `bytes` must not change meanwhile. */
export async function validateBatchAsync(
  header: BatchHeader,
  bytes: Uint8Array,
  position: number,
  maxDataBytes: number,
): Promise<RecordsSummary> {
  const codec = batchCodec(header, position);
  if (codec !== 'gzip' && codec !== 'zstd') return validateBatch(header, bytes, position, maxDataBytes);
  const records = await batchDataAsync(header, bytes, position, maxDataBytes);
  return validateRecords(header, records, position);
}

/** What we can read and Java's clients cannot must not get into a log. */
function assertReadableByAll(header: BatchHeader, bytes: Uint8Array, position: number): void {
  if (batchCodec(header, position) !== 'lz4') return;
  if (lz4BlocksAreIndependent(compressedData(header, bytes, position))) return;
  throw new RecordBatchError(
    'INVALID',
    position,
    'its LZ4 blocks depend on one another, which Java clients cannot read: have the producer write independent blocks',
  );
}
