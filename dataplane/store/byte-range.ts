import { StoreError } from './errors.ts';
import type { Call } from './request-checks.ts';
import type { ByteRange } from './object-store.ts';

/** A stretch of bytes that lies inside an object. */
export interface ByteSpan {
  readonly offset: number;
  readonly sizeBytes: number;
}

/**
 * Cuts a (checked) range to an object of `sizeBytes` as RFC 9110 section 14.1.2 does: an `end` beyond the object and a
 * `suffix` longer than it are cut; a range without any byte of the object is RANGE_NOT_SATISFIABLE.
 */
export function spanOf(range: ByteRange | undefined, sizeBytes: number, call: Call): ByteSpan {
  if (range === undefined) return { offset: 0, sizeBytes };
  const offset = range.suffix === undefined ? range.start : Math.max(0, sizeBytes - range.suffix);
  if (offset >= sizeBytes) {
    const asked =
      range.suffix === undefined ? `starts at ${range.start}` : `is the last ${range.suffix} bytes`;
    throw new StoreError(
      'RANGE_NOT_SATISFIABLE',
      `the range ${asked}, the object has ${sizeBytes} bytes; read its size with head() first`,
      call,
    );
  }
  const end = range.suffix === undefined ? Math.min(range.end ?? sizeBytes, sizeBytes) : sizeBytes;
  return { offset, sizeBytes: end - offset };
}
