import type { ByteRange, ETag, ObjectInfo } from '../object-store.ts';
import type { ResponseHead, ResponseHeaders } from './http/response-head.ts';

/** What is wrong with an answer that says it was successful. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError';
}

/** ETags are kept the way they stand in headers: quoted. Some stores list them without. */
export function quotedETag(etag: string): ETag {
  return (/^(?:W\/)?"/.test(etag) ? etag : `"${etag}"`) as ETag;
}

export function etagOf(headers: ResponseHeaders): ETag {
  const etag = headers['etag'];
  if (etag === undefined || etag === '') throw new AnswerError('it has no ETag');
  return quotedETag(etag);
}

/** @param sizeBytes of the whole object. */
export function objectInfo(headers: ResponseHeaders, sizeBytes: number): ObjectInfo {
  return {
    sizeBytes,
    etag: etagOf(headers),
    id: headers['x-amz-meta-id'],
    lastModifiedMs: Date.parse(headers['last-modified'] ?? ''),
  };
}

/** From the answer to a HEAD. */
export function headInfo(headers: ResponseHeaders): ObjectInfo {
  const length = headers['content-length'];
  if (length === undefined || !/^[0-9]{1,15}$/.test(length))
    throw new AnswerError('it has no Content-Length');
  return objectInfo(headers, Number(length));
}

export function rangeHeader(range: ByteRange): string {
  if (range.suffix !== undefined) return `bytes=-${range.suffix}`;
  return `bytes=${range.start}-${range.end === undefined ? '' : range.end - 1}`;
}

/** Where in the object the body of an answer begins, and how large the object is. */
export interface AnsweredBytes {
  readonly offset: number;
  readonly sizeBytes: number;
}

/**
 * Reads `Content-Range`, `Content-Length` and status of the answer to a GET, and holds them to what was asked for. The
 * whole object in answer to a range is an error: it might be of any size.
 * @param receivedBytes the size of the body, once it is known; needed only when it came chunked.
 */
export function answeredBytes(
  head: ResponseHead,
  range: ByteRange | undefined,
  receivedBytes: number | undefined,
): AnsweredBytes {
  const { framing } = head;
  const bytes = framing.kind === 'sized' ? framing.sizeBytes : receivedBytes;
  if (framing.kind === 'until-close' || bytes === undefined)
    throw new AnswerError('it does not say how long its body is');
  if (head.status === 200 && range === undefined) return { offset: 0, sizeBytes: bytes };
  const header = head.headers['content-range'] ?? '';
  const parts = /^bytes ([0-9]{1,15})-([0-9]{1,15})\/([0-9]{1,15})$/.exec(header);
  if (head.status !== 206 || range === undefined || parts === null)
    throw new AnswerError(`its status is ${head.status} and its Content-Range ${JSON.stringify(header)}`);
  const [first, last, sizeBytes] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  const start = range.suffix === undefined ? range.start : Math.max(0, sizeBytes - range.suffix);
  const end = range.suffix === undefined ? Math.min(range.end ?? sizeBytes, sizeBytes) : sizeBytes;
  if (first !== start || last + 1 !== end || bytes !== end - start) {
    throw new AnswerError(
      `bytes ${start} to ${end - 1} were asked for, it has ${bytes} bytes and says Content-Range: ${header}`,
    );
  }
  return { offset: first, sizeBytes };
}

/** The CRC32C of the whole object, base64, if the answer tells it: not that of a multipart upload's parts. */
export function wholeObjectCrc32c(headers: ResponseHeaders): string | undefined {
  const crc = headers['x-amz-checksum-crc32c'];
  const type = headers['x-amz-checksum-type'];
  if (crc === undefined || crc.includes('-')) return undefined;
  return type === undefined || type === 'FULL_OBJECT' ? crc : undefined;
}
