/** Where the hyphens of a UUID are: 8-4-4-4-12 digits (RFC 9562). */
const hyphens: ReadonlySet<number> = new Set([8, 13, 18, 23]);

/**
 * The text of a UUID to its 16 bytes.
 *
 * @returns false when it is none; `target` then holds anything
 */
export function readUuidText(
  source: Uint8Array,
  start: number,
  length: number,
  target: Uint8Array,
  at: number,
): boolean {
  if (length !== 36) return false;
  let next = at;
  for (let i = 0; i < 36;) {
    if (hyphens.has(i)) {
      if (source[start + i] !== 0x2d) return false;
      i++;
      continue;
    }
    const high = hexDigit(source[start + i] ?? 0);
    const low = hexDigit(source[start + i + 1] ?? 0);
    if (high < 0 || low < 0) return false;
    target[next++] = high * 16 + low;
    i += 2;
  }
  return true;
}

function hexDigit(character: number): number {
  if (character >= 0x30 && character <= 0x39) return character - 0x30;
  const lower = character | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
