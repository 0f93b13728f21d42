import { decodeShape, encodeShape } from './document.ts';
import { isId } from './keys.ts';
import { natural, object, textMatching } from './shape.ts';

/**
 * What `meta/pid-block` says: producer ids below `next` have been given out, in blocks, or may have been.
 *
 * `writer` is 16 random bytes in hexadecimal, drawn anew for each block that is claimed: it makes the contents of two
 * brokers that claim the same block at a time different, so that each can tell whose claim stands.
 */
export interface PidBlock {
  readonly next: number;
  readonly writer: string;
}

const shape = object({ next: natural, writer: textMatching(isId, '32 hexadecimal digits') });

export function encodePidBlock({ next, writer }: PidBlock, formatVersion: number): Uint8Array {
  return encodeShape(
    'pid-block',
    formatVersion,
    { next, writer, ...(formatVersion >= 2 ? { reserved: [] } : {}) },
    shape,
  );
}

/** @throws LogFormatError */
export function decodePidBlock(bytes: Uint8Array, where: string): PidBlock {
  return decodeShape('pid-block', bytes, where, shape);
}
