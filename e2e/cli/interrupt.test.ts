import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { startFirn, testFolder } from '../broker/firn-process.ts';
import type { FirnProcess } from '../broker/firn-process.ts';
import { firn } from './firn-cli.ts';

const program = path.join(import.meta.dirname, '../../cli/firn.ts');

describe('the process firn', () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let broker: FirnProcess;

  before(async () => {
    folder = await testFolder();
    broker = await startFirn(`file:${folder.path}/data`, { logFile: path.join(folder.path, 'firn.log') });
    assert.equal((await firn(broker, ['topic', 'create', 'lines'])).code, 0);
  });
  after(async () => {
    await broker.process.kill();
    await folder.remove();
  });

  function start(...args: readonly string[]) {
    return spawn(process.execPath, [program, ...args, '--bootstrap', broker.bootstrap], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  /** Ends a producer whose broker is stopped by interrupts, the first of them so long after it was given a line. */
  async function interruptedAfter(delayMs: number): Promise<unknown> {
    const producing = start('produce', 'lines', '--timeout', '10m');
    const ended = once(producing, 'exit');
    producing.stdin.write('durable\n');
    const consumed = await firn(broker, ['consume', 'lines', '--from-beginning', '-n', '1']);
    assert.equal(consumed.out, 'durable\n');
    // From here on no record becomes durable, and the command waits for the one that it has read.
    process.kill(broker.process.pid, 'SIGSTOP');
    producing.stdin.write('never answered\n');
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    while (producing.exitCode === null && producing.signalCode === null) {
      producing.kill('SIGINT');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    process.kill(broker.process.pid, 'SIGCONT');
    return await ended;
  }

  it('ends what it does at the first interrupt, and at once at the next', async () => {
    // One that comes before the line was read ends it as it should, which proves nothing.
    let delayMs = 200;
    let end = await interruptedAfter(delayMs);
    while (JSON.stringify(end) === '[0,null]' && delayMs < 10_000)
      end = await interruptedAfter((delayMs *= 2));
    assert.deepEqual(end, [null, 'SIGINT']);
  });

  it('ends quietly when nobody reads what it prints', async () => {
    await firn(broker, ['produce', 'lines'], { input: 'line\n'.repeat(50_000) });
    const consuming = start('consume', 'lines', '--from-beginning');
    const errors: string[] = [];
    consuming.stderr.on('data', (text: Buffer) => errors.push(String(text)));
    await once(consuming.stdout, 'data');
    consuming.stdout.destroy();
    assert.deepEqual(await once(consuming, 'exit'), [0, null]);
    assert.deepEqual(errors, []);
  });
});
