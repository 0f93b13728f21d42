import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ClusterBroker } from '../cluster/cluster-broker.ts';
import { FirnCluster } from '../cluster/firn-cluster.ts';
import { skipUnless } from '../tools/real-part.ts';
import { javaTool } from './java-tools.ts';
import type { JavaTool } from './java-tools.ts';

describe(
  'Kafka’s tools for administrators, on three brokers in three zones',
  { skip: await skipUnless('kafka') },
  () => {
    let cluster: FirnCluster;
    let one: ClusterBroker;
    let two: ClusterBroker;

    before(async () => {
      cluster = await FirnCluster.start({ store: 'folder' });
      [one, two] = cluster.brokers as [ClusterBroker, ClusterBroker];
    });
    after(() => cluster.stop());

    /** The output of a tool that must succeed, asking one of the brokers. */
    async function tool(name: JavaTool, args: readonly string[], broker = one, input = ''): Promise<string> {
      const { code, out, err } = await javaTool(name, broker.firn.bootstrap, args, input);
      assert.equal(code, 0, `${name} ${args.join(' ')} ended with ${code}:\n${out}\n${err}`);
      return out;
    }

    it('reassign partitions, verify that, and find every record afterwards', async () => {
      const create = ['--create', '--topic', 'moving', '--partitions', '2', '--replication-factor', '3'];
      await tool('kafka-topics', create);
      const before = await tool('kafka-topics', ['--describe', '--topic', 'moving'], two);
      assert.match(before, /Partition: 0\s+Leader: 0\s+Replicas: 0,\d000,\d000\s+Isr: 0,\d000,\d000/);
      await tool('kafka-console-producer', ['--topic', 'moving'], one, 'a\nb\nc\n');
      const plan = path.join(cluster.folder, 'plan.json');
      const partitions = [
        { topic: 'moving', partition: 0, replicas: [1000, 2000] },
        { topic: 'moving', partition: 1, replicas: [0] },
      ];
      await writeFile(plan, JSON.stringify({ version: 1, partitions }));
      const reassignment = ['--reassignment-json-file', plan];
      await tool('kafka-reassign-partitions', [...reassignment, '--execute']);
      for (;;) {
        const verified = await tool('kafka-reassign-partitions', [...reassignment, '--verify'], two);
        if (/moving-0 is completed[^]*moving-1 is completed/.test(verified)) break;
        assert.match(verified, /still in progress/);
      }
      const after = await tool('kafka-topics', ['--describe', '--topic', 'moving']);
      assert.match(after, /Partition: 0\s+Leader: 1000\s+Replicas: 1000,2000\s+Isr: 1000,2000/);
      assert.match(after, /Partition: 1\s+Leader: 0\s+Replicas: 0\s+Isr: 0/);
      const read = ['--topic', 'moving', '--from-beginning', '--max-messages', '3'];
      const records = (await tool('kafka-console-consumer', read, two)).trim().split('\n');
      assert.deepEqual(new Set(records), new Set(['a', 'b', 'c']));
    });

    it('refuse to throttle a reassignment, and say why', async () => {
      const plan = path.join(cluster.folder, 'throttled.json');
      await tool('kafka-topics', ['--create', '--topic', 'slow', '--partitions', '1']);
      const partitions = [{ topic: 'slow', partition: 0, replicas: [1000] }];
      await writeFile(plan, JSON.stringify({ version: 1, partitions }));
      const args = ['--reassignment-json-file', plan, '--execute', '--throttle', '1000'];
      const { code, out, err } = await javaTool('kafka-reassign-partitions', one.firn.bootstrap, args);
      assert.notEqual(code, 0);
      assert.match(out + err, /there is nothing to throttle/);
    });

    it('set defaults of the cluster, which hold at every broker at once', async () => {
      const cluster = ['--entity-type', 'brokers', '--entity-default'];
      await tool('kafka-configs', [...cluster, '--alter', '--add-config', 'log.retention.ms=7200000'], one);
      assert.match(
        await tool('kafka-configs', [...cluster, '--describe'], one),
        /log\.retention\.ms=7200000/,
      );
      await tool('kafka-topics', ['--create', '--topic', 'defaults'], two);
      const topic = ['--entity-type', 'topics', '--entity-name', 'defaults', '--describe', '--all'];
      assert.match(
        await tool('kafka-configs', topic, two),
        /\bretention\.ms=7200000 .*DYNAMIC_DEFAULT_BROKER_CONFIG/,
      );
      await tool('kafka-configs', [...cluster, '--alter', '--delete-config', 'log.retention.ms'], two);
      assert.doesNotMatch(await tool('kafka-configs', [...cluster, '--describe'], two), /log\.retention\.ms/);
    });

    it('show sizes, features, the quorum that there is not, and versions', async () => {
      const directories = await tool('kafka-log-dirs', ['--describe', '--broker-list', '0,1000,2000']);
      assert.match(directories, /"broker":1000/);
      assert.match(directories, /"logDir":"file:/);
      const features = await tool('kafka-features', ['describe']);
      assert.match(features, /group\.version\s.*FinalizedVersionLevel: 1/);
      assert.match(features, /firn\.format\.version/);
      const quorum = await tool('kafka-metadata-quorum', ['describe', '--status']);
      assert.match(quorum, /CurrentVoters:.*"id": 0.*"id": 1000.*"id": 2000/);
      const versions = await tool('kafka-broker-api-versions', []);
      assert.match(versions, /Metadata\(3\): 0 to 13/);
      assert.doesNotMatch(versions, /EndTxn\(26\): \d/);
    });

    it('give partitions back to the preferred leader that was away', async () => {
      const preferred = ['--topic', 'away', '--replica-assignment', '1000:0:2000'];
      await tool('kafka-topics', ['--create', ...preferred]);
      await two.kill();
      for (;;) {
        const described = await tool('kafka-topics', ['--describe', '--topic', 'away']);
        if (/Leader: (0|2000)\s/.test(described)) break;
      }
      await two.restart();
      const election = ['--election-type', 'preferred', '--all-topic-partitions'];
      const elected = await tool('kafka-leader-election', election);
      assert.match(elected, /away-0/);
      for (;;) {
        const described = await tool('kafka-topics', ['--describe', '--topic', 'away']);
        if (/Leader: 1000\s/.test(described)) break;
      }
    });
  },
);
