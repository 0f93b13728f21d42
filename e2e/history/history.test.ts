import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BrokerConnection } from '../../dataplane/client/broker-connection.ts';
import { createTopics } from '../../dataplane/protocol/api/create-topics.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { startFirn, testFolder } from '../broker/firn-process.ts';
import type { FirnProcess } from '../broker/firn-process.ts';
import { startFaultProxy } from '../faults/fault-proxy.ts';
import { skipUnless } from '../tools/real-part.ts';
import { startVersitygw } from '../tools/s3-server.ts';
import { historyProblems } from './history-check.ts';
import { Workload } from './workload.ts';

const topic = 'history';
const partitions = 4;

async function createTopic({ host, port }: FirnProcess): Promise<void> {
  const connection = await BrokerConnection.open({ host, port, clientId: 'history', runtime: realRuntime });
  const request = {
    topics: [{ name: topic, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: [] }],
    timeoutMs: 30_000,
  };
  const { topics } = await connection.request(createTopics, request);
  connection.close();
  assert.equal(topics[0]?.errorCode, 0);
}

describe('histories of librdkafka', { skip: await skipUnless('pythonClients', 'versitygw') }, () => {
  it('kill -9 and SIGSTOP over a directory: nothing lost, doubled, reordered, or forgotten', async (context) => {
    const folder = await testFolder();
    const url = `file:${folder.path}/data`;
    const logFile = path.join(folder.path, 'firn.log');
    let firn = await startFirn(url, { logFile });
    await createTopic(firn);
    const workload = await Workload.start({ bootstrap: firn.bootstrap, topic, partitions });
    try {
      await workload.progress(200);
      for (let round = 0; round < 2; round++) {
        await firn.process.kill();
        firn = await startFirn(url, { logFile, args: ['--port', String(firn.port)] });
        await workload.progress(200);
        process.kill(firn.process.pid, 'SIGSTOP');
        await sleep(1_500);
        process.kill(firn.process.pid, 'SIGCONT');
        await workload.progress(200);
      }
      await workload.finish();
      assert.deepEqual(historyProblems(workload.events).slice(0, 20), []);
      context.diagnostic(`${workload.count('acked')} records, ${workload.count('committed')} commits`);
    } finally {
      await firn.process.kill();
      await folder.remove();
    }
  });

  it('cut from the store, and killed meanwhile: nothing lost, doubled, reordered, or forgotten', async (context) => {
    const folder = await testFolder();
    const logFile = path.join(folder.path, 'firn.log');
    const server = await startVersitygw();
    await server.createBucket('firn');
    const proxy = await startFaultProxy({ target: server.endpoint, rules: [], seed: 1 });
    const url = `s3://firn/history?endpoint=${encodeURIComponent(proxy.url)}&region=${server.region}`;
    const env = { AWS_ACCESS_KEY_ID: server.accessKeyId, AWS_SECRET_ACCESS_KEY: server.secretAccessKey };
    let firn = await startFirn(url, { logFile, env });
    await createTopic(firn);
    const workload = await Workload.start({ bootstrap: firn.bootstrap, topic, partitions });
    try {
      await workload.progress(200);
      for (const effect of ['none', 'applied'] as const) {
        proxy.setRules([{ name: 'cut', fault: { kind: 'reset', effect } }]);
        await sleep(1_500);
        proxy.setRules([]);
        await workload.progress(200);
        proxy.setRules([{ name: 'silence', fault: { kind: 'black-hole', effect } }]);
        await sleep(1_500);
        await firn.process.kill();
        proxy.setRules([]);
        firn = await startFirn(url, { logFile, env, args: ['--port', String(firn.port)] });
        await workload.progress(200);
      }
      await workload.finish();
      assert.deepEqual(historyProblems(workload.events).slice(0, 20), []);
      context.diagnostic(`${workload.count('acked')} records, ${workload.count('committed')} commits`);
    } finally {
      await firn.process.kill();
      await proxy.stop();
      await server.stop();
      await folder.remove();
    }
  });
});
