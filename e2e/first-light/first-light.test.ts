import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { KafkaJSProtocolError } from 'kafkajs';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { openStore } from '../../dataplane/store/open.ts';
import type { ObjectStore } from '../../dataplane/store/object-store.ts';
import { createS3Store } from '../../dataplane/store/s3/s3-store.ts';
import { startFirn, testFolder } from '../broker/firn-process.ts';
import type { FirnProcess } from '../broker/firn-process.ts';
import { firn as runFirn } from '../cli/firn-cli.ts';
import { readWithIcebird } from '../tables/read-with-icebird.ts';
import { installRealPart, skipUnless } from '../tools/real-part.ts';
import { startVersitygw } from '../tools/s3-server.ts';
import {
  clientOf,
  createTopic,
  framedOrder,
  orderOf,
  produce,
  register,
  registerOrders,
  untilCaughtUp,
  untilTable,
} from './order-topic.ts';

type Row = readonly unknown[];

function ids(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}

function rowOf(id: number): Row {
  const { customer, note, amount } = orderOf(id);
  return [id, customer, note, amount];
}

/** Rows as icebird reads them through the catalog of a broker, in the order of their ids. */
async function icebirdRows(
  t: TestContext,
  firn: FirnProcess,
  store: ObjectStore,
  topic: string,
): Promise<Row[]> {
  const served = { url: firn.catalogUrl, store };
  const rows = await readWithIcebird(t, served, `/v1/namespaces/default/tables/${topic}`);
  return rows
    .map(({ id, customer, note, amount }) => [Number(id), customer, note ?? null, amount])
    .toSorted((a, b) => Number(a[0]) - Number(b[0]));
}

async function pythonRows(engine: string, options: object): Promise<Row[]> {
  const program = path.join(import.meta.dirname, '../tables/python/read_orders.py');
  const { stdout } = await promisify(execFile)(
    await installRealPart('pythonTables'),
    [program, engine, JSON.stringify(options)],
    { maxBuffer: 64 * 1024 * 1024 },
  );
  return (JSON.parse(stdout) as { rows: Row[] }).rows;
}

describe('a topic that is a table, over S3', { skip: await skipUnless('versitygw', 'pythonTables') }, () => {
  it('has the rows that were acknowledged, for DuckDB, pyiceberg and icebird alike', async (t) => {
    const folder = await testFolder();
    const s3 = await startVersitygw();
    await s3.createBucket('lake');
    const { endpoint, region, accessKeyId, secretAccessKey } = s3;
    const url = `s3://lake/firn?endpoint=${endpoint}&region=${region}&pathStyle=true`;
    const env = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
    const firn = await startFirn(url, { logFile: path.join(folder.path, 'firn.log'), env });
    try {
      const schemaId = await registerOrders(firn, 'orders');
      await createTopic(firn, 'orders', { partitions: 3 });
      for (let from = 0; from < 900; from += 300)
        await produce(
          firn,
          'orders',
          ids(from, from + 300).map((id) => framedOrder(schemaId, id)),
        );
      await untilCaughtUp(firn, 'orders');
      const expected = ids(0, 900).map((id) => rowOf(id));
      const options = {
        url: firn.catalogUrl,
        namespace: 'default',
        table: 'orders',
        s3: { endpoint, region, accessKeyId, secretAccessKey },
      };
      for (const engine of ['duckdb', 'pyiceberg'])
        assert.deepEqual(await pythonRows(engine, options), expected, engine);
      const credentials = { accessKeyId, secretAccessKey };
      const store = createS3Store({
        bucket: 'lake',
        prefix: 'firn',
        endpoint,
        region,
        credentials,
        runtime: realRuntime,
      });
      assert.deepEqual(await icebirdRows(t, firn, store, 'orders'), expected);
    } finally {
      await firn.process.kill();
      await s3.stop();
      await folder.remove();
    }
  });
});

describe('topics that are tables', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let url: string;
  let firn: FirnProcess;
  let store: ObjectStore;
  before(async () => {
    folder = await testFolder();
    url = `file://${path.join(folder.path, 'data')}`;
    firn = await startFirn(url, { logFile: path.join(folder.path, 'firn.log') });
    store = await openStore(url, { runtime: realRuntime });
  });
  after(async () => {
    await store.close();
    await firn.process.kill();
    await folder.remove();
  });

  const refusalOf = async (work: Promise<unknown>): Promise<string> => {
    const error = await work.then(
      () => assert.fail('it was not refused'),
      (thrown: unknown) => thrown,
    );
    const inner = (error as { errors?: unknown[] }).errors?.[0] ?? error;
    return (inner as KafkaJSProtocolError).type;
  };

  const metric = async (name: string): Promise<string[]> => {
    const text = await (await fetch(`${firn.adminUrl}/metrics`)).text();
    return text.split('\n').filter((line) => line.startsWith(name));
  };

  it('are filled from the earliest record when they become one later, by AutoMQ’s name of the config too', async (t) => {
    const schemaId = await registerOrders(firn, 'late');
    await createTopic(firn, 'late', { configs: { 'table.topic.enable': 'false' } });
    await produce(
      firn,
      'late',
      ids(0, 50).map((id) => framedOrder(schemaId, id)),
    );
    const admin = clientOf(firn).admin();
    await admin.connect();
    const configEntries = [
      { name: 'automq.table.topic.enable', value: 'true' },
      { name: 'automq.table.topic.commit.interval.ms', value: '1000' },
    ];
    await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: 'late', configEntries }] });
    await admin.disconnect();
    await untilCaughtUp(firn, 'late');
    assert.deepEqual(
      await icebirdRows(t, firn, store, 'late'),
      ids(0, 50).map((id) => rowOf(id)),
    );
  });

  it('stop at a record that cannot become a row, in its partition only, say so, and go on when it is deleted', async (t) => {
    const schemaId = await registerOrders(firn, 'stuck');
    await createTopic(firn, 'stuck', { partitions: 2 });
    const orders = (from: number, to: number): Buffer[] =>
      ids(from, to).map((id) => framedOrder(schemaId, id));
    await produce(firn, 'stuck', [...orders(0, 3), Buffer.from('no frame'), ...orders(3, 5)], 0);
    await produce(firn, 'stuck', orders(10, 20), 1);
    const table = await untilTable(
      firn,
      'stuck',
      'partition 0 stops at offset 3, partition 1 goes on',
      ({ partitions: [zero, one] }) =>
        zero?.state === 'stopped' && zero.committed === 3 && one?.committed === 10,
    );
    assert.equal(table.partitions[0]?.problem?.offset, 3);
    assert.equal(table.partitions[0].problem.code, 'NOT_FRAMED');
    const rows = async (): Promise<unknown[]> =>
      (await icebirdRows(t, firn, store, 'stuck')).map(([id]) => id);
    assert.deepEqual(await rows(), [...ids(0, 3), ...ids(10, 20)]);
    assert.deepEqual(await metric('firn_table_stopped_partitions{'), [
      'firn_table_stopped_partitions{topic="stuck",partition="0",offset="3",code="NOT_FRAMED"} 1',
    ]);
    const status = await runFirn(firn, ['status', '--admin', firn.adminUrl]);
    assert.equal(status.code, 1);
    assert.match(status.out, /^stuck-0 stopped at offset 3: NOT_FRAMED: .*DeleteRecords/m);

    const admin = clientOf(firn).admin();
    await admin.connect();
    // kafkajs deletes records only of topics that it has looked at before.
    await admin.fetchTopicOffsets('stuck');
    await admin.deleteTopicRecords({ topic: 'stuck', partitions: [{ partition: 0, offset: '4' }] });
    await admin.disconnect();
    await untilCaughtUp(firn, 'stuck');
    assert.deepEqual(await rows(), [...ids(0, 5), ...ids(10, 20)]);
    assert.deepEqual(await metric('firn_table_stopped_partitions{'), []);
    assert.equal((await runFirn(firn, ['status', '--admin', firn.adminUrl])).code, 0);
  });

  it('are refused with a sentence when what they ask for is not built', async () => {
    const nested = {
      type: 'record',
      name: 'N',
      fields: [{ name: 'tags', type: { type: 'array', items: 'string' } }],
    };
    // A schema that no table can be made of yet is a schema all the same, until the topic is a table.
    assert('id' in (await register(firn, 'nested-value', nested)));
    assert.equal(await refusalOf(createTopic(firn, 'nested')), 'INVALID_CONFIG');
    for (const configs of [
      { 'table.topic.upsert.enable': 'true' },
      { 'automq.table.topic.partition.by': 'day(ts)' },
      { 'table.topic.validate': 'strict' },
    ])
      assert.equal(await refusalOf(createTopic(firn, 'unbuilt', { configs })), 'INVALID_CONFIG');

    await registerOrders(firn, 'evolving');
    await createTopic(firn, 'evolving');
    const refused = await register(firn, 'evolving-value', nested);
    assert('message' in refused);
    assert.match(
      refused.message,
      /topic evolving is a table, and records of this schema cannot be its rows: .*tags/,
    );
  });
});
