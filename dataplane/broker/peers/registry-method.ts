import { Fields } from '../../cluster/json-fields.ts';
import type { HttpRequest, HttpResponse } from '../../runtime/http-exchange.ts';
import { RegistryError } from '../../schema/registry/registry-error.ts';
import { openBody, packBody, packedBody } from './packed-body.ts';
import type { PackedBody } from './packed-body.ts';
import type { PeerMethod } from './peer-method.ts';

/** A request to the schema registry that somebody has sent to a broker that does not have it. */
export interface PassedRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly contentType: string | undefined;
  readonly accept: string | undefined;
  readonly body: PackedBody;
}

export interface PassedAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: PackedBody;
}

const anyText = /^[^]*$/;

export const registryMethod: PeerMethod<PassedRequest, PassedAnswer> = {
  name: 'registry',
  request: {
    encode: (request) => ({ ...request, body: packedBody.encode(request.body) }),
    decode: (json) => {
      const fields = new Fields(json);
      return {
        method: fields.text('method', /^[A-Z]{1,20}$/),
        path: fields.text('path', /^\//),
        query: fields.text('query', anyText),
        contentType: fields.optionalText('contentType', anyText),
        accept: fields.optionalText('accept', anyText),
        body: fields.nested('body', packedBody.decode),
      };
    },
  },
  response: {
    encode: (answer) => ({ ...answer, body: packedBody.encode(answer.body) }),
    decode: (json) => {
      const fields = new Fields(json);
      return {
        status: fields.integer('status', 200, 599),
        contentType: fields.text('contentType', anyText),
        body: fields.nested('body', packedBody.decode),
      };
    },
  },
};

/**
 * What brokers have not read yet of each other is bounded: as many answers of this size as are asked for at a time fit
 * into it. A request may hold the largest schema there is.
 */
export const maxPassedBytes = { request: 3 * 1024 * 1024, answer: 768 * 1024 };

/** Without who sent it: whoever passes it on has let them in. */
export async function passedRequest(request: HttpRequest): Promise<PassedRequest> {
  const { method, path, query, headers, body } = request;
  return {
    method,
    path,
    query: query.toString(),
    contentType: headers['content-type'],
    accept: headers['accept'],
    body: within(maxPassedBytes.request, await packBody(body), 'the request has'),
  };
}

export async function requestOf(passed: PassedRequest, signal: AbortSignal): Promise<HttpRequest> {
  const { method, path, query, contentType, accept, body } = passed;
  return {
    method,
    path,
    query: new URLSearchParams(query),
    headers: { 'content-type': contentType, accept },
    body: await openBody(body),
    signal,
  };
}

export async function passedAnswer({ status, headers, body }: HttpResponse): Promise<PassedAnswer> {
  return {
    status,
    contentType: headers['content-type'] ?? 'application/json',
    body: within(maxPassedBytes.answer, await packBody(body), 'the answer has'),
  };
}

export async function answerOf({ status, contentType, body }: PassedAnswer): Promise<HttpResponse> {
  return { status, headers: { 'content-type': contentType }, body: await openBody(body) };
}

function within(maxBytes: number, body: PackedBody, what: string): PackedBody {
  if (body.bytes.length <= maxBytes) return body;
  throw new RegistryError(
    'storeError',
    `${what} ${body.bytes.length} bytes when it is compressed, and one broker passes at most ${maxBytes} on to another: ` +
      'ask for less at a time (offset, limit), or ask the broker that has the registry',
  );
}
