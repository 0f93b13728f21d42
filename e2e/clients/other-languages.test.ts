import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { installRealPart, skipUnless } from '../tools/real-part.ts';
import { suiteBrokers } from './suite-brokers.ts';

const run = promisify(execFile);

describe('clients in other languages', async () => {
  const firn = suiteBrokers();

  /** Each part of a suite prints a line that begins with `ok`. */
  async function suite(command: string, args: readonly string[], parts: number): Promise<void> {
    const { stdout } = await run(command, [...args, firn.bootstrap], { maxBuffer: 64 * 1024 * 1024 });
    assert.equal(stdout.match(/^ok /gm)?.length, parts, stdout);
  }

  async function python(file: string, parts: number): Promise<void> {
    const program = path.join(import.meta.dirname, 'python', file);
    await suite(await installRealPart('pythonClients'), [program], parts);
  }

  const noPython = await skipUnless('pythonClients');
  it('librdkafka: codecs, idempotence, large messages, times, groups, configs', { skip: noPython }, () =>
    python('confluent_suite.py', 8),
  );
  it(
    'librdkafka: groups of both protocols that grow and shrink, static members, regular expressions, migration',
    { skip: noPython },
    () => python('groups_suite.py', 5),
  );
  it('kafka-python: codecs, offsets, times, errors', { skip: noPython }, () =>
    python('kafka_python_suite.py', 3),
  );
  it(
    'franz-go: codecs, order, admin, groups under churn',
    { skip: await skipUnless('goClients') },
    async () => suite(await installRealPart('goClients'), [], 4),
  );
});
