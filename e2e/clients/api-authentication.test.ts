import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { runFirn } from '../../cli/firn.ts';
import { startFirn, testFolder } from '../broker/firn-process.ts';
import type { FirnProcess } from '../broker/firn-process.ts';
import { installRealPart, skipUnless } from '../tools/real-part.ts';
import type { RealPartName } from '../tools/real-part.ts';

/** `firn api-auth`, and what it prints. */
async function apiAuth(...args: readonly string[]): Promise<string> {
  let out = '';
  const code = await runFirn(['api-auth', ...args], {
    out: (written) => (out += written),
    err: assert.fail,
    env: {},
    cwd: '/',
    signal: new AbortController().signal,
  });
  assert.equal(code, 0);
  return out.trimEnd();
}

describe('stock clients prove to the api port who they are', async () => {
  let folder: Awaited<ReturnType<typeof testFolder>> | undefined;
  let firn: FirnProcess | undefined;
  let secrets: Readonly<Record<string, string>> = {};

  before(async () => {
    folder = await testFolder();
    const file = path.join(folder.path, 'api-auth');
    secrets = {
      tokenName: 'ci',
      token: await apiAuth('token', file, 'ci'),
      user: 'alice',
      password: await apiAuth('user', file, 'alice'),
    };
    firn = await startFirn(`file:${folder.path}/data`, {
      logFile: path.join(folder.path, 'firn.log'),
      args: ['--api-auth-file', file],
    });
  });
  after(async () => {
    await firn?.process.stop();
    await folder?.remove();
  });

  async function runPython(part: RealPartName, program: string, url: string): Promise<string> {
    const python = await installRealPart(part);
    const child = spawn(python, [path.join(import.meta.dirname, 'python', program), url]);
    child.stdin.end(JSON.stringify(secrets));
    const [out, err, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    assert.equal(code, 0, err);
    return out;
  }

  it(
    "Confluent's registry client and serializer, by password and token",
    { skip: await skipUnless('pythonClients') },
    async () => {
      const out = await runPython('pythonClients', 'registry_authentication.py', firn?.registryUrl ?? '');
      assert.equal(out.match(/^ok /gm)?.length, 6, out);
    },
  );

  it(
    'pyiceberg and DuckDB, by token, credential and password',
    { skip: await skipUnless('pythonTables') },
    async () => {
      const out = await runPython('pythonTables', 'catalog_authentication.py', firn?.catalogUrl ?? '');
      assert.equal(out.match(/^ok /gm)?.length, 10, out);
    },
  );
});
