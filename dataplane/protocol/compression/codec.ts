import { batchAttributes } from '../record-batch.ts';

/** The compression codecs of record batches, by the id that the lowest three attribute bits hold. */
export const compressionCodecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

/** As Kafka's `compression.type` names them. */
export type CompressionCodec = (typeof compressionCodecs)[number];

/** The codec that a batch's attributes name; undefined for the ids 5 to 7, which mean nothing. */
export function codecOfAttributes(attributes: number): CompressionCodec | undefined {
  return compressionCodecs[attributes & batchAttributes.compressionMask];
}

export function codecId(codec: CompressionCodec): number {
  return compressionCodecs.indexOf(codec);
}
