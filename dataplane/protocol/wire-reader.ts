/**
 * What generated decoders call. They keep the position in a local variable; what reads a varying number of bytes leaves
 * the new one in `cursor`. Decoding is synchronous, so one cursor is enough.
 */

export const cursor = { position: 0 };

/** A varint that ended early, or has more than five bytes (or bits beyond 32). Lengths are never negative otherwise. */
export const truncatedVarint = -1;
export const oversizedVarint = -2;

/** An unsigned varint below 2^32, or one of the two constants above. */
export function readUnsignedVarint(bytes: Buffer, start: number, end: number): number {
  let position = start;
  let value = 0;
  for (let shift = 0; shift < 35; shift += 7) {
    if (position >= end) return truncatedVarint;
    const byte = bytes[position++] as number;
    if (shift === 28 && byte > 0x0f) return oversizedVarint;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      cursor.position = position;
      return value >>> 0;
    }
  }
  return oversizedVarint;
}

/** The caller has checked that two bytes are there. */
export function readInt16(bytes: Uint8Array, p: number): number {
  return (((bytes[p] as number) << 24) >> 16) | (bytes[p + 1] as number);
}

/** The caller has checked that eight bytes are there. */
export function readInt64(bytes: Buffer, p: number): number {
  const high =
    ((bytes[p] as number) << 24) |
    ((bytes[p + 1] as number) << 16) |
    ((bytes[p + 2] as number) << 8) |
    (bytes[p + 3] as number);
  const low =
    ((bytes[p + 4] as number) << 24) |
    ((bytes[p + 5] as number) << 16) |
    ((bytes[p + 6] as number) << 8) |
    (bytes[p + 7] as number);
  const value = high * 4_294_967_296 + (low >>> 0);
  if (value > Number.MAX_SAFE_INTEGER) return Infinity;
  return value < -Number.MAX_SAFE_INTEGER ? -Infinity : value;
}

/** UTF-8; what is none becomes U+FFFD, as in Kafka. The caller has checked that the bytes are there. */
export function readString(bytes: Buffer, start: number, end: number): string {
  return bytes.toString('utf8', start, end);
}

/** The caller has checked that 16 bytes are there. */
export function readUuid(bytes: Buffer, start: number): string {
  return bytes.toString('hex', start, start + 16);
}
