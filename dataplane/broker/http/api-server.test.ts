import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { afterEach, test } from 'node:test';
import { jsonResponse } from '../../runtime/http-exchange.ts';
import type { HttpHandler, HttpRequest } from '../../runtime/http-exchange.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { ListenError } from '../net/listen-error.ts';
import { ApiCredentials } from './api-credentials.ts';
import type { ApiMount } from './api-mount.ts';
import { ApiServer } from './api-server.ts';
import type { ApiAccess } from './api-server.ts';
import { isLoopback } from './web-pages.ts';

const servers: ApiServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

const warnings: string[] = [];
const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) };

function mountOf(handle: HttpHandler): ApiMount {
  return { handle, refuse: (status, sentence) => jsonResponse(status, { refused: sentence }) };
}

async function listen(
  handlers: Readonly<Record<string, HttpHandler>>,
  access: ApiAccess = 'anonymous',
): Promise<ApiServer> {
  const mounts = Object.fromEntries(
    Object.entries(handlers).map(([prefix, handle]) => [prefix, mountOf(handle)]),
  );
  const server = await ApiServer.listen({ host: '127.0.0.1', port: 0, mounts, access, logger });
  servers.push(server);
  return server;
}

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

function ask(
  { port }: ApiServer,
  path: string,
  options: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string | Buffer;
  } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = options;
    const asked = httpRequest({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => {
        resolve({ status: response.statusCode, headers: response.headers, text });
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

test('a request reaches the handler of its prefix, without the prefix and as it was sent', async () => {
  let seen: HttpRequest | undefined;
  const handler: HttpHandler = (request) => {
    seen = request;
    return Promise.resolve(jsonResponse(201, { ok: true }));
  };
  const server = await listen({ '/one': handler, '/two': () => Promise.reject(new Error('not this one')) });
  const answer = await ask(server, '/one/a%2Fb/../c?x=1&y=%20', {
    method: 'PUT',
    headers: { 'X-Thing': 'v', 'content-type': 'application/json' },
    body: '{}',
  });
  assert.deepEqual([answer.status, answer.text], [201, '{"ok":true}']);
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.equal(seen?.method, 'PUT');
  assert.equal(seen.path, '/a%2Fb/../c');
  assert.deepEqual(
    [...seen.query],
    [
      ['x', '1'],
      ['y', ' '],
    ],
  );
  assert.equal(seen.headers['x-thing'], 'v');
  assert.equal(Buffer.from(seen.body).toString(), '{}');
  await ask(server, '/one');
  assert.equal(seen.path, '/');
});

test('other paths are answered with the prefixes there are', async () => {
  const server = await listen({
    '/registry': () => Promise.reject(new Error()),
    '/catalog': () => Promise.reject(new Error()),
  });
  for (const path of ['/', '/registryx', '/nothing?x=/registry']) {
    const { status, text } = await ask(server, path);
    assert.equal(status, 404);
    assert.match(text, /only what begins with \/registry or \/catalog$/m);
  }
});

test('HEAD is GET without the body', async () => {
  const server = await listen({ '/x': ({ method }) => Promise.resolve(jsonResponse(200, { method })) });
  const { status, headers, text } = await ask(server, '/x', { method: 'HEAD' });
  assert.deepEqual([status, headers['content-length'], text], [200, String('{"method":"GET"}'.length), '']);
});

test('what a handler cannot help is a 500 with its message, and is logged', async () => {
  const server = await listen({ '/x': () => Promise.reject(new Error('the store is away')) });
  warnings.length = 0;
  const { status, text } = await ask(server, '/x');
  assert.deepEqual([status, text], [500, 'the store is away\n']);
  assert.deepEqual(warnings, ['a request to the api port failed']);
});

test('bodies and headers have bounds', async () => {
  const server = await listen({ '/x': ({ body }) => Promise.resolve(jsonResponse(200, body.length)) });
  const most = 16 * 1024 * 1024;
  assert.equal((await ask(server, '/x', { method: 'POST', body: Buffer.alloc(most) })).text, String(most));
  const said = await ask(server, '/x', {
    method: 'POST',
    headers: { 'content-length': String(most + 1) },
  }).catch((error: unknown) => error);
  assert.ok(!(said instanceof Error) && (said as Answer).status === 413);
  assert.equal(await statusOfChunks(server, most + 1), 413);
  assert.equal((await ask(server, '/x', { headers: { long: 'x'.repeat(20_000) } })).status, 431);
  assert.equal((await ask(server, '/x')).status, 200);
});

/** Sends a body of unknown length. */
function statusOfChunks(server: ApiServer, sizeBytes: number): Promise<number> {
  return firstStatus(
    server,
    'POST /x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n',
    `${sizeBytes.toString(16)}\r\n`,
    Buffer.alloc(sizeBytes),
  );
}

test('a page whose name points to this machine gets nothing', async () => {
  const server = await listen({ '/x': () => Promise.resolve(jsonResponse(200, 1)) });
  const statusFor = async (host: string): Promise<number | undefined> =>
    (await ask(server, '/x', { headers: { host } })).status;
  for (const host of ['localhost', 'localhost:8081', '127.0.0.1:1', '127.1.2.3', '[::1]:8081'])
    assert.equal(await statusFor(host), 200, host);
  for (const host of [
    'example.com',
    '127.0.0.1.example.com',
    'localhost.example.com:80',
    '10.0.0.1',
    '[::2]',
  ])
    assert.equal(await statusFor(host), 421, host);
});

test('what a browser sends for a page of another machine is refused before a handler sees it', async () => {
  let asked = 0;
  const handler: HttpHandler = () => {
    asked++;
    return Promise.resolve(jsonResponse(200, 1));
  };
  const server = await listen({ '/one': handler, '/two': handler });
  const send = (path: string, method: string, headers: Record<string, string>): Promise<Answer> =>
    ask(server, path, {
      method,
      headers: { 'content-type': 'text/plain', ...headers },
      ...(method === 'POST' || method === 'PUT' ? { body: '{}' } : {}),
    });
  const refused: readonly Record<string, string>[] = [
    { origin: 'https://evil.example' },
    { origin: 'http://127.0.0.1.evil.example' },
    { origin: 'http://localhost@evil.example' },
    { origin: 'http://10.0.0.1:8081' },
    { origin: 'file://localhost' },
    { origin: 'null' },
    { origin: '' },
    { 'sec-fetch-site': 'cross-site' },
    { origin: 'http://localhost:8081', 'sec-fetch-site': 'cross-site' },
  ];
  for (const headers of refused) {
    for (const path of ['/one', '/two'])
      for (const method of ['GET', 'POST', 'DELETE', 'PUT']) {
        const { status, text } = await send(path, method, headers);
        assert.equal(status, 403, JSON.stringify({ path, method, headers }));
        assert.match(text, /web pages of other machines cannot use this port: (Origin|Sec-Fetch-Site) is /);
      }
  }
  assert.equal(asked, 0);
  const taken: readonly Record<string, string>[] = [
    {},
    { origin: 'http://localhost:3000', 'sec-fetch-site': 'same-site' },
    { origin: 'https://127.0.0.1:8081', 'sec-fetch-site': 'same-origin' },
    { origin: 'http://[::1]:8081' },
    // Typed into the address bar.
    { 'sec-fetch-site': 'none' },
  ];
  for (const headers of taken)
    assert.equal((await send('/one', 'POST', headers)).status, 200, JSON.stringify(headers));
});

test('who goes away ends the waiting', async () => {
  const aborted = Promise.withResolvers<void>();
  const started = Promise.withResolvers<void>();
  const server = await listen({
    '/x': ({ signal }) => {
      started.resolve();
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          aborted.resolve();
          reject(new Error('nobody waits'));
        });
      });
    },
  });
  const socket = connect({ host: '127.0.0.1', port: server.port });
  socket.write('GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await started.promise;
  warnings.length = 0;
  socket.destroy();
  await aborted.promise;
  assert.deepEqual(warnings, []);
});

test('without credentials it listens on loopback and nowhere else, unless that is said', async () => {
  const options = { port: 0, mounts: {}, logger } as const;
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.com', '127.example.com'])
    await assert.rejects(ApiServer.listen({ ...options, host, access: 'anonymous' }), (error: unknown) => {
      assert.ok(error instanceof ListenError);
      assert.match(error.message, /^api port: whoever reaches .* could change schemas .*--api-auth-file/);
      return true;
    });
  for (const access of ['anonymous-anywhere', credentials] as const)
    servers.push(await ApiServer.listen({ ...options, host: '0.0.0.0', access }));
  const { port } = await listen({});
  await assert.rejects(
    ApiServer.listen({ ...options, host: '127.0.0.1', port, access: 'anonymous' }),
    /taken .*\(--api-host, --api-port\)$/,
  );
  assert.ok(['localhost', '127.0.0.1', '127.9.9.9', '::1'].every(isLoopback));
});

const token = 'a-token-of-many-characters-0123456789';
const tokenHash = createHash('sha256').update(token).digest('hex');
const credentials = ApiCredentials.parse(`ci:sha256:${tokenHash}\n`, 'auth');

test('with credentials a request is let in by its token, under any name of the host', async () => {
  let asked = 0;
  const handle: HttpHandler = () => {
    asked += 1;
    return Promise.resolve(jsonResponse(200, asked));
  };
  const server = await listen({ '/x': handle }, credentials);
  const bearer = `Bearer ${token}`;
  for (const headers of [
    { authorization: bearer },
    { authorization: bearer, host: 'firn.example.com:8081' },
    // A page that this very host served.
    { authorization: bearer, host: 'firn.example.com', origin: 'https://firn.example.com' },
  ])
    assert.equal((await ask(server, '/x', { headers })).status, 200);
  assert.equal(asked, 3);
  const basic = `Basic ${Buffer.from(`ci:${token}`).toString('base64')}`;
  assert.equal((await ask(server, '/x', { headers: { authorization: basic } })).status, 200);
  const page = { authorization: bearer, host: 'firn.example.com', origin: 'https://evil.example' };
  assert.equal((await ask(server, '/x', { headers: page })).status, 403);
  assert.equal(asked, 4);
});

test('who proves nothing is answered as the clients of the mount expect it, and their body is not read', async () => {
  const server = await listen({ '/x': () => Promise.reject(new Error('it was let in')) }, credentials);
  warnings.length = 0;
  for (const authorization of ['', 'Bearer', 'Bearer x', `Bearer ${token}x`, `Basic ${token}`, token]) {
    const headers = authorization === '' ? {} : { authorization };
    const answer = await ask(server, '/x', { headers });
    assert.equal(answer.status, 401, authorization);
    assert.match(answer.text, /^\{"refused":"/);
    assert.equal(answer.headers['www-authenticate'], 'Bearer realm="firn"');
    assert.ok(!answer.text.includes(token));
  }
  // Of the body nothing comes: an answer shows that nobody waits for it.
  assert.equal(
    await firstStatus(server, 'POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n'),
    401,
  );
  assert.deepEqual(warnings, []);
});

test('who asks for a token is not asked for one; where nobody needs one that path is like any other', async () => {
  const mount: ApiMount = {
    ...mountOf(() => Promise.resolve(jsonResponse(200, 'handled'))),
    tokens: {
      path: '/tokens',
      handle: ({ body }, nameOfToken) =>
        jsonResponse(200, nameOfToken(Buffer.from(body).toString(), 'ci') ?? 'nobody'),
    },
  };
  const start = async (access: ApiAccess): Promise<ApiServer> => {
    const server = await ApiServer.listen({
      host: '127.0.0.1',
      port: 0,
      mounts: { '/x': mount },
      access,
      logger,
    });
    servers.push(server);
    return server;
  };
  const guarded = await start(credentials);
  const post = (body: string): Promise<Answer> => ask(guarded, '/x/tokens', { method: 'POST', body });
  assert.equal((await post(token)).text, '"ci"');
  assert.equal((await post('another')).text, '"nobody"');
  assert.equal((await post('x'.repeat(20_000))).status, 413);
  assert.equal((await ask(guarded, '/x/tokens/')).status, 401);
  const open = await start('anonymous');
  assert.equal((await ask(open, '/x/tokens', { method: 'POST', body: token })).text, '"handled"');
});

/** Sends what is given, and looks only at the first line of the answer. */
function firstStatus({ port }: ApiServer, ...pieces: readonly (string | Buffer)[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', reject);
    socket.once('data', (data: Buffer) => {
      socket.destroy();
      resolve(Number(data.toString().split(' ')[1]));
    });
    for (const piece of pieces) socket.write(piece);
  });
}
