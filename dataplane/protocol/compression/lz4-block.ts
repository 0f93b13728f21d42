import { slackBytes } from './output-buffer.ts';

/** What {@link decodeLz4Block} returns instead of an end. */
export const lz4BlockCorrupt = -1;
export const lz4BlockTooLarge = -2;

/** Above this many bytes a call of the copying built-ins is cheaper than a loop. */
const loopBytes = 64;
const minMatchBytes = 4;

/**
 * Decodes one LZ4 block: `source[start, end)` to `target` from `targetStart` on, and returns the end of what it wrote,
 * at most `limit`. Matches may reach back to `historyStart`. Up to {@link slackBytes} bytes after the end are overwritten
 * with nonsense, so `target` must have them; nothing is read outside the two ranges.
 *
 * ```
 * block: { token u8 (literal count << 4 | match length - 4; 15: more bytes follow), literals,
 *          offset u16 LE, more match length }…, the last sequence ends after its literals
 * ```
 *
 * Own code, since the WebAssembly decoder of the package that compresses for us traps on damaged input and never gets that
 * call's memory back: 2,000 cut frames took a gigabyte. 1.2 GiB/s on JSON, two thirds of WebAssembly: copies go in words of
 * four bytes, through views, and may overlap at distances of four and more.
 *
 * @returns the end, or {@link lz4BlockCorrupt}, or {@link lz4BlockTooLarge}
 */
export function decodeLz4Block(
  source: Buffer,
  sourceView: DataView,
  start: number,
  end: number,
  target: Buffer,
  targetView: DataView,
  targetStart: number,
  limit: number,
  historyStart: number,
): number {
  const lastWideRead = end - slackBytes;
  let s = start;
  let t = targetStart;
  while (s < end) {
    const token = source[s++] ?? 0;

    let literals = token >>> 4;
    if (literals === 15) {
      let more = 255;
      while (more === 255) {
        if (s >= end) return lz4BlockCorrupt;
        more = source[s++] ?? 0;
        literals += more;
      }
    }
    if (literals > end - s) return lz4BlockCorrupt;
    if (literals > limit - t) return lz4BlockTooLarge;
    if (literals <= 16 && s <= lastWideRead) {
      targetView.setInt32(t, sourceView.getInt32(s));
      targetView.setInt32(t + 4, sourceView.getInt32(s + 4));
      if (literals > 8) {
        targetView.setInt32(t + 8, sourceView.getInt32(s + 8));
        targetView.setInt32(t + 12, sourceView.getInt32(s + 12));
      }
      s += literals;
      t += literals;
    } else if (literals <= loopBytes) {
      for (const stop = s + literals; s < stop;) target[t++] = source[s++] ?? 0;
    } else {
      source.copy(target, t, s, s + literals);
      s += literals;
      t += literals;
    }
    if (s === end) return t;

    if (end - s < 2) return lz4BlockCorrupt;
    const offset = (source[s] ?? 0) | ((source[s + 1] ?? 0) << 8);
    s += 2;
    if (offset === 0 || offset > t - historyStart) return lz4BlockCorrupt;
    let length = (token & 15) + minMatchBytes;
    if (length === 15 + minMatchBytes) {
      let more = 255;
      while (more === 255) {
        if (s >= end) return lz4BlockCorrupt;
        more = source[s++] ?? 0;
        length += more;
      }
    }
    if (length > limit - t) return lz4BlockTooLarge;
    t = copyMatch(target, targetView, t, offset, length);
  }
  // Only an empty block gets here: any other ends with literals.
  return start === end ? t : lz4BlockCorrupt;
}

/**
 * Repeats `length` bytes from `offset` bytes before `t`; the two ranges may overlap, which repeats a pattern. Writes up to
 * seven bytes more than that. Returns `t + length`.
 */
export function copyMatch(
  target: Buffer,
  targetView: DataView,
  t: number,
  offset: number,
  length: number,
): number {
  const end = t + length;
  if (length <= loopBytes) {
    copyInSteps(target, targetView, t, offset, end);
    return end;
  }
  let to = t;
  let span = offset;
  if (offset < loopBytes) {
    // Calls are dear for a short pattern: first it is repeated as often as it fits.
    to += loopBytes - (loopBytes % offset);
    copyInSteps(target, targetView, t, offset, to);
    span += to - t;
  }
  // Each round doubles the pattern that stands there, from its start on.
  while (to < end) {
    const bytes = Math.min(span, end - to);
    target.copyWithin(to, t - offset, t - offset + bytes);
    to += bytes;
    span += bytes;
  }
  return end;
}

function copyInSteps(target: Buffer, targetView: DataView, t: number, offset: number, end: number): void {
  let from = t - offset;
  let to = t;
  if (offset >= 4) {
    do {
      targetView.setInt32(to, targetView.getInt32(from));
      targetView.setInt32(to + 4, targetView.getInt32(from + 4));
      to += 8;
      from += 8;
    } while (to < end);
  } else {
    while (to < end) target[to++] = target[from++] ?? 0;
  }
}
