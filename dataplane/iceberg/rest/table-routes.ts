import type { HttpResponse } from '../../runtime/http-exchange.ts';
import type { CreateTable, LoadedTable, TableIdentifier } from '../catalog.ts';
import { CatalogError } from '../errors.ts';
import type { JsonObject } from '../json/json-object.ts';
import { readSortOrder, readSpec } from '../json/partition-json.ts';
import { readSchema } from '../json/schema-json.ts';
import { tableMetadataJson } from '../json/table-metadata-json.ts';
import { readRequirement, readUpdate } from '../json/update-json.ts';
import type { TableMetadata } from '../table-metadata.ts';
import { bodyOf, json, levelsOf, noContent } from './route.ts';
import type { Route, RouteContext, RouteHandler } from './route.ts';

/** REST catalog, `CreateTableRequest`; ids are given anew by the catalog. */
const createTable: RouteHandler = async ({ catalog, tableConfig }, request, parameters) => {
  const body = bodyOf(request);
  const table = { namespace: levelsOf(parameters['namespace'] ?? ''), name: body.text('name') };
  const wanted = readCreateTable(body);
  if (body.has('stage-create') && body.flag('stage-create')) {
    const metadata = await catalog.stageTable(table, wanted, request.signal);
    return json(200, { metadata: tableMetadataJson(metadata), config: tableConfig });
  }
  return loadResult(await catalog.createTable(table, wanted, request.signal), tableConfig);
};

/** `snapshots=refs` leaves out snapshots that no branch or tag names; `If-None-Match` spares the body. */
const loadTable: RouteHandler = async ({ catalog, tableConfig }, request, parameters) => {
  const loaded = await catalog.loadTable(identifierOf(parameters), request.signal);
  const refsOnly = request.query.get('snapshots') === 'refs';
  const etag = etagOf(loaded.metadataLocation, refsOnly);
  if (request.headers['if-none-match']?.split(/\s*,\s*/).includes(etag) === true)
    return { status: 304, headers: { etag }, body: '' };
  return loadResult(loaded, tableConfig, refsOnly);
};

/** REST catalog, `CommitTableRequest`. */
const commitTable: RouteHandler = async ({ catalog }, request, parameters) => {
  const body = bodyOf(request);
  const requirements = body.listOrEmpty('requirements', readRequirement);
  const updates = body.listOrEmpty('updates', readUpdate);
  const table = identifierOf(parameters);
  const { metadata, metadataLocation } = await catalog.commitTable(
    table,
    requirements,
    updates,
    request.signal,
  );
  const headers = { etag: etagOf(metadataLocation, false) };
  return json(200, { 'metadata-location': metadataLocation, metadata: tableMetadataJson(metadata) }, headers);
};

const registerTable: RouteHandler = async ({ catalog, tableConfig }, request, parameters) => {
  const body = bodyOf(request);
  if (body.has('overwrite') && body.flag('overwrite'))
    throw new CatalogError(
      'UNSUPPORTED',
      'overwrite=true is not built: drop the table first, then register it',
    );
  const table = { namespace: levelsOf(parameters['namespace'] ?? ''), name: body.text('name') };
  const loaded = await catalog.registerTable(table, body.text('metadata-location'), request.signal);
  return loadResult(loaded, tableConfig);
};

export const tableRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/namespaces/{namespace}/tables',
    async handle({ catalog }, { signal }, { namespace = '' }) {
      const identifiers = await catalog.listTables(levelsOf(namespace), signal);
      return json(200, { identifiers });
    },
  },
  { method: 'POST', path: '/v1/namespaces/{namespace}/tables', handle: createTable },
  { method: 'POST', path: '/v1/namespaces/{namespace}/register', handle: registerTable },
  {
    method: 'GET',
    path: '/v1/namespaces/{namespace}/tables/{table}',
    answersHead: true,
    handle: loadTable,
  },
  { method: 'POST', path: '/v1/namespaces/{namespace}/tables/{table}', handle: commitTable },
  {
    method: 'DELETE',
    path: '/v1/namespaces/{namespace}/tables/{table}',
    async handle({ catalog }, { query, signal }, parameters) {
      const purge = query.get('purgeRequested')?.toLowerCase() === 'true';
      await catalog.dropTable(identifierOf(parameters), { purge }, signal);
      return noContent;
    },
  },
  {
    method: 'POST',
    path: '/v1/namespaces/{namespace}/tables/{table}/metrics',
    // Taken and dropped: engines send them after every scan and every commit.
    handle: () => Promise.resolve(noContent),
  },
];

function identifierOf({ namespace = '', table = '' }: Readonly<Record<string, string>>): TableIdentifier {
  return { namespace: levelsOf(namespace), name: table };
}

function readCreateTable(body: JsonObject): CreateTable {
  const schema = readSchema(body.object('schema'));
  const { 'format-version': formatVersion = '2', ...properties } = body.texts('properties');
  if (formatVersion !== '2') {
    throw new CatalogError(
      'UNSUPPORTED',
      `format-version=${formatVersion} is not built: tables of this catalog have format version 2`,
    );
  }
  return {
    struct: schema.struct,
    identifierFieldIds: schema.identifierFieldIds,
    partitionSpec: body.has('partition-spec') ? readSpec(body.object('partition-spec')) : undefined,
    sortOrder: body.has('write-order') ? readSortOrder(body.object('write-order')) : undefined,
    location: body.optionalText('location'),
    properties,
  };
}

function loadResult(
  { metadata, metadataLocation }: LoadedTable,
  config: RouteContext['tableConfig'],
  refsOnly = false,
): HttpResponse {
  return json(
    200,
    {
      'metadata-location': metadataLocation,
      metadata: tableMetadataJson(refsOnly ? withReferencedSnapshots(metadata) : metadata),
      config,
    },
    { etag: etagOf(metadataLocation, refsOnly) },
  );
}

/** A metadata file never changes, so its name says all that an ETag has to. */
function etagOf(metadataLocation: string, refsOnly: boolean): string {
  const name = metadataLocation.slice(metadataLocation.lastIndexOf('/') + 1);
  return `"${name}${refsOnly ? ';refs' : ''}"`;
}

function withReferencedSnapshots(metadata: TableMetadata): TableMetadata {
  const named = new Set(Object.values(metadata.refs).map(({ snapshotId }) => snapshotId));
  return { ...metadata, snapshots: metadata.snapshots.filter(({ snapshotId }) => named.has(snapshotId)) };
}
