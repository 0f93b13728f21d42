import { bodyOf, json, levelsOf, noContent } from './route.ts';
import type { Route } from './route.ts';

export const namespaceRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/namespaces',
    async handle({ catalog }, { query, signal }) {
      const parent = levelsOf(query.get('parent') ?? '');
      if (parent.length > 0) await catalog.namespaces.properties(parent, signal);
      return json(200, { namespaces: await catalog.namespaces.list(parent, signal) });
    },
  },
  {
    method: 'POST',
    path: '/v1/namespaces',
    async handle({ catalog }, request) {
      const body = bodyOf(request);
      const namespace = body.strings('namespace');
      const properties = body.texts('properties');
      await catalog.namespaces.create(namespace, properties, request.signal);
      return json(200, { namespace, properties });
    },
  },
  {
    method: 'GET',
    path: '/v1/namespaces/{namespace}',
    answersHead: true,
    async handle({ catalog }, { signal }, { namespace: name = '' }) {
      const namespace = levelsOf(name);
      return json(200, { namespace, properties: await catalog.namespaces.properties(namespace, signal) });
    },
  },
  {
    method: 'DELETE',
    path: '/v1/namespaces/{namespace}',
    async handle({ catalog }, { signal }, { namespace = '' }) {
      await catalog.dropNamespace(levelsOf(namespace), signal);
      return noContent;
    },
  },
  {
    method: 'POST',
    path: '/v1/namespaces/{namespace}/properties',
    async handle({ catalog }, request, { namespace = '' }) {
      const body = bodyOf(request);
      const updates = body.texts('updates');
      const removals = body.has('removals') ? body.strings('removals') : [];
      const change = { updates, removals };
      const done = await catalog.namespaces.changeProperties(levelsOf(namespace), change, request.signal);
      return json(200, { updated: Object.keys(updates), ...done });
    },
  },
];
