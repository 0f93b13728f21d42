import { CatalogError } from '../errors.ts';
import type { Route } from './route.ts';

const views = 'views are not built; this catalog has tables only';
const plans = 'scan planning is not built; plan from the manifests';
const renaming = 'a table cannot be renamed: its name is that of the topic it belongs to';

/** What the specification has and this catalog has not: answered with a sentence instead of "no such path". */
export const refusedRoutes: readonly Route[] = [
  refusal('POST', '/v1/tables/rename', renaming),
  refusal(
    'POST',
    '/v1/transactions/commit',
    'commits of several tables at once are not built; commit each by itself',
  ),
  refusal('POST', '/v1/oauth/tokens', 'this port asks nobody who they are: leave out token and credential'),
  refusal('GET', '/v1/namespaces/{namespace}/views', views),
  refusal('POST', '/v1/namespaces/{namespace}/views', views),
  refusal('POST', '/v1/namespaces/{namespace}/register-view', views),
  refusal('GET', '/v1/namespaces/{namespace}/views/{view}', views),
  refusal('POST', '/v1/namespaces/{namespace}/views/{view}', views),
  refusal('DELETE', '/v1/namespaces/{namespace}/views/{view}', views),
  refusal('POST', '/v1/views/rename', views),
  refusal(
    'GET',
    '/v1/namespaces/{namespace}/tables/{table}/credentials',
    'credentials are not handed out; engines bring their own',
  ),
  refusal('POST', '/v1/namespaces/{namespace}/tables/{table}/plan', plans),
  refusal('GET', '/v1/namespaces/{namespace}/tables/{table}/plan/{plan}', plans),
  refusal('DELETE', '/v1/namespaces/{namespace}/tables/{table}/plan/{plan}', plans),
  refusal('POST', '/v1/namespaces/{namespace}/tables/{table}/tasks', plans),
];

function refusal(method: Route['method'], path: string, why: string): Route {
  const handle = (): Promise<never> => Promise.reject(new CatalogError('UNSUPPORTED', why));
  return { method, path, isRefusal: true, handle };
}
