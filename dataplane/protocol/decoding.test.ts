import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fetch } from './api/fetch.ts';
import { heartbeat } from './api/heartbeat.ts';
import { metadata } from './api/metadata.ts';
import { produce } from './api/produce.ts';
import { decodeSubscription, encodeSubscription } from './consumer-protocol.ts';
import { consumerGroupMetadataRecord } from './coordinator-records/consumer-group-metadata.ts';
import { coordinatorRecordIdOf } from './coordinator-records/coordinator-records.ts';
import { groupMetadataRecord } from './coordinator-records/group-metadata.ts';
import { offsetCommitRecord } from './coordinator-records/offset-commit.ts';
import { ProtocolError } from './errors.ts';
import { array, bytes, float64, int32, int64, int8, string, struct, uint16, uint32 } from './field.ts';
import { defineMessage } from './message.ts';

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/[\s|]/g, ''), 'hex');
}

/** The error's code and message. */
function refusal(decode: () => unknown): string {
  try {
    decode();
  } catch (error) {
    assert.ok(error instanceof ProtocolError);
    return `${error.code}: ${error.message}`;
  }
  return 'accepted';
}

test('every type is read as Kafka writes it', () => {
  const message = defineMessage({
    name: 'Everything',
    versions: '0-1',
    flexible: '1+',
    fields: {
      small: int8(),
      port: uint16(),
      count: uint32(),
      ratio: float64(),
      name: string({ nullable: '0+' }),
      data: bytes({ nullable: '0+' }),
      list: array(int32()),
      inner: struct({ id: int64() }, { nullable: '0+' }),
      later: string({ versions: '1+', default: 'none', tag: 3 }),
    },
  });
  const old = hex(
    'ff fffe fffffffd 3fe0000000000000 0002 6162 00000001 07 00000002 00000001 fffffff0 01 ffffffffffffffff',
  );
  const value = {
    small: -1,
    port: 0xfffe,
    count: 0xffff_fffd,
    ratio: 0.5,
    name: 'ab',
    data: hex('07'),
    list: [1, -16],
    inner: { id: -1 },
    later: 'none',
  };
  assert.deepEqual(message.decode(old, 0), value);
  assert.deepEqual(Buffer.concat(message.encode(value, 0)), old);

  const flexible = hex(
    'ff fffe fffffffd 3fe0000000000000 03 6162 02 07 03 00000001 fffffff0 01 ffffffffffffffff 00 01 03 03 02 7a',
  );
  // The size of the tagged field is 3, its content takes 2.
  assert.match(
    refusal(() => message.decode(flexible, 1)),
    /^TRUNCATED/,
  );
  flexible[flexible.length - 3] = 2;
  assert.deepEqual(message.decode(flexible, 1), { ...value, later: 'z' });
  assert.deepEqual(Buffer.concat(message.encode({ ...value, later: 'z' }, 1)), flexible);

  const nulls = hex('00 0000 00000000 0000000000000000 00 00 01 ff 00');
  const empty = {
    ...value,
    small: 0,
    port: 0,
    count: 0,
    ratio: 0,
    name: null,
    data: null,
    list: [],
    inner: null,
  };
  assert.deepEqual(message.decode(nulls, 1), empty);
  assert.deepEqual(Buffer.concat(message.encode(empty, 1)), nulls);
});

test('integers beyond 2^53 decode to infinities', () => {
  const message = defineMessage({
    name: 'Long',
    versions: '0',
    flexible: 'none',
    fields: { value: int64() },
  });
  const decoded = (text: string): number => message.decode(hex(text), 0).value;
  assert.equal(decoded('001fffffffffffff'), Number.MAX_SAFE_INTEGER);
  assert.equal(decoded('0020000000000000'), Infinity);
  assert.equal(decoded('7fffffffffffffff'), Infinity);
  assert.equal(decoded('ffe0000000000001'), -Number.MAX_SAFE_INTEGER);
  assert.equal(decoded('ffe0000000000000'), -Infinity);
  assert.equal(decoded('8000000000000000'), -Infinity);
});

test('fields that a version lacks have their defaults', () => {
  assert.deepEqual(fetch.request.decode(hex('ffffffff 000001f4 00000001 00000400 00 00000000'), 4), {
    clusterId: null,
    replicaId: -1,
    replicaState: { replicaId: -1, replicaEpoch: -1 },
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: 1024,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [],
    forgottenTopicsData: [],
    rackId: '',
  });
});

test('bytes and records are views of the frame, wherever it lies in its memory', () => {
  const encoded = Buffer.concat(
    produce.request.encode(
      {
        acks: 1,
        timeoutMs: 1,
        topicData: [{ name: 't', partitionData: [{ index: 0, records: hex('0102') }] }],
      },
      9,
    ),
  );
  const memory = new Uint8Array(encoded.length + 10);
  memory.set(encoded, 7);
  const decoded = produce.request.decode(memory.subarray(7, 7 + encoded.length), 9);
  const records = decoded.topicData[0]?.partitionData[0]?.records;
  assert.ok(records);
  assert.equal(records.buffer, memory.buffer);
  assert.deepEqual([...records], [1, 2]);
});

test('trailing bytes are ignored, as in Kafka', () => {
  const { value, end } = heartbeat.response.decodePart(hex('00000001 0002 ffff'), 1, 0);
  assert.deepEqual(value, { throttleTimeMs: 1, errorCode: 2 });
  assert.equal(end, 6);
});

test('unknown tagged fields are skipped, those of nested structs too', () => {
  const response = hex('00000001 0002 02 | 07 03 aabbcc | ff01 00');
  assert.deepEqual(heartbeat.response.decode(response, 4), { throttleTimeMs: 1, errorCode: 2 });
  const request = hex('02 | 00000000000000000000000000000000 02 61 01 05 01 ff | 01 00 00');
  assert.equal(metadata.request.decode(request, 12).topics?.[0]?.name, 'a');
});

test('a count that the bytes cannot hold is refused before anything is made for it', () => {
  // 2^31 - 1 topics, then as many as 2^28 in compact form, each of at least two bytes.
  assert.equal(
    refusal(() => metadata.request.decode(hex('7fffffff 0001 61'), 1)),
    'TRUNCATED: MetadataRequest v1: topics at byte 4: 2147483647 elements announced, which 3 bytes cannot hold',
  );
  assert.match(
    refusal(() => metadata.request.decode(hex('8180808001 0261 00'), 9)),
    /^TRUNCATED: .*268435456 elements announced/,
  );
});

test('memory follows the bytes that arrived, not what the first of them announce', () => {
  // Room for 8 million topics, whose array alone would take 64 MB; the first of them is broken.
  const frame = Buffer.alloc(16_000_004, 0xff);
  frame.writeInt32BE(8_000_000);
  const before = process.memoryUsage().heapUsed;
  assert.match(
    refusal(() => metadata.request.decode(frame, 0)),
    /UNEXPECTED_NULL/,
  );
  assert.ok(process.memoryUsage().heapUsed - before < 16_000_000);
});

test('lengths below -1, nulls that are not allowed, endless varints and overlong strings are refused', () => {
  const cases: readonly (readonly [RegExp, () => unknown])[] = [
    [
      /^INVALID_LENGTH: .*topics at byte 4: a length of -2/,
      () => metadata.request.decode(hex('fffffffe'), 1),
    ],
    [/^INVALID_LENGTH: .*groupId at byte 2: a length of -5/, () => heartbeat.request.decode(hex('fffb'), 0)],
    [
      /^UNEXPECTED_NULL: HeartbeatRequest v0: groupId at byte 2/,
      () => heartbeat.request.decode(hex('ffff'), 0),
    ],
    [/^UNEXPECTED_NULL: .*groupId/, () => heartbeat.request.decode(hex('00'), 4)],
    [/^UNEXPECTED_NULL: .*topics/, () => metadata.request.decode(hex('ffffffff'), 0)],
    [/^VARINT_TOO_LONG: .*groupId at byte 0/, () => heartbeat.request.decode(hex('ffffffffff01'), 4)],
    [/^VARINT_TOO_LONG/, () => heartbeat.request.decode(hex('ffffffff1f'), 4)],
    [/^TRUNCATED: .*groupId at byte 0/, () => heartbeat.request.decode(hex('ffffff'), 4)],
    [
      /^INVALID_LENGTH: .*a string of 40000 bytes/,
      () => heartbeat.request.decode(Buffer.concat([hex('c1b802'), Buffer.alloc(50_000)]), 4),
    ],
    [
      /^TRUNCATED: .*groupId at byte 2: 5 bytes expected, 1 are left/,
      () => heartbeat.request.decode(hex('0005 61'), 0),
    ],
    [
      /^TRUNCATED: .*generationId at byte 3: 4 bytes expected, 2/,
      () => heartbeat.request.decode(hex('0001 61 0000'), 0),
    ],
    [/^TRUNCATED: .*taggedFields/, () => heartbeat.response.decode(hex('00000001 0002 01 07 05 00'), 4)],
    [
      /^TRUNCATED: .*errorCode at byte 4: 2 bytes expected, 1/,
      () => heartbeat.response.decode(hex('0000000100'), 1),
    ],
  ];
  for (const [expected, decode] of cases) assert.match(refusal(decode), expected);
});

test('the path of a broken field names its place in arrays', () => {
  const bytes = hex(
    'ffff 0001 00000001 | 00000001 0001 61 | 00000002 | 00000000 ffffffff | 00000001 00000009 01',
  );
  assert.equal(
    refusal(() => produce.request.decode(bytes, 3)),
    'TRUNCATED: ProduceRequest v3: topicData[0].partitionData[1].records at byte 35: 9 bytes expected, 1 are left',
  );
});

test('tagged fields must be as long as they say', () => {
  const { value, end } = produce.response.decodePart(hex('01 00000000 01 00 01 01'), 10, 0);
  assert.deepEqual(value, { responses: [], throttleTimeMs: 0, nodeEndpoints: [] });
  assert.equal(end, 9);
  assert.match(
    refusal(() => produce.response.decode(hex('01 00000000 01 00 02 01 00'), 10)),
    /^TAGGED_FIELD_SIZE: .*nodeEndpoints at byte 9: a tagged field of 2 bytes whose content leaves 1 of them/,
  );
});

test('a version that does not exist is refused', () => {
  for (const version of [2, 14, -1, 3.5, NaN]) {
    assert.match(
      refusal(() => produce.request.decode(hex('00'), version)),
      /^UNSUPPORTED_VERSION: .*versions 3 to 13/,
    );
    assert.match(
      refusal(() => produce.request.encode({ acks: 1, timeoutMs: 1, topicData: [] }, version)),
      /^UNSUPPORTED_VERSION/,
    );
  }
});

test('a subscription of a newer version is read as the newest known one', () => {
  const subscription = encodeSubscription({ topics: ['orders'], rackId: 'zone-a' });
  subscription.writeInt16BE(9);
  assert.equal(decodeSubscription(Buffer.concat([subscription, hex('ffff')])).rackId, 'zone-a');
  assert.match(
    refusal(() => decodeSubscription(hex('00'))),
    /^TRUNCATED/,
  );
  assert.match(
    refusal(() => decodeSubscription(hex('ffff'))),
    /^UNSUPPORTED_VERSION/,
  );
});

test('records of the coordinator are told apart by their keys', () => {
  const key = offsetCommitRecord.encodeKey({ group: 'g', topic: 't', partition: 5 });
  assert.deepEqual(key, hex('0001 0001 67 0001 74 00000005'));
  assert.equal(coordinatorRecordIdOf(key), 'offsetCommit');
  assert.deepEqual(offsetCommitRecord.decodeKey(key), { group: 'g', topic: 't', partition: 5 });
  assert.equal(coordinatorRecordIdOf(hex('7fff')), undefined);
  assert.match(
    refusal(() => coordinatorRecordIdOf(hex('00'))),
    /^TRUNCATED/,
  );
  assert.equal(
    refusal(() => groupMetadataRecord.decodeKey(key)),
    'WRONG_RECORD_TYPE: GroupMetadataKey v0: at byte 0: the key of a record of type 1, not 2',
  );
  const value = consumerGroupMetadataRecord.encodeValue({ epoch: 4, metadataHash: 9 }, 0);
  assert.deepEqual(consumerGroupMetadataRecord.decodeValue(value), { epoch: 4, metadataHash: 9 });
});
