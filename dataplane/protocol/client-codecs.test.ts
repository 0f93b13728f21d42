import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import * as platformatic from '@platformatic/kafka';
import { apis } from './apis.ts';
import type { AnyApi } from './api.ts';
import { layoutStruct } from './field-layout.ts';
import type { FieldLayout } from './field-layout.ts';
import type { Fields, FieldType } from './field.ts';
import { decodeRequestHeader, encodeRequestFrame } from './headers.ts';
import { drawFrom, drawMessage, isFlexible } from './message-fixture.ts';
import type { Struct } from './message-fixture.ts';
import type { Message } from './message.ts';

/** Responses drawn of each version. */
const drawn = 20;

interface PlatformaticCodec {
  readonly name: string;
  readonly api: AnyApi;
  readonly version: number;
  readonly parse: (
    correlationId: number,
    key: number,
    version: number,
    reader: platformatic.Reader,
  ) => unknown;
}

test('@platformatic/kafka reads our responses to the end and finds in them what we wrote', () => {
  const codecs = platformaticCodecs();
  assert.ok(codecs.length > 150, `only ${codecs.length} codecs found`);
  for (const { name, api, version, parse } of codecs) {
    const response = api.response as Message<Struct, Struct>;
    const flexible = isFlexible(response, version);
    for (let seed = 0; seed < drawn; seed++) {
      const drawnValue = drawMessage(response, version, drawFrom(seed));
      const value = withoutErrors(response.fields, drawnValue);
      const bytes = Buffer.concat(response.encode(value, version));
      const reader = platformatic.Reader.from(bytes);
      const theirs = parse(0, api.key, version, reader);
      assert.equal(reader.remaining, 0, `${name}: bytes left`);
      assertSameStruct(value, theirs, response.fields, version, flexible, name);
    }
  }
});

test('requests of @platformatic/kafka say what was asked for', () => {
  const topicId = '01234567-89ab-cdef-0123-456789abcdef';
  const metadata = platformatic.metadataV12.createRequest(['orders'], false, true);
  assert.deepEqual(apis.metadata.request.decode(metadata.buffer, 12), {
    topics: [{ topicId: '0'.repeat(32), name: 'orders' }],
    allowAutoTopicCreation: false,
    includeClusterAuthorizedOperations: false,
    includeTopicAuthorizedOperations: true,
  });

  const partition = {
    partition: 3,
    currentLeaderEpoch: 5,
    fetchOffset: 2n ** 40n,
    lastFetchedEpoch: 4,
    partitionMaxBytes: 1_048_576,
  };
  const topic = { topicId, partitions: [partition] };
  const fetch = platformatic.fetchV17.createRequest(500, 1, 52_428_800, 1, 7, 8, [topic], [], 'zone-a');
  const decoded = apis.fetch.request.decode(fetch.buffer, 17);
  assert.deepEqual(Buffer.concat(apis.fetch.request.encode(decoded, 17)), fetch.buffer);
  assert.equal(decoded.rackId, 'zone-a');
  assert.equal(decoded.topics[0]?.topicId, topicId.replaceAll('-', ''));
  assert.equal(decoded.topics[0]?.partitions[0]?.fetchOffset, 2 ** 40);

  const join = platformatic.joinGroupV9.createRequest('g', 45_000, 300_000, 'm', 'i', 'consumer', [
    { name: 'range', metadata: Buffer.from('metadata') },
  ]);
  assert.deepEqual(apis.joinGroup.request.decode(join.buffer, 9), {
    groupId: 'g',
    sessionTimeoutMs: 45_000,
    rebalanceTimeoutMs: 300_000,
    memberId: 'm',
    groupInstanceId: 'i',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('metadata') }],
    reason: null,
  });
});

/** What kafkajs makes of a request: internal, and without types. */
interface KafkajsRequest {
  readonly apiKey: number;
  readonly apiVersion: number;
}
type KafkajsRequests = Record<
  string,
  { readonly protocol: (of: { version: number }) => (request: object) => { request: KafkajsRequest } }
>;
type KafkajsFrame = (request: object) => Promise<{ readonly buffer: Buffer; size(): number }>;

test('requests of kafkajs are, byte for byte, what we would send', async () => {
  const require = createRequire(import.meta.url);
  const { requests } = require('kafkajs/src/protocol/requests') as { requests: KafkajsRequests };
  const frameOf = require('kafkajs/src/protocol/request') as KafkajsFrame;
  const caller = { correlationId: 9, clientId: 'kafkajs' };

  const cases = [
    kafkajsCase(
      apis.metadata,
      6,
      { topics: ['orders', 'zürich'], allowAutoTopicCreation: false },
      { topics: [{ name: 'orders' }, { name: 'zürich' }], allowAutoTopicCreation: false },
    ),
    kafkajsCase(
      apis.joinGroup,
      5,
      {
        groupId: 'g',
        sessionTimeout: 45_000,
        rebalanceTimeout: 300_000,
        memberId: '',
        protocolType: 'consumer',
        groupProtocols: [{ name: 'range', metadata: Buffer.from('metadata') }],
      },
      {
        groupId: 'g',
        sessionTimeoutMs: 45_000,
        rebalanceTimeoutMs: 300_000,
        memberId: '',
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: Buffer.from('metadata') }],
      },
    ),
    kafkajsCase(
      apis.fetch,
      11,
      {
        replicaId: -1,
        maxWaitTime: 500,
        minBytes: 1,
        maxBytes: 1_048_576,
        isolationLevel: 1,
        topics: [
          { topic: 'orders', partitions: [{ partition: 2, fetchOffset: '1099511627776', maxBytes: 65_536 }] },
        ],
        rackId: 'zone-a',
      },
      {
        maxWaitMs: 500,
        minBytes: 1,
        maxBytes: 1_048_576,
        isolationLevel: 1,
        sessionId: 0,
        sessionEpoch: -1,
        topics: [
          {
            topic: 'orders',
            partitions: [{ partition: 2, fetchOffset: 2 ** 40, partitionMaxBytes: 65_536 }],
          },
        ],
        rackId: 'zone-a',
      },
    ),
    kafkajsCase(
      apis.listOffsets,
      3,
      {
        replicaId: -1,
        isolationLevel: 1,
        topics: [{ topic: 'orders', partitions: [{ partition: 2, timestamp: -1 }] }],
      },
      {
        replicaId: -1,
        isolationLevel: 1,
        topics: [{ name: 'orders', partitions: [{ partitionIndex: 2, timestamp: -1 }] }],
      },
    ),
    kafkajsCase(
      apis.offsetCommit,
      5,
      {
        groupId: 'g',
        groupGenerationId: 3,
        memberId: 'm',
        topics: [{ topic: 'orders', partitions: [{ partition: 2, offset: '7', metadata: null }] }],
      },
      {
        groupId: 'g',
        generationIdOrMemberEpoch: 3,
        memberId: 'm',
        topics: [
          {
            name: 'orders',
            partitions: [{ partitionIndex: 2, committedOffset: 7, committedMetadata: null }],
          },
        ],
      },
    ),
  ];

  for (const { api, version, theirs, ours } of cases) {
    const { request } = requests[api.name]?.protocol({ version })(theirs) ?? {};
    assert.deepEqual([request?.apiKey, request?.apiVersion], [api.key, version]);
    const encoder = await frameOf({ ...caller, request });
    const untyped = { ...api, request: api.request as Message<Struct, Struct> };
    const frame = Buffer.concat(encodeRequestFrame(untyped, version, caller, ours));
    assert.deepEqual(frame, encoder.buffer.subarray(0, encoder.size()), api.name);
    const { bodyStart } = decodeRequestHeader(frame.subarray(4), api, version);
    const decoded = untyped.request.decode(frame.subarray(4), version, bodyStart);
    assert.deepEqual(Buffer.concat(encodeRequestFrame(untyped, version, caller, decoded)), frame);
  }
});

function kafkajsCase<A extends AnyApi>(
  api: A,
  version: number,
  theirs: object,
  ours: A['request'] extends Message<unknown, infer I> ? I : never,
): { api: AnyApi; version: number; theirs: object; ours: Struct } {
  return { api, version, theirs, ours: ours as Struct };
}

/** Its codecs of the APIs and versions that we declare. */
function platformaticCodecs(): PlatformaticCodec[] {
  const all: Readonly<Record<string, unknown>> = platformatic;
  return Object.entries(apis).flatMap(([id, api]) => {
    const versions = Array.from({ length: api.versions.max + 1 }, (_, version) => version);
    return versions.slice(api.versions.min).flatMap((version) => {
      const name = `${id}V${version}`;
      const codec = all[name] as { parseResponse: PlatformaticCodec['parse'] } | undefined;
      return codec === undefined ? [] : [{ name, api, version, parse: codec.parseResponse }];
    });
  });
}

/** Its parsers throw when they read an error, and read batches in records. */
function withoutErrors(fields: Fields, value: Struct): Struct {
  const entries = Object.entries(fields).map(([name, { type }]): [string, unknown] => {
    const content = value[name];
    if (type.kind === 'records') return [name, null];
    if (/errorCode$/i.test(name)) return [name, 0];
    if (/errorMessage$/i.test(name)) return [name, content === null ? null : ''];
    return [name, valueWithoutErrors(type, content)];
  });
  return Object.fromEntries(entries);
}

function valueWithoutErrors(type: FieldType, value: unknown): unknown {
  if (value === null) return null;
  if (type.kind === 'struct') return withoutErrors(type.fields, value as Struct);
  if (type.kind !== 'array') return value;
  return (value as readonly unknown[]).map((element) => valueWithoutErrors(type.element, element));
}

function assertSameStruct(
  ours: Struct,
  theirs: unknown,
  fields: Fields,
  version: number,
  flexible: boolean,
  place: string,
): void {
  for (const field of layoutStruct(fields, version, flexible).fields) {
    // Some names are its own; what a version lacks it fills as it likes.
    if (field.place === 'absent' || !(field.name in (theirs as Struct))) continue;
    const theirValue = (theirs as Struct)[field.name];
    assertSameValue(ours[field.name], theirValue, field, version, flexible, `${place}.${field.name}`);
  }
}

function assertSameValue(
  ours: unknown,
  theirs: unknown,
  field: Pick<FieldLayout, 'type'>,
  version: number,
  flexible: boolean,
  place: string,
): void {
  const { type } = field;
  if (ours === null || theirs === undefined) {
    assert.ok(theirs === null || theirs === undefined || type.kind === 'records', place);
    return;
  }
  switch (type.kind) {
    case 'struct':
      assertSameStruct(ours as Struct, theirs, type.fields, version, flexible, place);
      break;
    case 'array': {
      const elements = theirs as readonly unknown[];
      assert.equal(elements.length, (ours as readonly unknown[]).length, place);
      elements.forEach((element, i) => {
        const own = (ours as readonly unknown[])[i];
        assertSameValue(own, element, { type: type.element }, version, flexible, `${place}[${i}]`);
      });
      break;
    }
    case 'uuid':
      assert.equal((theirs as string).replaceAll('-', ''), ours, place);
      break;
    default:
      assert.deepEqual(typeof theirs === 'bigint' ? Number(theirs) : theirs, ours, place);
  }
}
