import { createHash } from 'node:crypto';
import { bodyPieces, bodySizeBytes, checkedChunks, crc32cOf, isStream } from '../body.ts';
import { StoreError } from '../errors.ts';
import type { Body, StreamBody } from '../object-store.ts';
import type { Call } from '../request-checks.ts';
import { awsChunked, awsChunkedSizeBytes, crc32cBase64 } from './aws-chunked.ts';
import type { Header } from './sigv4.ts';

/** The body of a request and what its headers say about it. */
export interface Payload {
  readonly body: readonly Uint8Array[] | AsyncIterable<Uint8Array>;
  readonly bytes: number;
  /** `x-amz-content-sha256`. */
  readonly hash: string;
  /** To be signed. */
  readonly headers: readonly Header[];
}

export interface PayloadOptions {
  readonly checksums: boolean;
  readonly signPayload: boolean;
}

const unsigned = 'UNSIGNED-PAYLOAD';

export const noPayload: Payload = { body: [], bytes: 0, hash: unsigned, headers: [] };

/** The body of a PUT. A streamed one is read once; `over` must abort when the request is over, whatever the outcome. */
export async function putPayload(
  body: Body,
  crc32c: number | undefined,
  options: PayloadOptions,
  call: Call,
  over: AbortSignal | undefined,
): Promise<Payload> {
  if (isStream(body)) return await streamPayload(body, crc32c, options, call, over);
  const pieces = bodyPieces(body);
  const crc = crc32c ?? (options.checksums ? crc32cOf(pieces) : undefined);
  return {
    body: pieces,
    bytes: bodySizeBytes(body),
    hash: options.signPayload ? sha256(pieces) : unsigned,
    headers: checksumHeaders(crc, options),
  };
}

/** The body of a request that is not the bytes of an object: with every checksum that some server insists on. */
export function documentPayload(document: Uint8Array, options: PayloadOptions): Payload {
  return {
    body: [document],
    bytes: document.byteLength,
    hash: options.signPayload ? sha256([document]) : unsigned,
    headers: [
      ...checksumHeaders(options.checksums ? crc32cOf([document]) : undefined, options),
      ['content-md5', createHash('md5').update(document).digest('base64')],
    ],
  };
}

async function streamPayload(
  body: StreamBody,
  crc32c: number | undefined,
  options: PayloadOptions,
  call: Call,
  over: AbortSignal | undefined,
): Promise<Payload> {
  if (options.signPayload) {
    throw new StoreError(
      'INVALID_REQUEST',
      'streamed bodies cannot be signed; put the bytes in memory, or set signPayload=false',
      call,
    );
  }
  const chunks = checkedChunks(body, call, over);
  if (body.sizeBytes === 0) {
    // The head completes such a request: the stream has to be found empty before it is sent.
    for await (const chunk of chunks) void chunk;
    return { body: [], bytes: 0, hash: unsigned, headers: checksumHeaders(crc32c ?? 0, options) };
  }
  if (crc32c === undefined && options.checksums) {
    return {
      body: awsChunked(chunks, body.sizeBytes),
      bytes: awsChunkedSizeBytes(body.sizeBytes),
      hash: 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      headers: [
        ['content-encoding', 'aws-chunked'],
        ['x-amz-decoded-content-length', String(body.sizeBytes)],
        ['x-amz-trailer', 'x-amz-checksum-crc32c'],
      ],
    };
  }
  return {
    body: oneBehind(chunks),
    bytes: body.sizeBytes,
    hash: unsigned,
    headers: checksumHeaders(crc32c, options),
  };
}

/** Passes a chunk on only when the next one, or the end, is there: so the last one proves that the source ended well. */
async function* oneBehind(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let held: Uint8Array | undefined;
  for await (const chunk of chunks) {
    if (chunk.byteLength === 0) continue;
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (held !== undefined) yield held;
}

function checksumHeaders(crc32c: number | undefined, options: PayloadOptions): readonly Header[] {
  return crc32c === undefined || !options.checksums ? [] : [['x-amz-checksum-crc32c', crc32cBase64(crc32c)]];
}

function sha256(pieces: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}
