/** What can be wrong with bytes that were to be decoded, or with a value that was to be encoded. */
export const protocolErrorCodes = {
  /** Decoding: a field, or what a length or count announces, goes beyond the bytes that are there. */
  TRUNCATED: 'decode',
  /** Decoding: a length or count that is negative, or longer than Kafka allows. */
  INVALID_LENGTH: 'decode',
  /** Decoding: null where this version has no null. */
  UNEXPECTED_NULL: 'decode',
  /** Decoding: a variable-length integer of too many bytes. */
  VARINT_TOO_LONG: 'decode',
  /** Decoding: a tagged field whose content is not as long as it says. */
  TAGGED_FIELD_SIZE: 'decode',
  /** Decoding or encoding: the message has no such version. */
  UNSUPPORTED_VERSION: 'both',
  /** Decoding: the key of another kind of coordinator record. */
  WRONG_RECORD_TYPE: 'decode',
  /** Encoding: the value of a field is missing, or not of its type or range. */
  INVALID_VALUE: 'encode',
  /** Encoding: a field is set that this version cannot carry and that must not get lost. */
  FIELD_NOT_IN_VERSION: 'encode',
} as const;

export type ProtocolErrorCode = keyof typeof protocolErrorCodes;

export interface ProtocolErrorPlace {
  /** The message, such as `ProduceRequest`. */
  readonly messageName: string;
  readonly version: number;
  /** The field, such as `topicData[0].partitionData[2].index`; empty for the message itself. */
  readonly field: string;
  /** Decoding: the first byte in question, counted from the start of the bytes given. */
  readonly position?: number;
}

/**
 * Bytes that are no Kafka message of that name and version, or a value that is none. A peer's bytes cannot be decoded by
 * trying again: fail the request, or close the connection. While encoding it is a bug of ours.
 */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
  readonly retriable = false;
  readonly code: ProtocolErrorCode;
  readonly messageName: string;
  readonly version: number;
  readonly field: string;
  readonly position: number | undefined;

  constructor(code: ProtocolErrorCode, place: ProtocolErrorPlace, problem: string, options?: ErrorOptions) {
    const { messageName, version, field, position } = place;
    const where = position === undefined ? field : `${field} at byte ${position}`;
    super(`${messageName} v${version}: ${where === '' ? '' : `${where.trim()}: `}${problem}`, options);
    this.code = code;
    this.messageName = messageName;
    this.version = version;
    this.field = field;
    this.position = position;
  }
}
