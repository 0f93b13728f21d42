import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { Agent, Client, request } from 'undici';
import type { FaultRule } from './fault-rule.ts';
import { s3Errors } from './fault-rule.ts';
import { startFaultProxy } from './fault-proxy.ts';
import type { FaultProxy } from './fault-proxy.ts';

interface Seen {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

interface Stage {
  readonly proxy: FaultProxy;
  /** What reached the server with its whole body, in order. */
  readonly seen: readonly Seen[];
  readonly serverConnections: () => number;
  /** Ends client, proxy and server. Called at the end of the test in any case. */
  readonly stop: () => Promise<void>;
  readonly call: (
    method: string,
    path: string,
    body?: string | Buffer,
    options?: CallOptions,
  ) => Promise<Reply>;
}

interface CallOptions {
  readonly headers?: Record<string, string>;
  readonly signal?: AbortSignal;
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** A server that answers GET /N with N bytes and PUT with its number, behind a proxy with these rules. */
async function stage(t: TestContext, rules: readonly FaultRule[], seed = 1): Promise<Stage> {
  const seen: Seen[] = [];
  let connections = 0;
  const server = createServer((incoming, response) => {
    bytesOf(incoming, (body) => {
      const { method = '', url = '', rawHeaders } = incoming;
      seen.push({ method, target: url, rawHeaders, body });
      const answer =
        method === 'GET' ? Buffer.alloc(Number(url.slice(1)), 'x') : Buffer.from(`${seen.length}`);
      response.writeHead(200, { 'Content-Length': answer.byteLength, ETag: '"e"', 'X-Odd-Case': 'kept' });
      response.end(method === 'HEAD' ? undefined : answer);
    });
  });
  server.on('connection', () => connections++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy = await startFaultProxy({
    target: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    rules,
    seed,
  });
  const dispatcher = new Agent({ connections: 64 });
  const stop = async (): Promise<void> => {
    await dispatcher.destroy();
    await proxy.stop();
    if (!server.listening) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  t.after(stop);
  return {
    proxy,
    stop,
    seen,
    serverConnections: () => connections,
    async call(method, path, body, options = {}) {
      const reply = await request(`${proxy.url}${path}`, {
        method: method as 'PUT',
        dispatcher,
        body: body ?? null,
        ...options,
      });
      return { status: reply.statusCode, headers: reply.headers, text: await reply.body.text() };
    },
  };
}

function bytesOf(message: IncomingMessage, done: (body: Buffer) => void): void {
  const pieces: Buffer[] = [];
  message.on('error', () => undefined);
  message.on('data', (piece: Buffer) => pieces.push(piece));
  message.once('end', () => {
    done(Buffer.concat(pieces));
  });
}

test('without rules everything passes, headers as they were sent, Host too', async (t) => {
  const { call, seen, proxy } = await stage(t, []);
  const put = await call('PUT', '/b/k%20e?x=1', 'body', { headers: { 'X-Amz-Meta-Id': 'A/b' } });
  assert.equal(put.status, 200);
  assert.equal(put.headers['etag'], '"e"');
  assert.equal(put.text, '1');
  assert.equal((await call('HEAD', '/b/k')).status, 200);
  assert.equal((await call('GET', '/3000000')).text.length, 3_000_000);
  const [first] = seen;
  assert.equal(first?.target, '/b/k%20e?x=1');
  assert.equal(first?.body.toString(), 'body');
  assert.ok(first?.rawHeaders.includes('X-Amz-Meta-Id'), 'header names keep their case');
  assert.ok(first?.rawHeaders.includes(proxy.url.slice('http://'.length)), 'Host is the proxy, as signed');
  assert.deepEqual(proxy.counts().client, { 'GET 200': 1, 'HEAD 200': 1, 'PUT 200': 1 });
});

test('a client connection has one server connection, used again', async (t) => {
  const { proxy, serverConnections } = await stage(t, []);
  const client = new Client(proxy.url);
  t.after(() => client.destroy());
  for (let i = 0; i < 20; i++) {
    const reply = await client.request({ method: 'PUT', path: '/k', body: 'x' });
    await reply.body.dump();
  }
  assert.equal(serverConnections(), 1);
});

test('errors in place of the answer: without effect the server sees nothing, else it has acted', async (t) => {
  const { call, seen } = await stage(t, [
    { name: '409', path: /conflict/, fault: s3Errors.conflict },
    { name: '503', path: /slow/, fault: { ...s3Errors.slowDown, retryAfterSeconds: 2 } },
    { name: '500', path: /done/, fault: s3Errors.internalErrorAfterEffect },
  ]);
  const conflict = await call('PUT', '/conflict', 'a');
  assert.equal(conflict.status, 409);
  assert.match(conflict.text, /<Code>ConditionalRequestConflict<\/Code>/);
  const slow = await call('PUT', '/slow', 'b');
  assert.equal(slow.status, 503);
  assert.equal(slow.headers['retry-after'], '2');
  assert.equal((await call('HEAD', '/slow')).status, 503);
  assert.equal(seen.length, 0);
  assert.equal((await call('PUT', '/done', 'c')).status, 500);
  assert.equal(seen.length, 1);
});

test('a reset before forwarding leaves the server untouched; after it the server has acted', async (t) => {
  const { call, seen, proxy } = await stage(t, [
    { name: 'before', path: /before/, fault: { kind: 'reset', effect: 'none' } },
    { name: 'after', path: /after/, fault: { kind: 'reset', effect: 'applied' } },
  ]);
  await assert.rejects(call('PUT', '/before', 'a'));
  assert.equal(seen.length, 0);
  await assert.rejects(call('PUT', '/after', 'b'));
  assert.equal(seen.length, 1);
  assert.deepEqual(proxy.counts().client, { 'PUT reset': 2 });
  assert.deepEqual(proxy.counts().server, { 'PUT 200': 1 });
});

test('a black hole answers nothing until the client gives up', async (t) => {
  const { call, seen, proxy } = await stage(t, [
    { name: 'swallowed', path: /swallowed/, fault: { kind: 'black-hole', effect: 'none' } },
    { name: 'done', path: /done/, fault: { kind: 'black-hole', effect: 'applied' } },
  ]);
  for (const [path, reached] of [
    ['/swallowed', 0],
    ['/done', 1],
  ] as const) {
    const gaveUp = new AbortController();
    const call1 = call('PUT', path, 'x', { signal: gaveUp.signal });
    await until(() => proxy.counts().client['PUT silence'] === reached + 1);
    gaveUp.abort();
    await assert.rejects(call1);
    assert.equal(seen.length, reached);
  }
});

test('a late request lands after its client was reset', async (t) => {
  const { call, seen, proxy } = await stage(t, [
    { name: 'late', methods: ['PUT'], fault: { kind: 'late', delay: Infinity, client: 'reset' } },
  ]);
  const body = Buffer.alloc(200_000, 'late');
  await assert.rejects(call('PUT', '/k', body));
  assert.equal(seen.length, 0);
  await proxy.release();
  assert.equal(seen.length, 1);
  assert.ok(seen[0]?.body.equals(body));
  assert.equal(proxy.counts().landedLate, 1);
});

test('a late request lands by itself once its time has come', async (t) => {
  const { call, seen, proxy } = await stage(t, [
    { name: 'late', fault: { kind: 'late', delay: { minMs: 1, maxMs: 20 }, client: 'reset' } },
  ]);
  await assert.rejects(call('PUT', '/k', 'x'));
  await proxy.settled();
  assert.equal(seen.length, 1);
});

test('stopping the proxy cancels what has not landed', async (t) => {
  const { call, seen, proxy } = await stage(t, [
    { name: 'late', fault: { kind: 'late', delay: 3_600_000, client: 'reset' } },
  ]);
  await assert.rejects(call('PUT', '/k', 'x'));
  await proxy.stop();
  assert.equal(seen.length, 0);
  assert.equal(proxy.counts().neverLanded, 1);
});

test('a duplicate reaches the server twice; the client sees the first or the second answer', async (t) => {
  const { call, seen, proxy } = await stage(t, [
    { name: 'first', path: /first/, fault: { kind: 'duplicate', delay: 1, answer: 'first' } },
    { name: 'second', path: /second/, fault: { kind: 'duplicate', delay: 1, answer: 'second' } },
  ]);
  assert.equal((await call('PUT', '/first', 'x')).text, '1');
  await proxy.settled();
  assert.equal(seen.length, 2);
  assert.equal((await call('PUT', '/second', 'x')).text, '4');
  assert.deepEqual(
    seen.map(({ body }) => body.toString()),
    ['x', 'x', 'x', 'x'],
  );
});

test('a truncated answer ends early, a shorter one passes whole', async (t) => {
  for (const ending of ['close', 'reset'] as const) {
    const { call, proxy } = await stage(t, [
      { name: 'cut', fault: { kind: 'truncate', afterBytes: 100_000, ending } },
    ]);
    await assert.rejects(call('GET', '/100001'));
    assert.equal((await call('GET', '/100000')).text.length, 100_000);
    assert.deepEqual(proxy.counts().client, { 'GET 200': 1, 'GET truncated': 1 });
  }
});

test('one byte of a body is flipped, on either way', async (t) => {
  const { call, seen } = await stage(t, [
    { name: 'up', methods: ['PUT'], fault: { kind: 'corrupt-body', of: 'request', atByte: 1 } },
    { name: 'down', methods: ['GET'], fault: { kind: 'corrupt-body', of: 'answer', atByte: 70_000 } },
  ]);
  await call('PUT', '/k', Buffer.from([1, 2, 3]));
  assert.deepEqual([...(seen[0]?.body ?? [])], [1, 2 ^ 0xff, 3]);
  const { text } = await call('GET', '/70001');
  assert.equal(text.slice(0, 70_000), 'x'.repeat(70_000));
  assert.notEqual(text[70_000], 'x');
});

test('latency and slow bodies add up and take at least as long as they say', async (t) => {
  const { call } = await stage(t, [
    { name: 'there', methods: ['GET'], fault: { kind: 'latency', before: 'request', delay: 100 } },
    { name: 'back', methods: ['GET'], fault: { kind: 'latency', before: 'answer', delay: 100 } },
    { name: 'down', methods: ['GET'], fault: { kind: 'slow-body', of: 'answer', bytesPerSecond: 10_000 } },
    { name: 'up', methods: ['PUT'], fault: { kind: 'slow-body', of: 'request', bytesPerSecond: 10_000 } },
  ]);
  const beginMs = performance.now();
  assert.equal((await call('GET', '/2000')).text.length, 2000);
  const getMs = performance.now() - beginMs;
  assert.ok(getMs >= 390, `took ${getMs} ms`);
  await call('PUT', '/k', Buffer.alloc(2000));
  const putMs = performance.now() - beginMs - getMs;
  assert.ok(putMs >= 190, `took ${putMs} ms`);
});

test('Expect: 100-continue passes, and works with faults that need the body', async (t) => {
  const { proxy, seen } = await stage(t, [
    { name: 'twice', path: /twice/, fault: { kind: 'duplicate', delay: 0, answer: 'second' } },
    { name: '409', path: /conflict/, fault: s3Errors.conflict },
  ]);
  for (const [path, status] of [
    ['/plain', 200],
    ['/twice', 200],
    ['/conflict', 409],
  ] as const) {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const outgoing = httpRequest(`${proxy.url}${path}`, {
      method: 'PUT',
      headers: { expect: '100-continue' },
    });
    outgoing.once('continue', () => outgoing.end('body'));
    outgoing.once('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    outgoing.once('error', reject);
    outgoing.flushHeaders();
    assert.equal(await promise, status);
    outgoing.destroy();
  }
  assert.equal(seen.length, 3);
});

test('which requests are hit follows from the seed', async (t) => {
  const rule: FaultRule = { name: 'some', probability: 0.5, fault: s3Errors.slowDown };
  const run = async (seed: number): Promise<string> => {
    const { call } = await stage(t, [rule], seed);
    let hits = '';
    for (let i = 0; i < 40; i++) hits += (await call('PUT', '/k', 'x')).status === 503 ? '!' : '.';
    return hits;
  };
  const first = await run(7);
  assert.match(first, /!/);
  assert.match(first, /\./);
  assert.equal(await run(7), first);
  assert.notEqual(await run(8), first);
});

test('under load with every fault at once all requests end, and a stop leaves no connection and no timer', async (t) => {
  const before = openResources();
  const delay = { minMs: 0, maxMs: 20 };
  const probability = 0.1;
  const { call, proxy, stop } = await stage(t, [
    { name: 'latency', probability, fault: { kind: 'latency', before: 'answer', delay } },
    { name: 'slow', probability, fault: { kind: 'slow-body', of: 'request', bytesPerSecond: 1_000_000 } },
    { name: 'damage', probability, fault: { kind: 'corrupt-body', of: 'answer', atByte: 0 } },
    { name: '503', probability, fault: s3Errors.slowDown },
    { name: '500', probability, fault: s3Errors.internalErrorAfterEffect },
    { name: 'reset', probability, fault: { kind: 'reset', effect: 'none' } },
    { name: 'lost', probability, fault: { kind: 'reset', effect: 'applied' } },
    { name: 'late', probability, fault: { kind: 'late', delay, client: 'reset' } },
    { name: 'never', probability, count: 20, fault: { kind: 'late', delay: Infinity, client: 'reset' } },
    { name: 'twice', probability, fault: { kind: 'duplicate', delay, answer: 'first' } },
    { name: 'cut', probability, fault: { kind: 'truncate', afterBytes: 1000, ending: 'close' } },
  ]);
  let ended = 0;
  const client = async (): Promise<void> => {
    for (let i = 0; i < 30; i++) {
      const request = i % 2 === 0 ? call('PUT', '/k', Buffer.alloc(20_000)) : call('GET', '/20000');
      await request.catch(() => undefined);
      ended++;
    }
  };
  await Promise.all(Array.from({ length: 32 }, client));
  assert.equal(ended, 960);
  const { client: seen, rules } = proxy.counts();
  assert.equal(
    Object.values(seen).reduce((sum, count) => sum + count, 0),
    960,
  );
  for (const [name, { hit }] of Object.entries(rules)) assert.ok(hit > 0, name);
  await stop();
  assert.equal(proxy.counts().neverLanded, 20);
  await until(() => openResources() <= before);
});

test('a server that is away resets the client', async (t) => {
  const proxy = await startFaultProxy({ target: 'http://127.0.0.1:1' });
  t.after(() => proxy.stop());
  await assert.rejects(request(`${proxy.url}/k`, { method: 'PUT', body: 'x' }));
  assert.deepEqual(proxy.counts().server, { 'PUT failed': 1 });
});

function openResources(): number {
  return process.getActiveResourcesInfo().filter((name) => /^(TCP|Timeout)/.test(name)).length;
}

async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 60_000;
  while (!condition()) {
    assert.ok(performance.now() < deadlineMs, `still not true after 60 s: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
