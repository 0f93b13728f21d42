import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { firnVersion } from '../cli/firn-version.ts';

const run = promisify(execFile);
const root = path.join(import.meta.dirname, '..');

/** Ours first, so that npm and npx run on the Node.js of the checkout; nothing of the npm that may have started us. */
const env = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_'))),
  PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env['PATH'] ?? ''}`,
};

describe('the package', () => {
  let folder = '';
  let home = '';

  before(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'firn-pack-'));
    home = path.join(folder, 'home');
    await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: root, env });
    const [tarball = ''] = (await readdir(folder)).filter((file) => file.endsWith('.tgz'));
    await run('mkdir', [home]);
    await writeFile(path.join(home, 'package.json'), '{ "private": true }\n');
    // Not --prefer-offline: what npm remembers of some packages may be older than what it needs of others.
    const install = ['install', '--silent', '--no-audit', '--no-fund', path.join(folder, tarball)];
    await run('npm', install, { cwd: home, env });
  });

  after(() => rm(folder, { recursive: true, force: true }));

  it('runs as npx firn where it is installed', async () => {
    const { stdout } = await run('npx', ['firn', '--version'], { cwd: home, env });
    assert.equal(stdout, `${firnVersion()}\n`);
    const help = await run('npx', ['firn', '--help'], { cwd: home, env });
    assert.match(help.stdout, /usage: firn COMMAND/);
  });

  it('hands on the exit code of a command', async () => {
    const failure = await run('npx', ['firn', 'no-such-command'], { cwd: home, env }).catch(
      (e: unknown) => e,
    );
    assert.equal((failure as { code: number }).code, 2);
    assert.match((failure as { stderr: string }).stderr, /there is no command "no-such-command"/);
  });

  it('holds built JavaScript, the licence and the README, and neither sources nor tests', async () => {
    const packed = path.join(home, 'node_modules/firn');
    const files = await readdir(packed, { recursive: true });
    for (const needed of [
      'LICENSE',
      'README.md',
      'cli/launch.js',
      'dist/cli/firn.js',
      'dist/cli/up/broker-child.js',
    ]) {
      assert.ok(files.includes(needed), `${needed} is missing`);
    }
    assert.deepEqual(
      files.filter((file) => file.endsWith('.ts') || file.includes('.test.')),
      [],
    );
  });

  it('brings no package that only development needs', async () => {
    const installed = await readdir(path.join(home, 'node_modules'));
    for (const name of ['typescript', 'prettier', 'oxlint', 'fast-check', 'node']) {
      assert.ok(!installed.includes(name), name);
    }
  });
});
