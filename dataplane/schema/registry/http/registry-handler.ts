import { jsonResponse, pathSegments } from '../../../runtime/http-exchange.ts';
import type { HttpHandler, HttpRequest, HttpResponse } from '../../../runtime/http-exchange.ts';
import { RegistryError } from '../registry-error.ts';
import { configRoutes } from './config-routes.ts';
import { HttpRefusal } from './registry-request.ts';
import { get, matchPath } from './route.ts';
import type { Route, RouteAnswer, RouteContext } from './route.ts';
import { schemaRoutes } from './schema-routes.ts';
import { subjectRoutes } from './subject-routes.ts';

const routes: readonly Route[] = [
  get('/', () => Promise.resolve({ json: {} })),
  ...subjectRoutes,
  ...schemaRoutes,
  ...configRoutes,
];

/** Confluent's Schema Registry API over a {@link RouteContext}; docs/schema-registry.md says what of it. */
export function registryHandler(context: RouteContext): HttpHandler {
  return async (request) => {
    const { accept } = request.headers;
    const contentType = contentTypeFor(accept);
    try {
      return respond(await answer(context, request), contentType);
    } catch (error) {
      if (error instanceof RegistryError) return registryErrorResponse(error, accept);
      if (error instanceof HttpRefusal)
        return refused(error.status, error.status, error.message, contentType);
      throw error;
    }
  };
}

/** @param accept the header of the request */
export function registryErrorResponse(error: RegistryError, accept: string | undefined): HttpResponse {
  return refused(error.status, error.errorCode, error.message, contentTypeFor(accept));
}

/** An answer to who is not let in, in the form of the others. 40101 is what Confluent's registry has for it. */
export function refuseRegistryClient(status: 401 | 503, sentence: string): HttpResponse {
  return refused(status, status * 100 + 1, sentence, registryType);
}

function answer(context: RouteContext, request: HttpRequest): Promise<RouteAnswer> {
  const segments = pathSegments(request.path);
  if (segments === undefined)
    throw new HttpRefusal(400, `the path ${request.path} is not percent-encoded as it should be`);
  const onPath = routes.flatMap((route) => {
    const variables = matchPath(route.path, segments);
    return variables === undefined ? [] : [{ route, variables }];
  });
  if (onPath.length === 0) throw new HttpRefusal(404, `the schema registry has no ${request.path}`);
  const found = onPath.find(({ route }) => route.method === request.method);
  if (found === undefined) {
    const methods = [...new Set(onPath.map(({ route }) => route.method))].join(', ');
    throw new HttpRefusal(405, `${request.method} is not possible at ${request.path}, only ${methods}`);
  }
  return found.route.handle(context, request, found.variables);
}

const registryType = 'application/vnd.schemaregistry.v1+json';

/** Confluent's own type unless only plain JSON is wanted. */
function contentTypeFor(accept: string | undefined): string {
  if (accept === undefined || /\*\/\*|application\/\*|vnd\.schemaregistry/.test(accept)) return registryType;
  return accept.includes('application/json') ? 'application/json' : registryType;
}

function respond(what: RouteAnswer, contentType: string): HttpResponse {
  return 'text' in what
    ? { status: 200, headers: { 'content-type': contentType }, body: what.text }
    : jsonResponse(200, what.json, contentType);
}

function refused(status: number, errorCode: number, message: string, contentType: string): HttpResponse {
  return jsonResponse(status, { error_code: errorCode, message }, contentType);
}
