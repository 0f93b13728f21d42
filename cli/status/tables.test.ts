import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { tableLines, tablesAt } from './tables.ts';

/** An admin port that answers with this text, or never. */
async function adminPort(t: TestContext, text: string | undefined): Promise<string> {
  const server = createServer((_, response) => {
    if (text !== undefined) response.end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const asked = { signal: new AbortController().signal, timeoutMs: 200 };

test('an admin port of another cluster, of something else, or a silent one shows no tables and says why', async (t) => {
  const status = JSON.stringify({ cluster: { id: 'mine' }, tables: [] });
  const mine = await adminPort(t, status);
  assert.deepEqual(await tablesAt(mine, 'mine', asked), { tables: [] });
  const problem = async (admin: string): Promise<string> => tableLines(await tablesAt(admin, 'other', asked));
  assert.match(await problem(mine), /is of another cluster \(mine\); --admin names the admin port/);
  assert.match(await problem(await adminPort(t, '{}')), /is no admin port of Firn/);
  assert.match(await problem(await adminPort(t, 'hello')), /does not answer/);
  assert.match(await problem(await adminPort(t, undefined)), /does not answer \(.*time/);
});
