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

const broker = { id: 7, zone: 'a', version: '', phase: 'serving', sid: null };

test('an admin port of another cluster, of something else, or a silent one shows no tables and says why', async (t) => {
  const mine = await adminPort(
    t,
    JSON.stringify({ broker, cluster: { id: 'mine', brokers: [] }, tables: [] }),
  );
  const seen = await tablesAt([mine], 'mine', asked);
  assert.deepEqual(seen, { tables: [], draining: new Set(), brokers: new Set([7]), problems: [] });
  assert.equal(tableLines(seen, 1), '');
  const problem = async (...admins: readonly string[]): Promise<string> =>
    tableLines(await tablesAt(admins, 'other', asked), 1);
  assert.match(
    await problem(mine),
    /^\ntables are not shown: .* is of another cluster \(mine\); --admin names admin ports/,
  );
  const page = await adminPort(t, '{}');
  const text = await adminPort(t, 'hello');
  assert.match(await problem(page), /is no admin port of Firn/);
  assert.match(await problem(text), /does not answer/);
  assert.match(await problem(await adminPort(t, undefined)), /does not answer \(.*time/);
  assert.match(await problem(page, text), /is no admin port of Firn;.*\n.*does not answer.*\n$/);
  const one = await tablesAt([mine, page], 'mine', asked);
  assert.match(
    tableLines(one, 2),
    /^\nhttp\S+ is no admin port of Firn; --admin names admin ports of brokers\n$/,
  );
});

test('brokers that drain are told by any of them', async (t) => {
  const brokers = [
    { id: 7, state: 'alive' },
    { id: 8, state: 'draining' },
  ];
  const admin = await adminPort(t, JSON.stringify({ broker, cluster: { id: 'mine', brokers }, tables: [] }));
  assert.deepEqual((await tablesAt([admin], 'mine', asked)).draining, new Set([8]));
});
