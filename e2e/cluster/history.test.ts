import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { createTopic } from '../../dataplane/client/topic-admin.ts';
import { historyProblems } from '../history/history-check.ts';
import { Workload } from '../history/workload.ts';
import { skipUnless } from '../tools/real-part.ts';
import { leadersOf, move, takenOver } from './administration.ts';
import type { ClusterBroker } from './cluster-broker.ts';
import { FirnCluster } from './firn-cluster.ts';
import type { FirnClusterOptions } from './firn-cluster.ts';

const topic = 'history';
const partitions = 6;
const needed = await skipUnless('pythonClients', 'versitygw');

/** Runs `disturb` beside the workload; what the workload saw must be right, with nothing lost, doubled or failed. */
async function unnoticed(
  context: TestContext,
  options: FirnClusterOptions & { readonly clientDefaults: boolean },
  disturb: (cluster: FirnCluster, workload: Workload) => Promise<void>,
): Promise<void> {
  const cluster = await FirnCluster.start(options);
  try {
    await createTopic(cluster.client(), { name: topic, partitions, configs: new Map() });
    const workload = await Workload.start({ ...options, bootstrap: cluster.bootstrap, topic, partitions });
    await workload.progress(200);
    await disturb(cluster, workload);
    await workload.finish();
    assert.deepEqual(historyProblems(workload.events).slice(0, 20), []);
    const [acked, committed, refused] = ['acked', 'committed', 'uncommitted'].map((what) =>
      workload.count(what),
    );
    context.diagnostic(`${acked} records, ${committed} commits, ${refused} commits refused`);
  } finally {
    await cluster.stop();
  }
}

describe('histories of librdkafka at three brokers', { skip: needed }, () => {
  it('moves and a restart of all brokers: no error reaches a client with default settings', (context) =>
    unnoticed(context, { store: 'folder', clientDefaults: true }, async (cluster, workload) => {
      const client = cluster.client();
      for (let round = 0; round < 3; round++) {
        const leaders = await leadersOf(client, topic);
        const next = (leader = 0): number => (leader + 1_000) % 3_000;
        await move(client, topic, new Map(leaders.map((leader, partition) => [partition, next(leader)])));
        await workload.progress(100);
      }
      for (const broker of cluster.brokers) {
        await broker.drain();
        await workload.progress(100);
        await broker.restart();
        await workload.progress(100);
      }
    }));

  it('brokers killed, standing still, and cut from the store: nothing lost, doubled, reordered, or forgotten', (context) =>
    unnoticed(context, { store: 's3', clientDefaults: false }, async (cluster, workload) => {
      const [one, two, three] = cluster.brokers as [ClusterBroker, ClusterBroker, ClusterBroker];
      await one.kill();
      await takenOver(context, cluster.client(two), topic, one.id);
      await workload.progress(100);
      await one.restart();

      // It comes back without knowing that it has been taken for dead.
      two.pause();
      await takenOver(context, cluster.client(three), topic, two.id);
      await workload.progress(100);
      two.resume();
      await workload.progress(100);

      three.cutFromStore('applied');
      await takenOver(context, cluster.client(one), topic, three.id);
      await workload.progress(100);
      three.rejoinStore();
      await workload.progress(100);
    }));

  it('a zone that is lost: the other two go on', (context) =>
    unnoticed(context, { store: 'folder', clientDefaults: false }, async (cluster, workload) => {
      const [, two, three] = cluster.brokers as [ClusterBroker, ClusterBroker, ClusterBroker];
      await two.kill();
      await takenOver(context, cluster.client(three), topic, two.id);
      await workload.progress(500);
    }));
});
