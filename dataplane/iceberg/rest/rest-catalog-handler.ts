import { pathSegments } from '../../runtime/http-exchange.ts';
import type { HttpHandler, HttpRequest, HttpResponse } from '../../runtime/http-exchange.ts';
import type { S3Access } from '../../store/object-store.ts';
import type { EmbeddedCatalog } from '../catalogs/embedded/embedded-catalog.ts';
import { namespaceRoutes } from './namespace-routes.ts';
import { refusedRoutes } from './refused-routes.ts';
import { errorBody, errorResponse } from './rest-error.ts';
import { json } from './route.ts';
import type { Route, RouteContext } from './route.ts';
import { tableRoutes } from './table-routes.ts';

export interface RestCatalogOptions {
  readonly catalog: EmbeddedCatalog;
  /** Of the store that the tables lie in: engines are told with every table. Never holds credentials. */
  readonly s3Access?: S3Access | undefined;
}

const served: readonly Route[] = [...namespaceRoutes, ...tableRoutes];

/**
 * The Iceberg REST catalog (rest-catalog-open-api.yaml) as a function of requests. Paths are those of the specification
 * below whatever it is mounted at, without a `{prefix}`; there is no warehouse to choose. Who may ask it is not its business.
 */
export function createRestCatalogHandler({ catalog, s3Access }: RestCatalogOptions): HttpHandler {
  const context: RouteContext = {
    catalog,
    tableConfig: s3Access === undefined ? {} : tableConfigOf(s3Access),
  };
  const config: Route = {
    method: 'GET',
    path: '/v1/config',
    handle: () => Promise.resolve(json(200, configBody())),
  };
  const routes = [config, ...served, ...refusedRoutes].map(compiled);
  return async (request) => {
    const segments = pathSegments(request.path);
    if (segments === undefined)
      return errorBody(
        { status: 400, type: 'BadRequestException' },
        `${request.path} is not encoded as a URL is`,
      );
    try {
      return await dispatch(routes, context, request, segments);
    } catch (error) {
      return errorResponse(error);
    }
  };
}

/** An answer to who is not let in, in the form of the others. */
export function refuseCatalogClient(status: 401 | 503, sentence: string): HttpResponse {
  const type = status === 401 ? 'NotAuthorizedException' : 'ServiceUnavailableException';
  return errorBody({ status, type }, sentence);
}

interface CompiledRoute extends Route {
  readonly segments: readonly string[];
}

function compiled(route: Route): CompiledRoute {
  return { ...route, segments: route.path.split('/').filter((segment) => segment !== '') };
}

async function dispatch(
  routes: readonly CompiledRoute[],
  context: RouteContext,
  request: HttpRequest,
  segments: readonly string[],
): Promise<HttpResponse> {
  let otherMethods = false;
  for (const route of routes) {
    const parameters = parametersOf(route.segments, segments);
    if (parameters === undefined) continue;
    if (route.method === request.method) return await route.handle(context, request, parameters);
    otherMethods = true;
  }
  const what = `${request.method} ${request.path}`;
  if (otherMethods)
    return errorBody({ status: 405, type: 'MethodNotAllowedException' }, `${what}: no such method`);
  return errorBody(
    { status: 404, type: 'NoSuchEndpointException' },
    `${what}: no such path; GET /v1/config lists what there is`,
  );
}

/** The values of `{…}`, when the path has the form of the route. */
function parametersOf(
  form: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (form.length !== segments.length) return undefined;
  const parameters: [string, string][] = [];
  for (const [at, part] of form.entries()) {
    const value = segments[at] ?? '';
    const name = /^\{(.*)\}$/.exec(part)?.[1];
    if (name !== undefined) parameters.push([name, value]);
    else if (part !== value) return undefined;
  }
  return Object.fromEntries(parameters);
}

/** Clients that know of `endpoints` do not ask for what is not there. */
function configBody(): unknown {
  const endpoints = served.flatMap(({ method, path, answersHead }) => {
    const named = path.replace('/v1/', '/v1/{prefix}/');
    return [`${method} ${named}`, ...(answersHead === true ? [`HEAD ${named}`] : [])];
  });
  return { defaults: {}, overrides: {}, endpoints };
}

/** Names of properties as Java's S3FileIO and pyiceberg have them. */
function tableConfigOf({ endpoint, region, pathStyle }: S3Access): Readonly<Record<string, string>> {
  return {
    ...(endpoint === undefined ? {} : { 's3.endpoint': endpoint }),
    's3.path-style-access': String(pathStyle),
    's3.region': region,
    'client.region': region,
  };
}
