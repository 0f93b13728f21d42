import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HttpFailure } from './http-failure.ts';
import { parseResponseHead } from './response-head.ts';
import type { BodyFraming } from './response-head.ts';

function lines(...given: string[]): string {
  return given.join('\r\n');
}

function framing(method: string, ...given: string[]): BodyFraming {
  return parseResponseHead(lines(...given), method).framing;
}

function keepsAlive(...given: string[]): boolean {
  return parseResponseHead(lines(...given), 'GET').keepAlive;
}

describe('parseResponseHead', () => {
  it('reads status and headers', () => {
    const head = parseResponseHead(
      lines(
        'HTTP/1.1 206 Partial Content',
        'ETag: "a:b"',
        'x-empty:',
        'X-Twice: 1',
        'content-length:  5\t',
        'x-twice: 2',
      ),
      'GET',
    );
    assert.equal(head.status, 206);
    assert.deepEqual(
      { ...head.headers },
      { etag: '"a:b"', 'x-empty': '', 'x-twice': '1, 2', 'content-length': '5' },
    );
    assert.deepEqual(head.framing, { kind: 'sized', sizeBytes: 5 });
    assert.equal(parseResponseHead('HTTP/1.1 200', 'GET').status, 200);
  });

  it('knows where the body ends', () => {
    const ok = 'HTTP/1.1 200 OK';
    assert.deepEqual(framing('GET', ok, 'Content-Length: 0'), { kind: 'sized', sizeBytes: 0 });
    assert.deepEqual(framing('GET', ok, 'Transfer-Encoding: Chunked'), { kind: 'chunked' });
    assert.deepEqual(framing('GET', ok, 'Transfer-Encoding: chunked', 'Content-Length: 5'), {
      kind: 'chunked',
    });
    assert.deepEqual(framing('GET', ok), { kind: 'until-close' });
    assert.deepEqual(framing('HEAD', ok, 'Content-Length: 5'), { kind: 'none' });
    assert.deepEqual(framing('HEAD', ok, 'Transfer-Encoding: chunked'), { kind: 'none' });
    for (const status of [100, 204, 304])
      assert.deepEqual(framing('GET', `HTTP/1.1 ${status} x`, 'Content-Length: 5'), { kind: 'none' });
  });

  it('knows whether the connection stays usable, and for how long', () => {
    const sized = 'Content-Length: 0';
    assert.ok(keepsAlive('HTTP/1.1 200 OK', sized));
    assert.ok(!keepsAlive('HTTP/1.1 200 OK', sized, 'Connection: Close'));
    assert.ok(!keepsAlive('HTTP/1.1 200 OK', sized, 'Connection: x, close'));
    assert.ok(!keepsAlive('HTTP/1.0 200 OK', sized));
    assert.ok(keepsAlive('HTTP/1.0 200 OK', sized, 'Connection: keep-alive'));
    assert.ok(!keepsAlive('HTTP/1.1 200 OK'));
    assert.ok(!keepsAlive('HTTP/1.1 200 OK', sized, 'Transfer-Encoding: chunked'));
    const head = parseResponseHead(lines('HTTP/1.1 200 OK', 'Keep-Alive: timeout=5, max=100'), 'GET');
    assert.equal(head.keepAliveMs, 5_000);
  });

  it('refuses what is not HTTP/1.1 or could be read in two ways', () => {
    const bad = [
      [''],
      ['HTTP/2 200 OK'],
      ['HTTP/1.1 20 OK'],
      ['HTTP/1.1 999 OK'],
      ['HTTP/1.1 200OK'],
      ['220 smtp.example ESMTP'],
      ['HTTP/1.1 200 OK', 'no colon'],
      ['HTTP/1.1 200 OK', ': no name'],
      ['HTTP/1.1 200 OK', 'name : value'],
      ['HTTP/1.1 200 OK', 'name: value', ' folded: value'],
      ['HTTP/1.1 200 OK', 'Content-Length: 5', 'Content-Length: 6'],
      ['HTTP/1.1 200 OK', 'Content-Length: -1'],
      ['HTTP/1.1 200 OK', 'Content-Length: 0x10'],
      ['HTTP/1.1 200 OK', 'Content-Length: 9999999999999999'],
      ['HTTP/1.1 200 OK', 'Transfer-Encoding: gzip, chunked'],
    ];
    for (const given of bad) {
      assert.throws(
        () => parseResponseHead(lines(...given), 'GET'),
        (error) => error instanceof HttpFailure && error.kind === 'malformed',
        given.join(' | '),
      );
    }
  });

  it('is not confused by headers named like things of Object', () => {
    const { headers } = parseResponseHead(lines('HTTP/1.1 200 OK', '__proto__: x', 'constructor: y'), 'GET');
    assert.equal(headers['__proto__'], 'x');
    assert.equal(headers['constructor'], 'y');
    assert.equal(headers['tostring'], undefined);
  });
});
