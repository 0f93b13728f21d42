import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ingestTag } from '../iceberg/append.ts';
import type { TableUpdate } from '../iceberg/table-update.ts';
import { TableFixture } from './table-fixture.ts';
import type { Summary } from './ingest-state.ts';
import { snapshotBuilder } from './build-snapshot.ts';

const string = { kind: 'string' } as const;

/** With three rows in the table. */
async function filled(): Promise<TableFixture> {
  const fixture = await TableFixture.start();
  fixture.registerSchema();
  fixture.tables.start();
  await fixture.append(3);
  await fixture.until(() => fixture.committed() === 3);
  return fixture;
}

async function change(fixture: TableFixture, updates: readonly TableUpdate[]): Promise<void> {
  await fixture.broker.time.drive(() => fixture.catalog.commitTable(fixture.identifier, [], updates));
}

async function stopsWith(fixture: TableFixture, code: string, sentence: RegExp): Promise<void> {
  await fixture.append(1);
  await fixture.until(() => fixture.status.coordinator?.phase === 'stopped');
  assert.equal(fixture.status.coordinator?.lastError?.code, code);
  assert.match(fixture.status.coordinator.lastError.message, sentence);
  assert.equal(fixture.tables.counters.failures.get(code), 1);
}

/** A snapshot on top of main, with a summary of somebody's making. */
async function commitSummary(fixture: TableFixture, summary: Summary): Promise<void> {
  const { time } = fixture.broker;
  await time.drive(async () => {
    const table = await fixture.catalog.loadTable(fixture.identifier);
    const build = snapshotBuilder(fixture.store, fixture.runtime);
    const built = await build({ table, files: [], summary }, new AbortController().signal);
    await fixture.catalog.commitTable(fixture.identifier, built.requirements, built.updates);
  });
}

describe('a coordinator stops, and says why', () => {
  it('when the table was dropped; it does not create it again', async () => {
    const fixture = await filled();
    await fixture.broker.time.drive(() => fixture.catalog.dropTable(fixture.identifier, { purge: false }));
    await stopsWith(fixture, 'TABLE_DROPPED', /table default\.t is gone.*bring the table back/);
    await fixture.pass(60_000);
    const exists = await fixture.broker.time.drive(() => fixture.catalog.tableExists(fixture.identifier));
    assert.equal(exists, false);
    await fixture.stop();
  });

  it('when the table was dropped and created anew', async () => {
    const fixture = await filled();
    const { metadata } = await fixture.broker.time.drive(() => fixture.catalog.loadTable(fixture.identifier));
    await fixture.broker.time.drive(async () => {
      await fixture.catalog.dropTable(fixture.identifier, { purge: false });
      const [schema] = metadata.schemas;
      assert(schema !== undefined);
      // As `CREATE TABLE … LIKE` does: with our properties.
      const request = { struct: schema.struct, properties: metadata.properties };
      await fixture.catalog.createTable(fixture.identifier, request);
    });
    await stopsWith(fixture, 'TABLE_RECREATED', /dropped and created anew/);
    assert.equal(fixture.table.snapshots.length, 0);
    await fixture.stop();
  });

  it('when the tag is gone, and goes on when it is back', async () => {
    const fixture = await filled();
    const ref = fixture.table.refs[ingestTag];
    assert(ref !== undefined);
    await change(fixture, [{ action: 'remove-snapshot-ref', refName: ingestTag }]);
    await stopsWith(fixture, 'TAG_MISSING', /no tag firn\.ingest.*set the tag back/);
    await change(fixture, [{ action: 'set-snapshot-ref', refName: ingestTag, ref }]);
    await fixture.until(() => fixture.committed() === 4);
    assert.equal((await fixture.rows()).length, 4);
    await fixture.stop();
  });

  it('when main was rolled back, and goes on when it contains the last commit again', async () => {
    const fixture = await filled();
    const [claim] = fixture.table.snapshots;
    const main = fixture.table.refs['main'];
    assert(claim !== undefined && main !== undefined);
    const rolledBack = { ...main, snapshotId: claim.snapshotId };
    await change(fixture, [{ action: 'set-snapshot-ref', refName: 'main', ref: rolledBack }]);
    await stopsWith(fixture, 'TABLE_ROLLED_BACK', /rolled back.*set main back/);
    assert.deepEqual(await fixture.rows(), []);
    await change(fixture, [{ action: 'set-snapshot-ref', refName: 'main', ref: main }]);
    await fixture.until(() => fixture.committed() === 4);
    assert.equal((await fixture.rows()).length, 4);
    await fixture.stop();
  });

  it('when the tag was set to another snapshot by hand', async () => {
    const fixture = await filled();
    const [claim] = fixture.table.snapshots;
    assert(claim !== undefined);
    const ref = { type: 'tag', snapshotId: claim.snapshotId } as const;
    await change(fixture, [{ action: 'set-snapshot-ref', refName: ingestTag, ref }]);
    await stopsWith(fixture, 'TAG_MOVED', /moved by somebody who is no coordinator/);
    await fixture.pass(60_000);
    assert.equal(
      fixture.status.coordinator?.phase,
      'stopped',
      'the offsets of that snapshot are not believed',
    );
    assert.equal((await fixture.rows()).length, 3);
    await fixture.stop();
  });

  it('when a coordinator with a higher epoch has claimed the table: for good', async () => {
    const fixture = await filled();
    await commitSummary(fixture, { ...firnKeys(fixture.summary), 'firn.epoch': '99' });
    await stopsWith(fixture, 'SUPERSEDED', /epoch 99; this one has epoch/);
    await fixture.pass(60_000);
    assert.equal(fixture.summary['firn.epoch'], '99');
    await fixture.stop();
  });

  it('when the summary was tampered with', async () => {
    const fixture = await filled();
    const { 'firn.offsets': _, ...others } = firnKeys(fixture.summary);
    await fixture.broker.time.drive(() => fixture.tables.stop());
    await commitSummary(fixture, others);
    fixture.tables = fixture.newService();
    fixture.tables.start();
    await stopsWith(fixture, 'BAD_INGEST_STATE', /no usable firn\.offsets: it is missing/);
    await fixture.stop();
  });

  it('when the table is filled by another topic', async () => {
    const fixture = await filled();
    await fixture.broker.time.drive(() => fixture.tables.stop());
    const source = JSON.stringify({ 'cluster-id': 'another', 'topic-id': 'b'.repeat(32) });
    await commitSummary(fixture, { ...firnKeys(fixture.summary), 'firn.source': source });
    fixture.tables = fixture.newService();
    fixture.tables.start();
    await stopsWith(fixture, 'TABLE_OWNED_BY_OTHER', /filled by topic id b{32} of cluster another/);
    await fixture.stop();
  });

  it('when a table of that name was made by somebody else', async () => {
    const fixture = await TableFixture.start();
    fixture.registerSchema();
    await fixture.broker.time.drive(async () => {
      await fixture.catalog.ensureNamespace(['default']);
      const struct = {
        kind: 'struct',
        fields: [{ id: 1, name: 'name', required: false, type: string }],
      } as const;
      await fixture.catalog.createTable(fixture.identifier, { struct, properties: {} });
    });
    fixture.tables.start();
    await stopsWith(fixture, 'TABLE_OWNED_BY_OTHER', /was not created for this topic/);
    await fixture.stop();
  });

  it('when the table has a partition spec', async () => {
    const fixture = await filled();
    const spec = {
      specId: 1,
      fields: [{ sourceId: 1, fieldId: 1000, name: 'name', transform: 'identity' }],
    };
    await change(fixture, [
      { action: 'add-spec', spec },
      { action: 'set-default-spec', specId: -1 },
    ]);
    await fixture.append(1);
    await fixture.until(() => fixture.status.coordinator?.lastError !== undefined);
    await fixture.pass(30_000);
    assert.match(fixture.status.coordinator?.lastError?.message ?? '', /partition/);
    assert.equal((await fixture.rows()).length, 3);
    await fixture.stop();
  });
});

describe('a coordinator goes on', () => {
  it('when another engine has added a column', async () => {
    const fixture = await filled();
    const { lastColumnId, schemas } = fixture.table;
    const [schema] = schemas;
    assert(schema !== undefined);
    const field = { id: lastColumnId + 1, name: 'extra', required: false, type: string };
    const struct = { ...schema.struct, fields: [...schema.struct.fields, field] };
    await change(fixture, [
      { action: 'add-schema', schema: { schemaId: 1, struct }, lastColumnId: lastColumnId + 1 },
      { action: 'set-current-schema', schemaId: -1 },
    ]);
    await fixture.append(2);
    await fixture.until(() => fixture.committed() === 5);
    await fixture.append(2);
    await fixture.until(() => fixture.committed() === 7);
    assert.equal((await fixture.rows()).length, 7);
    await fixture.stop();
  });

  it('with keys of the summary that a newer release has put there', async () => {
    const fixture = await filled();
    await fixture.broker.time.drive(() => fixture.tables.stop());
    await commitSummary(fixture, { ...firnKeys(fixture.summary), 'firn.dlq-pending': '4' });
    fixture.tables = fixture.newService();
    fixture.tables.start();
    await fixture.append(1);
    await fixture.until(() => fixture.committed() === 4);
    assert.equal(fixture.summary['firn.dlq-pending'], '4');
    await fixture.stop();
  });
});

describe('a topic of more partitions than fit into a summary', () => {
  it('has its offsets in objects of their own, of which the last two stay', async () => {
    const fixture = await filled();
    await fixture.broker.time.drive(() => fixture.tables.stop());
    const offsets = Object.fromEntries(Array.from({ length: 600 }, (_, at) => [at, at === 0 ? 3 : 0]));
    await commitSummary(fixture, { ...firnKeys(fixture.summary), 'firn.offsets': JSON.stringify(offsets) });
    fixture.tables = fixture.newService();
    fixture.tables.start();
    const seen = new Set<string>();
    for (let next = 4; next < 9; next++) {
      await fixture.append(1);
      await fixture.until(() => fixture.committed() === next);
      assert.equal(fixture.summary['firn.offsets'], undefined);
      seen.add(fixture.summary['firn.offsets-object'] ?? '');
    }
    await fixture.pass(1_000);
    const [, , , ...kept] = seen;
    assert.deepEqual(
      fixture.broker.store.keys('topic-table/').filter((key) => key.includes('offsets-')),
      kept.toSorted(),
    );
    await fixture.broker.time.drive(() => fixture.tables.stop());
    fixture.tables = fixture.newService();
    fixture.tables.start();
    await fixture.append(1);
    await fixture.until(() => fixture.committed() === 9);
    assert.equal((await fixture.rows()).length, 9);
    await fixture.stop();
  });
});

function firnKeys(summary: Summary): Summary {
  return Object.fromEntries(Object.entries(summary).filter(([key]) => key.startsWith('firn.')));
}
