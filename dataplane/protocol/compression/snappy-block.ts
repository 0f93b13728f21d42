import { copyMatch } from './lz4-block.ts';
import { slackBytes } from './output-buffer.ts';

/** What {@link decodeSnappyBlock} returns instead of an end. */
export const snappyBlockCorrupt = -1;

const loopBytes = 64;

/**
 * Decodes the elements of one Snappy block, `source[start, end)`, to `target` from `targetStart` on, and returns the end
 * of what it wrote, at most `limit`. Up to {@link slackBytes} bytes after the end are overwritten with nonsense.
 *
 * ```
 * element: tag u8, its lowest two bits
 *   0  literal: length - 1 in the upper six bits, 60 to 63: in the next one to four bytes, LE; then the literal
 *   1  copy: 0bOOOLLL01, length L + 4, offset O << 8 | next byte
 *   2  copy: length - 1 in the upper six bits, offset u16 LE    3  the same, offset u32 LE
 * ```
 */
export function decodeSnappyBlock(
  source: Buffer,
  sourceView: DataView,
  start: number,
  end: number,
  target: Buffer,
  targetView: DataView,
  targetStart: number,
  limit: number,
): number {
  const lastWideRead = end - slackBytes;
  let s = start;
  let t = targetStart;
  while (s < end) {
    const tag = source[s++] ?? 0;
    const kind = tag & 3;
    if (kind === 0) {
      let length = tag >>> 2;
      if (length >= 60) {
        const lengthBytes = length - 59;
        if (lengthBytes > end - s) return snappyBlockCorrupt;
        length = source.readUIntLE(s, lengthBytes);
        s += lengthBytes;
      }
      length++;
      if (length > end - s || length > limit - t) return snappyBlockCorrupt;
      if (length <= 16 && s <= lastWideRead) {
        targetView.setInt32(t, sourceView.getInt32(s));
        targetView.setInt32(t + 4, sourceView.getInt32(s + 4));
        if (length > 8) {
          targetView.setInt32(t + 8, sourceView.getInt32(s + 8));
          targetView.setInt32(t + 12, sourceView.getInt32(s + 12));
        }
        s += length;
        t += length;
      } else if (length <= loopBytes) {
        for (const stop = s + length; s < stop;) target[t++] = source[s++] ?? 0;
      } else {
        source.copy(target, t, s, s + length);
        s += length;
        t += length;
      }
      continue;
    }

    let length: number;
    let offset: number;
    if (kind === 1) {
      if (s >= end) return snappyBlockCorrupt;
      length = ((tag >>> 2) & 7) + 4;
      offset = ((tag & 0xe0) << 3) | (source[s] ?? 0);
      s += 1;
    } else if (kind === 2) {
      if (end - s < 2) return snappyBlockCorrupt;
      length = (tag >>> 2) + 1;
      offset = (source[s] ?? 0) | ((source[s + 1] ?? 0) << 8);
      s += 2;
    } else {
      if (end - s < 4) return snappyBlockCorrupt;
      length = (tag >>> 2) + 1;
      offset = sourceView.getUint32(s, true);
      s += 4;
    }
    if (offset === 0 || offset > t - targetStart || length > limit - t) return snappyBlockCorrupt;
    t = copyMatch(target, targetView, t, offset, length);
  }
  return t;
}
