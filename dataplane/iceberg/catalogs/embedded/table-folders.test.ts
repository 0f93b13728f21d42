import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyOfLocation } from '../../../store/locations.ts';
import type { LoadedTable, TableIdentifier } from '../../catalog.ts';
import { catalogFixture, createOrders, orders, ordersStruct } from '../../iceberg-fixture.ts';
import type { CatalogFixture } from '../../iceberg-fixture.ts';
import { printTableMetadata } from '../../json/table-metadata-json.ts';
import type { TableMetadata } from '../../table-metadata.ts';
import type { TableUpdate } from '../../table-update.ts';
import { chosenFolderOf, pointerKey, tableFolder } from './catalog-keys.ts';
import { EmbeddedCatalog } from './embedded-catalog.ts';
import { keysOf } from './namespaces.ts';

const copy: TableIdentifier = { namespace: ['shop'], name: 'copy' };
const inner: TableIdentifier = { namespace: ['shop'], name: 'inner' };
const trimming = {
  'write.metadata.delete-after-commit.enabled': 'true',
  'write.metadata.previous-versions-max': '1',
};

function setProperty(name: string, value: string): readonly TableUpdate[] {
  return [{ action: 'set-properties', updates: { [name]: value } }];
}

/** As a process that holds nothing in memory finds it. */
async function loadedAfresh(
  { store, runtime }: CatalogFixture,
  table: TableIdentifier,
): Promise<LoadedTable> {
  return await new EmbeddedCatalog(store, runtime).loadTable(table);
}

/** Metadata that somebody else wrote, e.g. by copying a file and editing it. */
async function foreignMetadata({ store }: CatalogFixture, metadata: TableMetadata): Promise<string> {
  const key = 'tables/elsewhere/metadata/00007-abc.metadata.json';
  await store.put(key, Buffer.from(printTableMetadata(metadata), 'utf8'));
  return `memory:/${key}`;
}

async function keys({ store }: CatalogFixture): Promise<readonly string[]> {
  return await keysOf(store, '');
}

describe('trimming the metadata log', () => {
  it('deletes nothing but metadata files in the folder of the table itself', async () => {
    const fixture = catalogFixture();
    const { store, catalog } = fixture;
    const { metadata, metadataLocation } = await createOrders(fixture);
    const { metadata: innocent } = await catalog.createTable(inner, { struct: ordersStruct, properties: {} });
    const own = keyOfLocation(store, metadata.location) ?? '';
    const victims = [
      'meta/cluster',
      pointerKey(inner),
      'tables/mine/metadata/00001-x.metadata.json',
      `${own}/data/1.parquet`,
      `${own}0/metadata/00001-x.metadata.json`,
      keyOfLocation(store, innocent.location + '/metadata/00009-x.metadata.json') ?? '',
    ];
    for (const key of victims) if (key !== pointerKey(inner)) await store.put(key, Buffer.from('x'));
    await catalog.dropTable(orders, { purge: false });
    const log = [
      ...victims.map((key) => `memory:/${key}`),
      metadataLocation,
      's3://other/00001-x.metadata.json',
    ];
    const location = await foreignMetadata(fixture, {
      ...metadata,
      properties: trimming,
      metadataLog: log.map((metadataFile) => ({ timestampMs: 1, metadataFile })),
    });
    const before = await keys(fixture);
    await catalog.registerTable(orders, location);
    await catalog.commitTable(orders, [], setProperty('a', 'b'));
    const after = new Set(await keys(fixture));
    assert.deepEqual(
      before.filter((key) => !after.has(key)),
      [keyOfLocation(store, metadataLocation)],
    );
  });

  it('of a table that lies elsewhere, or in a folder of another name, deletes nothing', async () => {
    const fixture = catalogFixture();
    const { catalog } = fixture;
    const { metadataLocation } = await createOrders(fixture, trimming);
    await catalog.dropTable(orders, { purge: false });
    await catalog.registerTable(copy, metadataLocation);
    await catalog.createTable(inner, {
      struct: ordersStruct,
      properties: trimming,
      location: 'memory:/tables/mine/inner',
    });
    for (const table of [copy, inner]) {
      const before = await keys(fixture);
      for (let at = 0; at < 3; at += 1) await catalog.commitTable(table, [], setProperty('at', String(at)));
      assert.equal((await keys(fixture)).length, before.length + 3);
    }
  });
});

describe('registering metadata', () => {
  it('that lies in the folder of a table that exists is refused', async () => {
    const fixture = catalogFixture();
    const { metadataLocation } = await createOrders(fixture);
    await assert.rejects(fixture.catalog.registerTable(copy, metadataLocation), {
      code: 'REFUSED',
      message: /cannot be registered as shop\.copy: .* where table shop\.orders lies/,
    });
    assert.equal(await fixture.catalog.tableExists(copy), false);
  });

  it('that lies elsewhere and names that folder is refused too', async () => {
    const fixture = catalogFixture();
    const { metadata } = await createOrders(fixture);
    const { location } = metadata;
    const other = { ...metadata, location: 'memory:/tables/elsewhere' };
    const snapshot = {
      snapshotId: 1n,
      parentSnapshotId: undefined,
      sequenceNumber: 1,
      timestampMs: 1,
      manifestList: `${location}/metadata/snap-1.avro`,
      summary: { operation: 'append' },
      schemaId: 0,
    };
    for (const named of [
      { ...other, location },
      { ...other, properties: { 'write.data.path': `${location}/data` } },
      { ...other, properties: { 'write.metadata.path': location } },
      { ...other, snapshots: [snapshot] },
    ]) {
      const catalog = new EmbeddedCatalog(fixture.store, fixture.runtime);
      await assert.rejects(catalog.registerTable(copy, await foreignMetadata(fixture, named)), {
        code: 'REFUSED',
      });
    }
    const catalog = new EmbeddedCatalog(fixture.store, fixture.runtime);
    await catalog.registerTable(copy, await foreignMetadata(fixture, other));
  });

  it('of a dropped table is for one table at a time, whatever their names and wherever they put new metadata', async () => {
    const fixture = catalogFixture();
    const { catalog } = fixture;
    const { metadataLocation } = await createOrders(fixture);
    await catalog.dropTable(orders, { purge: false });
    await catalog.registerTable(copy, metadataLocation);
    await assert.rejects(catalog.registerTable(orders, metadataLocation), { code: 'REFUSED' });
    await catalog.commitTable(copy, [], setProperty('write.metadata.path', 'memory:/tables/elsewhere/m'));
    await assert.rejects(catalog.registerTable(orders, metadataLocation), { code: 'REFUSED' });
    await catalog.dropTable(copy, { purge: false });
    await catalog.registerTable(orders, metadataLocation);
  });

  it('that several register at a time succeeds for one of them at most', async () => {
    const fixture = catalogFixture();
    const { metadataLocation } = await createOrders(fixture);
    await fixture.catalog.dropTable(orders, { purge: false });
    const names = [orders, copy, inner];
    const results = await Promise.allSettled(
      names.map((table) =>
        new EmbeddedCatalog(fixture.store, fixture.runtime).registerTable(table, metadataLocation),
      ),
    );
    const tables = await fixture.catalog.listTables(['shop']);
    assert.ok(tables.length <= 1);
    assert.deepEqual(
      tables,
      names.filter((_, at) => results[at]?.status === 'fulfilled'),
    );
  });

  it('of a dropped table does not mind a new one of its name', async () => {
    const fixture = catalogFixture();
    const { metadataLocation } = await createOrders(fixture);
    await fixture.catalog.dropTable(orders, { purge: false });
    await createOrders(fixture);
    await fixture.catalog.registerTable(copy, metadataLocation);
    await fixture.catalog.commitTable(copy, [], setProperty('a', 'b'));
    await fixture.catalog.dropTable(orders, { purge: true });
    assert.equal((await loadedAfresh(fixture, copy)).metadata.properties['a'], 'b');
  });
});

describe('purging', () => {
  it('a table that lies in a folder of another name is refused', async () => {
    const fixture = catalogFixture();
    const { catalog } = fixture;
    const { metadataLocation } = await createOrders(fixture);
    await catalog.dropTable(orders, { purge: false });
    await catalog.registerTable(copy, metadataLocation);
    await assert.rejects(catalog.dropTable(copy, { purge: true }), {
      code: 'REFUSED',
      message: /was not chosen by this catalog for a table of this name/,
    });
    await loadedAfresh(fixture, copy);
  });

  it('a folder in which another table lies is refused', async () => {
    const fixture = catalogFixture();
    const { catalog } = fixture;
    const { metadata, metadataLocation } = await createOrders(fixture);
    await catalog.dropTable(orders, { purge: false });
    await catalog.registerTable(copy, metadataLocation);
    // A client says what uuid the table has that it creates: here, the one of the table that was dropped.
    await catalog.commitTable(
      orders,
      [{ type: 'assert-create' }],
      [
        { action: 'assign-uuid', uuid: metadata.tableUuid },
        { action: 'add-schema', schema: { schemaId: 0, struct: ordersStruct } },
        { action: 'set-current-schema', schemaId: -1 },
        { action: 'set-location', location: metadata.location },
      ],
    );
    await assert.rejects(catalog.dropTable(orders, { purge: true }), {
      code: 'REFUSED',
      message: /table shop\.copy lies in/,
    });
    await loadedAfresh(fixture, copy);
    await loadedAfresh(fixture, orders);
    await catalog.dropTable(copy, { purge: false });
    await catalog.dropTable(orders, { purge: true });
    assert.deepEqual(await keysOf(fixture.store, 'tables/'), []);
  });
});

describe('a location', () => {
  it('inside the folder of another table is refused, on creation and later', async () => {
    const fixture = catalogFixture();
    const { catalog } = fixture;
    const { metadata } = await createOrders(fixture);
    const { location } = metadata;
    const refused = { code: 'REFUSED', message: /is the folder of another table/ };
    const create = (where: string | undefined, properties: Record<string, string>): Promise<unknown> =>
      catalog.createTable(inner, { struct: ordersStruct, location: where, properties });
    for (const where of [location, `${location}/inner`]) {
      await assert.rejects(create(where, {}), refused);
      await assert.rejects(create(undefined, { 'write.data.path': where }), refused);
      await assert.rejects(create(undefined, { 'write.metadata.path': where }), refused);
    }
    await create(undefined, {});
    await assert.rejects(
      catalog.commitTable(inner, [], [{ action: 'set-location', location: `${location}/inner` }]),
      refused,
    );
    for (const property of ['write.data.path', 'write.metadata.path'])
      await assert.rejects(catalog.commitTable(inner, [], setProperty(property, `${location}/x`)), refused);
  });

  it('elsewhere below the folder of tables, or inside its own folder, is taken', async () => {
    const fixture = catalogFixture();
    const { catalog } = fixture;
    const { metadata } = await createOrders(fixture);
    const folders = [`${metadata.location}/special`, 'memory:/tables/mine', 'memory:/tables/mine/orders-old'];
    for (const location of folders) {
      await catalog.commitTable(orders, [], setProperty('write.data.path', location));
      await catalog.commitTable(orders, [], setProperty('write.metadata.path', location));
      await catalog.commitTable(orders, [], [{ action: 'set-location', location }]);
    }
    await loadedAfresh(fixture, orders);
  });
});

it('the folder of a table leads back to its pointer', () => {
  const uuid = '01234567-89ab-cdef-0123-456789abcdef';
  for (const name of ['orders', 'orders-01234567', 'Or/ders', '-', 'a'.repeat(300)]) {
    const table = { namespace: ['a', 'b-89abcdef'], name };
    const chosen = { folder: tableFolder(table, uuid), pointerKey: pointerKey(table) };
    assert.deepEqual(chosenFolderOf(chosen.folder), chosen);
    assert.deepEqual(chosenFolderOf(`${chosen.folder}/metadata/x-01234567/y`), chosen);
  }
  for (const key of ['tables/a/b', 'tables/a/b-0123456', 'tables/a/b-012345678', 'catalog/tables/b-01234567'])
    assert.equal(chosenFolderOf(key), undefined);
});
