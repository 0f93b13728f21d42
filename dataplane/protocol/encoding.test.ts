import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RequestInput, RequestOf } from './api.ts';
import { createTopics } from './api/create-topics.ts';
import { fetch } from './api/fetch.ts';
import { metadata } from './api/metadata.ts';
import { offsetCommit } from './api/offset-commit.ts';
import { produce } from './api/produce.ts';
import { ProtocolError } from './errors.ts';
import { array, float64, int64, int8, string, uint16, uint32, uuid } from './field.ts';
import { defineMessage } from './message.ts';
import type { InputOf, Message } from './message.ts';
import { byteLengthOf, WireWriter } from './wire-writer.ts';

/** The error's code and message. */
function refusal(encode: () => unknown): string {
  try {
    encode();
  } catch (error) {
    assert.ok(error instanceof ProtocolError);
    return `${error.code}: ${error.message}`;
  }
  return 'accepted';
}

/** What no type would let through. */
function encodeAnything(message: Message<unknown, never>, value: unknown, version: number): () => unknown {
  return () => message.encode(value as never, version);
}

const topic = { name: 'orders', numPartitions: 3, replicationFactor: 1, assignments: [], configs: [] };

test('fields with a default, and those that some version lacks, may be left out', () => {
  const input: RequestInput<typeof createTopics> = { topics: [topic] };
  const decoded: RequestOf<typeof createTopics> = createTopics.request.decode(
    Buffer.concat(createTopics.request.encode(input, 5)),
    5,
  );
  assert.deepEqual(decoded, { topics: [topic], timeoutMs: 60_000, validateOnly: false });
});

test('a decoded message can be encoded again', () => {
  const decoded: RequestOf<typeof createTopics> = { topics: [topic], timeoutMs: 1, validateOnly: true };
  const input: RequestInput<typeof createTopics> = decoded;
  assert.deepEqual(
    createTopics.request.decode(Buffer.concat(createTopics.request.encode(input, 7)), 7),
    decoded,
  );
});

test('what has no default cannot be left out', () => {
  // @ts-expect-error: nor do the types allow it.
  const input: RequestInput<typeof produce> = { acks: 1, topicData: [] };
  assert.equal(
    refusal(() => produce.request.encode(input, 9)),
    'INVALID_VALUE: ProduceRequest v9: timeoutMs: undefined is not an int32',
  );
});

test('a value that is not of its type or range is refused, with its place', () => {
  const message = defineMessage({
    name: 'Numbers',
    versions: '0',
    flexible: '0+',
    fields: {
      list: array({
        small: int8({ default: 0 }),
        port: uint16({ default: 0 }),
        count: uint32({ default: 0 }),
      }),
      big: int64({ default: 0 }),
      ratio: float64({ default: 0 }),
      id: uuid({ tag: 0 }),
      name: string({ default: '' }),
    },
  });
  type Numbers = InputOf<typeof message>;
  const numbers: Numbers = { list: [], id: '0'.repeat(32) };
  const element = (fields: object): object => ({ ...numbers, list: [{}, fields] });
  const cases: readonly (readonly [unknown, RegExp])[] = [
    [element({ small: 128 }), /list\[1\]\.small: 128 is not an int8/],
    [element({ small: 0.5 }), /list\[1\]\.small: 0\.5 is not an int8/],
    [element({ small: '1' }), /list\[1\]\.small: "1" is not an int8/],
    [element({ port: -1 }), /list\[1\]\.port: -1 is not a uint16/],
    [element({ count: 2 ** 32 }), /list\[1\]\.count: 4294967296 is not a uint32/],
    [{ ...numbers, big: 2 ** 53 }, /big: 9007199254740992 is not an integer within/],
    [{ ...numbers, big: Infinity }, /big: Infinity is not an integer/],
    [{ ...numbers, big: 1n }, /big: 1 is not an integer/],
    [{ ...numbers, ratio: null }, /ratio: null is not a number/],
    [{ ...numbers, id: 'A'.repeat(32) }, /id: "A+" is not a uuid of 32/],
    [{ ...numbers, id: '0123' }, /id: "0123" is not a uuid/],
    [{ ...numbers, name: null }, /name: null is not a string/],
    [
      { ...numbers, name: 'x'.repeat(32_768) },
      /name: a string of 32768 characters is not a string of at most/,
    ],
    [
      { ...numbers, name: '漢'.repeat(10_923) },
      /name: a string of 10923 characters is not a string of at most/,
    ],
    [{ ...numbers, list: null }, /list: null is not an array/],
    [{ ...numbers, list: [7] }, /list\[0\]: 7 is not an object/],
    [undefined, /^INVALID_VALUE: Numbers v0: undefined is not an object/],
  ];
  for (const [value, expected] of cases) assert.match(refusal(encodeAnything(message, value, 0)), expected);
  assert.equal(
    refusal(() => message.encode({ ...numbers, name: '漢'.repeat(10_922) }, 0)),
    'accepted',
  );
});

test('null is refused where a version has none, records that are no bytes everywhere', () => {
  assert.match(
    refusal(() => metadata.request.encode({ topics: null }, 0)),
    /topics: null is not an array/,
  );
  const records = (value: unknown): (() => unknown) =>
    encodeAnything(
      produce.request,
      { acks: 1, timeoutMs: 1, topicData: [{ name: 't', partitionData: [{ index: 0, records: value }] }] },
      9,
    );
  assert.equal(refusal(records(null)), 'accepted');
  assert.equal(refusal(records([])), 'accepted');
  assert.match(refusal(records('abc')), /partitionData\[0\]\.records: "abc" is not a Uint8Array, an array/);
  assert.match(refusal(records([new Uint8Array(1), 'abc'])), /records: an array of 2 is not a Uint8Array/);
});

test('a field that a version lacks is lost when it is ignorable, else refused', () => {
  const request = { groupId: 'g', memberId: 'm', topics: [], groupInstanceId: 'static' };
  assert.equal(
    refusal(() => offsetCommit.request.encode(request, 6)),
    'FIELD_NOT_IN_VERSION: OffsetCommitRequest v6: groupInstanceId: "static" cannot be sent: this version lacks the field; leave it out or use a version that has it',
  );
  assert.equal(
    refusal(() => offsetCommit.request.encode({ ...request, groupInstanceId: null }, 6)),
    'accepted',
  );

  const fetchOf = (rackId: string): Buffer =>
    Buffer.concat(fetch.request.encode({ maxWaitMs: 1, minBytes: 1, topics: [], rackId }, 10));
  assert.deepEqual(fetchOf('zone-a'), fetchOf(''));
});

test('an encoder that threw leaves nothing behind', () => {
  const request = { acks: 1, timeoutMs: 1, topicData: [] };
  const expected = Buffer.concat(produce.request.encode(request, 9));
  const broken = { ...request, transactionalId: 'half written', acks: 40_000 };
  assert.match(
    refusal(() => produce.request.encode(broken, 9)),
    /acks: 40000/,
  );
  assert.deepEqual(Buffer.concat(produce.request.encode(request, 9)), expected);
});

test('what was encoded stays as it is when more is encoded', () => {
  const request = (name: string): RequestInput<typeof metadata> => ({ topics: [{ name }] });
  const first = metadata.request.encode(request('first'), 9);
  const copy = Buffer.concat(first);
  for (let i = 0; i < 5_000; i++) metadata.request.encode(request(`topic-${i}`), 9);
  assert.deepEqual(Buffer.concat(first), copy);
});

test('a message larger than a chunk is a few buffers', () => {
  const topics = Array.from({ length: 20_000 }, (_, i) => ({ name: `topic-${i}` }));
  const buffers = metadata.request.encode({ topics }, 9);
  assert.ok(buffers.length > 1 && buffers.length < 12, `${buffers.length} buffers`);
  const decoded = metadata.request.decode(Buffer.concat(buffers), 9);
  assert.deepEqual(
    decoded.topics?.map(({ name }) => name),
    topics.map(({ name }) => name),
  );
});

test('strings of all lengths, at every distance from the end of a chunk', () => {
  const writer = new WireWriter(64);
  for (const character of ['a', 'é', '漢']) {
    for (const length of [0, 1, 30, 41, 42, 47, 48, 49, 62, 63, 64, 126, 127, 128, 5_461, 5_462, 10_922]) {
      const text = character.repeat(length);
      const size = Buffer.byteLength(text);
      writer.begin();
      assert.ok(writer.compactString(text) && writer.string(text));
      writer.int32(-2);
      const bytes = Buffer.concat(writer.finish());
      const prefix = size + 1 < 128 ? 1 : size + 1 < 16_384 ? 2 : 3;
      assert.equal(bytes.toString('utf8', prefix, prefix + size), text);
      assert.equal(bytes.readUInt16BE(prefix + size), size);
      assert.equal(bytes.toString('utf8', prefix + size + 2, prefix + 2 * size + 2), text);
      assert.equal(bytes.readInt32BE(prefix + 2 * size + 2), -2);
      assert.equal(bytes.length, prefix + 2 * size + 6);
    }
  }
});

test('small pieces are copied, larger ones passed through', () => {
  const writer = new WireWriter(64);
  const small = Buffer.alloc(100, 1);
  const large = Buffer.alloc(1_000, 2);
  writer.int32(7);
  writer.pieces([small, large, small]);
  const { length } = writer;
  const buffers = writer.finish();
  assert.equal(length, 1_204);
  assert.equal(byteLengthOf(buffers), length);
  assert.ok(buffers.includes(large));
  small.fill(9);
  const bytes = Buffer.concat(buffers);
  assert.deepEqual([bytes[3], bytes[4], bytes[104], bytes[1_104]], [7, 1, 2, 1]);
});
