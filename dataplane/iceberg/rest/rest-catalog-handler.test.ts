import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpResponse } from '../../runtime/http-exchange.ts';
import { buildAppend } from '../append.ts';
import { addedFile, catalogFixture } from '../iceberg-fixture.ts';
import type { CatalogFixture } from '../iceberg-fixture.ts';
import { JsonObject } from '../json/json-object.ts';
import { parseJson, printJson } from '../json/lossless-json.ts';
import { createRestCatalogHandler } from './rest-catalog-handler.ts';

interface Answer {
  readonly status: number;
  readonly headers: HttpResponse['headers'];
  readonly json: JsonObject;
}

interface Client {
  readonly fixture: CatalogFixture;
  readonly ask: (
    method: string,
    target: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<Answer>;
}

function client(): Client {
  const fixture = catalogFixture();
  const s3Access = { endpoint: 'http://127.0.0.1:9000', region: 'us-east-1', pathStyle: true };
  const handle = createRestCatalogHandler({ catalog: fixture.catalog, s3Access });
  return {
    fixture,
    ask: async (method, target, body, headers = {}) => {
      const [path = '', query] = target.split('?');
      const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(printJson(body));
      const signal = new AbortController().signal;
      const request = { method, path, query: new URLSearchParams(query), headers, body: bytes, signal };
      const answer = await handle(request);
      const text = typeof answer.body === 'string' ? answer.body : Buffer.from(answer.body).toString('utf8');
      const json = new JsonObject(parseJson(text === '' ? '{}' : text, target), target);
      return { status: answer.status, headers: answer.headers, json };
    },
  };
}

const schema = {
  type: 'struct',
  'schema-id': 7,
  'identifier-field-ids': [10],
  fields: [
    { id: 10, name: 'id', required: true, type: 'long' },
    {
      id: 20,
      name: 'place',
      required: false,
      type: { type: 'struct', fields: [{ id: 5, name: 'city', required: false, type: 'string' }] },
    },
    { id: 30, name: 'price', required: false, type: 'decimal(9,2)' },
  ],
};

async function withOrders(): Promise<Client> {
  const rest = client();
  await rest.ask('POST', '/v1/namespaces', { namespace: ['shop'] });
  const created = await rest.ask('POST', '/v1/namespaces/shop/tables', { name: 'orders', schema });
  assert.equal(created.status, 200);
  return rest;
}

function assertError(answer: Answer, status: number, type: string): void {
  const error = answer.json.object('error');
  assert.equal(`${answer.status} ${error.text('type')}`, `${status} ${type}`, error.text('message'));
  assert.equal(error.integer('code'), status);
}

test('the endpoints are listed as clients compare them', async () => {
  const { json, status } = await client().ask('GET', '/v1/config?warehouse=any');
  assert.equal(status, 200);
  const endpoints = json.strings('endpoints');
  for (const endpoint of [
    'GET /v1/{prefix}/namespaces',
    'HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}',
    'POST /v1/{prefix}/namespaces/{namespace}/tables/{table}',
    'POST /v1/{prefix}/namespaces/{namespace}/register',
  ])
    assert.ok(endpoints.includes(endpoint), endpoint);
  assert.ok(!endpoints.some((endpoint) => endpoint.includes('views') || endpoint.includes('rename')));
});

test('namespaces live and die', async () => {
  const { ask } = client();
  const created = await ask('POST', '/v1/namespaces', { namespace: ['a'], properties: { owner: 'me' } });
  assert.equal(created.status, 200);
  assertError(await ask('POST', '/v1/namespaces', { namespace: ['a'] }), 409, 'AlreadyExistsException');
  assert.equal((await ask('POST', '/v1/namespaces', { namespace: ['a', 'b.c/d'] })).status, 200);
  const child = await ask('GET', '/v1/namespaces/a%1Fb.c%2Fd');
  assert.deepEqual(child.json.strings('namespace'), ['a', 'b.c/d']);
  assert.deepEqual((await ask('GET', '/v1/namespaces?parent=a')).json.value('namespaces'), [['a', 'b.c/d']]);
  const changed = await ask('POST', '/v1/namespaces/a/properties', { removals: ['x'], updates: { y: '1' } });
  assert.deepEqual([changed.json.strings('updated'), changed.json.strings('missing')], [['y'], ['x']]);
  assertError(await ask('DELETE', '/v1/namespaces/a'), 409, 'NamespaceNotEmptyException');
  assert.equal((await ask('DELETE', '/v1/namespaces/a%1Fb.c%2Fd')).status, 204);
  assert.equal((await ask('DELETE', '/v1/namespaces/a')).status, 204);
  assertError(await ask('GET', '/v1/namespaces/a'), 404, 'NoSuchNamespaceException');
  assertError(await ask('GET', '/v1/namespaces/a/tables'), 404, 'NoSuchNamespaceException');
});

test('a new table gets ids of its own, and everything that refers to them follows', async () => {
  const rest = client();
  await rest.ask('POST', '/v1/namespaces', { namespace: ['shop'] });
  const created = await rest.ask('POST', '/v1/namespaces/shop/tables', {
    name: 'orders',
    schema,
    'partition-spec': {
      'spec-id': 3,
      fields: [{ 'source-id': 5, 'field-id': 1007, name: 'city', transform: 'identity' }],
    },
    'write-order': {
      'order-id': 4,
      fields: [{ 'source-id': 30, transform: 'identity', direction: 'desc', 'null-order': 'nulls-last' }],
    },
    properties: { 'format-version': '2', owner: 'me' },
  });
  assert.equal(created.status, 200);
  const metadata = created.json.object('metadata');
  assert.deepEqual(metadata.value('schemas'), [
    {
      type: 'struct',
      'schema-id': 0,
      'identifier-field-ids': [1],
      fields: [
        { id: 1, name: 'id', required: true, type: 'long' },
        {
          id: 2,
          name: 'place',
          required: false,
          type: { type: 'struct', fields: [{ id: 4, name: 'city', required: false, type: 'string' }] },
        },
        { id: 3, name: 'price', required: false, type: 'decimal(9, 2)' },
      ],
    },
  ]);
  assert.deepEqual(metadata.value('partition-specs'), [
    { 'spec-id': 0, fields: [{ name: 'city', transform: 'identity', 'source-id': 4, 'field-id': 1000 }] },
  ]);
  assert.equal(metadata.integer('last-partition-id'), 1000);
  assert.equal(metadata.integer('default-sort-order-id'), 1);
  assert.deepEqual(metadata.value('properties'), { owner: 'me' });
  assert.deepEqual(created.json.value('config'), {
    's3.endpoint': 'http://127.0.0.1:9000',
    's3.path-style-access': 'true',
    's3.region': 'us-east-1',
    'client.region': 'us-east-1',
  });
});

test('a commit takes and gives 64-bit ids without loss', async () => {
  const { fixture, ask } = await withOrders();
  const table = { namespace: ['shop'], name: 'orders' };
  const { metadata } = await fixture.catalog.loadTable(table);
  const expected = { main: undefined, ingest: undefined };
  const request = { metadata, files: [addedFile('memory:/tables/a')], summary: {}, expected };
  const { snapshot } = await buildAppend(fixture.io, fixture.runtime, request);
  const snapshotId = 9_007_199_254_740_993n;
  const path = '/v1/namespaces/shop/tables/orders';
  const committed = await ask('POST', path, {
    requirements: [
      { type: 'assert-table-uuid', uuid: metadata.tableUuid.toUpperCase() },
      { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': null },
    ],
    updates: [
      {
        action: 'add-snapshot',
        snapshot: {
          'snapshot-id': snapshotId,
          'sequence-number': 1,
          'timestamp-ms': snapshot.timestampMs,
          'manifest-list': snapshot.manifestList,
          summary: snapshot.summary,
        },
      },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': snapshotId },
    ],
  });
  assert.equal(committed.status, 200);
  const loaded = await ask('GET', path);
  assert.equal(loaded.json.object('metadata').long('current-snapshot-id'), snapshotId);
  assert.equal((await fixture.catalog.loadTable(table)).metadata.currentSnapshotId, snapshotId);

  const stale = {
    requirements: [{ type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': null }],
    updates: [],
  };
  assertError(await ask('POST', path, stale), 409, 'CommitFailedException');
});

test('an unchanged table is not sent again', async () => {
  const { ask } = await withOrders();
  const path = '/v1/namespaces/shop/tables/orders';
  const first = await ask('GET', path);
  const etag = first.headers['etag'] ?? '';
  assert.equal((await ask('GET', path, undefined, { 'if-none-match': etag })).status, 304);
  assert.equal(
    (await ask('GET', `${path}?snapshots=refs`, undefined, { 'if-none-match': etag })).status,
    200,
  );
  const change = { updates: [{ action: 'set-properties', updates: { a: 'b' } }] };
  assert.equal((await ask('POST', path, change)).status, 200);
  assert.equal((await ask('GET', path, undefined, { 'if-none-match': etag })).status, 200);
});

test('what is wrong with a request is said with status, type and field', async () => {
  const { ask } = await withOrders();
  const tables = '/v1/namespaces/shop/tables';
  assertError(await ask('GET', `${tables}/nothing`), 404, 'NoSuchTableException');
  assertError(await ask('POST', `${tables}/nothing`, { updates: [] }), 404, 'NoSuchTableException');
  assertError(await ask('DELETE', `${tables}/nothing`), 404, 'NoSuchTableException');
  assertError(await ask('POST', tables, { name: 'orders', schema }), 409, 'AlreadyExistsException');
  assertError(
    await ask('POST', '/v1/namespaces/none/tables', { name: 'x', schema }),
    404,
    'NoSuchNamespaceException',
  );
  const noType = {
    name: 'x',
    schema: { type: 'struct', fields: [{ id: 1, name: 'a', required: true, type: 'lon' }] },
  };
  const answer = await ask('POST', tables, noType);
  assertError(answer, 400, 'BadRequestException');
  assert.match(answer.json.object('error').text('message'), /schema\.fields\[0\]\.type: "lon" is no type/);
  assertError(
    await ask('POST', tables, { name: 'x', schema, properties: { 'format-version': '3' } }),
    406,
    'UnsupportedOperationException',
  );
  assertError(
    await ask('POST', `${tables}/orders`, { updates: [{ action: 'set-statistics' }] }),
    406,
    'UnsupportedOperationException',
  );
  assertError(
    await ask('POST', `${tables}/orders`, { updates: [{ action: 'set-current-schema', 'schema-id': 9 }] }),
    400,
    'BadRequestException',
  );
  assertError(await ask('POST', tables, []), 400, 'BadRequestException');
  assertError(await ask('POST', '/v1/tables/rename', {}), 406, 'UnsupportedOperationException');
  assertError(await ask('GET', '/v1/namespaces/shop/views/v'), 406, 'UnsupportedOperationException');
  assertError(await ask('PUT', tables, {}), 405, 'MethodNotAllowedException');
  assertError(await ask('GET', '/v1/nothing'), 404, 'NoSuchEndpointException');
  assertError(await ask('GET', '/v1/namespaces/%E0%A4'), 400, 'BadRequestException');
});

test('a change that comes as anything but JSON is refused: web pages can send that', async () => {
  const { ask, fixture } = await withOrders();
  const path = '/v1/namespaces/shop/tables/orders';
  const change = { updates: [{ action: 'set-properties', updates: { hacked: 'yes' } }] };
  for (const type of ['text/plain', 'text/plain;application/json', 'application/jsonx', ''])
    assertError(
      await ask('POST', path, change, { 'content-type': type }),
      415,
      'UnsupportedMediaTypeException',
    );
  const { metadata } = await fixture.catalog.loadTable({ namespace: ['shop'], name: 'orders' });
  assert.deepEqual(metadata.properties, {});
  for (const type of ['application/json', 'Application/JSON; charset=utf-8', 'application/json ;x'])
    assert.equal((await ask('POST', path, change, { 'content-type': type })).status, 200, type);
  assert.equal((await ask('DELETE', path, undefined, { 'content-type': 'text/plain' })).status, 204);
});

test('metrics reports are taken; a staged table is only described', async () => {
  const { ask } = await withOrders();
  assert.equal((await ask('POST', '/v1/namespaces/shop/tables/orders/metrics', { any: 1 })).status, 204);
  const staged = await ask('POST', '/v1/namespaces/shop/tables', {
    name: 'later',
    schema,
    'stage-create': true,
  });
  assert.equal(staged.status, 200);
  assert.equal(staged.json.has('metadata-location'), false);
  assertError(await ask('GET', '/v1/namespaces/shop/tables/later'), 404, 'NoSuchTableException');
  assert.equal((await ask('DELETE', '/v1/namespaces/shop/tables/orders?purgeRequested=true')).status, 204);
});
