import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildAppend, ingestTag } from './append.ts';
import type { AppendCommit } from './append.ts';
import type { LoadedTable } from './catalog.ts';
import { CatalogError } from './errors.ts';
import { addedFile, catalogFixture, createOrders, orders } from './iceberg-fixture.ts';
import type { CatalogFixture } from './iceberg-fixture.ts';
import type { AddedFile, ManifestFile } from './manifest/manifest-entry.ts';
import { readManifest } from './manifest/manifest-file.ts';
import { readManifestList } from './manifest/manifest-list.ts';
import { inheritFrom } from './manifest/merge-manifests.ts';

function refsOf({ metadata }: LoadedTable): { main: bigint | undefined; ingest: bigint | undefined } {
  return { main: metadata.currentSnapshotId, ingest: metadata.refs[ingestTag]?.snapshotId };
}

async function build(
  { io, runtime }: CatalogFixture,
  table: LoadedTable,
  files: readonly AddedFile[],
  earlier?: AppendCommit,
): Promise<AppendCommit> {
  return await buildAppend(io, runtime, {
    metadata: table.metadata,
    files,
    summary: { 'firn.epoch': '7' },
    expected: refsOf(table),
    earlier: earlier?.written,
  });
}

async function append(fixture: CatalogFixture, files: readonly AddedFile[]): Promise<LoadedTable> {
  const commit = await build(fixture, await fixture.catalog.loadTable(orders), files);
  return await fixture.catalog.commitTable(orders, commit.requirements, commit.updates);
}

async function manifestsOf(
  { io }: CatalogFixture,
  { metadata }: LoadedTable,
): Promise<readonly ManifestFile[]> {
  const snapshot = metadata.snapshots.find(({ snapshotId }) => snapshotId === metadata.currentSnapshotId);
  assert.ok(snapshot);
  return readManifestList(await io.read(snapshot.manifestList), snapshot.manifestList);
}

/** Location and sequence number of every live file, in the order of the manifests. */
async function liveFiles(fixture: CatalogFixture, table: LoadedTable): Promise<string[]> {
  const files: string[] = [];
  for (const manifest of await manifestsOf(fixture, table)) {
    const { entries } = readManifest(await fixture.io.read(manifest.manifestPath), manifest.manifestPath);
    for (const entry of entries.map((raw) => inheritFrom(manifest, raw)))
      files.push(`${entry.file.filePath}@${entry.sequenceNumber}`);
  }
  return files;
}

test('a claim is a snapshot without files that moves both refs', async () => {
  const fixture = catalogFixture();
  await createOrders(fixture);
  const table = await append(fixture, []);
  const { main, ingest } = refsOf(table);
  assert.ok(main !== undefined && main > 0n);
  assert.equal(ingest, main);
  assert.deepEqual(table.metadata.refs[ingestTag], { snapshotId: main, type: 'tag' });
  assert.deepEqual(table.metadata.snapshots[0]?.summary, {
    operation: 'append',
    'firn.epoch': '7',
    'total-records': '0',
    'total-files-size': '0',
    'total-data-files': '0',
    'total-delete-files': '0',
    'total-position-deletes': '0',
    'total-equality-deletes': '0',
  });
  assert.deepEqual(await manifestsOf(fixture, table), []);
});

test('an append carries the manifests of its parent over and counts on', async () => {
  const fixture = catalogFixture();
  await createOrders(fixture);
  await append(fixture, [addedFile('memory:/tables/a', 10), addedFile('memory:/tables/b', 5)]);
  const table = await append(fixture, [addedFile('memory:/tables/c', 1)]);
  assert.deepEqual(await liveFiles(fixture, table), [
    'memory:/tables/c@2',
    'memory:/tables/a@1',
    'memory:/tables/b@1',
  ]);
  const summary = table.metadata.snapshots[1]?.summary;
  assert.equal(summary?.['added-records'], '1');
  assert.equal(summary['added-data-files'], '1');
  assert.equal(summary['total-records'], '16');
  assert.equal(summary['total-data-files'], '3');
  assert.equal(table.metadata.lastSequenceNumber, 2);
  const [newest, oldest] = await manifestsOf(fixture, table);
  assert.equal(newest?.addedRowsCount, 1);
  assert.equal(oldest?.addedFilesCount, 2);
  assert.equal(oldest.addedSnapshotId, table.metadata.snapshots[0]?.snapshotId);
});

test('a commit on a base that has moved conflicts, and is built anew on it with the same manifest', async () => {
  const fixture = catalogFixture();
  const empty = await createOrders(fixture);
  const files = [addedFile('memory:/tables/mine')];
  const first = await build(fixture, empty, files);
  // Another writer, that knows nothing of our tag.
  const other = await build(fixture, empty, [addedFile('memory:/tables/other')]);
  const moved = await fixture.catalog.commitTable(
    orders,
    [],
    other.updates.filter((update) => update.action !== 'set-snapshot-ref' || update.refName === 'main'),
  );
  await assert.rejects(fixture.catalog.commitTable(orders, first.requirements, first.updates), {
    name: 'CatalogError',
    code: 'CONFLICT',
  });
  const again = await build(fixture, moved, files, first);
  assert.equal(again.snapshot.snapshotId, first.snapshot.snapshotId);
  assert.equal(again.written.manifest?.manifestPath, first.written.manifest?.manifestPath);
  const table = await fixture.catalog.commitTable(orders, again.requirements, again.updates);
  assert.deepEqual(await liveFiles(fixture, table), ['memory:/tables/mine@2', 'memory:/tables/other@1']);
  // The attempt before it can no longer be applied.
  await assert.rejects(fixture.catalog.commitTable(orders, first.requirements, first.updates), {
    code: 'CONFLICT',
  });
});

test('a table that was loaded before somebody moved main is refused before anything is written', async () => {
  const fixture = catalogFixture();
  const { metadata } = await createOrders(fixture);
  const request = { metadata, files: [], summary: {}, expected: { main: 5n, ingest: undefined } };
  await assert.rejects(
    buildAppend(fixture.io, fixture.runtime, request),
    (error) => error instanceof CatalogError && error.code === 'CONFLICT',
  );
});

test('a clock that went back does not take the table back', async () => {
  const fixture = catalogFixture();
  const created = await createOrders(fixture);
  const early = { ...fixture.runtime, wallMs: () => 1_000_000 };
  const table = await append({ ...fixture, runtime: early }, []);
  assert.ok((table.metadata.snapshots[0]?.timestampMs ?? 0) >= created.metadata.lastUpdatedMs);
});

test('small manifests are merged when there are enough, and every file keeps its sequence number', async () => {
  const fixture = catalogFixture();
  await createOrders(fixture, { 'commit.manifest.min-count-to-merge': '4' });
  let table = await fixture.catalog.loadTable(orders);
  for (let at = 1; at <= 10; at += 1) {
    table = await append(fixture, [addedFile(`memory:/tables/${at}`)]);
    const manifests = await manifestsOf(fixture, table);
    assert.ok(manifests.length < 4, `${manifests.length} manifests after ${at} commits`);
    const files = await liveFiles(fixture, table);
    const expected = Array.from({ length: at }, (_, index) => `memory:/tables/${index + 1}@${index + 1}`);
    assert.deepEqual(files.toSorted(), expected.toSorted());
  }
  for (const { addedFilesCount, existingFilesCount } of await manifestsOf(fixture, table))
    assert.ok(addedFilesCount + existingFilesCount > 0);
});

test('manifests are not merged when the table says so', async () => {
  const fixture = catalogFixture();
  const properties = { 'commit.manifest.min-count-to-merge': '2', 'commit.manifest-merge.enabled': 'false' };
  await createOrders(fixture, properties);
  for (let at = 1; at <= 4; at += 1) await append(fixture, [addedFile(`memory:/tables/${at}`)]);
  assert.equal((await manifestsOf(fixture, await fixture.catalog.loadTable(orders))).length, 4);
});
