import type { HttpRequest, HttpResponse } from '../../runtime/http-exchange.ts';
import type { EmbeddedCatalog } from '../catalogs/embedded/embedded-catalog.ts';
import { JsonObject } from '../json/json-object.ts';
import { parseJson, printJson } from '../json/lossless-json.ts';
import { UnsupportedMediaType, requestSource } from './rest-error.ts';

export interface RouteContext {
  readonly catalog: EmbeddedCatalog;
  /** What engines are told with every table: how to reach its files. */
  readonly tableConfig: Readonly<Record<string, string>>;
}

/** @param parameters what stands in the path where the route has `{…}`, decoded */
export type RouteHandler = (
  context: RouteContext,
  request: HttpRequest,
  parameters: Readonly<Record<string, string>>,
) => Promise<HttpResponse>;

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** As the specification writes it, without `{prefix}`: `/v1/namespaces/{namespace}`. */
  readonly path: string;
  /** GET routes that engines ask by HEAD for existence. */
  readonly answersHead?: boolean;
  /** Answered only to say that it is not built: not among the endpoints that clients are told. */
  readonly isRefusal?: boolean;
  readonly handle: RouteHandler;
}

export function json(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: printJson(value) };
}

export const noContent: HttpResponse = { status: 204, headers: {}, body: '' };

const jsonType = /^application\/json\s*(;|$)/i;

/**
 * Of no content type, or JSON's: a web page can send other ones to this port without asking for permission.
 *
 * @throws UnsupportedMediaType
 * @throws FormatError about the request when it is no JSON object
 */
export function bodyOf(request: HttpRequest): JsonObject {
  const contentType = request.headers['content-type'];
  if (request.body.length > 0 && contentType !== undefined && !jsonType.test(contentType))
    throw new UnsupportedMediaType(
      `${request.method} ${request.path} needs Content-Type application/json, not ${JSON.stringify(contentType)}`,
    );
  const text = Buffer.from(request.body).toString('utf8');
  return new JsonObject(parseJson(text === '' ? '{}' : text, requestSource), requestSource);
}

/** Levels of a namespace in a path or a query are joined by the unit separator. */
export function levelsOf(text: string): readonly string[] {
  return text === '' ? [] : text.split('\u001f');
}
