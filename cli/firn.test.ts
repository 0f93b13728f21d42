import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from './command.ts';
import type { Command, CommandIo } from './command.ts';
import { firnVersion } from './firn-version.ts';
import { runFirn } from './firn.ts';

const echo: Command = {
  name: 'echo',
  summary: 'prints its arguments',
  usage: 'usage: firn echo WORD…',
  run(args, io) {
    if (args.length === 0) throw new UsageError('WORD is missing');
    if (args[0] === 'fail') throw new Error('it broke', { cause: new Error('disk full') });
    io.out(`${args.join(' ')}\n`);
    return Promise.resolve(args[0] === 'no' ? 1 : 0);
  },
};

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const printed = { out: '', err: '' };
  const io: CommandIo = {
    out: (text) => (printed.out += text),
    err: (text) => (printed.err += text),
    env: {},
    cwd: '/',
    signal: new AbortController().signal,
  };
  return { code: await runFirn(args, io, [echo]), ...printed };
}

test('--version prints the version of package.json', async () => {
  assert.deepEqual(await run('--version'), { code: 0, out: `${firnVersion()}\n`, err: '' });
  assert.match(firnVersion(), /^\d+\.\d+\.\d+/);
});

test('--help lists the commands with their summaries', async () => {
  const { code, out } = await run('--help');
  assert.equal(code, 0);
  assert.match(out, /^ {2}echo {2}prints its arguments$/m);
});

test('a command gets the words after its name, and its answer is the exit code', async () => {
  assert.deepEqual(await run('echo', 'a', '--b'), { code: 0, out: 'a --b\n', err: '' });
  assert.deepEqual(await run('echo', 'no'), { code: 1, out: 'no\n', err: '' });
});

test('COMMAND --help and help COMMAND print its usage', async () => {
  for (const args of [
    ['echo', '--help'],
    ['help', 'echo'],
    ['echo', 'a', '-h'],
  ]) {
    assert.deepEqual(await run(...args), { code: 0, out: 'usage: firn echo WORD…\n', err: '' });
  }
});

test('no command at all prints the help to standard error and exits with 2', async () => {
  const { code, out, err } = await run();
  assert.equal(code, 2);
  assert.equal(out, '');
  assert.match(err, /usage: firn COMMAND/);
});

test('an unknown command gets a sentence and exit code 2', async () => {
  for (const args of [['prbe'], ['help', 'prbe']]) {
    const { code, out, err } = await run(...args);
    assert.equal(code, 2);
    assert.equal(out, '');
    assert.equal(err, 'firn: there is no command "prbe"; "firn --help" lists them\n');
  }
});

test('wrong arguments get the message and the usage, exit code 2', async () => {
  const { code, err } = await run('echo');
  assert.equal(code, 2);
  assert.equal(err, 'firn echo: WORD is missing\n\nusage: firn echo WORD…\n');
});

test('a failure gets its message and its causes, exit code 1', async () => {
  const { code, err } = await run('echo', 'fail');
  assert.equal(code, 1);
  assert.equal(err, 'firn echo: it broke\n  because: disk full\n');
});
