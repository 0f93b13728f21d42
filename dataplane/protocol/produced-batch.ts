import type { KafkaErrorName } from './error-code.ts';
import { batchAttributes, isControl, parseBatches, RecordBatchError } from './record-batch.ts';
import type { BatchHeader, RecordBatchErrorCode } from './record-batch.ts';

/** The first version of Produce in which Zstandard is allowed. */
const zstdVersion = 7;
const zstdId = 4;

/**
 * The header of what a producer sent for one partition: exactly one batch, which is as a client may send it. Checks all
 * that Kafka does without looking at the records, CRC included; `validateBatch` is for the records.
 *
 * @param bytes the records of one partition in a Produce request, version 3 or later
 * @throws RecordBatchError; {@link produceErrors} has the answer for each code
 */
export function parseProducedBatch(bytes: Uint8Array, apiVersion: number): BatchHeader {
  const [header, second] = parseBatches(bytes, { verifyCrc: true });
  const refuse = (code: RecordBatchErrorCode, what: string): never => {
    throw new RecordBatchError(code, 0, what);
  };
  if (header === undefined) return refuse('INVALID', 'there is none, one for each partition is needed');
  const { attributes, baseOffset } = header;
  if (second !== undefined) refuse('INVALID', 'another follows it, only one for each partition is allowed');
  if (baseOffset !== 0) refuse('INVALID', `its base offset is ${baseOffset}, producers send 0`);
  if (isControl(attributes)) refuse('INVALID', 'it has control records, which clients may not write');
  if (apiVersion < zstdVersion && (attributes & batchAttributes.compressionMask) === zstdId) {
    refuse(
      'UNSUPPORTED_COMPRESSION',
      `Zstandard needs version ${zstdVersion} of Produce, this is ${apiVersion}`,
    );
  }
  return header;
}

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
