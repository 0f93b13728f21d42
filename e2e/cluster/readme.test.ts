import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { startFirn, testFolder } from '../broker/firn-process.ts';
import type { FirnProcess } from '../broker/firn-process.ts';

const root = path.join(import.meta.dirname, '../..');
const run = promisify(execFile);
/** What the README lets people find the process of a broker by. */
const findBroker = `"$(pgrep -f 'broker-child.* zone-b')"`;

describe('what README.md says of three zones', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let firn: FirnProcess;
  before(async () => {
    folder = await testFolder();
    const args = ['--zones', '3'];
    firn = await startFirn(`file:${folder.path}/data`, { logFile: path.join(folder.path, 'firn.log'), args });
  });
  after(async () => {
    await firn.process.stop(60_000);
    await folder.remove();
  });

  /** A line as it stands there, but for the addresses, and for processes of others that might be found. */
  async function shell(line: string): Promise<string> {
    const command = line
      .replaceAll(/npx firn (\w+)/g, `"$NODE" cli/firn.ts $1 --bootstrap "$BOOTSTRAP"`)
      .replace(findBroker, /^ +1000 .* (\d+)$/m.exec(await firn.output())?.[1] ?? '');
    const env = { ...process.env, NODE: process.execPath, BOOTSTRAP: firn.bootstrap };
    const { stdout } = await run('sh', ['-c', command], { cwd: root, env });
    return stdout;
  }

  it('works line by line', async () => {
    const readme = await readFile(path.join(root, 'README.md'), 'utf8');
    const [, section = ''] = readme.split('## Three zones on one machine\n');
    const [, block = ''] = /^```sh\n(.*?)^```/ms.exec(section) ?? [];
    const lines = block.trim().split('\n');
    const [up = '', create = '', before = '', kill = '', after = '', consume = '', ...more] = lines;
    assert.match(up, /^npx firn up --zones 3 +#/);
    assert.deepEqual(more, []);
    await shell(create);
    assert.match(await shell(before), /^ +1000 +alive +zone-b .* 2 +\d+$/m);
    assert.ok(kill.includes(findBroker));
    await shell(kill);
    while (!/^broker 1000 .*is ready again/m.test(await firn.output()))
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.match(await shell(after), /^ +1000 +alive +zone-b/m);
    assert.equal((await shell(consume)).trim(), '1000000');
  });

  it('finds the process of a broker by its zone', async () => {
    const pid = /is ready again, pid (\d+)$/m.exec(await firn.output())?.[1] ?? '';
    const { stdout } = await run('ps', ['-o', 'args=', '-p', pid]);
    assert.match(stdout, /broker-child.* zone-b/);
  });
});
