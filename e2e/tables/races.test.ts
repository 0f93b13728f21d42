import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildAppend, ingestTag } from '../../dataplane/iceberg/append.ts';
import type { LoadedTable } from '../../dataplane/iceberg/catalog.ts';
import { EmbeddedCatalog } from '../../dataplane/iceberg/catalogs/embedded/embedded-catalog.ts';
import { CatalogError } from '../../dataplane/iceberg/errors.ts';
import { StoreFileIo } from '../../dataplane/iceberg/file-io.ts';
import { readManifest } from '../../dataplane/iceberg/manifest/manifest-file.ts';
import { readManifestList } from '../../dataplane/iceberg/manifest/manifest-list.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { addedFile } from '../../dataplane/iceberg/iceberg-fixture.ts';
import type { ObjectStore } from '../../dataplane/store/object-store.ts';
import { skipUnless } from '../tools/real-part.ts';
import { startVersitygw } from '../tools/s3-server.ts';
import { storeOf } from './catalog-fixture.ts';
import { ordersStruct, ordersTable } from './orders-table.ts';

const committers = 8;
const rounds = 20;

describe('committers that race on versitygw', { skip: await skipUnless('versitygw') }, () => {
  it('expect the same refs: one wins each round, and nothing that was applied is lost', async () => {
    await using s3 = await startVersitygw();
    await s3.createBucket('lake');
    const stores = Array.from({ length: committers }, () => storeOf(s3));
    const catalogs = stores.map((store) => new EmbeddedCatalog(store, realRuntime));
    const [first] = catalogs;
    const [firstStore] = stores;
    assert.ok(first !== undefined && firstStore !== undefined);
    await first.ensureNamespace(ordersTable.namespace);
    const created = await Promise.allSettled(
      catalogs.map((catalog) => catalog.createTable(ordersTable, { struct: ordersStruct(), properties: {} })),
    );
    assert.equal(created.filter(({ status }) => status === 'fulfilled').length, 1, 'one creates the table');

    const winners: string[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const { metadata }: LoadedTable = await first.loadTable(ordersTable);
      const expected = { main: metadata.currentSnapshotId, ingest: metadata.refs[ingestTag]?.snapshotId };
      const results = await Promise.allSettled(
        catalogs.map(async (catalog, at): Promise<string> => {
          const io = new StoreFileIo(stores[at] ?? firstStore);
          const file = `${metadata.location}/data/${round}-${at}`;
          const request = { metadata, files: [addedFile(file)], summary: {}, expected };
          const commit = await buildAppend(io, realRuntime, request);
          await catalog.commitTable(ordersTable, commit.requirements, commit.updates);
          return file;
        }),
      );
      const won = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      assert.equal(won.length, 1, `round ${round}: ${won.length} committers won`);
      for (const result of results) {
        if (result.status === 'rejected')
          assert.ok(
            result.reason instanceof CatalogError && result.reason.code === 'CONFLICT',
            String(result.reason),
          );
      }
      winners.push(...won);
    }
    assert.deepEqual((await liveFiles(firstStore, first)).toSorted(), winners.toSorted());
    await Promise.all(stores.map((store) => store.close()));
  });
});

async function liveFiles(store: ObjectStore, catalog: EmbeddedCatalog): Promise<readonly string[]> {
  const io = new StoreFileIo(store);
  const { metadata } = await catalog.loadTable(ordersTable);
  const current = metadata.snapshots.find(({ snapshotId }) => snapshotId === metadata.currentSnapshotId);
  assert.ok(current);
  const manifests = readManifestList(await io.read(current.manifestList), current.manifestList);
  const files: string[] = [];
  for (const { manifestPath } of manifests)
    files.push(
      ...readManifest(await io.read(manifestPath), manifestPath).entries.map(({ file }) => file.filePath),
    );
  return files;
}
