import { decodeShape, encodeShape } from './document.ts';
import { natural, object } from './shape.ts';

const shape = object({ trim: natural });

/**
 * The trim point of a session: every block in slots below it is in a segment that a manifest names. Only grows. A session
 * without this object has trimmed nothing.
 */
export function encodeTrim(trim: number, formatVersion: number): Uint8Array {
  return encodeShape('trim', formatVersion, { trim, ...(formatVersion >= 2 ? { reserved: [] } : {}) }, shape);
}

/** @throws LogFormatError */
export function decodeTrim(bytes: Uint8Array, where: string): number {
  return decodeShape('trim', bytes, where, shape).trim;
}
