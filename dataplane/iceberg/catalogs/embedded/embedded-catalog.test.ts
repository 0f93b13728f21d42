import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StoreError } from '../../../store/errors.ts';
import type { ObjectStore } from '../../../store/object-store.ts';
import type { TableIdentifier } from '../../catalog.ts';
import { catalogFixture, createOrders, orders, ordersStruct } from '../../iceberg-fixture.ts';
import type { CatalogFixture } from '../../iceberg-fixture.ts';
import type { TableUpdate } from '../../table-update.ts';
import { EmbeddedCatalog } from './embedded-catalog.ts';
import { keysOf } from './namespaces.ts';

function setProperty(name: string, value: string): readonly TableUpdate[] {
  return [{ action: 'set-properties', updates: { [name]: value } }];
}

/** A second process on the same store. */
function another({ store, runtime }: CatalogFixture, changes: Partial<ObjectStore> = {}): EmbeddedCatalog {
  const bound: ObjectStore = {
    name: store.name,
    put: store.put.bind(store),
    get: store.get.bind(store),
    getStream: store.getStream.bind(store),
    head: store.head.bind(store),
    list: store.list.bind(store),
    delete: store.delete.bind(store),
    deleteMany: store.deleteMany.bind(store),
    close: store.close.bind(store),
  };
  return new EmbeddedCatalog({ ...bound, ...changes }, runtime);
}

test('a table is created, loaded and listed', async () => {
  const fixture = catalogFixture();
  const created = await createOrders(fixture, { owner: 'me' });
  assert.match(created.metadata.location, /^memory:\/tables\/shop\/orders-[0-9a-f]{8}$/);
  assert.deepEqual(created.metadata.properties, { owner: 'me' });
  assert.equal(created.metadata.lastColumnId, 2);
  const loaded = await another(fixture).loadTable(orders);
  assert.deepEqual(loaded, created);
  assert.deepEqual(await fixture.catalog.listTables(['shop']), [orders]);
  await assert.rejects(createOrders(fixture), { code: 'ALREADY_EXISTS' });
  await assert.rejects(fixture.catalog.loadTable({ ...orders, name: 'nothing' }), { code: 'NO_SUCH_TABLE' });
});

test('a table needs its namespace', async () => {
  const { catalog } = catalogFixture();
  const request = { struct: ordersStruct, properties: {} };
  await assert.rejects(catalog.createTable(orders, request), { code: 'NO_SUCH_NAMESPACE' });
  await assert.rejects(catalog.listTables(['shop']), { code: 'NO_SUCH_NAMESPACE' });
});

test('a dropped table leaves room for a new one that is another table', async () => {
  const fixture = catalogFixture();
  const first = await createOrders(fixture);
  await fixture.catalog.dropTable(orders, { purge: false });
  await assert.rejects(fixture.catalog.loadTable(orders), { code: 'NO_SUCH_TABLE' });
  await assert.rejects(fixture.catalog.commitTable(orders, [], setProperty('a', 'b')), {
    code: 'NO_SUCH_TABLE',
  });
  const second = await createOrders(fixture);
  assert.notEqual(second.metadata.tableUuid, first.metadata.tableUuid);
  assert.notEqual(second.metadata.location, first.metadata.location);
  const uuid = first.metadata.tableUuid;
  await assert.rejects(
    fixture.catalog.commitTable(orders, [{ type: 'assert-table-uuid', uuid }], setProperty('a', 'b')),
    { code: 'CONFLICT' },
  );
  // Its files were left, and may be taken up again.
  const name = { ...orders, name: 'orders_again' };
  assert.deepEqual(
    (await fixture.catalog.registerTable(name, first.metadataLocation)).metadata,
    first.metadata,
  );
});

test('purging deletes what lies in the folder of the table, and only that', async () => {
  const fixture = catalogFixture();
  await createOrders(fixture);
  const other = await fixture.catalog.createTable(
    { ...orders, name: 'other' },
    { struct: ordersStruct, properties: {} },
  );
  await fixture.catalog.dropTable(orders, { purge: true });
  assert.equal((await keysOf(fixture.store, 'tables/shop/orders-')).length, 0);
  assert.deepEqual((await fixture.catalog.loadTable({ ...orders, name: 'other' })).metadata, other.metadata);
});

test('of concurrent commits that expect the same one is applied, and each that expects nothing is', async () => {
  const fixture = catalogFixture();
  const { metadata } = await createOrders(fixture);
  const uuid = metadata.tableUuid;
  const writers = Array.from({ length: 8 }, () => another(fixture));
  await Promise.all(
    writers.map((catalog, at) =>
      catalog.commitTable(orders, [{ type: 'assert-table-uuid', uuid }], setProperty(`writer-${at}`, 'here')),
    ),
  );
  const { properties } = (await fixture.catalog.loadTable(orders)).metadata;
  assert.equal(Object.keys(properties).length, 8);

  const addSchema: TableUpdate[] = [
    {
      action: 'add-schema',
      schema: {
        schemaId: 0,
        struct: {
          kind: 'struct',
          fields: [
            ...ordersStruct.fields,
            { id: 3, name: 'note', required: false, type: { kind: 'string' } },
          ],
        },
      },
    },
    { action: 'set-current-schema', schemaId: -1 },
  ];
  const results = await Promise.allSettled(
    writers.map((catalog) =>
      catalog.commitTable(
        orders,
        [{ type: 'assert-last-assigned-field-id', lastAssignedFieldId: 2 }],
        addSchema,
      ),
    ),
  );
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
  assert.equal((await fixture.catalog.loadTable(orders)).metadata.lastColumnId, 3);
  // Losers leave no metadata files behind: one of the creation, eight properties, one schema.
  const files = await keysOf(fixture.store, 'tables/');
  assert.equal(files.filter((key) => key.endsWith('.metadata.json')).length, 10);
});

test('a commit whose answer is lost is found in the pointer, also when others have built upon it', async () => {
  const fixture = catalogFixture();
  await createOrders(fixture);
  const { store } = fixture;
  let lost = 0;
  const catalog = another(fixture, {
    put: async (key, body, options) => {
      const result = await store.put(key, body, options);
      if (!key.startsWith('catalog/') || lost > 0) return result;
      lost += 1;
      await fixture.catalog.commitTable(orders, [], setProperty('theirs', 'yes'));
      throw new StoreError('TIMEOUT', 'the answer was lost', { operation: 'put', store: store.name, key });
    },
  });
  const { metadata } = await catalog.commitTable(orders, [], setProperty('ours', 'yes'));
  assert.equal(lost, 1);
  assert.equal(metadata.properties['ours'], 'yes');
  assert.deepEqual((await fixture.catalog.loadTable(orders)).metadata.properties, {
    ours: 'yes',
    theirs: 'yes',
  });
});

test('a commit whose outcome cannot be found out says so', async () => {
  const fixture = catalogFixture();
  await createOrders(fixture);
  const { store } = fixture;
  const failing = new Set<string>();
  const catalog = another(fixture, {
    put: (key, body, options) => {
      if (!key.startsWith('catalog/')) return store.put(key, body, options);
      failing.add(key);
      return Promise.reject(
        new StoreError('TIMEOUT', 'no answer', { operation: 'put', store: store.name, key }),
      );
    },
  });
  await assert.rejects(catalog.commitTable(orders, [], setProperty('a', 'b')), {
    code: 'UNKNOWN_OUTCOME',
    applied: 'maybe',
  });
  assert.equal(failing.size, 1);
});

test('a store that cannot be read is no missing table', async () => {
  const fixture = catalogFixture();
  await createOrders(fixture);
  const { name } = fixture.store;
  const catalog = another(fixture, {
    get: (key) =>
      Promise.reject(new StoreError('UNREACHABLE', 'no connection', { operation: 'get', store: name, key })),
  });
  await assert.rejects(catalog.loadTable(orders), { code: 'UNAVAILABLE', retriable: true });
});

test('locations outside of the folder of tables are refused', async () => {
  const { catalog } = catalogFixture();
  await catalog.ensureNamespace(['shop']);
  for (const location of ['s3://elsewhere/x', 'memory:/catalog/tables/x', 'memory:/tables/../x', 'relative'])
    await assert.rejects(catalog.createTable(orders, { struct: ordersStruct, location, properties: {} }), {
      code: 'REFUSED',
    });
  const location = 'memory:/tables/mine/here';
  const created = await catalog.createTable(orders, { struct: ordersStruct, location, properties: {} });
  assert.equal(created.metadata.location, location);
  await assert.rejects(catalog.registerTable({ ...orders, name: 'x' }, 's3://elsewhere/x.metadata.json'), {
    code: 'REFUSED',
  });
});

test('metadata files that fall out of the log are deleted where the table asks for it', async () => {
  const fixture = catalogFixture();
  await createOrders(fixture, {
    'write.metadata.previous-versions-max': '2',
    'write.metadata.delete-after-commit.enabled': 'true',
  });
  for (let at = 0; at < 6; at += 1)
    await fixture.catalog.commitTable(orders, [], setProperty('at', String(at)));
  assert.equal((await keysOf(fixture.store, 'tables/')).length, 3);
  assert.equal((await another(fixture).loadTable(orders)).metadata.metadataLog.length, 2);
});

test('a staged table exists once it is committed, and once only', async () => {
  const fixture = catalogFixture();
  const { catalog } = fixture;
  await catalog.ensureNamespace(['shop']);
  const staged = await catalog.stageTable(orders, { struct: ordersStruct, properties: {} });
  assert.equal(await catalog.tableExists(orders), false);
  const updates: TableUpdate[] = [
    { action: 'assign-uuid', uuid: staged.tableUuid },
    { action: 'add-schema', schema: { schemaId: 0, struct: ordersStruct } },
    { action: 'set-current-schema', schemaId: -1 },
    { action: 'set-location', location: staged.location },
  ];
  const commit = (): Promise<unknown> => catalog.commitTable(orders, [{ type: 'assert-create' }], updates);
  await commit();
  await assert.rejects(commit(), { code: 'CONFLICT' });
  assert.equal((await catalog.loadTable(orders)).metadata.tableUuid, staged.tableUuid);
});

test('a namespace is dropped only when it is empty', async () => {
  const fixture = catalogFixture();
  const { catalog } = fixture;
  await createOrders(fixture);
  await catalog.ensureNamespace(['shop', 'north']);
  await assert.rejects(catalog.dropNamespace(['shop']), { code: 'NAMESPACE_NOT_EMPTY' });
  await catalog.dropNamespace(['shop', 'north']);
  await assert.rejects(catalog.dropNamespace(['shop']), { code: 'NAMESPACE_NOT_EMPTY' });
  await catalog.dropTable(orders, { purge: false });
  await catalog.dropNamespace(['shop']);
  assert.equal(await catalog.namespaces.exists(['shop']), false);
  await assert.rejects(catalog.dropNamespace(['shop']), { code: 'NO_SUCH_NAMESPACE' });
});

test('a table that is created while its namespace is dropped is in it, or is not there', async () => {
  for (let delay = 0; delay < 40; delay += 1) {
    const fixture = catalogFixture();
    const { catalog } = fixture;
    await catalog.ensureNamespace(['shop']);
    let steps = 0;
    const late = another(fixture, {
      // Each read and list of the dropper waits a little longer in every round.
      list: async (prefix, options) => {
        while (steps < delay) {
          steps += 1;
          await Promise.resolve();
        }
        return await fixture.store.list(prefix, options);
      },
    });
    const [created, dropped] = await Promise.allSettled([
      catalog.createTable(orders, { struct: ordersStruct, properties: {} }),
      late.dropNamespace(['shop']),
    ]);
    assert.notEqual(created.status, dropped.status, `delay ${delay}`);
    const exists = await catalog.namespaces.exists(['shop']);
    assert.equal(exists, created.status === 'fulfilled');
    assert.equal(await catalog.tableExists(orders), created.status === 'fulfilled');
  }
});

test('properties of a namespace change; what is asked for twice or is not there is said', async () => {
  const { namespaces } = catalogFixture().catalog;
  await namespaces.create(['shop'], { a: '1', b: '2' });
  const change = { removals: ['a', 'x'], updates: { b: '3', c: '4' } };
  assert.deepEqual(await namespaces.changeProperties(['shop'], change), { removed: ['a'], missing: ['x'] });
  assert.deepEqual(await namespaces.properties(['shop']), { b: '3', c: '4' });
  await assert.rejects(namespaces.changeProperties(['shop'], { removals: ['b'], updates: { b: '' } }), {
    code: 'REFUSED',
  });
  await assert.rejects(namespaces.create(['shop'], {}), { code: 'ALREADY_EXISTS' });
  await assert.rejects(namespaces.create(['other', 'child'], {}), { code: 'NO_SUCH_NAMESPACE' });
});

test('names that would meet in one place do not', async () => {
  const { catalog, store } = catalogFixture();
  const names = [
    'orders',
    'Orders',
    'ORDERS',
    'or/ders',
    '..',
    '.firn',
    'a.b',
    'a',
    'ä',
    'a'.repeat(300),
    'a'.repeat(301),
  ];
  await catalog.ensureNamespace(['a', 'b']);
  await catalog.ensureNamespace(['a.b']);
  const tables: TableIdentifier[] = [['a'], ['a', 'b'], ['a.b']].flatMap((namespace) =>
    names.map((name) => ({ namespace, name })),
  );
  for (const table of tables) {
    const { metadata } = await catalog.createTable(table, {
      struct: ordersStruct,
      properties: { name: table.name },
    });
    assert.ok(metadata.location.length > 0);
  }
  for (const table of tables)
    assert.equal((await catalog.loadTable(table)).metadata.properties['name'], table.name);
  assert.equal((await keysOf(store, 'catalog/tables/')).length, tables.length);
  assert.deepEqual(
    (await catalog.listTables(['a.b'])).map(({ name }) => name),
    names.toSorted(),
  );
  assert.deepEqual(await catalog.namespaces.list([]), [['a'], ['a.b']]);
  assert.deepEqual(await catalog.namespaces.list(['a']), [['a', 'b']]);
});

test('names that cannot be are refused with a sentence', async () => {
  const { catalog } = catalogFixture();
  await assert.rejects(catalog.loadTable({ namespace: [], name: 'x' }), { code: 'REFUSED' });
  await assert.rejects(catalog.loadTable({ namespace: ['a', ''], name: 'x' }), { code: 'REFUSED' });
  await assert.rejects(catalog.loadTable({ namespace: ['a'], name: '' }), { code: 'REFUSED' });
  await assert.rejects(catalog.loadTable({ namespace: ['a'], name: 'a\nb' }), { code: 'REFUSED' });
});
