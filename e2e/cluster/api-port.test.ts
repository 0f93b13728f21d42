import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { installRealPart, skipUnless } from '../tools/real-part.ts';
import type { ClusterBroker } from './cluster-broker.ts';
import { FirnCluster } from './firn-cluster.ts';

const run = promisify(execFile);

interface Answer {
  readonly status: number;
  readonly json: unknown;
}

async function ask(method: string, url: string, body?: unknown): Promise<Answer> {
  const response = await fetch(url, {
    method,
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return { status: response.status, json: await response.json() };
}

function register({ firn }: ClusterBroker, subject: string, size: number): Promise<Answer> {
  const schema = JSON.stringify({ type: 'fixed', name: 'F', size });
  return ask('POST', `${firn.registryUrl}/subjects/${subject}/versions`, { schema });
}

/** The broker that serves the one partition of `_schemas`: nothing else is in the cluster yet. */
async function ownerOf(cluster: FirnCluster): Promise<ClusterBroker> {
  for (const broker of cluster.brokers) {
    const metrics = await (await fetch(`${broker.firn.adminUrl}/metrics`)).text();
    if (/^firn_served_partitions 1$/m.test(metrics)) return broker;
  }
  return assert.fail('nobody serves a partition');
}

describe('one URL of the api port is enough in a cluster', async () => {
  let cluster: FirnCluster;
  before(async () => {
    cluster = await FirnCluster.start({ store: 'folder', zones: ['a', 'b'] });
  });
  after(() => cluster.stop());

  it('the registry answers at every broker, also while the one that has it is killed', async () => {
    const [one] = cluster.brokers;
    assert(one);
    const config = await ask('PUT', `${one.firn.registryUrl}/config`, { compatibility: 'NONE' });
    assert.deepEqual(config, { status: 200, json: { compatibility: 'NONE' } });
    const owner = await ownerOf(cluster);
    const other = cluster.brokers.find((broker) => broker !== owner);
    assert(other);
    for (const [index, broker] of [other, owner, other].entries())
      assert.deepEqual(await register(broker, 's', index + 1), { status: 200, json: { id: index + 1 } });
    await owner.kill();
    // Whoever asks waits for the takeover.
    const versions = await ask('GET', `${other.firn.registryUrl}/subjects/s/versions`);
    assert.deepEqual(versions, { status: 200, json: [1, 2, 3] });
    assert.deepEqual(await register(other, 's', 4), { status: 200, json: { id: 4 } });
    await owner.restart();
    assert.deepEqual(await register(owner, 's', 5), { status: 200, json: { id: 5 } });
  });

  it('the catalog answers at every broker what was changed at another', async () => {
    const [one, two] = cluster.brokers;
    assert(one && two);
    for (const [from, to] of [
      [one, two],
      [two, one],
    ] as const) {
      const namespace = [`of_${from.zone}`];
      const made = await ask('POST', `${from.firn.catalogUrl}/v1/namespaces`, { namespace });
      assert.equal(made.status, 200);
      const found = await ask('GET', `${to.firn.catalogUrl}/v1/namespaces/${namespace[0]}`);
      assert.deepEqual(found, { status: 200, json: { namespace, properties: {} } });
    }
  });

  it(
    "Confluent's registry client and serializers at each of them",
    { skip: await skipUnless('pythonClients') },
    async () => {
      const python = await installRealPart('pythonClients');
      const program = path.join(import.meta.dirname, '../clients/python/schema_registry_suite.py');
      const [one] = cluster.brokers;
      await ask('PUT', `${one?.firn.registryUrl}/config`, { compatibility: 'BACKWARD' });
      for (const { firn } of cluster.brokers) {
        const { stdout } = await run(python, [program, cluster.bootstrap, firn.registryUrl]);
        assert.equal(stdout.match(/^ok /gm)?.length, 4, stdout);
      }
    },
  );
});
