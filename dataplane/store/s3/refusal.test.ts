import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { StoreErrorCode } from '../errors.ts';
import { judge, readRefusal } from './refusal.ts';
import type { Refusal, RefusedRequest, Remedy, Verdict } from './refusal.ts';

function errorBody(code: string, rest = ''): Buffer {
  return Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>m</Message>${rest}</Error>`,
  );
}

function verdictOf(
  status: number,
  code: string,
  request: Partial<RefusedRequest> = {},
  refusal: Partial<Refusal> = {},
): Verdict {
  const body = code === '' ? Buffer.alloc(0) : errorBody(code);
  return judge(
    { ...readRefusal(status, {}, body), ...refusal },
    {
      operation: 'put',
      condition: 'none',
      bucket: 'bucket',
      region: 'eu-west-1',
      temporaryCredentials: false,
      skewMs: 0,
      ...request,
    },
  );
}

function assertError(
  verdict: Verdict,
  error: StoreErrorCode,
  what: RegExp = /./,
  remedy: Remedy = 'none',
): void {
  assert.ok(verdict.kind === 'error', verdict.kind);
  assert.equal(verdict.error, error, verdict.what);
  assert.match(verdict.what, what);
  assert.equal(verdict.remedy, remedy);
}

const ifAbsent = { condition: 'if-absent' } as const;
const ifMatch = { condition: 'if-match' } as const;
const get = { operation: 'get' } as const;
const head = { operation: 'head' } as const;

describe('judge', () => {
  it('takes 412 for a failed condition, where there was one', () => {
    assert.equal(verdictOf(412, 'PreconditionFailed', ifAbsent).kind, 'condition-failed');
    assert.equal(verdictOf(412, '', ifMatch).kind, 'condition-failed');
    assertError(verdictOf(412, 'PreconditionFailed'), 'INVALID_REQUEST');
  });

  it('takes a missing key for a failed If-Match, but not a missing bucket', () => {
    assert.equal(verdictOf(404, 'NoSuchKey', ifMatch).kind, 'condition-failed');
    assert.equal(verdictOf(404, '', ifMatch).kind, 'condition-failed');
    assertError(verdictOf(404, 'NoSuchBucket', ifMatch), 'NO_SUCH_STORE', /create the bucket "bucket" first/);
    assertError(verdictOf(404, 'NoSuchBucket', ifAbsent), 'NO_SUCH_STORE');
    assertError(verdictOf(404, 'NoSuchKey', ifAbsent), 'NO_SUCH_STORE');
    assertError(
      verdictOf(404, 'SomethingElse', ifMatch),
      'NO_SUCH_STORE',
      /404 SomethingElse: m; check endpoint/,
    );
  });

  it('tells an absent object from an absent bucket', () => {
    assert.equal(verdictOf(404, 'NoSuchKey', get).kind, 'absent');
    assert.equal(verdictOf(404, '', head).kind, 'absent');
    assert.equal(verdictOf(404, 'NoSuchKey', { operation: 'delete' }).kind, 'absent');
    assertError(verdictOf(404, 'NoSuchBucket', get), 'NO_SUCH_STORE');
    assertError(verdictOf(404, 'NoSuchBucket', { operation: 'list' }), 'NO_SUCH_STORE');
  });

  it('takes 304 for unchanged only when that was asked', () => {
    assert.equal(verdictOf(304, '', { ...get, condition: 'if-none-match' }).kind, 'unchanged');
    assertError(verdictOf(304, '', get), 'INVALID_REQUEST');
  });

  const codes: [number, string, StoreErrorCode][] = [
    [409, 'ConditionalRequestConflict', 'CONFLICT'],
    [409, 'OperationAborted', 'CONFLICT'],
    [409, '', 'CONFLICT'],
    [409, 'ObjectParentIsFile', 'INVALID_REQUEST'],
    [503, 'SlowDown', 'THROTTLED'],
    [503, 'SlowDownRead', 'THROTTLED'],
    [429, '', 'THROTTLED'],
    [400, 'ThrottlingException', 'THROTTLED'],
    // A write that found no quorum: it may surface later.
    [503, 'SlowDownWrite', 'SERVER_ERROR'],
    [503, 'ServiceUnavailable', 'SERVER_ERROR'],
    [503, '', 'SERVER_ERROR'],
    [500, 'InternalError', 'SERVER_ERROR'],
    [502, '', 'SERVER_ERROR'],
    [504, '', 'SERVER_ERROR'],
    [400, 'RequestTimeout', 'TIMEOUT'],
    [408, '', 'TIMEOUT'],
    [400, 'BadDigest', 'CHECKSUM_REJECTED'],
    [400, 'XAmzContentChecksumMismatch', 'CHECKSUM_REJECTED'],
    [400, 'IncompleteBody', 'CHECKSUM_REJECTED'],
    [507, 'XMinioStorageFull', 'STORE_FULL'],
    [403, 'QuotaExceeded', 'STORE_FULL'],
    [416, 'InvalidRange', 'RANGE_NOT_SATISFIABLE'],
    [403, 'AccessDenied', 'ACCESS_DENIED'],
    [403, 'SignatureDoesNotMatch', 'ACCESS_DENIED'],
    [401, '', 'ACCESS_DENIED'],
    [403, '', 'ACCESS_DENIED'],
    [501, 'NotImplemented', 'INVALID_REQUEST'],
    [400, 'EntityTooLarge', 'INVALID_REQUEST'],
    [405, 'MethodNotAllowed', 'INVALID_REQUEST'],
    [400, '', 'INVALID_REQUEST'],
  ];
  for (const [status, code, error] of codes) {
    it(`calls ${status} ${code || 'without a code'} ${error}`, () => {
      assertError(verdictOf(status, code, ifAbsent), error, new RegExp(`the store answered ${status}`));
    });
  }

  it('names the region or endpoint to use', () => {
    for (const [status, code] of [
      [301, 'PermanentRedirect'],
      [307, 'TemporaryRedirect'],
      [400, 'AuthorizationHeaderMalformed'],
      [400, ''],
    ] as const)
      assertError(
        verdictOf(status, code, head, { region: 'us-west-2' }),
        'INVALID_REQUEST',
        /in region us-west-2 and requests were signed for eu-west-1: set region=us-west-2/,
      );
    assertError(
      verdictOf(301, 'PermanentRedirect', get, { endpoint: 'b.s3.example' }),
      'INVALID_REQUEST',
      /served at b\.s3\.example: set endpoint/,
    );
    assertError(verdictOf(301, '', head), 'INVALID_REQUEST', /check region \(eu-west-1\) and endpoint/);
  });

  it('asks for fresh credentials when they have expired, and only when a HEAD cannot say so, on suspicion', () => {
    for (const [status, code] of [
      [403, 'ExpiredToken'],
      [400, 'ExpiredToken'],
      [403, 'InvalidAccessKeyId'],
    ] as const)
      assertError(
        verdictOf(status, code, ifAbsent),
        'ACCESS_DENIED',
        /expired or were replaced/,
        'fresh-credentials',
      );
    const temporary = { temporaryCredentials: true };
    assertError(
      verdictOf(403, '', { ...head, ...temporary }),
      'ACCESS_DENIED',
      /may have expired/,
      'fresh-credentials',
    );
    assertError(
      verdictOf(400, '', { ...head, ...temporary }),
      'ACCESS_DENIED',
      /may have expired/,
      'fresh-credentials',
    );
    assertError(
      verdictOf(403, 'AccessDenied', { ...get, ...temporary }),
      'ACCESS_DENIED',
      /s3:ListBucket/,
      'none',
    );
  });

  it('asks for the right clock', () => {
    assertError(verdictOf(403, 'RequestTimeTooSkewed'), 'ACCESS_DENIED', /set the clock/, 'right-clock');
    assertError(
      verdictOf(403, '', { ...head, skewMs: 1_000_000 }),
      'ACCESS_DENIED',
      /set the clock/,
      'right-clock',
    );
    assertError(
      verdictOf(403, '', { ...head, skewMs: -1_000_000 }),
      'ACCESS_DENIED',
      /set the clock/,
      'right-clock',
    );
    assertError(verdictOf(403, '', { ...head, skewMs: 1_000 }), 'ACCESS_DENIED', /check the credentials/);
  });
});

describe('readRefusal', () => {
  it('reads the error document and the headers that matter', () => {
    const body = errorBody(
      'PermanentRedirect',
      '<Endpoint>e</Endpoint><RequestId>in body</RequestId><Region>r</Region>',
    );
    const date = 'Fri, 24 May 2013 00:00:00 GMT';
    assert.deepEqual(readRefusal(301, { date, 'retry-after': '7' }, body), {
      status: 301,
      code: 'PermanentRedirect',
      message: 'm',
      requestId: 'in body',
      region: 'r',
      endpoint: 'e',
      retryAfterMs: 7_000,
      dateMs: Date.UTC(2013, 4, 24),
    });
    const headers = { 'x-amz-request-id': 'in header', 'x-amz-bucket-region': 'header' };
    const { requestId, region } = readRefusal(301, headers, body);
    assert.deepEqual([requestId, region], ['in header', 'header']);
  });

  it('reads a Retry-After date against the clock of the server that wrote it', () => {
    const headers = { date: 'Fri, 24 May 2013 00:00:00 GMT', 'retry-after': 'Fri, 24 May 2013 00:01:00 GMT' };
    assert.equal(readRefusal(503, headers, Buffer.alloc(0)).retryAfterMs, 60_000);
    assert.equal(readRefusal(503, { 'retry-after': 'soon' }, Buffer.alloc(0)).retryAfterMs, undefined);
  });

  it('copes with bodies that are not what S3 writes', () => {
    for (const body of [
      '<html><body>502',
      '<html><body>Bad gateway</body></html>',
      '{"error":1}',
      '<Error/>',
      '',
    ]) {
      const { code, message, requestId } = readRefusal(502, {}, Buffer.from(body));
      assert.deepEqual([code, message, requestId], ['', '', undefined], body);
    }
  });

  it('takes what MinIO says of a HEAD from its headers', () => {
    const headers = { 'x-minio-error-code': 'NoSuchBucket', 'x-minio-error-desc': 'gone' };
    const { code, message } = readRefusal(404, headers, Buffer.alloc(0));
    assert.deepEqual([code, message], ['NoSuchBucket', 'gone']);
  });
});
