import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../../operator/api-client.ts';
import { leases } from '../../operator/lease.ts';
import { startKubeApiServer } from '../tools/kube-api-server.ts';
import type { KubeApiServer } from '../tools/kube-api-server.ts';
import { startLeashed } from '../tools/leashed-process.ts';
import type { LeashedProcess } from '../tools/leashed-process.ts';
import { skipUnless } from '../tools/real-part.ts';
import { testClient } from './test-access.ts';

interface Candidate {
  readonly process: LeashedProcess;
  lines(): readonly string[];
  /** When it acted as the leader: nanoseconds of the machine's monotonic clock. */
  acts(): readonly bigint[];
}

describe(
  'leader election between processes over a real API server',
  { skip: await skipUnless('kube') },
  () => {
    let server: KubeApiServer;
    let client: ApiClient;
    let folder = '';

    before(async () => {
      server = await startKubeApiServer();
      client = testClient(server);
      folder = await mkdtemp(path.join(os.tmpdir(), 'firn-election-'));
    });
    after(async () => {
      client.close();
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    });

    it('replaces a leader that stands still, who never acts again; and follows one that ends at once', async () => {
      const first = await start('first');
      await until(() => first.acts().length > 5, 'the first candidate leads');
      const second = await start('second');
      await until(() => second.lines().includes('started'), 'the second candidate is there');
      await sleep(1_000);
      assert.equal(second.acts().length, 0);

      process.kill(first.process.pid, 'SIGSTOP');
      await until(() => second.acts().length > 5, 'the second candidate leads');
      process.kill(first.process.pid, 'SIGCONT');
      assert.equal(await first.process.exited, 1);
      assert.ok(first.lines().includes('lost'));
      const lastOfFirst = first.acts().at(-1) ?? 0n;
      const firstOfSecond = second.acts()[0] ?? 0n;
      assert.ok(lastOfFirst < firstOfSecond, 'they acted at the same time');

      const third = await start('third');
      await until(() => third.lines().includes('started'), 'the third candidate is there');
      await second.process.stop(30_000);
      assert.equal(await second.process.exited, 0);
      await until(() => third.acts().length > 0, 'the third candidate leads');
      assert.ok((second.acts().at(-1) ?? 0n) < (third.acts()[0] ?? 0n), 'they acted at the same time');
      const lease = await client.get(leases, { namespace: 'default', name: 'operator' });
      assert.equal(lease.spec?.holderIdentity, 'third');
      assert.equal(lease.spec?.leaseTransitions, 2);

      await third.process.stop(30_000);
      const released = await client.get(leases, { namespace: 'default', name: 'operator' });
      assert.equal(released.spec?.holderIdentity, '');
    });

    async function start(identity: string): Promise<Candidate> {
      const logFile = path.join(folder, `${identity}.log`);
      const started = await startLeashed({
        command: process.execPath,
        args: [path.join(import.meta.dirname, 'candidate.ts'), identity],
        env: { TEST_URL: server.url, TEST_CA: server.ca, TEST_TOKEN: server.token },
        logFile,
      });
      const lines = (): readonly string[] => readFileSync(logFile, 'utf8').split('\n');
      return {
        process: started,
        lines,
        acts: () =>
          lines()
            .filter((line) => /^act \d+$/.test(line))
            .map((line) => BigInt(line.slice(4))),
      };
    }
  },
);

async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 120_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, `it did not come to this: ${what}`);
    await sleep(50);
  }
}
