import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { openStore } from '../../dataplane/store/open.ts';
import { crashPoints } from '../../dataplane/table/crash-points.ts';
import type { CrashPoint } from '../../dataplane/table/crash-points.ts';
import { startFirn, testFolder } from '../broker/firn-process.ts';
import type { FirnProcess } from '../broker/firn-process.ts';
import { readWithIcebird } from '../tables/read-with-icebird.ts';
import { createTopic, framedOrder, produce, registerOrders, untilCaughtUp } from './order-topic.ts';

/** Steps that one undisturbed process does not come to: the simulator does (`dataplane/table/sim`). */
const onlySimulated: readonly CrashPoint[] = [
  'coordinator.offsets.put',
  'coordinator.conflict',
  'coordinator.unknown',
  'coordinator.resolved',
  'coordinator.cleanup.before',
  'coordinator.cleanup.after',
];

const topic = 'orders';
const crashingBroker = path.join(import.meta.dirname, 'crashing-broker.ts');

describe('a process that is killed at a step of worker, coordinator or commit', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  before(async () => {
    folder = await testFolder();
  });
  after(() => folder.remove());

  for (const point of crashPoints.filter((candidate) => !onlySimulated.includes(candidate))) {
    it(`leaves every acknowledged record in its table once: ${point}`, async (t) => {
      const url = `file://${path.join(folder.path, point)}`;
      const logFile = path.join(folder.path, `${point}.log`);
      const doomed = await startFirn(url, { logFile, program: crashingBroker, args: [url, point] });
      const acknowledged = await produceUntilItDies(doomed);
      assert.equal(await doomed.process.exited, 128 + 9, await doomed.output());
      const next = await startFirn(url, { logFile });
      const store = await openStore(url, { runtime: realRuntime });
      try {
        const { partitions } = await untilCaughtUp(next, topic);
        const inTopic = partitions.reduce((sum, { committed = 0 }) => sum + committed, 0);
        const served = { url: next.catalogUrl, store };
        const rows =
          inTopic === 0 ? [] : await readWithIcebird(t, served, `/v1/namespaces/default/tables/${topic}`);
        const places = rows.map(({ _kafka }) => {
          const { partition, offset } = _kafka as { partition: number; offset: bigint };
          return `${partition}-${offset}`;
        });
        assert.equal(new Set(places).size, rows.length, 'no row is there twice');
        assert.equal(rows.length, inTopic, 'every record is a row');
        const ids = new Set(rows.map(({ id }) => Number(id)));
        for (let id = 0; id < acknowledged; id += 1) assert(ids.has(id), `order ${id} was acknowledged`);
      } finally {
        await store.close();
        await next.process.kill();
      }
    });
  }
});

/** Creates a topic with a table and fills it, until the process is gone. How many records were acknowledged. */
async function produceUntilItDies(firn: FirnProcess): Promise<number> {
  let acknowledged = 0;
  const producing = (async () => {
    const schemaId = await registerOrders(firn, topic);
    await createTopic(firn, topic, { partitions: 2 });
    while (!firn.process.hasExited) {
      const ids = Array.from({ length: 20 }, (_, at) => acknowledged + at);
      await produce(
        firn,
        topic,
        ids.map((id) => framedOrder(schemaId, id)),
      );
      acknowledged += ids.length;
      await sleep(50);
    }
  })();
  const failure = await producing.then(
    () => undefined,
    (error: unknown) => error,
  );
  // A request of a process that dies fails a moment before the process is gone.
  for (let attempt = 0; failure !== undefined && !firn.process.hasExited && attempt < 200; attempt += 1)
    await sleep(50);
  if (!firn.process.hasExited) throw failure;
  return acknowledged;
}
