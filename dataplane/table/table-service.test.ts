import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CatalogError } from '../iceberg/errors.ts';
import { topicId } from '../log/one-broker-fixture.ts';
import { StoreError } from '../store/errors.ts';
import { ForwardingStore } from '../store/forwarding-store.ts';
import type { Body, PutOptions, PutResult } from '../store/object-store.ts';
import { encodeOrder, lateSchema, lateSchemaId, orderSchemas } from './sim/order.ts';
import { TableFixture } from './table-fixture.ts';

async function started(): Promise<TableFixture> {
  const fixture = await TableFixture.start();
  fixture.registerSchema();
  fixture.tables.start();
  await fixture.until(() => fixture.status.coordinator?.phase === 'committing');
  return fixture;
}

describe('a topic with a table', () => {
  it('has every record as a row within the commit interval, with what Kafka knows of it', async () => {
    const fixture = await started();
    await fixture.append(3);
    await fixture.append(2, 1);
    await fixture.until(() => fixture.committed(0) === 3 && fixture.committed(1) === 2, 2_500);
    const rows = await fixture.rows();
    assert.deepEqual(
      rows.map(({ partition, offset, name, key }) => [partition, offset, name, key]),
      [
        [0, 0, 'order 1', 'k0'],
        [0, 1, 'order 2', 'k1'],
        [0, 2, 'order 3', 'k2'],
        [1, 0, 'order 4', 'k0'],
        [1, 1, 'order 5', 'k1'],
      ],
    );
    assert.equal(fixture.summary['firn.offsets'], '{"0":3,"1":2}');
    assert.deepEqual(fixture.problems, []);
    await fixture.stop();
  });

  it('commits nothing while nothing comes', async () => {
    const fixture = await started();
    await fixture.append(1);
    await fixture.until(() => fixture.committed() === 1);
    const { snapshots } = fixture.table;
    const requests = fixture.broker.store.counters.put;
    await fixture.pass(60_000);
    assert.equal(fixture.table.snapshots.length, snapshots.length);
    assert(fixture.broker.store.counters.put - requests < 10, 'only the log writes now and then');
    await fixture.stop();
  });

  it('is created with the columns of the first record when its subject has no schema', async () => {
    const fixture = await TableFixture.start();
    fixture.tables.start();
    await fixture.until(() => fixture.status.coordinator?.phase === 'waiting-for-schema');
    fixture.registry.register(2, orderSchemas[2] ?? '', false);
    await fixture.append([encodeOrder(fixture.order(), 2)], 5);
    await fixture.until(() => fixture.committed(5) === 1);
    const [schema] = fixture.table.schemas;
    assert.deepEqual(
      schema?.struct.fields.map(({ id, name, required }) => [id, name, required]),
      [
        [1, 'amount', true],
        [2, 'name', true],
        [3, '_kafka', false],
      ],
    );
    await fixture.stop();
  });

  it('goes on where the table ends when another process leads it', async () => {
    const fixture = await started();
    await fixture.append(3);
    await fixture.until(() => fixture.committed() === 3);
    await fixture.broker.time.drive(() => fixture.tables.stop());
    await fixture.append(2);
    fixture.tables = fixture.newService();
    fixture.tables.start();
    await fixture.until(() => fixture.committed() === 5);
    assert.equal((await fixture.rows()).length, 5);
    await fixture.stop();
  });

  it('commits a file as soon as it is full', async () => {
    const fixture = await TableFixture.start();
    fixture.settings = { ...fixture.settings, commitIntervalMs: 900_000, targetFileBytes: 2_000 };
    fixture.registerSchema();
    fixture.tables.start();
    await fixture.until(() => fixture.status.coordinator?.phase === 'committing');
    await fixture.append(200);
    await fixture.until(() => fixture.committed() === 200, 5_000);
    await fixture.stop();
  });

  it('holds retention back at what is not in the table yet', async () => {
    const fixture = await TableFixture.start();
    assert.equal(fixture.tables.committedFloor(topicId, 0), undefined, 'not known before it has started');
    fixture.registerSchema();
    fixture.tables.start();
    await fixture.append(2);
    await fixture.until(() => fixture.committed() === 2);
    assert.equal(fixture.tables.committedFloor(topicId, 0), 2);
    assert.equal(fixture.tables.committedFloor(topicId, 7), 0);
    fixture.settings = { ...fixture.settings, enabled: false };
    assert.equal(fixture.tables.committedFloor(topicId, 0), 2, 'until the change has arrived');
    await fixture.broker.time.drive(() =>
      fixture.broker.log.cluster.change((state) => ({ ...state, configs: { 'log.retention.ms': '1' } })),
    );
    assert.equal(fixture.tables.committedFloor(topicId, 0), Infinity);
    assert.deepEqual(fixture.tables.status, []);
    await fixture.stop();
  });
});

describe('a record that cannot become a row', () => {
  it('stops its partition there, behind what came before it, and no other one', async () => {
    const fixture = await started();
    await fixture.append([encodeOrder(fixture.order(), 1), null, encodeOrder(fixture.order(), 1)]);
    await fixture.append(2, 1);
    await fixture.until(() => fixture.committed(0) === 1 && fixture.committed(1) === 2);
    const [stopped, running] = fixture.status.partitions;
    assert.equal(stopped?.state, 'stopped');
    assert.equal(stopped.problem?.offset, 1);
    assert.equal(stopped.problem.code, 'NULL_VALUE');
    assert.match(stopped.problem.reason, /tombstone.*DeleteRecords up to offset 2/);
    assert.equal(stopped.lagRecords, 2);
    assert.equal(running?.state, 'running');
    await fixture.append(1);
    await fixture.pass(5_000);
    assert.equal(fixture.committed(0), 1);
    await fixture.stop();
  });

  it('is named also when it is the first one, and no table can be made for want of a schema', async () => {
    const fixture = await TableFixture.start();
    fixture.tables.start();
    await fixture.append([null]);
    await fixture.append(1);
    await fixture.until(() => fixture.status.partitions[0]?.problem?.code === 'NULL_VALUE');
    assert.equal(fixture.status.coordinator?.phase, 'waiting-for-schema');
    await fixture.broker.time.drive(() => fixture.broker.log.deleteRecords(topicId, 0, 1));
    fixture.registry.register(1, orderSchemas[1] ?? '', false);
    await fixture.until(() => fixture.committed() === 2);
    assert.equal(fixture.status.partitions[0]?.problem, undefined);
    await fixture.stop();
  });

  it('is named when it is the first one and nobody knows its schema; another partition’s first one may do', async () => {
    const fixture = await TableFixture.start();
    fixture.tables.start();
    await fixture.append([encodeOrder(fixture.order(), lateSchemaId)], 0);
    await fixture.until(() => fixture.status.partitions[0]?.problem?.code === 'UNKNOWN_SCHEMA');
    assert.equal(fixture.status.partitions[0]?.problem?.offset, 0);
    fixture.registry.register(1, orderSchemas[1] ?? '', false);
    await fixture.append(2, 1);
    await fixture.until(() => fixture.committed(1) === 2);
    assert.equal(fixture.status.partitions[0].problem?.code, 'UNKNOWN_SCHEMA');
    await fixture.stop();
  });

  it('is named when it is the first one and nobody knows its schema; deleted, it is in nobody’s way', async () => {
    const fixture = await TableFixture.start();
    fixture.registry.register(1, orderSchemas[1] ?? '', false);
    fixture.tables.start();
    await fixture.append([encodeOrder(fixture.order(), lateSchemaId)]);
    await fixture.until(() => fixture.status.partitions[0]?.problem?.code === 'UNKNOWN_SCHEMA');
    await fixture.broker.time.drive(() => fixture.broker.log.deleteRecords(topicId, 0, 1));
    await fixture.append(1);
    await fixture.until(() => fixture.committed() === 2);
    assert.equal(fixture.status.partitions[0]?.problem, undefined);
    await fixture.stop();
  });

  it('is passed when it is deleted', async () => {
    const fixture = await started();
    await fixture.append([Buffer.from('text')]);
    await fixture.append(2);
    await fixture.until(() => fixture.status.partitions[0]?.problem?.code === 'NOT_FRAMED');
    await fixture.broker.time.drive(() => fixture.broker.log.deleteRecords(topicId, 0, 1));
    await fixture.until(() => fixture.committed() === 3);
    assert.deepEqual(
      (await fixture.rows()).map(({ offset }) => offset),
      [1, 2],
    );
    assert.equal(fixture.tables.counters.deletedOffsets, 1);
    await fixture.stop();
  });

  it('becomes one when its schema is registered', async () => {
    const fixture = await started();
    await fixture.append([encodeOrder(fixture.order(), lateSchemaId)]);
    await fixture.until(() => fixture.status.partitions[0]?.problem?.code === 'UNKNOWN_SCHEMA');
    fixture.registry.register(lateSchemaId, lateSchema, false);
    await fixture.until(() => fixture.committed() === 1);
    assert.equal((await fixture.rows())[0]?.name, 'order 1');
    await fixture.stop();
  });

  it('waits for the registry while that does not answer', async () => {
    const fixture = await started();
    fixture.registry.failureShare = 1;
    await fixture.append(1);
    await fixture.until(() => fixture.status.partitions[0]?.problem?.code === 'REGISTRY_UNAVAILABLE');
    await fixture.pass(3_000);
    fixture.registry.failureShare = 0;
    await fixture.until(() => fixture.committed() === 1);
    await fixture.stop();
  });

  it('leaves nothing of itself in the file that ends before it', async () => {
    const fixture = await started();
    const good = encodeOrder({ name: 'good', amount: 1, note: 'n' }, 1);
    await fixture.append([good, good, good.subarray(0, -1)]);
    await fixture.until(() => fixture.committed() === 2);
    assert.equal(fixture.status.partitions[0]?.problem?.code, 'TRUNCATED');
    assert.deepEqual(
      (await fixture.rows()).map(({ name, note }) => [name, note]),
      [
        ['good', 'n'],
        ['good', 'n'],
      ],
    );
    await fixture.stop();
  });

  it('is one of a schema that the table has no columns for', async () => {
    const fixture = await started();
    const other = { type: 'record', name: 'Other', fields: [{ name: 'x', type: 'long' }] };
    fixture.registry.register(9, JSON.stringify(other), false);
    await fixture.append([Buffer.from([0, 0, 0, 0, 9, 2])]);
    await fixture.until(() => fixture.status.partitions[0]?.problem?.code === 'SCHEMA_DOES_NOT_FIT');
    assert.match(fixture.status.partitions[0]?.problem?.reason ?? '', /no column for its field x/);
    await fixture.stop();
  });
});

describe('memory for open files', () => {
  it('is shared: files are finished early when it is used up, and nothing is lost', async () => {
    const fixture = await TableFixture.start({ openFileBytes: 1_500 });
    fixture.settings = { ...fixture.settings, commitIntervalMs: 5_000 };
    fixture.registerSchema();
    fixture.tables.start();
    await fixture.until(() => fixture.status.coordinator?.phase === 'committing');
    for (let batch = 0; batch < 20; batch++) await fixture.append(10, batch % 3);
    await fixture.until(() => [0, 1, 2].every((partition) => (fixture.committed(partition) ?? 0) >= 60));
    assert.equal((await fixture.rows()).length, 200);
    assert(fixture.tables.counters.files > 5);
    assert.equal(fixture.tables.openFileBytes, 0);
    await fixture.stop();
  });
});

describe('what cannot be done now', () => {
  it('is told while the catalog cannot be reached, and forgotten when it can', async () => {
    const fixture = await started();
    const { catalog } = fixture;
    const commit = catalog.commitTable.bind(catalog);
    catalog.commitTable = () => Promise.reject(new CatalogError('UNAVAILABLE', 'nobody answers'));
    await fixture.append(1);
    await fixture.until(() => fixture.status.coordinator?.lastError?.code === 'UNAVAILABLE');
    assert((fixture.tables.counters.failures.get('UNAVAILABLE') ?? 0) > 0);
    catalog.commitTable = commit;
    await fixture.until(() => fixture.committed() === 1);
    assert.equal(fixture.status.coordinator?.lastError, undefined);
    await fixture.stop();
  });

  it('is tried less and less often while data files are refused, and told', async () => {
    const fixture = await TableFixture.start();
    let refusals = 0;
    const refusing = new (class extends ForwardingStore {
      isRefusing = true;
      override put(key: string, body: Body, options?: PutOptions): Promise<PutResult> {
        if (!this.isRefusing || !key.endsWith('.parquet')) return super.put(key, body, options);
        refusals += 1;
        return Promise.reject(
          new StoreError('ACCESS_DENIED', 'no', { operation: 'put', store: this.name, key }),
        );
      }
    })(fixture.store);
    fixture.tables = fixture.newService({}, refusing);
    fixture.registerSchema();
    fixture.tables.start();
    await fixture.until(() => fixture.status.coordinator?.phase === 'committing');
    await fixture.append(5);
    await fixture.pass(60_000);
    assert(refusals > 3 && refusals < 30, `${refusals} attempts in a minute`);
    assert.match(fixture.status.partitions[0]?.lastError ?? '', /no/);
    assert.equal(fixture.tables.counters.workerFailures, refusals);
    refusing.isRefusing = false;
    await fixture.until(() => fixture.committed() === 5);
    assert.equal(fixture.status.partitions[0]?.lastError, undefined);
    await fixture.stop();
  });
});
