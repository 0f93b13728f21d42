import type { PageBuffer } from './page-buffer.ts';

/** Shorter runs cost more as runs of their own than packed. */
const shortestRun = 64;

/**
 * Parquet's RLE/bit-packing hybrid ("RLE = 3"), for levels and dictionary indexes.
 *
 * ```
 * run:    varint(count << 1), the value in ceil(width / 8) bytes
 * packed: varint(groups << 1 | 1), groups of eight values, lowest bits first
 * ```
 *
 * @param width bits of a value, 1 to 16
 */
export function appendHybrid(
  page: PageBuffer,
  values: Uint8Array | Int32Array,
  from: number,
  to: number,
  width: number,
): void {
  let literals = from;
  let i = from;
  while (i < to) {
    const value = values[i];
    let end = i + 1;
    while (end < to && values[end] === value) end++;
    if (end - i >= shortestRun) {
      // Packed values come in eights: what is missing is taken from the run.
      const runStart = i + (-(i - literals) & 7);
      if (runStart > literals) appendPacked(page, values, literals, runStart, width);
      appendRun(page, end - runStart, value ?? 0, width);
      literals = end;
    }
    i = end;
  }
  if (literals < to) appendPacked(page, values, literals, to, width);
}

function appendRun(page: PageBuffer, count: number, value: number, width: number): void {
  page.reserve(8);
  appendVarint(page, count << 1);
  page.bytes[page.length++] = value & 0xff;
  if (width > 8) page.bytes[page.length++] = value >>> 8;
}

function appendPacked(
  page: PageBuffer,
  values: Uint8Array | Int32Array,
  from: number,
  to: number,
  width: number,
): void {
  const groups = (to - from + 7) >> 3;
  page.reserve(8 + groups * width);
  appendVarint(page, (groups << 1) | 1);
  const { bytes } = page;
  let position = page.length;
  const end = position + groups * width;
  let bits = 0;
  let count = 0;
  for (let i = from; i < to; i++) {
    bits |= (values[i] ?? 0) << count;
    count += width;
    while (count >= 8) {
      bytes[position++] = bits & 0xff;
      bits >>>= 8;
      count -= 8;
    }
  }
  if (count > 0) bytes[position++] = bits & 0xff;
  bytes.fill(0, position, end);
  page.length = end;
}

function appendVarint(page: PageBuffer, value: number): void {
  let rest = value;
  while (rest > 127) {
    page.bytes[page.length++] = (rest & 127) | 128;
    rest >>>= 7;
  }
  page.bytes[page.length++] = rest;
}
