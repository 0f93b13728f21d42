/**
 * What stands before every request and response, and whole frames:
 *
 *     size int32 | request header | request body
 *     size int32 | response header | response body
 *
 * The first eight bytes of a request are the same in all versions of its header, and the key and the version of the API in
 * them say which one it is. Responses say nothing: whoever sent the request knows.
 */
import type { AnyApi, Api } from './api.ts';
import { ProtocolError } from './errors.ts';
import { int16, int32, string } from './field.ts';
import { defineMessage } from './message.ts';
import type { DecodedOf } from './message.ts';
import { isInRange } from './version-range.ts';
import { WireWriter } from './wire-writer.ts';

export const requestHeader = defineMessage({
  name: 'RequestHeader',
  versions: '1-2',
  flexible: '2+',
  fields: {
    requestApiKey: int16(),
    requestApiVersion: int16(),
    correlationId: int32(),
    clientId: string({ nullable: '1+', default: '', flexible: 'none' }),
  },
});

export const responseHeader = defineMessage({
  name: 'ResponseHeader',
  versions: '0-1',
  flexible: '1+',
  fields: { correlationId: int32() },
});

export type RequestHeader = DecodedOf<typeof requestHeader>;

/** Flexible requests have the header with tagged fields. */
export function requestHeaderVersion(api: AnyApi, version: number): 1 | 2 {
  return isInRange(version, api.flexibleVersions) ? 2 : 1;
}

/** So have flexible responses, except for ApiVersions: its reader may not know yet which version was answered. */
export function responseHeaderVersion(api: AnyApi, version: number): 0 | 1 {
  return api.key !== apiVersionsKey && isInRange(version, api.flexibleVersions) ? 1 : 0;
}

export interface RequestStart {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
}

/**
 * What is readable of any request, known API or not.
 *
 * @param frame the request without its size
 */
export function decodeRequestStart(frame: Uint8Array): RequestStart {
  if (frame.length < 8) {
    throw new ProtocolError(
      'TRUNCATED',
      { messageName: requestHeader.name, version: 1, field: '', position: 0 },
      `8 bytes expected, the frame has ${frame.length}`,
    );
  }
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  return { apiKey: view.getInt16(0), apiVersion: view.getInt16(2), correlationId: view.getInt32(4) };
}

/**
 * The header of a request, and where its body starts: `api.request.decode(frame, version, bodyStart)`.
 *
 * @param frame the request without its size
 */
export function decodeRequestHeader(
  frame: Uint8Array,
  api: AnyApi,
  version: number,
): { header: RequestHeader; bodyStart: number } {
  const { value, end } = requestHeader.decodePart(frame, requestHeaderVersion(api, version), 0);
  return { header: value, bodyStart: end };
}

/**
 * The correlation id of a response, and where its body starts.
 *
 * @param frame the response without its size
 */
export function decodeResponseHeader(
  frame: Uint8Array,
  api: AnyApi,
  version: number,
): { correlationId: number; bodyStart: number } {
  const { value, end } = responseHeader.decodePart(frame, responseHeaderVersion(api, version), 0);
  return { correlationId: value.correlationId, bodyStart: end };
}

export interface RequestCaller {
  readonly correlationId: number;
  readonly clientId: string | null;
}

/** A whole request, its size in front. `Message.encode` says what must not change until it is written. */
export function encodeRequestFrame<I>(
  api: Api<string, unknown, I, unknown, never>,
  version: number,
  caller: RequestCaller,
  request: I,
): Uint8Array[] {
  const { correlationId, clientId } = caller;
  const header = { requestApiKey: api.key, requestApiVersion: version, correlationId, clientId };
  return encodeFrame((writer) => {
    requestHeader.encodeInto(writer, header, requestHeaderVersion(api, version));
    api.request.encodeInto(writer, request, version);
  });
}

/** A whole response, its size in front. `Message.encode` says what must not change until it is written. */
export function encodeResponseFrame<I>(
  api: Api<string, unknown, never, unknown, I>,
  version: number,
  correlationId: number,
  response: I,
): Uint8Array[] {
  return encodeFrame((writer) => {
    responseHeader.encodeInto(writer, { correlationId }, responseHeaderVersion(api, version));
    api.response.encodeInto(writer, response, version);
  });
}

const apiVersionsKey = 18;
const frameWriter = new WireWriter();

function encodeFrame(write: (writer: WireWriter) => void): Uint8Array[] {
  frameWriter.begin();
  const position = frameWriter.reserve(4);
  // Kept: the writer may go on in another chunk.
  const chunk = frameWriter.bytes;
  write(frameWriter);
  chunk.writeInt32BE(frameWriter.length - 4, position);
  return frameWriter.finish();
}
