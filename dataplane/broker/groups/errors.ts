import { kafkaErrors } from '../../protocol/error-code.ts';
import type { KafkaErrorName } from '../../protocol/error-code.ts';

/** A request that the group coordinator refuses, with the error that Kafka gives for it. The state is unchanged. */
export class GroupError extends Error {
  readonly code: KafkaErrorName;
  readonly retriable: boolean;

  constructor(code: KafkaErrorName, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'GroupError';
    this.code = code;
    this.retriable = kafkaErrors[code].retriable;
  }
}

/** This broker does not (or no longer) coordinate the groups of this partition of `__consumer_offsets`. */
export function notCoordinator(partition: number, cause?: unknown): GroupError {
  return new GroupError(
    'NOT_COORDINATOR',
    `this broker does not coordinate the groups of partition ${partition} of __consumer_offsets: ask for the coordinator again`,
    cause === undefined ? undefined : { cause },
  );
}
