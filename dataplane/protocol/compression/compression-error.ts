import type { CompressionCodec } from './codec.ts';

export type CompressionErrorCode =
  /** The bytes end before the data does. */
  | 'TRUNCATED'
  /** The bytes are not what the codec writes. */
  | 'CORRUPT'
  /** Decompressed, the data has more bytes than the caller allows. */
  | 'TOO_LARGE'
  /** A valid use of the format that no Kafka client makes: dictionaries, levels a codec does not have. */
  | 'UNSUPPORTED';

/** Whatever is wrong with compressed bytes: they come from outside, so no other error may leave a decompressor. */
export class CompressionError extends Error {
  readonly code: CompressionErrorCode;
  readonly codec: CompressionCodec;

  constructor(code: CompressionErrorCode, codec: CompressionCodec, what: string, options?: ErrorOptions) {
    super(`${codec}: ${what}`, options);
    this.name = 'CompressionError';
    this.code = code;
    this.codec = codec;
  }
}

export function tooLarge(
  codec: CompressionCodec,
  maxBytes: number,
  options?: ErrorOptions,
): CompressionError {
  return new CompressionError(
    'TOO_LARGE',
    codec,
    `the data has more than ${maxBytes} bytes when decompressed: send smaller batches`,
    options,
  );
}
