import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { realRuntime } from '../../runtime/real-runtime.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { StoreError } from '../errors.ts';
import type { StoreErrorCode } from '../errors.ts';
import type { ETag } from '../object-store.ts';
import { startScriptedServer, testTls, until } from './http/scripted-server.ts';
import type { ScriptedServer, ScriptedServerOptions, SeenRequest } from './http/scripted-server.ts';
import type { S3Credentials } from './credentials.ts';
import type { S3Attempt, S3StoreOptions } from './s3-options.ts';
import { createS3Store } from './s3-store.ts';
import type { S3Store } from './s3-store.ts';

const credentials: S3Credentials = { accessKeyId: 'id', secretAccessKey: 'secret' };
const etag = '"the-etag"' as ETag;

/** What the server does with one request: answers, or anything else it can do to the connection. */
type Reply = Buffer | ((socket: Socket, request: SeenRequest) => void);

const undo: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

interface Setup {
  readonly store: S3Store;
  readonly server: ScriptedServer;
  readonly attempts: S3Attempt[];
}

/** A store over a server that gives these replies, one a request, and the last one again and again. */
async function setup(
  replies: readonly Reply[],
  more: Partial<S3StoreOptions> = {},
  serverOptions: Partial<ScriptedServerOptions> = {},
): Promise<Setup> {
  let next = 0;
  const attempts: S3Attempt[] = [];
  const server = await startScriptedServer({
    onRequest(request, socket) {
      const reply = replies[Math.min(next++, replies.length - 1)];
      if (typeof reply === 'function') reply(socket, request);
      else socket.write(reply ?? '');
    },
    ...serverOptions,
  });
  undo.push(() => server.stop());
  const store = createS3Store({
    bucket: 'bucket',
    endpoint: server.endpoint,
    region: 'eu-west-1',
    credentials,
    retries: { attempts: 4, baseDelayMs: 1, maxDelayMs: 2, totalMs: 60_000 },
    runtime: realRuntime,
    onAttempt: (attempt) => attempts.push(attempt),
    ...more,
  });
  undo.push(() => store.close());
  return { store, server, attempts };
}

function reply(status: number, headers: Record<string, string> = {}, body: string | Buffer = ''): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 ${status} x\r\n${lines.join('')}Content-Length: ${body.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.from(body)]);
}

function refusal(status: number, code: string, headers: Record<string, string> = {}): Buffer {
  return reply(
    status,
    { 'x-amz-request-id': 'REQ1', ...headers },
    `<Error><Code>${code}</Code><Message>said so</Message></Error>`,
  );
}

const ok = reply(200, { ETag: etag });
const objectHeaders = { ETag: etag, 'x-amz-meta-id': 'me', 'Last-Modified': 'Fri, 24 May 2013 00:00:00 GMT' };
const object = reply(200, objectHeaders, '123456789');
const reset: Reply = (socket) => {
  socket.resetAndDestroy();
};
const hangUp: Reply = (socket) => {
  socket.end();
};
const silence: Reply = () => undefined;
const cut: Reply = (socket) => {
  socket.end(object.subarray(0, object.length - 4));
};

async function fails(code: StoreErrorCode, call: Promise<unknown>): Promise<StoreError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof StoreError, `expected ${code}, got ${String(error)}`);
  assert.equal(error.code, code, error.message);
  return error;
}

function text(value: string): Uint8Array {
  return Buffer.from(value);
}

describe('S3Store: a conditional put is one attempt', () => {
  const outcomes: [string, Reply, StoreErrorCode, 'no' | 'maybe'][] = [
    ['a reset after the request was read', reset, 'CONNECTION_LOST', 'maybe'],
    ['a close instead of an answer', hangUp, 'CONNECTION_LOST', 'maybe'],
    ['500', refusal(500, 'InternalError'), 'SERVER_ERROR', 'maybe'],
    ['503 without a word', reply(503), 'SERVER_ERROR', 'maybe'],
    ['503 SlowDown', refusal(503, 'SlowDown'), 'THROTTLED', 'no'],
    ['409', refusal(409, 'ConditionalRequestConflict'), 'CONFLICT', 'no'],
    ['400 BadDigest', refusal(400, 'BadDigest'), 'CHECKSUM_REJECTED', 'no'],
    ['404 NoSuchBucket', refusal(404, 'NoSuchBucket'), 'NO_SUCH_STORE', 'no'],
    ['403', refusal(403, 'AccessDenied'), 'ACCESS_DENIED', 'no'],
    ['success without an ETag', reply(200), 'CORRUPT_RESPONSE', 'maybe'],
    ['something that is not HTTP', Buffer.from('what?\r\n\r\n'), 'CORRUPT_RESPONSE', 'maybe'],
  ];
  for (const [what, answer, code, landed] of outcomes) {
    it(`that fails with ${code} (landed: ${landed}) after ${what}`, async () => {
      for (const condition of [{ ifAbsent: true as const }, { ifMatch: etag }]) {
        const { store, server, attempts } = await setup([answer, ok]);
        const error = await fails(code, store.put('key', text('body'), condition));
        assert.equal(error.landed, landed);
        assert.equal(error.details.key, 'key');
        assert.equal(server.requests.length, 1);
        assert.deepEqual(
          attempts.map(({ number, error: seen }) => [number, seen]),
          [[1, code]],
        );
      }
    });
  }

  it('that fails with TIMEOUT when no answer comes', async () => {
    const { store, server } = await setup([silence], { limits: { headMs: 20 } });
    const error = await fails('TIMEOUT', store.put('key', text('body'), { ifAbsent: true }));
    assert.equal(error.landed, 'maybe');
    assert.equal(server.requests.length, 1);
  });

  it('that the server sees once, also when a kept connection dies under it', async () => {
    // The first call leaves an idle connection behind; the put goes out on it and is never answered.
    const { store, server } = await setup([object, reset, ok]);
    await store.get('key');
    const error = await fails('CONNECTION_LOST', store.put('key', text('body'), { ifAbsent: true }));
    assert.equal(error.landed, 'maybe');
    assert.deepEqual(
      server.requests.map(({ method, connection }) => [method, connection]),
      [
        ['GET', 0],
        ['PUT', 0],
      ],
    );
  });

  it('that was surely not sent when there was no connection', async () => {
    const { store, server } = await setup([ok]);
    await server.stop();
    undo.splice(0, 1);
    const error = await fails('UNREACHABLE', store.put('key', text('body'), { ifAbsent: true }));
    assert.equal(error.landed, 'no');
  });

  it('that tells a failed condition from an error', async () => {
    const failed = { kind: 'condition-failed' };
    const { store, server } = await setup([
      refusal(412, 'PreconditionFailed'),
      refusal(412, 'PreconditionFailed'),
      refusal(404, 'NoSuchKey'),
    ]);
    assert.deepEqual(await store.put('key', text('b'), { ifAbsent: true }), failed);
    assert.deepEqual(await store.put('key', text('b'), { ifMatch: etag }), failed);
    assert.deepEqual(await store.put('key', text('b'), { ifMatch: etag }), failed);
    const sent = server.requests.map(({ headers }) => [headers['if-none-match'], headers['if-match']]);
    assert.deepEqual(sent, [
      ['*', undefined],
      [undefined, etag],
      [undefined, etag],
    ]);
  });
});

describe('S3Store: other calls are repeated', () => {
  const passing: [string, Reply][] = [
    ['a reset', reset],
    ['a close', hangUp],
    ['500', refusal(500, 'InternalError')],
    ['503 SlowDown', refusal(503, 'SlowDown')],
    ['429', reply(429)],
    ['409', refusal(409, 'OperationAborted')],
  ];
  for (const [what, answer] of passing) {
    it(`after ${what}`, async () => {
      const { store, server, attempts } = await setup([answer, answer, ok]);
      assert.deepEqual(await store.put('key', text('body')), { kind: 'written', etag });
      assert.equal(server.requests.length, 3);
      assert.ok(server.requests.every(({ body }) => body.toString() === 'body'));
      assert.deepEqual(
        attempts.map(({ number, status, sentBytes }) => [number, status !== undefined, sentBytes]),
        [1, 2, 3].map((number) => [number, typeof answer !== 'function' || number === 3, 4]),
      );
    });
  }

  it('when the body of the answer is cut or damaged', async () => {
    const damaged = reply(200, { ...objectHeaders, 'x-amz-checksum-crc32c': '4waSgw==' }, '123456780');
    const good = reply(200, { ...objectHeaders, 'x-amz-checksum-crc32c': '4waSgw==' }, '123456789');
    const { store, server } = await setup([cut, damaged, good]);
    assert.deepEqual(await store.get('key'), {
      kind: 'found',
      info: { sizeBytes: 9, etag, id: 'me', lastModifiedMs: Date.UTC(2013, 4, 24) },
      offset: 0,
      body: Buffer.from('123456789'),
    });
    assert.equal(server.requests.length, 3);
    assert.equal(server.requests[0]?.headers['x-amz-checksum-mode'], 'ENABLED');
  });

  it('into the memory that the caller gave, over what a cut attempt left there; errors go elsewhere', async () => {
    const { store } = await setup([cut, refusal(503, 'SlowDown'), object]);
    const into = Buffer.alloc(400, '#');
    const found = await store.get('key', { into });
    assert.ok(found.kind === 'found');
    assert.equal(found.body.buffer, into.buffer);
    assert.equal(into.toString(), '123456789'.padEnd(400, '#'));
  });

  it('when the answer holds other bytes than those asked for', async () => {
    const wrong = reply(206, { ...objectHeaders, 'Content-Range': 'bytes 0-2/9' }, '123');
    const right = reply(206, { ...objectHeaders, 'Content-Range': 'bytes 1-3/9' }, '234');
    const { store, server } = await setup([object, wrong, right]);
    const result = await store.get('key', { range: { start: 1, end: 4 } });
    assert.ok(result.kind === 'found');
    assert.equal(Buffer.from(result.body).toString(), '234');
    assert.deepEqual([result.offset, result.info.sizeBytes], [1, 9]);
    assert.equal(server.requests.length, 3);
  });

  it('until the attempts are used up, and then with the last error', async () => {
    const { store, server } = await setup([refusal(503, 'SlowDown')]);
    const error = await fails('THROTTLED', store.get('key'));
    assert.equal(error.details.status, 503);
    assert.equal(error.details.requestId, 'REQ1');
    assert.equal(server.requests.length, 4);
  });

  it('not before the time the server asks for, and not at all beyond the limit', async () => {
    const delays: number[] = [];
    const runtime: Runtime = {
      ...realRuntime,
      after(delayMs, callback) {
        if (delayMs === 7_000) delays.push(delayMs);
        return realRuntime.after(delayMs === 7_000 ? 0 : delayMs, callback);
      },
    };
    const busy = refusal(503, 'SlowDown', { 'Retry-After': '7' });
    const { store } = await setup([busy, object], { runtime });
    assert.equal((await store.get('key')).kind, 'found');
    assert.deepEqual(delays, [7_000]);
    const hurried = await setup([busy, object], { retries: { totalMs: 6_000 } });
    await fails('THROTTLED', hurried.store.get('key'));
    assert.equal(hurried.server.requests.length, 1);
  });

  it('but not when repeating cannot help', async () => {
    for (const [answer, code] of [
      [refusal(403, 'AccessDenied'), 'ACCESS_DENIED'],
      [refusal(404, 'NoSuchBucket'), 'NO_SUCH_STORE'],
      [refusal(501, 'NotImplemented'), 'INVALID_REQUEST'],
      [refusal(416, 'InvalidRange'), 'RANGE_NOT_SATISFIABLE'],
    ] as const) {
      const { store, server } = await setup([answer]);
      await fails(code, store.get('key', { range: { start: 5 } }));
      assert.equal(server.requests.length, 1);
    }
  });

  it('but not a streamed body, which can be sent only once', async () => {
    const { store, server } = await setup([refusal(500, 'InternalError'), ok]);
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(text('body'));
    }
    await fails('SERVER_ERROR', store.put('key', { sizeBytes: 4, chunks: chunks() }));
    assert.equal(server.requests.length, 1);
  });

  it('until they are aborted or the store is closed, also while they wait', async () => {
    const forever = { retries: { attempts: 1e9, baseDelayMs: 50_000, maxDelayMs: 50_000, totalMs: 1e9 } };
    const aborted = await setup([refusal(500, 'InternalError')], forever);
    const abort = new AbortController();
    const waiting = assert.rejects(aborted.store.get('key', { signal: abort.signal }), /enough/);
    await until(() => aborted.attempts.length > 0);
    abort.abort(new Error('enough'));
    await waiting;
    const closed = await setup([refusal(500, 'InternalError')], forever);
    const other = fails('CLOSED', closed.store.get('key'));
    await until(() => closed.attempts.length > 0);
    await closed.store.close();
    await other;
  });
});

describe('S3Store: what goes over the wire', () => {
  it('is a put with checksum, id and condition, in one piece or several', async () => {
    const { store, server } = await setup([ok], { prefix: 'base' });
    await store.put('a b/c', text('123456789'), { id: 'me', ifAbsent: true });
    await store.put('a b/c', [text('1234'), text(''), text('56789')], { crc32c: 0xe3069283 });
    for (const { method, target, headers, body } of server.requests) {
      assert.equal(`${method} ${target}`, 'PUT /bucket/base/a%20b/c');
      assert.equal(headers['x-amz-checksum-crc32c'], '4waSgw==');
      assert.equal(headers['x-amz-content-sha256'], 'UNSIGNED-PAYLOAD');
      assert.equal(headers['content-length'], '9');
      assert.match(
        headers['authorization'] ?? '',
        /Credential=id\/\d{8}\/eu-west-1\/s3\/aws4_request, SignedHeaders=host;/,
      );
      assert.equal(body.toString(), '123456789');
    }
    assert.equal(server.requests[0]?.headers['x-amz-meta-id'], 'me');
    assert.match(
      server.requests[0]?.headers['authorization'] ?? '',
      /;if-none-match;x-amz-checksum-crc32c;.*;x-amz-meta-id,/,
    );
  });

  it('is an aws-chunked body with a trailer where the checksum is known only at the end', async () => {
    const { store, server } = await setup([ok]);
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(text('12345'));
      yield text('6789');
    }
    await store.put('key', { sizeBytes: 9, chunks: chunks() });
    const [trailing] = server.requests;
    assert.equal(trailing?.headers['x-amz-content-sha256'], 'STREAMING-UNSIGNED-PAYLOAD-TRAILER');
    assert.equal(trailing.headers['content-encoding'], 'aws-chunked');
    assert.equal(trailing.headers['x-amz-decoded-content-length'], '9');
    assert.equal(trailing.headers['x-amz-trailer'], 'x-amz-checksum-crc32c');
    assert.equal(trailing.body.toString(), '9\r\n123456789\r\n0\r\nx-amz-checksum-crc32c:4waSgw==\r\n\r\n');
    await store.put('key', { sizeBytes: 9, chunks: chunks() }, { crc32c: 0xe3069283 });
    assert.equal(server.requests[1]?.headers['x-amz-checksum-crc32c'], '4waSgw==');
    assert.equal(server.requests[1].body.toString(), '123456789');
  });

  it('never completes a put whose stream is too long, too short or broken', async () => {
    const broken = new Error('broken');
    async function* chunks(count: number, error?: Error): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < count; i++) yield await Promise.resolve(text('12345'));
      if (error !== undefined) throw error;
    }
    for (const crc32c of [undefined, 0]) {
      const { store, server } = await setup([ok]);
      await fails('INVALID_REQUEST', store.put('key', { sizeBytes: 10, chunks: chunks(1) }, { crc32c }));
      await fails('INVALID_REQUEST', store.put('key', { sizeBytes: 10, chunks: chunks(3) }, { crc32c }));
      const error = await fails(
        'INVALID_REQUEST',
        store.put('key', { sizeBytes: 10, chunks: chunks(2, broken) }, { crc32c }),
      );
      assert.equal(error.cause, broken);
      await fails('INVALID_REQUEST', store.put('key', { sizeBytes: 0, chunks: chunks(1) }, { crc32c }));
      await until(() => server.openCount() === 0);
      assert.equal(server.requests.length, 0);
    }
  });

  it('closes the body of a stream that is refused early', async () => {
    const { store } = await setup(
      [ok],
      {},
      {
        onHead: (_request, socket) => socket.write(refusal(403, 'AccessDenied')),
      },
    );
    let closed = false;
    const chunks: AsyncIterable<Uint8Array> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => undefined),
        return() {
          closed = true;
          return Promise.resolve({ done: true, value: undefined });
        },
      }),
    };
    await fails('ACCESS_DENIED', store.put('key', { sizeBytes: 10, chunks }, { ifAbsent: true }));
    await until(() => closed);
  });

  it('is hashed where that is asked for, and then not streamed', async () => {
    const { store, server } = await setup([ok], { signPayload: true });
    await store.put('key', text('Welcome to Amazon S3.'));
    assert.equal(
      server.requests[0]?.headers['x-amz-content-sha256'],
      '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    );
    async function* chunks(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(text('x'));
    }
    const error = await fails('INVALID_REQUEST', store.put('key', { sizeBytes: 1, chunks: chunks() }));
    assert.match(error.message, /signPayload=false/);
  });

  it('has no checksums where they are turned off', async () => {
    const { store, server } = await setup([ok, object], { checksums: false });
    await store.put('key', text('body'), { crc32c: 1 });
    await store.get('key');
    for (const { headers } of server.requests)
      assert.deepEqual(
        Object.keys(headers).filter((name) => name.includes('checksum')),
        [],
      );
  });

  it('carries the session token, signed', async () => {
    const { store, server } = await setup([object], {
      credentials: { ...credentials, sessionToken: 'token' },
    });
    await store.get('key');
    assert.equal(server.requests[0]?.headers['x-amz-security-token'], 'token');
    assert.match(server.requests[0].headers['authorization'] ?? '', /;x-amz-security-token,/);
  });

  it('goes over TLS to a store with a certificate of its own', async () => {
    const { store } = await setup([ok, object], { ca: testTls.cert }, { tls: testTls });
    await store.put('key', text('body'));
    assert.equal((await store.get('key')).kind, 'found');
    const { store: distrustful } = await setup([ok], {}, { tls: testTls });
    const error = await fails('UNREACHABLE', distrustful.put('key', text('body'), { ifAbsent: true }));
    assert.match(error.message, /self.signed/);
  });

  it('tells unchanged and absent', async () => {
    const { store, server } = await setup([reply(304), refusal(404, 'NoSuchKey')]);
    assert.deepEqual(await store.get('key', { ifNoneMatch: etag }), { kind: 'unchanged' });
    assert.deepEqual(await store.get('key', { ifNoneMatch: etag }), { kind: 'absent' });
    assert.equal(server.requests[0]?.headers['if-none-match'], etag);
  });

  it('never holds an ETag that could end a header', async () => {
    const { store, server } = await setup([ok]);
    await fails('INVALID_REQUEST', store.put('key', text('x'), { ifMatch: '"a"\r\nx: y' as ETag }));
    await fails('INVALID_REQUEST', store.get('key', { ifNoneMatch: 'ä' as ETag }));
    assert.equal(server.requests.length, 0);
  });
});

describe('S3Store: streams', () => {
  it('are read to the end, checked, and give their connection back', async () => {
    const good = reply(200, { ...objectHeaders, 'x-amz-checksum-crc32c': '4waSgw==' }, '123456789');
    const damaged = reply(200, { ...objectHeaders, 'x-amz-checksum-crc32c': 'AAAAAA==' }, '123456789');
    const { store, server } = await setup([refusal(500, 'InternalError'), good, damaged]);
    const result = await store.getStream('key');
    assert.ok(result.kind === 'found');
    const parts: Uint8Array[] = [];
    for await (const part of result.body) parts.push(part);
    assert.equal(Buffer.concat(parts).toString(), '123456789');
    const other = await store.getStream('key');
    assert.ok(other.kind === 'found');
    const drain = async (): Promise<void> => {
      for await (const part of other.body) assert.ok(part.byteLength > 0);
    };
    const error = await fails('CORRUPT_RESPONSE', drain());
    assert.match(error.message, /CRC32C 4waSgw==, the object was stored with AAAAAA==/);
    assert.equal(server.sockets.length, 1);
  });

  it('throw when they end early, and are refused when they hold other bytes', async () => {
    const { store } = await setup([cut, object]);
    const result = await store.getStream('key');
    assert.ok(result.kind === 'found');
    const drain = async (): Promise<void> => {
      for await (const part of result.body) assert.ok(part.byteLength > 0);
    };
    assert.equal((await fails('CORRUPT_RESPONSE', drain())).details.key, 'key');
    await fails('CORRUPT_RESPONSE', store.getStream('key', { range: { start: 1 } }));
    assert.equal(store.stats.idle, store.stats.connections);
  });
});

describe('S3Store: refusals that can be cured', () => {
  const expired = refusal(403, 'ExpiredToken');

  function provider(...ids: string[]): { provide: () => Promise<S3Credentials>; looks: () => number } {
    let looks = 0;
    return {
      provide: () => {
        const accessKeyId = ids[Math.min(looks++, ids.length - 1)] ?? '';
        return Promise.resolve({ accessKeyId, secretAccessKey: 's', sessionToken: `of ${accessKeyId}` });
      },
      looks: () => looks,
    };
  }

  function usedKeys(server: ScriptedServer): (string | undefined)[] {
    return server.requests.map(
      ({ headers }) => /Credential=([^/]+)/.exec(headers['authorization'] ?? '')?.[1],
    );
  }

  it('expired credentials are replaced and the request repeated, a conditional one too', async () => {
    for (const options of [{}, { ifAbsent: true as const }]) {
      const { provide, looks } = provider('old', 'new');
      const { store, server, attempts } = await setup([expired, ok], { credentials: provide });
      assert.deepEqual(await store.put('key', text('body'), options), { kind: 'written', etag });
      assert.deepEqual(usedKeys(server), ['old', 'new']);
      assert.equal(looks(), 2);
      assert.equal(attempts.length, 1);
    }
  });

  it('but only once, and only if there are others', async () => {
    const { provide } = provider('a', 'b', 'c');
    const { store, server } = await setup([expired], { credentials: provide });
    const error = await fails('ACCESS_DENIED', store.put('key', text('body'), { ifAbsent: true }));
    assert.equal(error.details.serverCode, 'ExpiredToken');
    assert.equal(error.landed, 'no');
    assert.deepEqual(usedKeys(server), ['a', 'b']);
    const fixed = await setup([expired]);
    await fails('ACCESS_DENIED', fixed.store.put('key', text('body'), { ifAbsent: true }));
    assert.equal(fixed.server.requests.length, 1);
  });

  it('a HEAD, which cannot say why, is repeated with fresh credentials', async () => {
    const { provide } = provider('old', 'new');
    const { store, server } = await setup([reply(403), reply(200, objectHeaders)], { credentials: provide });
    assert.equal((await store.head('key'))?.id, 'me');
    assert.deepEqual(usedKeys(server), ['old', 'new']);
  });

  it('a wrong clock is set by the server, for good', async () => {
    const runtime: Runtime = { ...realRuntime, wallMs: () => Date.UTC(2013, 4, 24) };
    const date = { Date: 'Fri, 24 May 2013 12:00:00 GMT' };
    const { store, server } = await setup([refusal(403, 'RequestTimeTooSkewed', date), ok], { runtime });
    await store.put('key', text('body'), { ifAbsent: true });
    await store.put('key', text('body'));
    assert.deepEqual(
      server.requests.map(({ headers }) => headers['x-amz-date']),
      ['20130524T000000Z', '20130524T120000Z', '20130524T120000Z'],
    );
  });

  it('a wrong region is named, not followed', async () => {
    const { store, server } = await setup([
      refusal(301, 'PermanentRedirect', {
        'x-amz-bucket-region': 'us-west-2',
        Location: 'http://elsewhere/',
      }),
    ]);
    const error = await fails('INVALID_REQUEST', store.put('key', text('body'), { ifAbsent: true }));
    assert.match(error.message, /set region=us-west-2/);
    assert.equal(server.requests.length, 1);
  });

  it('missing credentials are an error of their own', async () => {
    const missing = Object.assign(new Error('Could not load credentials from any providers'), {
      name: 'CredentialsProviderError',
    });
    const { store, server } = await setup([ok], { credentials: () => Promise.reject(missing) });
    const error = await fails('ACCESS_DENIED', store.put('key', text('body'), { ifAbsent: true }));
    assert.match(error.message, /no usable credentials were found.*AWS_ACCESS_KEY_ID/);
    assert.equal(error.landed, 'no');
    assert.equal(server.requests.length, 0);
  });

  it('a look for credentials that hangs ends with the call or the store', async () => {
    const { store } = await setup([ok], { credentials: () => new Promise(() => undefined) });
    const abort = new AbortController();
    const aborted = assert.rejects(store.get('key', { signal: abort.signal }), /enough/);
    const closed = fails('CLOSED', store.get('key'));
    abort.abort(new Error('enough'));
    await aborted;
    await store.close();
    await closed;
  });
});

describe('S3Store: lists, deletes and buckets', () => {
  const list = '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>';

  it('lists under its prefix, and asks again for what it cannot read', async () => {
    const { store, server } = await setup([reply(200, {}, '<half'), reply(200, {}, list)], {
      prefix: '/base/',
    });
    assert.deepEqual(await store.list('a'), { objects: [], next: undefined });
    assert.equal(server.requests[1]?.target, '/bucket?encoding-type=url&list-type=2&prefix=base%2Fa');
    await fails('INVALID_REQUEST', store.list('lone \ud800'));
  });

  it('deletes what does not exist', async () => {
    const { store } = await setup([refusal(404, 'NoSuchKey'), reply(204), refusal(404, 'NoSuchBucket')]);
    await store.delete('key');
    await store.delete('key');
    await fails('NO_SUCH_STORE', store.delete('key'));
  });

  it('deletes a thousand keys a request and sends again those that failed in passing', async () => {
    const deleted = (failures: string): Buffer => reply(200, {}, `<DeleteResult>${failures}</DeleteResult>`);
    const error = (key: string, code: string): string =>
      `<Error><Key>r/${key}</Key><Code>${code}</Code></Error>`;
    const { store, server } = await setup(
      [deleted(error('1', 'SlowDown') + error('2', 'AccessDenied')), deleted(''), deleted('')],
      { prefix: 'r' },
    );
    const keys = Array.from({ length: 1500 }, (_, i) => `${i}`);
    const failures = await store.deleteMany(keys);
    assert.deepEqual(
      failures.map(({ key, error: { code, details } }) => [key, code, details.key]),
      [['2', 'ACCESS_DENIED', '2']],
    );
    const sent = server.requests.map(({ body }) => body.toString().match(/<Key>/g)?.length);
    assert.deepEqual(sent, [1000, 1, 500]);
    assert.match(server.requests[1]?.body.toString() ?? '', /<Key>r\/1<\/Key>/);
    const { target, method, headers } = server.requests[0] ?? assert.fail();
    assert.equal(`${method} ${target}`, 'POST /bucket?delete=');
    assert.match(headers['content-md5'] ?? '', /^[A-Za-z0-9+/]{22}==$/);
    assert.match(headers['x-amz-checksum-crc32c'] ?? '', /^[A-Za-z0-9+/]{6}==$/);
  });

  it('reports every key of a batch that fails as a whole, and stops where going on makes no sense', async () => {
    const { store } = await setup([refusal(500, 'InternalError')]);
    const failures = await store.deleteMany(['a', 'b']);
    assert.deepEqual(
      failures.map(({ key, error }) => [key, error.code]),
      [
        ['a', 'SERVER_ERROR'],
        ['b', 'SERVER_ERROR'],
      ],
    );
    const denied = await setup([refusal(403, 'AccessDenied')]);
    await fails('ACCESS_DENIED', denied.store.deleteMany(['a', 'b']));
  });

  it('deletes by itself a key that XML cannot hold', async () => {
    const { store, server } = await setup([reply(204), reply(200, {}, '<DeleteResult/>')]);
    assert.deepEqual(await store.deleteMany(['plain', 'odd\uffff']), []);
    assert.deepEqual(
      server.requests.map(({ method, target }) => `${method} ${target}`),
      ['DELETE /bucket/odd%EF%BF%BF', 'POST /bucket?delete='],
    );
  });

  it('does not take a missing bucket for a missing object, though a HEAD cannot tell', async () => {
    const missing = await setup([reply(404)]);
    await fails('NO_SUCH_STORE', missing.store.head('key'));
    assert.deepEqual(
      missing.server.requests.map(({ method, target }) => `${method} ${target}`),
      ['HEAD /bucket/key', 'HEAD /bucket'],
    );
    const there = await setup([reply(404), reply(200), reply(404)]);
    assert.equal(await there.store.head('key'), undefined);
    assert.equal(await there.store.head('key'), undefined);
    assert.equal(there.server.requests.length, 3);
    const hidden = await setup([reply(404), reply(403)]);
    assert.equal(await hidden.store.head('key'), undefined);
  });
});

describe('createS3Store', () => {
  const options = { bucket: 'bucket', endpoint: 'http://127.0.0.1:9', credentials, runtime: realRuntime };

  it('names the store without its credentials', () => {
    assert.equal(createS3Store(options).name, 's3://bucket (http://127.0.0.1:9)');
    const { name } = createS3Store({ ...options, endpoint: undefined, region: 'eu-west-1', prefix: 'a/b/' });
    assert.equal(name, 's3://bucket/a/b');
  });

  it('refuses options that cannot be right', () => {
    for (const wrong of [{ endpoint: 'minio' }, { bucket: 'a/b' }, { prefix: 'a//b' }])
      assert.throws(
        () => createS3Store({ ...options, ...wrong }),
        (error) =>
          error instanceof StoreError &&
          error.code === 'INVALID_REQUEST' &&
          error.details.operation === 'open',
      );
  });

  it('counts the prefix when it measures keys', async () => {
    const store = createS3Store({ ...options, prefix: 'p'.repeat(200) });
    const error = await fails('INVALID_REQUEST', store.put(`${'k/'.repeat(411)}kk`, text('x')));
    assert.match(error.message, /the key has 1025 bytes, at most 1024/);
  });
});
