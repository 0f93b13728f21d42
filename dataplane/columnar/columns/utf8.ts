import { isUtf8 } from 'node:buffer';

/** Whether `source[start, start + length)` is UTF-8, as Parquet's STRING has to be; `view` is of the same memory. */
export function isUtf8Range(source: Buffer, view: DataView, start: number, length: number): boolean {
  const end = start + length;
  let at = start;
  let seen = 0;
  for (; at + 4 <= end; at += 4) seen |= view.getInt32(at, true);
  for (; at < end; at++) seen |= source[at] ?? 0;
  // Most text is ASCII, and a call into native code costs more than a short loop.
  return (seen & 0x80808080) === 0 || isUtf8(source.subarray(start, end));
}
