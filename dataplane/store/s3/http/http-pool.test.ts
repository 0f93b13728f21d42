import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Socket } from 'node:net';
import { realRuntime } from '../../../runtime/real-runtime.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import type { ExchangeOptions, HttpRequest, HttpResponse, TimeLimits } from './http-exchange.ts';
import { HttpFailure } from './http-failure.ts';
import type { HttpFailureKind } from './http-failure.ts';
import { HttpPool } from './http-pool.ts';
import type { HttpPoolOptions } from './http-pool.ts';
import { BodyStream } from './response-body.ts';
import { startScriptedServer, testTls, until } from './scripted-server.ts';
import type { Script, ScriptedServer, ScriptedServerOptions } from './scripted-server.ts';

const patient: TimeLimits = {
  connectMs: 60_000,
  headMs: 60_000,
  bodyIdleMs: 60_000,
  totalMs: 60_000,
  minBytesPerSecond: 1e6,
};

const undo: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function serve(onRequest: Script, more: Partial<ScriptedServerOptions> = {}): Promise<ScriptedServer> {
  const server = await startScriptedServer({ onRequest, ...more });
  undo.push(() => server.stop());
  return server;
}

function connectTo(server: Pick<ScriptedServer, 'port'>, more: Partial<HttpPoolOptions> = {}): HttpPool {
  const pool = new HttpPool({
    origin: { hostname: '127.0.0.1', port: server.port, secure: false },
    limits: patient,
    maxConnections: 8,
    maxWaiting: 100,
    idleMs: 60_000,
    runtime: realRuntime,
    ...more,
  });
  undo.push(() => pool.close());
  return pool;
}

function get(target = '/', more: Partial<HttpRequest> = {}): HttpRequest {
  const method = more.method ?? 'GET';
  return {
    method,
    head: `${method} ${target} HTTP/1.1\r\nhost: h\r\n${more.bodyBytes ? `content-length: ${more.bodyBytes}\r\n` : ''}\r\n`,
    body: [],
    bodyBytes: 0,
    sentOnce: false,
    ...more,
  };
}

const collected: ExchangeOptions = { signal: undefined, maxBodyBytes: 1e9, streams: () => false };
const streamed: ExchangeOptions = { ...collected, streams: () => true };

function answer(body: string | Buffer, head = 'HTTP/1.1 200 OK\r\n'): Buffer {
  return Buffer.concat([Buffer.from(`${head}Content-Length: ${body.length}\r\n\r\n`), Buffer.from(body)]);
}

function textOf({ body }: HttpResponse): string {
  assert.ok(body instanceof Uint8Array);
  return Buffer.from(body).toString();
}

async function fails(kind: HttpFailureKind, exchange: Promise<unknown>): Promise<HttpFailure> {
  const error = await exchange.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof HttpFailure, `expected ${kind}, got ${String(error)}`);
  assert.equal(error.kind, kind, error.message);
  return error;
}

/** How exchanges fail that are going to. */
async function kinds(exchanges: readonly Promise<unknown>[]): Promise<unknown[]> {
  const ended = await Promise.allSettled(exchanges);
  return ended.map(
    (end) => end.status === 'rejected' && end.reason instanceof HttpFailure && end.reason.kind,
  );
}

describe('HttpPool: answers', () => {
  it('reads bodies of known size, whatever pieces they come in', async () => {
    const large = Buffer.alloc(3_000_000, 'abcdefghij');
    const bytes = answer(large);
    const cuts = [1, 20, 40, 41, 1000, 70_000, 2_999_999, bytes.length];
    const server = await serve((_request, socket) => {
      dribble(socket, bytes, cuts).catch(assert.fail);
    });
    const pool = connectTo(server);
    for (let round = 0; round < 3; round++) {
      const { body } = await pool.exchange(get(), collected);
      assert.ok(body instanceof Uint8Array);
      assert.equal(Buffer.compare(body, large), 0);
    }
    assert.equal(server.sockets.length, 1);
  });

  it('reads chunked bodies, and those that end with the connection', async () => {
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n';
    const server = await serve(({ target }, socket) => {
      if (target === '/chunked')
        dribble(socket, Buffer.from(chunked), [50, 52, 56, 60, chunked.length]).catch(assert.fail);
      else socket.end('HTTP/1.1 200 OK\r\n\r\nto the end');
    });
    const pool = connectTo(server);
    assert.equal(textOf(await pool.exchange(get('/chunked'), collected)), 'abcdefg');
    assert.equal(textOf(await pool.exchange(get('/close'), collected)), 'to the end');
    assert.equal(textOf(await pool.exchange(get('/chunked'), collected)), 'abcdefg');
    assert.equal(server.sockets.length, 2);
  });

  it('keeps the connection after answers without a body', async () => {
    const heads: Record<string, string> = {
      HEAD: 'HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n',
      GET: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\n\r\n',
      DELETE: 'HTTP/1.1 204 No Content\r\n\r\n',
    };
    const server = await serve(({ method }, socket) => socket.write(heads[method] ?? ''));
    const pool = connectTo(server);
    for (const method of ['HEAD', 'GET', 'DELETE', 'HEAD']) {
      const { body } = await pool.exchange(get('/', { method }), collected);
      assert.ok(body instanceof Uint8Array && body.byteLength === 0);
    }
    assert.equal(server.sockets.length, 1);
  });

  it('passes over interim answers', async () => {
    const server = await serve((_request, socket) =>
      socket.write(
        'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
      ),
    );
    assert.equal(textOf(await connectTo(server).exchange(get(), collected)), 'ok');
  });

  it('refuses what is not HTTP, heads without an end, and bodies that are too large', async () => {
    const answers: Record<string, Buffer> = {
      '/ssh': Buffer.from('SSH-2.0-OpenSSH_9.2\r\n\r\n'),
      '/head': Buffer.from(`HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(20_000)}`),
      '/large': answer('x'.repeat(100)),
      '/chunks': Buffer.from(
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'20\r\n'.padEnd(36, 'x')}\r\n`.repeat(1),
      ),
    };
    const server = await serve(({ target }, socket) => socket.write(answers[target] ?? ''));
    const pool = connectTo(server);
    await fails('malformed', pool.exchange(get('/ssh'), collected));
    await fails('malformed', pool.exchange(get('/head'), collected));
    await fails('too-large', pool.exchange(get('/large'), { ...collected, maxBodyBytes: 99 }));
    await fails('too-large', pool.exchange(get('/chunks'), { ...collected, maxBodyBytes: 31 }));
    await until(() => server.openCount() === 0);
  });
});

describe('HttpPool: requests', () => {
  it('sends pieces one after the other, as they are', async () => {
    const server = await serve((_request, socket) => socket.write(answer('ok')));
    const pool = connectTo(server);
    const pieces = Array.from({ length: 3000 }, (_, i) => Buffer.alloc(i % 7 === 0 ? 0 : 400, i));
    const body = Buffer.concat(pieces);
    for (let round = 0; round < 2; round++) {
      await pool.exchange(get('/', { method: 'PUT', body: pieces, bodyBytes: body.length }), collected);
      assert.equal(Buffer.compare(server.requests[round]?.body ?? Buffer.alloc(0), body), 0);
    }
    assert.equal(server.sockets.length, 1);
  });

  it('sends a streamed body as fast as the server takes it', async () => {
    const server = await serve((_request, socket) => socket.write(answer('ok')));
    const pool = connectTo(server);
    const piece = Buffer.alloc(100_000, 'x');
    async function* body(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 50; i++) yield await Promise.resolve(piece);
    }
    const request = get('/', { method: 'PUT', body: body(), bodyBytes: 50 * piece.length });
    assert.equal(textOf(await pool.exchange(request, collected)), 'ok');
    assert.equal(server.requests[0]?.body.length, 50 * piece.length);
  });

  it('breaks the connection and fails with the error of a body that fails', async () => {
    const server = await serve((_request, socket) => socket.write(answer('ok')));
    const failure = new Error('source lost');
    async function* body(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(Buffer.from('begin'));
      throw failure;
    }
    const request = get('/', { method: 'PUT', body: body(), bodyBytes: 100 });
    await assert.rejects(connectTo(server).exchange(request, collected), failure);
    await until(() => server.openCount() === 0);
    assert.equal(server.requests.length, 0);
  });

  it('takes an answer that comes before the request was sent to its end, and leaves the connection', async () => {
    const server = await serve(() => undefined, {
      onHead: (_request, socket) => socket.write(answer('no', 'HTTP/1.1 412 Precondition Failed\r\n')),
    });
    const pool = connectTo(server);
    let closed = false;
    async function* body(): AsyncGenerator<Uint8Array> {
      try {
        yield await Promise.resolve(Buffer.from('begin'));
        await until(() => server.openCount() === 0);
        yield Buffer.from('more');
      } finally {
        closed = true;
      }
    }
    const { head } = await pool.exchange(
      get('/', { method: 'PUT', body: body(), bodyBytes: 100 }),
      collected,
    );
    assert.equal(head.status, 412);
    await until(() => closed);
    assert.deepEqual(pool.stats, { connections: 0, idle: 0, waiting: 0 });
  });
});

describe('HttpPool: failures', () => {
  it('tells apart what was never sent, what may have been acted on, and what was cut', async () => {
    const server = await serve(({ target }, socket) => {
      if (target === '/reset') socket.resetAndDestroy();
      else if (target === '/close') socket.end();
      else if (target === '/half-head') socket.end('HTTP/1.1 200 OK\r\nContent-Le');
      else socket.end(answer('x'.repeat(1000)).subarray(0, 500));
    });
    const pool = connectTo(server);
    await fails('lost', pool.exchange(get('/reset'), collected));
    await fails('lost', pool.exchange(get('/close'), collected));
    await fails('lost', pool.exchange(get('/half-head'), collected));
    const cut = await fails('truncated', pool.exchange(get('/cut'), collected));
    assert.match(cut.message, /the server closed the connection/);
    await server.stop();
    undo.splice(0, 1);
    const refused = await fails('unreachable', pool.exchange(get(), collected));
    assert.match(refused.message, /ECONNREFUSED/);
  });

  it('calls a chunked body without its end cut', async () => {
    const server = await serve((_request, socket) =>
      socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'),
    );
    await fails('truncated', connectTo(server).exchange(get(), collected));
  });

  it('gives up on a server that does not answer, or stops in the middle', async () => {
    const server = await serve(({ target }, socket) => {
      if (target === '/half') socket.write(answer('x'.repeat(1000)).subarray(0, 500));
    });
    const silent = await fails(
      'timeout',
      connectTo(server, { limits: { ...patient, headMs: 20 } }).exchange(get('/none'), collected),
    );
    assert.match(silent.message, /no answer came within \d+ ms/);
    await fails(
      'timeout',
      connectTo(server, { limits: { ...patient, bodyIdleMs: 20 } }).exchange(get('/half'), collected),
    );
    await until(() => server.openCount() === 0);
  });

  it('gives up on a body that drips', async () => {
    const server = await serve((_request, socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n');
      const drip = setInterval(() => socket.write('x'), 1);
      socket.on('close', () => {
        clearInterval(drip);
      });
    });
    const limits = { ...patient, bodyIdleMs: 20, totalMs: 100, minBytesPerSecond: 1e9 };
    const failure = await fails('timeout', connectTo(server, { limits }).exchange(get(), collected));
    assert.match(failure.message, /not complete after/);
  });

  it('gives up on a host that does not take the connection', async () => {
    // Accepts TCP, then never answers the TLS handshake.
    const server = await serve(() => undefined);
    const origin = { hostname: '127.0.0.1', port: server.port, secure: true };
    const pool = connectTo(server, { origin, limits: { ...patient, connectMs: 20 } });
    const failure = await fails('unreachable', pool.exchange(get(), collected));
    assert.match(failure.message, /no connection within 20 ms/);
    await until(() => server.openCount() === 0);
  });
});

describe('HttpPool: connections', () => {
  it('opens no more than allowed and serves the others in turn', async () => {
    const held: (() => void)[] = [];
    const server = await serve((_request, socket) => {
      held.push(() => socket.write(answer('ok')));
    });
    const pool = connectTo(server, { maxConnections: 2 });
    const order: number[] = [];
    const all = Array.from({ length: 6 }, async (_, i) => {
      await pool.exchange(get(`/${i}`), collected);
      order.push(i);
    });
    await until(() => held.length === 2);
    assert.deepEqual(pool.stats, { connections: 2, idle: 0, waiting: 4 });
    for (let answered = 0; answered < 6; answered++) {
      await until(() => held.length > answered);
      held[answered]?.();
    }
    await Promise.all(all);
    assert.deepEqual(
      order.toSorted((a, b) => a - b),
      [0, 1, 2, 3, 4, 5],
    );
    assert.equal(server.sockets.length, 2);
  });

  it('refuses what exceeds the line', async () => {
    const server = await serve(() => undefined);
    const pool = connectTo(server, { maxConnections: 1, maxWaiting: 1 });
    const waiting = kinds([pool.exchange(get(), collected), pool.exchange(get(), collected)]);
    const failure = await fails('unreachable', pool.exchange(get(), collected));
    assert.match(failure.message, /all 1 connections are in use and 1 requests wait/);
    await pool.close();
    assert.deepEqual(await waiting, ['closed', 'closed']);
  });

  it('never sends a request again that a dead keep-alive connection swallowed', async () => {
    const server = await serve(({ target, connection }, socket) => {
      // The second request arrives, and the server closes instead of answering.
      if (connection === 0 && target === '/second') socket.resetAndDestroy();
      else socket.write(answer('ok'));
    });
    const pool = connectTo(server);
    await pool.exchange(get('/first'), collected);
    await fails('lost', pool.exchange(get('/second', { method: 'PUT', sentOnce: true }), collected));
    assert.deepEqual(
      server.requests.map(({ target }) => target),
      ['/first', '/second'],
    );
  });

  it('looks twice before it sends once on a connection that was idle for long', async () => {
    let skewMs = 0;
    const runtime: Runtime = { ...realRuntime, monotonicMs: () => realRuntime.monotonicMs() + skewMs };
    const server = await serve((_request, socket) => socket.write(answer('ok')));
    const pool = connectTo(server, { runtime });
    await pool.exchange(get('/first'), collected);
    skewMs = 2_000;
    // Closed by the server, but this event loop does not know it yet.
    server.sockets[0]?.destroy();
    const once = get('/once', { method: 'PUT', sentOnce: true });
    assert.equal(textOf(await pool.exchange(once, collected)), 'ok');
    skewMs = 4_000;
    assert.equal(textOf(await pool.exchange(once, collected)), 'ok');
    assert.deepEqual(
      server.requests.map(({ target, connection }) => `${target} ${connection}`),
      ['/first 0', '/once 1', '/once 1'],
    );
  });

  it('leaves idle connections before the server does', async () => {
    const server = await serve(({ target }, socket) =>
      socket.write(answer('ok', `HTTP/1.1 200 OK\r\nKeep-Alive: timeout=${target.slice(1)}\r\n`)),
    );
    const pool = connectTo(server, { idleMs: 10 });
    await pool.exchange(get('/100'), collected);
    await until(() => server.openCount() === 0);
    assert.deepEqual(pool.stats, { connections: 0, idle: 0, waiting: 0 });
    // A server that keeps connections for a second only: not reused at all, because our margin is as large.
    const other = connectTo(server);
    await other.exchange(get('/1'), collected);
    await other.exchange(get('/1'), collected);
    assert.deepEqual(
      server.requests.map(({ connection }) => connection),
      [0, 1, 2],
    );
  });

  it('drops an idle connection on which the server speaks or which it closes', async () => {
    const server = await serve((_request, socket) => socket.write(answer('ok')));
    const pool = connectTo(server);
    await pool.exchange(get(), collected);
    server.sockets[0]?.write('HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n');
    await until(() => pool.stats.connections === 0);
    await pool.exchange(get(), collected);
    server.sockets[1]?.end();
    await until(() => pool.stats.connections === 0);
    await pool.exchange(get(), collected);
    assert.equal(server.sockets.length, 3);
  });

  it('does not take surplus bytes for the next answer', async () => {
    const server = await serve((_request, socket) =>
      socket.write(`${answer('ok').toString()}HTTP/1.1 200 OK`),
    );
    const pool = connectTo(server);
    await pool.exchange(get(), collected);
    assert.equal(textOf(await pool.exchange(get(), collected)), 'ok');
    assert.equal(server.sockets.length, 2);
  });

  it('speaks TLS with a certificate it was told to trust, over IPv4 and IPv6, and says why it does not', async () => {
    for (const hostname of ['127.0.0.1', '::1']) {
      const large = Buffer.alloc(1_000_000, 'abcdefg');
      const server = await serve((_request, socket) => socket.write(answer(large)), {
        tls: testTls,
        host: hostname,
      });
      const origin = { hostname, port: server.port, secure: true };
      const pool = connectTo(server, { origin: { ...origin, ca: testTls.cert } });
      for (let round = 0; round < 2; round++) {
        const { body } = await pool.exchange(
          get('/', { method: 'PUT', body: [large], bodyBytes: large.length }),
          collected,
        );
        assert.ok(body instanceof Uint8Array);
        assert.equal(Buffer.compare(body, large), 0);
        assert.equal(Buffer.compare(server.requests[round]?.body ?? Buffer.alloc(0), large), 0);
      }
      assert.equal(server.sockets.length, 1);
      const failure = await fails('unreachable', connectTo(server, { origin }).exchange(get(), collected));
      assert.match(failure.message, /self.signed/);
    }
  });
});

describe('HttpPool: aborts and the end', () => {
  it('ends a waiting and a running exchange with the reason of its signal, and drops the connection in doubt', async () => {
    const server = await serve(() => undefined);
    const pool = connectTo(server, { maxConnections: 1 });
    const abort = new AbortController();
    const reason = new Error('enough');
    const running = pool.exchange(get('/running'), { ...collected, signal: abort.signal });
    const waiting = pool.exchange(get('/waiting'), { ...collected, signal: abort.signal });
    await until(() => server.requests.length === 1);
    abort.abort(reason);
    await assert.rejects(running, reason);
    await assert.rejects(waiting, reason);
    await assert.rejects(pool.exchange(get('/late'), { ...collected, signal: abort.signal }), reason);
    await until(() => server.sockets[0]?.destroyed === true);
    assert.deepEqual(
      server.requests.map(({ target }) => target),
      ['/running'],
    );
  });

  it('keeps the connection that was opened for somebody who gave up', async () => {
    const server = await serve((_request, socket) => socket.write(answer('ok')));
    const pool = connectTo(server);
    const abort = new AbortController();
    const early = pool.exchange(get('/early'), { ...collected, signal: abort.signal });
    abort.abort(new Error('never mind'));
    await assert.rejects(early, /never mind/);
    await until(() => pool.stats.idle === 1);
    await pool.exchange(get('/next'), collected);
    assert.deepEqual(
      server.requests.map(({ target, connection }) => `${target} ${connection}`),
      ['/next 0'],
    );
  });

  it('closes every socket and cancels every timer', async () => {
    let timers = 0;
    const runtime: Runtime = {
      ...realRuntime,
      after(delayMs, callback) {
        timers++;
        let isOver = false;
        const over = (): void => {
          if (!isOver) timers--;
          isOver = true;
        };
        const cancel = realRuntime.after(delayMs, () => {
          over();
          callback();
        });
        return () => {
          over();
          cancel();
        };
      },
    };
    const server = await serve(({ target }, socket) => {
      if (target === '/ok') socket.write(answer('ok'));
      if (target === '/half') socket.write(answer('x'.repeat(1000)).subarray(0, 500));
    });
    const pool = connectTo(server, { runtime, maxConnections: 3 });
    await Promise.all([pool.exchange(get('/ok'), collected), pool.exchange(get('/ok'), collected)]);
    const stuck = kinds(
      ['/none', '/half', '/none', '/waiting'].map((target) => pool.exchange(get(target), collected)),
    );
    await until(() => server.requests.length === 5);
    assert.ok(timers > 0);
    await pool.close();
    assert.deepEqual(await stuck, ['closed', 'closed', 'closed', 'closed']);
    await fails('closed', pool.exchange(get(), collected));
    assert.equal(timers, 0);
    await until(() => server.openCount() === 0);
    assert.deepEqual(pool.stats, { connections: 0, idle: 0, waiting: 0 });
    await pool.close();
  });
});

describe('HttpPool: streamed answers', () => {
  async function streamOf(pool: HttpPool, options = streamed): Promise<BodyStream> {
    const { body } = await pool.exchange(get(), options);
    assert.ok(body instanceof BodyStream);
    return body;
  }

  it('hands a body on while it arrives, and stops reading when nobody takes it', async () => {
    const large = Buffer.alloc(30_000_000, 'abcdefghijk');
    let written = false;
    const server = await serve((_request, socket) => {
      socket.write(answer(large), () => {
        written = true;
      });
    });
    const pool = connectTo(server);
    const stream = await streamOf(pool);
    await until(() => stream.paused);
    const parts: Uint8Array[] = [];
    for await (const piece of stream) {
      // Far more than the kernel's buffers and ours hold is still with the server.
      if (parts.length === 0) assert.equal(written, false);
      parts.push(piece);
    }
    assert.equal(Buffer.compare(Buffer.concat(parts), large), 0);
    assert.deepEqual(pool.stats, { connections: 1, idle: 1, waiting: 0 });
  });

  it("does not take the silence of a slow reader for the server's", async () => {
    const timers = new Set<() => void>();
    const runtime: Runtime = {
      ...realRuntime,
      after(_delayMs, callback) {
        timers.add(callback);
        return () => timers.delete(callback);
      },
    };
    const expire = (): void => {
      for (const callback of Array.from(timers)) {
        timers.delete(callback);
        callback();
      }
    };
    const large = Buffer.alloc(10_000_000, 'x');
    const server = await serve((_request, socket) => socket.write(answer(large)));
    const stream = await streamOf(connectTo(server, { runtime }));
    await until(() => stream.paused);
    for (let round = 0; round < 5; round++) expire();
    let bytes = 0;
    for await (const piece of stream) bytes += piece.byteLength;
    assert.equal(bytes, large.length);
  });

  it('throws when the body ends early or stalls', async () => {
    const server = await serve(({ connection }, socket) => {
      socket.write(answer('x'.repeat(1000)).subarray(0, 500));
      if (connection === 0) socket.end();
    });
    const drain = async (stream: BodyStream): Promise<void> => {
      for await (const piece of stream) assert.ok(piece.byteLength > 0);
    };
    await fails('truncated', drain(await streamOf(connectTo(server))));
    const limits = { ...patient, bodyIdleMs: 20 };
    await fails('timeout', drain(await streamOf(connectTo(server, { limits }))));
  });

  it('closes the connection when the reader leaves early, also before the first piece', async () => {
    const server = await serve((_request, socket) => socket.write(answer(Buffer.alloc(10_000_000))));
    const pool = connectTo(server);
    for await (const piece of await streamOf(pool)) {
      assert.ok(piece.byteLength > 0);
      break;
    }
    await until(() => server.openCount() === 0);
    const unread = await streamOf(pool);
    await unread.return();
    assert.deepEqual(await unread.next(), { done: true, value: undefined });
    await until(() => server.openCount() === 0);
    assert.equal(pool.stats.connections, 0);
  });

  it('ends a stream with the reason of its signal', async () => {
    const server = await serve((_request, socket) => socket.write(answer(Buffer.alloc(10_000_000))));
    const abort = new AbortController();
    const stream = await streamOf(connectTo(server), { ...streamed, signal: abort.signal });
    await stream.next();
    abort.abort(new Error('read enough'));
    await assert.rejects(stream.next(), /read enough/);
    await until(() => server.openCount() === 0);
  });
});

/** Writes `bytes` in pieces that end at the given places, each in a segment of its own. */
async function dribble(socket: Socket, bytes: Buffer, ends: readonly number[]): Promise<void> {
  let from = 0;
  for (const end of ends) {
    socket.write(bytes.subarray(from, end));
    from = end;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
