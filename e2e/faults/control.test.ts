import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { request } from 'undici';
import type { ProxyCounts } from './proxy-counts.ts';

test('the proxy runs as a program: rules are changed and counts are read over HTTP, SIGTERM ends it', async (t) => {
  const server = createServer((_incoming, response) => response.end('real'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const program = spawn(process.execPath, [path.join(import.meta.dirname, 'main.ts'), '--target', target], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => program.kill('SIGKILL'));
  const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
  const first = await lines.next();
  const [, endpoint = '', control = ''] = /^endpoint (\S+) .*control (\S+)$/.exec(String(first.value)) ?? [];

  assert.equal((await call('GET', `${endpoint}/k`)).text, 'real');
  const rules = [{ name: 'all', fault: { kind: 'error', status: 503, code: 'SlowDown', effect: 'none' } }];
  assert.equal((await call('PUT', `${control}/rules?seed=3`, JSON.stringify(rules))).status, 200);
  assert.equal((await call('GET', `${endpoint}/k`)).status, 503);

  for (const body of ['[{}]', 'nonsense', '{}']) {
    const refused = await call('PUT', `${control}/rules`, body);
    assert.equal(refused.status, 400);
    assert.match(refused.text, /"error": ".+"/);
  }
  assert.equal((await call('PUT', `${control}/rules?seed=x`, '[]')).status, 400);
  assert.equal((await call('GET', `${control}/nowhere`)).status, 404);

  const counts = JSON.parse((await call('GET', `${control}/counts`)).text) as ProxyCounts;
  assert.deepEqual(counts.client, { 'GET 200': 1, 'GET 503': 1 });
  assert.deepEqual(counts.rules, { all: { matched: 1, hit: 1 } });
  await call('DELETE', `${control}/rules`);
  await call('DELETE', `${control}/counts`);
  assert.equal((await call('GET', `${endpoint}/k`)).text, 'real');

  program.kill('SIGTERM');
  const [code] = (await once(program, 'exit')) as [number | null];
  assert.equal(code, 0);
});

async function call(
  method: 'GET' | 'PUT' | 'DELETE',
  url: string,
  body?: string,
): Promise<{ readonly status: number; readonly text: string }> {
  const reply = await request(url, { method, body: body ?? null });
  return { status: reply.statusCode, text: await reply.body.text() };
}
