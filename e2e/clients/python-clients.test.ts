import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { startFirn, testFolder } from '../broker/firn-process.ts';
import type { FirnProcess } from '../broker/firn-process.ts';
import { installRealPart, skipUnless } from '../tools/real-part.ts';

const run = promisify(execFile);

describe('Python clients', { skip: await skipUnless('pythonClients') }, () => {
  let folder: Awaited<ReturnType<typeof testFolder>>;
  let firn: FirnProcess;

  before(async () => {
    folder = await testFolder();
    firn = await startFirn(`file:${folder.path}/data`, { logFile: path.join(folder.path, 'firn.log') });
  });
  after(async () => {
    await firn.process.stop();
    await folder.remove();
  });

  /** Each part of a suite prints a line that begins with `ok`. */
  async function suite(file: string, parts: number): Promise<void> {
    const python = await installRealPart('pythonClients');
    const program = path.join(import.meta.dirname, 'python', file);
    const { stdout } = await run(python, [program, firn.bootstrap], { maxBuffer: 64 * 1024 * 1024 });
    assert.equal(stdout.match(/^ok /gm)?.length, parts, stdout);
  }

  it('librdkafka: codecs, idempotence, large messages, times, groups, topics, configs', () =>
    suite('confluent_suite.py', 8));
  it('kafka-python: codecs, offsets, times, errors', () => suite('kafka_python_suite.py', 3));
});
