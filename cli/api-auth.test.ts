import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { ApiCredentials } from '../dataplane/broker/http/api-credentials.ts';
import { runFirn } from './firn.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'firn-api-auth-'));
});
after(() => rm(folder, { recursive: true }));

async function run(
  args: readonly string[],
  input?: string,
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const printed = { out: '', err: '' };
  const code = await runFirn(['api-auth', ...args], {
    out: (text) => (printed.out += text),
    err: (text) => (printed.err += text),
    ...(input === undefined ? {} : { input: ReadableStream.from([Buffer.from(input)]) }),
    env: {},
    cwd: folder,
    signal: new AbortController().signal,
  });
  return { code, ...printed };
}

async function read(file: string): Promise<{ readonly text: string; readonly credentials: ApiCredentials }> {
  const text = await readFile(path.join(folder, file), 'utf8');
  return { text, credentials: ApiCredentials.parse(text, file) };
}

function basic(name: string, password: string): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}

test('tokens are made, shown once, and let in; the file holds their hashes and is for its owner', async () => {
  const first = await run(['token', 'tokens', 'ci']);
  const second = await run(['token', 'tokens', 'ci']);
  assert.deepEqual([first.code, second.code, first.err, second.err], [0, 0, '', '']);
  const { text, credentials } = await read('tokens');
  for (const { out } of [first, second]) {
    const secret = out.trimEnd();
    assert.equal(Buffer.from(secret, 'base64url').length, 32);
    assert.ok(!text.includes(secret));
    assert.deepEqual(await credentials.whoIs(`Bearer ${secret}`), { kind: 'known', name: 'ci' });
  }
  assert.deepEqual(credentials.counts, { users: 0, tokens: 2 });
  assert.equal((await stat(path.join(folder, 'tokens'))).mode & 0o777, 0o600);
});

test('a password is made or taken from standard input, and replaced; all else in the file stays', async () => {
  await writeFile(path.join(folder, 'users'), '# mine\n\n');
  const token = (await run(['token', 'users', 'alice'])).out.trimEnd();
  const made = (await run(['user', 'users', 'alice'])).out.trimEnd();
  assert.equal((await (await read('users')).credentials.whoIs(basic('alice', made))).kind, 'known');
  const taken = await run(['user', 'users', 'alice', '--password-stdin'], 'my own\nnot this\n');
  assert.deepEqual(taken, { code: 0, out: '', err: '' });
  const { text, credentials } = await read('users');
  assert.match(text, /^# mine\n.*\n.*\n$/);
  assert.equal((await credentials.whoIs(basic('alice', 'my own'))).kind, 'known');
  assert.equal((await credentials.whoIs(basic('alice', made))).kind, 'unknown');
  assert.equal((await credentials.whoIs(`Bearer ${token}`)).kind, 'known');
});

test('wrong usage, and files that are none, leave everything as it was', async () => {
  const before = await readdir(folder);
  for (const args of [
    [],
    ['password', 'f', 'x'],
    ['token', 'f'],
    ['token', 'f', 'x', 'y'],
    ['token', 'f', 'x', '--password-stdin'],
    ['user', 'f', 'x', '--password-stdin'],
  ])
    assert.equal((await run(args, '\n')).code, 2, args.join(' '));
  const name = await run(['token', 'f', 'a b']);
  assert.equal(name.code, 1);
  assert.match(name.err, /^firn api-auth: f, line 1: a line is NAME:HASH/);
  assert.deepEqual(await readdir(folder), before);
  await writeFile(path.join(folder, 'other'), 'dear diary\n');
  assert.match((await run(['token', 'other', 'ci'])).err, /other, line 1: a line is NAME:HASH/);
  assert.equal(await readFile(path.join(folder, 'other'), 'utf8'), 'dear diary\n');
});
