import assert from 'node:assert/strict';
import { it } from 'node:test';
import { topicId } from '../log/one-broker-fixture.ts';
import { TableFixture } from './table-fixture.ts';
import type { CollectAnswer } from './table-workers.ts';

it('workers refuse a coordinator when one with a higher epoch has asked, and leave out what is not theirs', async () => {
  const fixture = await TableFixture.start();
  fixture.tables.start();
  const collect = (epoch: number): Promise<CollectAnswer> => {
    const partitions = [3, 99].map((partition) => ({ partition, committed: 0 }));
    const request = { topicId, epoch, table: undefined, partitions, finish: true, waitMs: 1_000 };
    return fixture.broker.time.drive(() => fixture.tables.workers.collect(request));
  };
  const nothing = { partition: 3, committables: [], firstSchemaId: undefined };
  assert.deepEqual(await collect(70), { kind: 'collected', partitions: [nothing] });
  assert.deepEqual(await collect(69), { kind: 'stale-epoch', epoch: 70 });
  assert.deepEqual(await collect(70), { kind: 'collected', partitions: [nothing] });
  await fixture.stop();
});
