import type { KafkaErrorName } from '../protocol/error-code.ts';
import { produceErrors } from '../protocol/produce-errors.ts';
import {
  RecordBatchError,
  batchAttributes,
  isControl,
  isTransactional,
  parseBatches,
  readBatchHeader,
} from '../protocol/record-batch.ts';
import type { BatchHeader } from '../protocol/record-batch.ts';
import { setMaxTimestamp } from '../protocol/record-batch.ts';
import { validateBatch } from '../protocol/validate-records.ts';
import type { TopicSettings } from './topic-settings.ts';

/** Why records are refused, for the client. */
export interface RecordsProblem {
  readonly error: KafkaErrorName;
  readonly message: string;
}

/** Kafka's codec 4 came with version 7 of Produce; older clients could not read what they wrote. */
const firstVersionWithZstd = 7;
const zstd = 4;

/**
 * Decompressed, a batch may be this many times its topic's `max.message.bytes`, and this much in any case: so much is
 * decoded, on this thread, before a bomb is refused.
 */
const maxExpansion = 16;
const minDataBytes = 16 * 1024 * 1024;

/**
 * Checks what a client has produced for one partition as Kafka's LogValidator does, and returns the header of its one
 * batch. A maximum timestamp in the header that its records do not have is put right, in place.
 */
export function checkProducedRecords(
  records: Uint8Array | null,
  {
    settings,
    apiVersion,
    nowMs,
  }: {
    readonly settings: TopicSettings;
    readonly apiVersion: number;
    /** Of the wall clock. */
    readonly nowMs: number;
  },
): BatchHeader | RecordsProblem {
  if (records === null || records.length === 0)
    return { error: 'INVALID_RECORD', message: 'a record batch was expected, there is none' };
  try {
    const [header, ...others] = parseBatches(records, { verifyCrc: true });
    if (header === undefined || others.length > 0) {
      return {
        error: 'INVALID_RECORD',
        message: `a produce request has exactly one record batch for a partition, this one ${others.length + 1}`,
      };
    }
    return headerProblem(header, settings, apiVersion) ?? checkRecords(records, header, settings, nowMs);
  } catch (error) {
    if (!(error instanceof RecordBatchError)) throw error;
    return { error: produceErrors[error.code], message: error.message };
  }
}

function headerProblem(
  { attributes, sizeBytes, baseOffset }: BatchHeader,
  { maxMessageBytes }: TopicSettings,
  apiVersion: number,
): RecordsProblem | undefined {
  if (baseOffset !== 0) {
    return {
      error: 'INVALID_RECORD',
      message: `the base offset of a produced batch is 0, this one has ${baseOffset}`,
    };
  }
  if (isControl(attributes))
    return { error: 'INVALID_RECORD', message: 'clients cannot write control records' };
  if (isTransactional(attributes)) {
    return {
      error: 'INVALID_TXN_STATE',
      message: 'transactions are not built yet: produce without a transactional id',
    };
  }
  if (sizeBytes > maxMessageBytes) {
    return {
      error: 'MESSAGE_TOO_LARGE',
      message: `the batch has ${sizeBytes} bytes, max.message.bytes of the topic is ${maxMessageBytes}`,
    };
  }
  if ((attributes & batchAttributes.compressionMask) === zstd && apiVersion < firstVersionWithZstd) {
    return {
      error: 'UNSUPPORTED_COMPRESSION_TYPE',
      message: `zstd needs version ${firstVersionWithZstd} of Produce, the request has version ${apiVersion}`,
    };
  }
  return undefined;
}

function checkRecords(
  records: Uint8Array,
  header: BatchHeader,
  settings: TopicSettings,
  nowMs: number,
): BatchHeader | RecordsProblem {
  const maxDataBytes = Math.max(minDataBytes, settings.maxMessageBytes * maxExpansion);
  const { minTimestampMs, maxTimestampMs, nullKeys } = validateBatch(header, records, 0, maxDataBytes);
  if (settings.needsKeys && nullKeys > 0) {
    return {
      error: 'INVALID_RECORD',
      message: `${nullKeys} of ${header.recordCount} records have no key, which a topic with cleanup.policy=compact needs`,
    };
  }
  const saysAppendTime = (header.attributes & batchAttributes.logAppendTime) !== 0;
  if (settings.logAppendTime) {
    if (!saysAppendTime) return header;
    return { error: 'INVALID_TIMESTAMP', message: 'producers do not set the timestamp type LogAppendTime' };
  }
  const earliestMs = nowMs - settings.timestampBeforeMaxMs;
  const latestMs = nowMs + settings.timestampAfterMaxMs;
  if ((minTimestampMs !== undefined && minTimestampMs < earliestMs) || maxTimestampMs > latestMs) {
    return {
      error: 'INVALID_TIMESTAMP',
      message:
        `records have timestamps from ${minTimestampMs ?? -1} to ${maxTimestampMs}; by the topic's ` +
        `message.timestamp.before.max.ms and .after.max.ms they may be from ${earliestMs} to ${latestMs}`,
    };
  }
  if (header.maxTimestampMs === maxTimestampMs && !saysAppendTime) return header;
  setMaxTimestamp(records, 0, maxTimestampMs);
  return readBatchHeader(records, 0);
}
