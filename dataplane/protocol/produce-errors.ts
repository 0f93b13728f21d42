import type { KafkaErrorName } from './error-code.ts';
import type { RecordBatchErrorCode } from './record-batch.ts';

/**
 * How Kafka 4.3 answers each of these faults in a Produce request. Where Kafka fails by accident (UNKNOWN_SERVER_ERROR for
 * compressed bytes it cannot read and for codecs 5 to 7) the answer is the one that fits; none makes a client repeat
 * what cannot succeed, and MESSAGE_TOO_LARGE makes Java's producer split the batch. Message formats 0 and 1 are
 * INVALID_RECORD, since version 3 of Produce carries format 2 only; Kafka 4 has no UNSUPPORTED_FOR_MESSAGE_FORMAT here.
 */
export const produceErrors: Readonly<Record<RecordBatchErrorCode, KafkaErrorName>> = {
  TRUNCATED: 'INVALID_RECORD',
  CORRUPT: 'CORRUPT_MESSAGE',
  UNSUPPORTED_MAGIC: 'INVALID_RECORD',
  UNSUPPORTED_COMPRESSION: 'UNSUPPORTED_COMPRESSION_TYPE',
  TOO_LARGE: 'MESSAGE_TOO_LARGE',
  INVALID_TIMESTAMP: 'INVALID_TIMESTAMP',
  INVALID: 'INVALID_RECORD',
};
