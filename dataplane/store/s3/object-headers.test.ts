import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ByteRange } from '../object-store.ts';
import type { BodyFraming, ResponseHead, ResponseHeaders } from './http/response-head.ts';
import {
  AnswerError,
  answeredBytes,
  headInfo,
  quotedETag,
  rangeHeader,
  wholeObjectCrc32c,
} from './object-headers.ts';

function head(status: number, headers: ResponseHeaders, framing: BodyFraming): ResponseHead {
  return { status, headers, framing, keepAlive: true, keepAliveMs: undefined };
}

function sized(sizeBytes: number): BodyFraming {
  return { kind: 'sized', sizeBytes };
}

function ranged(contentRange: string, bytes: number, range: ByteRange): unknown {
  return answeredBytes(head(206, { 'content-range': contentRange }, sized(bytes)), range, undefined);
}

describe('headers of objects', () => {
  it('ask for ranges with an inclusive end', () => {
    assert.equal(rangeHeader({ start: 0 }), 'bytes=0-');
    assert.equal(rangeHeader({ start: 1, end: 4 }), 'bytes=1-3');
    assert.equal(rangeHeader({ suffix: 65536 }), 'bytes=-65536');
  });

  it('tell which bytes came', () => {
    assert.deepEqual(answeredBytes(head(200, {}, sized(5)), undefined, undefined), {
      offset: 0,
      sizeBytes: 5,
    });
    assert.deepEqual(answeredBytes(head(200, {}, { kind: 'chunked' }), undefined, 7), {
      offset: 0,
      sizeBytes: 7,
    });
    assert.deepEqual(ranged('bytes 1-3/10', 3, { start: 1, end: 4 }), { offset: 1, sizeBytes: 10 });
    assert.deepEqual(ranged('bytes 8-9/10', 2, { start: 8, end: 100 }), { offset: 8, sizeBytes: 10 });
    assert.deepEqual(ranged('bytes 8-9/10', 2, { start: 8 }), { offset: 8, sizeBytes: 10 });
    assert.deepEqual(ranged('bytes 7-9/10', 3, { suffix: 3 }), { offset: 7, sizeBytes: 10 });
    assert.deepEqual(ranged('bytes 0-9/10', 10, { suffix: 30 }), { offset: 0, sizeBytes: 10 });
  });

  it('do not pass for an answer when they tell of other bytes than those asked for', () => {
    const wrong: (() => unknown)[] = [
      () => ranged('bytes 0-3/10', 4, { start: 1, end: 4 }),
      () => ranged('bytes 1-2/10', 2, { start: 1, end: 4 }),
      () => ranged('bytes 1-3/10', 2, { start: 1, end: 4 }),
      () => ranged('bytes 1-3/*', 3, { start: 1, end: 4 }),
      () => ranged('', 3, { start: 1, end: 4 }),
      // The whole object, of whatever size, instead of a range of it.
      () => answeredBytes(head(200, {}, sized(10)), { start: 1, end: 4 }, undefined),
      () => answeredBytes(head(206, { 'content-range': 'bytes 0-9/10' }, sized(10)), undefined, undefined),
      // A cut could not be told from the end.
      () => answeredBytes(head(200, {}, { kind: 'until-close' }), undefined, 10),
      () => answeredBytes(head(200, {}, { kind: 'chunked' }), undefined, undefined),
    ];
    for (const read of wrong) assert.throws(read, AnswerError);
  });

  it('make up what is known of an object', () => {
    const headers = {
      'content-length': '12',
      etag: '"e"',
      'x-amz-meta-id': 'me',
      'last-modified': 'Fri, 24 May 2013 00:00:00 GMT',
    };
    const info = { sizeBytes: 12, etag: '"e"', id: 'me', lastModifiedMs: Date.UTC(2013, 4, 24) };
    assert.deepEqual(headInfo(headers), info);
    assert.throws(() => headInfo({ ...headers, etag: '' }), /no ETag/);
    assert.throws(() => headInfo({ etag: '"e"' }), /no Content-Length/);
  });

  it('have ETags in quotes, also where a store leaves them out', () => {
    assert.deepEqual(['"a"', 'a', 'W/"a"'].map(quotedETag), ['"a"', '"a"', 'W/"a"']);
  });

  it('tell the checksum of a whole object, not that of its parts', () => {
    const crc = { 'x-amz-checksum-crc32c': '4waSgw==' };
    assert.equal(wholeObjectCrc32c(crc), '4waSgw==');
    assert.equal(wholeObjectCrc32c({ ...crc, 'x-amz-checksum-type': 'FULL_OBJECT' }), '4waSgw==');
    assert.equal(wholeObjectCrc32c({ ...crc, 'x-amz-checksum-type': 'COMPOSITE' }), undefined);
    assert.equal(wholeObjectCrc32c({ 'x-amz-checksum-crc32c': '4waSgw==-3' }), undefined);
    assert.equal(wholeObjectCrc32c({}), undefined);
  });
});
