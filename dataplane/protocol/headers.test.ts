import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiVersions } from './api/api-versions.ts';
import { metadata } from './api/metadata.ts';
import { produce } from './api/produce.ts';
import {
  decodeRequestHeader,
  decodeRequestStart,
  decodeResponseHeader,
  encodeRequestFrame,
  encodeResponseFrame,
} from './headers.ts';
import { byteLengthOf } from './wire-writer.ts';

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/[\s|]/g, ''), 'hex');
}

test('a request of a flexible version has header v2, whose client id keeps its old form', () => {
  const frame = Buffer.concat(
    encodeRequestFrame(
      metadata,
      9,
      { correlationId: 7, clientId: 'me' },
      { topics: [{ name: 'ab' }], allowAutoTopicCreation: false },
    ),
  );
  const expected = '00000016 | 0003 0009 00000007 0002 6d65 00 | 02 03 6162 00 | 00 00 00 | 00';
  assert.deepEqual(frame, hex(expected));
  const body = frame.subarray(4);
  assert.deepEqual(decodeRequestStart(body), { apiKey: 3, apiVersion: 9, correlationId: 7 });
  const { header, bodyStart } = decodeRequestHeader(body, metadata, 9);
  assert.deepEqual(header, {
    requestApiKey: 3,
    requestApiVersion: 9,
    correlationId: 7,
    clientId: 'me',
  });
  assert.deepEqual(metadata.request.decode(body, 9, bodyStart), {
    topics: [{ topicId: '0'.repeat(32), name: 'ab' }],
    allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: false,
  });
});

test('a request of an older version has header v1', () => {
  const frame = Buffer.concat(
    encodeRequestFrame(metadata, 1, { correlationId: 7, clientId: null }, { topics: null }),
  );
  assert.deepEqual(frame, hex('0000000e | 0003 0001 00000007 ffff | ffffffff'));
});

test('a response to ApiVersions has header v0 in every version, others have v1 from their first flexible one', () => {
  const response = { errorCode: 35, apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }] };
  const old = Buffer.concat(encodeResponseFrame(apiVersions, 3, 5, response));
  assert.deepEqual(old, hex('00000013 | 00000005 | 0023 02 0012 0000 0004 00 00000000 00'));
  assert.deepEqual(decodeResponseHeader(old.subarray(4), apiVersions, 3), { correlationId: 5, bodyStart: 4 });

  const flexible = Buffer.concat(encodeResponseFrame(produce, 9, 5, { responses: [] }));
  assert.deepEqual(flexible, hex('0000000b | 00000005 00 | 01 00000000 00'));
  assert.deepEqual(decodeResponseHeader(flexible.subarray(4), produce, 9), {
    correlationId: 5,
    bodyStart: 5,
  });
});

test('records are passed through uncopied, between the buffers of what is around them', () => {
  const first = Buffer.alloc(600, 1);
  const second = Buffer.alloc(700, 2);
  const buffers = encodeRequestFrame(
    produce,
    9,
    { correlationId: 1, clientId: 'c' },
    {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 't', partitionData: [{ index: 0, records: [first, second] }] }],
    },
  );
  assert.equal(buffers[1], first);
  assert.equal(buffers[2], second);
  const frame = Buffer.concat(buffers);
  assert.equal(frame.readInt32BE(0), byteLengthOf(buffers) - 4);
  const body = frame.subarray(4);
  const { bodyStart } = decodeRequestHeader(body, produce, 9);
  const decoded = produce.request.decode(body, 9, bodyStart);
  const records = decoded.topicData[0]?.partitionData[0]?.records;
  assert.deepEqual(records, Buffer.concat([first, second]));
  assert.equal(records?.buffer, frame.buffer);
});
