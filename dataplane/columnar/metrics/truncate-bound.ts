/**
 * Bounds that are shorter than the values they bound (Iceberg's `truncate(N)` metrics; Parquet's `is_max_value_exact`). A
 * prefix is never greater than the value, so it is a lower bound as it is; for an upper one its last character or byte that
 * can be made greater is.
 */

/** @param text UTF-8 @param characters code points to keep */
export function lowerTextBound(text: Uint8Array, characters: number): Uint8Array {
  return text.subarray(0, prefixLength(text, characters));
}

/** @returns undefined when no text of so few code points is greater */
export function upperTextBound(text: Uint8Array, characters: number): Uint8Array | undefined {
  const length = prefixLength(text, characters);
  if (length === text.length) return text;
  const points = Array.from(Buffer.from(text.buffer, text.byteOffset, length).toString());
  for (let last = points.length - 1; last >= 0; last--) {
    const next = following(points[last]?.codePointAt(0) ?? 0);
    if (next !== undefined) return Buffer.from(points.slice(0, last).join('') + String.fromCodePoint(next));
  }
  return undefined;
}

export function lowerBytesBound(value: Uint8Array, bytes: number): Uint8Array {
  return value.subarray(0, bytes);
}

/** @returns undefined when no bytes of this length are greater */
export function upperBytesBound(value: Uint8Array, bytes: number): Uint8Array | undefined {
  if (value.length <= bytes) return value;
  for (let last = bytes - 1; last >= 0; last--) {
    const byte = value[last] ?? 0;
    if (byte === 0xff) continue;
    const bound = Uint8Array.from(value.subarray(0, last + 1));
    bound[last] = byte + 1;
    return bound;
  }
  return undefined;
}

/** The next code point that UTF-8 can have: surrogates are left out. */
function following(codePoint: number): number | undefined {
  if (codePoint === 0x10ffff) return undefined;
  return codePoint === 0xd7ff ? 0xe000 : codePoint + 1;
}

/** Bytes of the first so many code points. */
function prefixLength(text: Uint8Array, characters: number): number {
  let seen = 0;
  for (let at = 0; at < text.length; at++) {
    if (((text[at] ?? 0) & 0xc0) !== 0x80 && seen++ === characters) return at;
  }
  return text.length;
}
