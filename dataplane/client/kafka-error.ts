import { errorNameOf, isRetriableCode, kafkaErrors } from '../protocol/error-code.ts';
import type { KafkaErrorName } from '../protocol/error-code.ts';

/** A broker answered that it did not do what it was asked for. */
export class KafkaError extends Error {
  override readonly name = 'KafkaError';
  readonly code: number;
  /** `undefined`: a code that is newer than this program. */
  readonly errorName: KafkaErrorName | undefined;
  /** The same request may succeed later, perhaps at another broker. */
  readonly retriable: boolean;

  /**
   * @param what what was asked for, without a full stop: `topic orders could not be created`
   * @param told what the broker said about it, if anything
   * @param retriable default: as for the code
   */
  constructor(code: number, what: string, told?: string | null, retriable = isRetriableCode(code)) {
    const errorName = errorNameOf(code);
    const name = errorName ?? `error ${code}`;
    super(
      told === undefined || told === null || told === '' ? `${what}: ${name}` : `${what}: ${told} (${name})`,
    );
    this.code = code;
    this.errorName = errorName;
    this.retriable = retriable;
  }
}

/** @throws KafkaError unless the code says that all went well */
export function refuseError(code: number, what: string, told?: string | null): void {
  if (code !== kafkaErrors.NONE.code) throw new KafkaError(code, what, told);
}
