import { LogError } from '../log/errors.ts';
import type { LogErrorCode } from '../log/errors.ts';
import { StoreError } from '../store/errors.ts';
import { kafkaErrors } from '../protocol/error-code.ts';
import type { KafkaErrorName } from '../protocol/error-code.ts';

/**
 * What a client is told when the log refuses. A session that ends or a group that moves is for clients a leader that has
 * changed: they fetch metadata and try again. Damage in the store is told as Kafka tells a failed disk: clients keep
 * trying, nobody takes the end of what is readable for the end of the log, and `firn log verify` says more.
 */
const kafkaErrorOf: Record<LogErrorCode, KafkaErrorName> = {
  NOT_LEADER_OR_FOLLOWER: 'NOT_LEADER_OR_FOLLOWER',
  UNKNOWN_TOPIC_OR_PARTITION: 'UNKNOWN_TOPIC_OR_PARTITION',
  OFFSET_OUT_OF_RANGE: 'OFFSET_OUT_OF_RANGE',
  CORRUPT_MESSAGE: 'CORRUPT_MESSAGE',
  MESSAGE_TOO_LARGE: 'MESSAGE_TOO_LARGE',
  INVALID_RECORD: 'INVALID_RECORD',
  OUT_OF_ORDER_SEQUENCE_NUMBER: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
  DUPLICATE_SEQUENCE_NUMBER: 'DUPLICATE_SEQUENCE_NUMBER',
  INVALID_PRODUCER_EPOCH: 'INVALID_PRODUCER_EPOCH',
  UNSUPPORTED: 'INVALID_REQUEST',
  // Clients know that nothing has been written, and try again after their back-off.
  OVERLOADED: 'NOT_ENOUGH_REPLICAS',
  CORRUPT_LOG: 'KAFKA_STORAGE_ERROR',
  UNSUPPORTED_FORMAT: 'KAFKA_STORAGE_ERROR',
  REPLACED: 'NOT_LEADER_OR_FOLLOWER',
  SHUTTING_DOWN: 'NOT_LEADER_OR_FOLLOWER',
};

/** An error as a client is told of it. */
export interface ToldError {
  readonly name: KafkaErrorName;
  readonly code: number;
  readonly message: string;
}

/**
 * The answer when the log refuses, or when the store has failed for so long that the log has given up: clients try again
 * then, as they do when a disk of Kafka fails. `undefined`: it is a bug, or an abort.
 */
export function toldError(error: unknown): ToldError | undefined {
  if (error instanceof StoreError) {
    const name = 'KAFKA_STORAGE_ERROR';
    return { name, code: kafkaErrors[name].code, message: error.message };
  }
  if (!(error instanceof LogError)) return undefined;
  const name = kafkaErrorOf[error.code];
  return { name, code: kafkaErrors[name].code, message: error.message };
}
