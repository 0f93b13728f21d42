import assert from 'node:assert/strict';
import path from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { BrokerConnection } from '../../dataplane/client/broker-connection.ts';
import { metadata } from '../../dataplane/protocol/api/metadata.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { startFirn, testFolder } from './firn-process.ts';
import type { FirnProcess } from './firn-process.ts';

describe('the process firn up', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  const started: FirnProcess[] = [];

  before(async () => {
    folder = await testFolder();
  });
  afterEach(async () => {
    for (const one of started.splice(0)) await one.process.kill();
  });
  after(() => folder.remove());

  async function start(name: string): Promise<FirnProcess> {
    const url = `file://${path.join(folder.path, name)}`;
    const one = await startFirn(url, { logFile: path.join(folder.path, `${name}.log`) });
    started.push(one);
    return one;
  }

  async function clusterId({ host, port }: FirnProcess): Promise<string | null> {
    const connection = await BrokerConnection.open({ host, port, clientId: 'test', runtime: realRuntime });
    try {
      return (await connection.request(metadata, { topics: [] })).clusterId;
    } finally {
      connection.close();
    }
  }

  it('hands over on SIGTERM and ends with 0', async () => {
    const one = await start('term');
    process.kill(one.process.pid, 'SIGTERM');
    assert.equal(await one.process.exited, 0);
    assert.match(await one.output(), /handing over/);
  });

  it('takes the place of one that was killed, without a warning', async () => {
    const first = await start('kill');
    const id = await clusterId(first);
    await first.process.kill();
    const second = await start('kill');
    assert.equal(await clusterId(second), id);
    assert.match(await second.output(), /^broker 0 is ready/);
  });
});
