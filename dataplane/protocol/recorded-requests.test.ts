import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AnyApi, RequestInput } from './api.ts';
import { apis } from './apis.ts';
import { decodeRequestHeader, decodeRequestStart, encodeRequestFrame } from './headers.ts';
import type { RequestCaller } from './headers.ts';
import { withoutDefaults } from './message-fixture.ts';
import type { Struct } from './message-fixture.ts';
import type { Message } from './message.ts';

/**
 * What real clients sent to a broker that named the versions of Kafka 4.3, byte for byte, and what it says. Fields that
 * may be left out and have their defaults are.
 */
const recorded: readonly RecordedRequest[] = [
  frame(
    'Java client 4.3.1',
    apis.apiVersions,
    4,
    { correlationId: 0, clientId: 'java-producer' },
    { clientSoftwareName: 'apache-kafka-java', clientSoftwareVersion: '4.3.1' },
    '000000310012000400000000000d6a6176612d70726f647563657200126170616368652d6b61666b612d6a61766106342e332e3100',
  ),
  frame(
    'Java client 4.3.1',
    apis.metadata,
    13,
    { correlationId: 1, clientId: 'java-producer' },
    { topics: [{ name: 'orders' }] },
    '000000340003000d00000001000d6a6176612d70726f6475636572000200000000000000000000000000000000076f726465727300010000',
  ),
  frame(
    'Java client 4.3.1',
    apis.initProducerId,
    5,
    { correlationId: 2, clientId: 'java-producer' },
    { transactionalId: null, transactionTimeoutMs: 2147483647 },
    '000000280016000500000002000d6a6176612d70726f647563657200007fffffffffffffffffffffffffff00',
  ),
  frame(
    'Java client 4.3.1',
    apis.produce,
    13,
    { correlationId: 5, clientId: 'java-producer' },
    {
      acks: -1,
      timeoutMs: 30000,
      topicData: [
        {
          topicId: '0123456789abcdef0123456789abcdef',
          partitionData: [
            {
              index: 0,
              records: hex(
                '000000000000000000000040ffffffff0245e922480000000000000000018bcfe568000000018bcfe568000000000000000007000000000000000000011c000000066b65790a76616c756500',
              ),
            },
          ],
        },
      ],
    },
    '000000850000000d00000005000d6a6176612d70726f64756365720000ffff00007530020123456789abcdef0123456789abcdef02000000004d000000000000000000000040ffffffff0245e922480000000000000000018bcfe568000000018bcfe568000000000000000007000000000000000000011c000000066b65790a76616c756500000000',
  ),
  frame(
    'Java client 4.3.1',
    apis.findCoordinator,
    6,
    { correlationId: 0, clientId: 'java-consumer' },
    { coordinatorKeys: ['billing'] },
    '00000023000a000600000000000d6a6176612d636f6e73756d65720000020862696c6c696e6700',
  ),
  frame(
    'Java client 4.3.1',
    apis.joinGroup,
    9,
    { correlationId: 6, clientId: 'java-consumer' },
    {
      groupId: 'billing',
      sessionTimeoutMs: 45000,
      rebalanceTimeoutMs: 300000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [
        {
          name: 'range',
          metadata: hex('00030000000100066f7264657273ffffffff00000000ffffffff00067a6f6e652d61'),
        },
        {
          name: 'cooperative-sticky',
          metadata: hex('00030000000100066f726465727300000004ffffffff00000000ffffffff00067a6f6e652d61'),
        },
      ],
      reason: '',
    },
    '0000009b000b000900000006000d6a6176612d636f6e73756d6572000862696c6c696e670000afc8000493e0010009636f6e73756d6572030672616e67652300030000000100066f7264657273ffffffff00000000ffffffff00067a6f6e652d610013636f6f70657261746976652d737469636b792700030000000100066f726465727300000004ffffffff00000000ffffffff00067a6f6e652d61000100',
  ),
  frame(
    'Java client 4.3.1',
    apis.syncGroup,
    5,
    { correlationId: 8, clientId: 'java-consumer' },
    {
      groupId: 'billing',
      generationId: 1,
      memberId: 'm-1',
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: [
        { memberId: 'm-1', assignment: hex('00030000000100066f72646572730000000100000000ffffffff') },
      ],
    },
    '0000005a000e000500000008000d6a6176612d636f6e73756d6572000862696c6c696e6700000001046d2d310009636f6e73756d65720672616e676502046d2d311b00030000000100066f72646572730000000100000000ffffffff0000',
  ),
  frame(
    'Java client 4.3.1',
    apis.fetch,
    18,
    { correlationId: 10, clientId: 'java-consumer' },
    {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 52428800,
      sessionEpoch: 0,
      topics: [
        {
          topicId: '0123456789abcdef0123456789abcdef',
          partitions: [{ partition: 0, currentLeaderEpoch: 0, fetchOffset: 0, partitionMaxBytes: 1048576 }],
        },
      ],
      rackId: 'zone-a',
    },
    '0000006a000100120000000a000d6a6176612d636f6e73756d657200000001f40000000103200000000000000000000000020123456789abcdef0123456789abcdef0200000000000000000000000000000000ffffffffffffffffffffffff00100000000001077a6f6e652d6100',
  ),
  frame(
    'Java client 4.3.1',
    apis.heartbeat,
    4,
    { correlationId: 1781, clientId: 'java-consumer' },
    { groupId: 'billing', generationId: 1, memberId: 'm-1' },
    '0000002a000c0004000006f5000d6a6176612d636f6e73756d6572000862696c6c696e6700000001046d2d310000',
  ),
  frame(
    'Java client 4.3.1',
    apis.leaveGroup,
    5,
    { correlationId: 1798, clientId: 'java-consumer' },
    { groupId: 'billing', members: [{ memberId: 'm-1', reason: 'the consumer is being closed' }] },
    '00000045000d000500000706000d6a6176612d636f6e73756d6572000862696c6c696e6702046d2d31001d74686520636f6e73756d6572206973206265696e6720636c6f7365640000',
  ),
  frame(
    'Java client 4.3.1',
    apis.consumerGroupHeartbeat,
    1,
    { correlationId: 13, clientId: 'java-consumer' },
    {
      groupId: 'billing',
      memberId: 'sRV0vZhuQ4eqblB_VxTuMQ',
      memberEpoch: 0,
      rackId: 'zone-a',
      rebalanceTimeoutMs: 300000,
      subscribedTopicNames: ['orders'],
      topicPartitions: [],
    },
    '00000053004400010000000d000d6a6176612d636f6e73756d6572000862696c6c696e671773525630765a687551346571626c425f567854754d510000000000077a6f6e652d61000493e002076f726465727300000100',
  ),
  frame(
    'Java client 4.3.1',
    apis.offsetFetch,
    10,
    { correlationId: 15, clientId: 'java-consumer' },
    {
      groups: [
        {
          groupId: 'billing',
          memberId: 'sRV0vZhuQ4eqblB_VxTuMQ',
          memberEpoch: 1,
          topics: [{ topicId: '0123456789abcdef0123456789abcdef', partitionIndexes: [0] }],
        },
      ],
      requireStable: true,
    },
    '000000560009000a0000000f000d6a6176612d636f6e73756d657200020862696c6c696e671773525630765a687551346571626c425f567854754d5100000001020123456789abcdef0123456789abcdef020000000000000100',
  ),
  frame(
    'Java client 4.3.1',
    apis.offsetCommit,
    10,
    { correlationId: 26, clientId: 'java-consumer' },
    {
      groupId: 'billing',
      generationIdOrMemberEpoch: 1,
      memberId: 'sRV0vZhuQ4eqblB_VxTuMQ',
      topics: [
        {
          topicId: '0123456789abcdef0123456789abcdef',
          partitions: [
            { partitionIndex: 0, committedOffset: 3, committedLeaderEpoch: 1, committedMetadata: 'meta' },
          ],
        },
      ],
    },
    '000000660008000a0000001a000d6a6176612d636f6e73756d6572000862696c6c696e67000000011773525630765a687551346571626c425f567854754d5100020123456789abcdef0123456789abcdef0200000000000000000000000300000001056d657461000000',
  ),
  frame(
    'Java client 4.3.1',
    apis.createTopics,
    7,
    { correlationId: 3, clientId: 'java-admin' },
    {
      topics: [
        {
          name: 'orders',
          numPartitions: 3,
          replicationFactor: 1,
          assignments: [],
          configs: [{ name: 'retention.ms', value: '1000' }],
        },
      ],
      timeoutMs: 1995,
    },
    '0000003f0013000700000003000a6a6176612d61646d696e0002076f726465727300000003000101020d726574656e74696f6e2e6d7305313030300000000007cb0000',
  ),
  frame(
    'Java client 4.3.1',
    apis.incrementalAlterConfigs,
    1,
    { correlationId: 4, clientId: 'java-admin' },
    {
      resources: [
        {
          resourceType: 2,
          resourceName: 'orders',
          configs: [{ name: 'retention.ms', configOperation: 0, value: '5' }],
        },
      ],
      validateOnly: false,
    },
    '00000033002c000100000004000a6a6176612d61646d696e000202076f7264657273020d726574656e74696f6e2e6d7300023500000000',
  ),
  frame(
    'Java client 4.3.1',
    apis.describeConfigs,
    4,
    { correlationId: 5, clientId: 'java-admin' },
    {
      resources: [{ resourceType: 2, resourceName: 'orders', configurationKeys: null }],
    },
    '000000230020000400000005000a6a6176612d61646d696e000202076f72646572730000000000',
  ),
  frame(
    'Java client 4.3.1',
    apis.describeCluster,
    2,
    { correlationId: 6, clientId: 'java-admin' },
    { includeClusterAuthorizedOperations: false },
    '00000019003c000200000006000a6a6176612d61646d696e0000010000',
  ),
  frame(
    'Java client 4.3.1',
    apis.deleteRecords,
    2,
    { correlationId: 8, clientId: 'java-admin' },
    { topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, offset: 5 }] }], timeoutMs: 5000 },
    '000000310015000200000008000a6a6176612d61646d696e0002076f72646572730200000000000000000000000500000000138800',
  ),
  frame(
    'Java client 4.3.1',
    apis.listGroups,
    5,
    { correlationId: 10, clientId: 'java-admin' },
    {},
    '00000018001000050000000a000a6a6176612d61646d696e00010100',
  ),
  frame(
    'Java client 4.3.1',
    apis.listOffsets,
    11,
    { correlationId: 3, clientId: 'java-consumer' },
    {
      replicaId: -1,
      topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, currentLeaderEpoch: 0, timestamp: -2 }] }],
      timeoutMs: 30000,
    },
    '0000003d0002000b00000003000d6a6176612d636f6e73756d657200ffffffff0002076f7264657273020000000000000000fffffffffffffffe00000000753000',
  ),
  frame(
    'librdkafka 2.16.0',
    apis.apiVersions,
    3,
    { correlationId: 1, clientId: 'rdkafka' },
    { clientSoftwareName: 'confluent-kafka-python', clientSoftwareVersion: '2.16.1-rdkafka-2.16.0' },
    '000000400012000300000001000772646b61666b610017636f6e666c75656e742d6b61666b612d707974686f6e16322e31362e312d72646b61666b612d322e31362e3000',
  ),
  frame(
    'librdkafka 2.16.0',
    apis.produce,
    10,
    { correlationId: 4, clientId: 'rdkafka' },
    {
      acks: -1,
      timeoutMs: 30000,
      topicData: [
        {
          name: 'orders',
          partitionData: [
            {
              index: 0,
              records: hex(
                '000000000000000000000040000000000245e922480000000000000000018bcfe568000000018bcfe568000000000000000007000000000000000000011c000000066b65790a76616c756500',
              ),
            },
          ],
        },
      ],
    },
    '000000760000000a00000004000772646b61666b610000ffff0000753002076f726465727302000000004d000000000000000000000040000000000245e922480000000000000000018bcfe568000000018bcfe568000000000000000007000000000000000000011c000000066b65790a76616c756500000000',
  ),
  frame(
    'librdkafka 2.16.0',
    apis.findCoordinator,
    2,
    { correlationId: 3, clientId: 'rdkafka' },
    { key: 'billing' },
    '0000001b000a000200000003000772646b61666b61000762696c6c696e6700',
  ),
  frame(
    'librdkafka 2.16.0',
    apis.joinGroup,
    5,
    { correlationId: 3, clientId: 'rdkafka' },
    {
      groupId: 'billing',
      sessionTimeoutMs: 45000,
      rebalanceTimeoutMs: 300000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [
        {
          name: 'range',
          metadata: hex('00030000000100066f72646572730000000000000000ffffffff00067a6f6e652d61'),
        },
        {
          name: 'roundrobin',
          metadata: hex('00030000000100066f72646572730000000000000000ffffffff00067a6f6e652d61'),
        },
      ],
    },
    '00000093000b000500000003000772646b61666b61000762696c6c696e670000afc8000493e00000ffff0008636f6e73756d657200000002000572616e67650000002200030000000100066f72646572730000000000000000ffffffff00067a6f6e652d61000a726f756e64726f62696e0000002200030000000100066f72646572730000000000000000ffffffff00067a6f6e652d61',
  ),
  frame(
    'librdkafka 2.16.0',
    apis.fetch,
    16,
    { correlationId: 6, clientId: 'rdkafka' },
    {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 52428800,
      isolationLevel: 1,
      topics: [
        {
          topicId: '0123456789abcdef0123456789abcdef',
          partitions: [{ partition: 0, currentLeaderEpoch: 0, fetchOffset: 0, partitionMaxBytes: 1048576 }],
        },
      ],
      rackId: 'zone-a',
    },
    '000000640001001000000006000772646b61666b6100000001f400000001032000000100000000ffffffff020123456789abcdef0123456789abcdef0200000000000000000000000000000000ffffffffffffffffffffffff00100000000001077a6f6e652d6100',
  ),
  frame(
    'librdkafka 2.16.0',
    apis.listOffsets,
    7,
    { correlationId: 13974, clientId: 'rdkafka' },
    {
      replicaId: -1,
      isolationLevel: 1,
      topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, timestamp: -2 }] }],
    },
    '000000330002000700003696000772646b61666b6100ffffffff0102076f72646572730200000000fffffffffffffffffffffffe000000',
  ),
  frame(
    'librdkafka 2.16.0',
    apis.offsetCommit,
    9,
    { correlationId: 10, clientId: 'rdkafka' },
    {
      groupId: 'billing',
      generationIdOrMemberEpoch: 1,
      memberId: 'm-1',
      topics: [
        { name: 'orders', partitions: [{ partitionIndex: 0, committedOffset: 3, committedMetadata: '' }] },
      ],
    },
    '00000040000800090000000a000772646b61666b61000862696c6c696e6700000001046d2d310002076f726465727302000000000000000000000003ffffffff01000000',
  ),
  frame(
    'librdkafka 2.16.0',
    apis.leaveGroup,
    1,
    { correlationId: 11, clientId: 'rdkafka' },
    { groupId: 'billing', memberId: 'm-1' },
    '0000001f000d00010000000b000772646b61666b61000762696c6c696e6700036d2d31',
  ),
  frame(
    'librdkafka 2.16.0',
    apis.createTopics,
    4,
    { correlationId: 3, clientId: 'rdkafka' },
    {
      topics: [
        {
          name: 'orders',
          numPartitions: 3,
          replicationFactor: 1,
          assignments: [],
          configs: [{ name: 'retention.ms', value: '1000' }],
        },
      ],
    },
    '000000440013000400000003000772646b61666b610000000100066f72646572730000000300010000000000000001000c726574656e74696f6e2e6d730004313030300000ea6000',
  ),
  frame(
    'kafka-python 3.0.12',
    apis.produce,
    9,
    { correlationId: 3, clientId: 'kafka-python' },
    {
      acks: -1,
      timeoutMs: 30000,
      topicData: [
        {
          name: 'orders',
          partitionData: [
            {
              index: 0,
              records: hex(
                '000000000000000000000040000000000245e922480000000000000000018bcfe568000000018bcfe568000000000000000007000000000000000000011c000000066b65790a76616c756500',
              ),
            },
          ],
        },
      ],
    },
    '0000007b0000000900000003000c6b61666b612d707974686f6e0000ffff0000753002076f726465727302000000004d000000000000000000000040000000000245e922480000000000000000018bcfe568000000018bcfe568000000000000000007000000000000000000011c000000066b65790a76616c756500000000',
  ),
  frame(
    'kafka-python 3.0.12',
    apis.joinGroup,
    7,
    { correlationId: 2, clientId: 'kafka-python' },
    {
      groupId: 'billing',
      sessionTimeoutMs: 45000,
      rebalanceTimeoutMs: 300000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [
        { name: 'range', metadata: hex('00000000000100066f726465727300000000') },
        { name: 'roundrobin', metadata: hex('00000000000100066f726465727300000000') },
      ],
    },
    '0000006d000b000700000002000c6b61666b612d707974686f6e000862696c6c696e670000afc8000493e0010009636f6e73756d6572030672616e67651300000000000100066f726465727300000000000b726f756e64726f62696e1300000000000100066f7264657273000000000000',
  ),
  frame(
    'kafka-python 3.0.12',
    apis.offsetFetch,
    8,
    { correlationId: 5, clientId: 'kafka-python' },
    { groups: [{ groupId: 'billing', topics: [{ name: 'orders', partitionIndexes: [0] }] }] },
    '000000310009000800000005000c6b61666b612d707974686f6e00020862696c6c696e6702076f7264657273020000000000000000',
  ),
  frame(
    'kafka-python 3.0.12',
    apis.fetch,
    12,
    { correlationId: 3, clientId: 'kafka-python' },
    {
      maxWaitMs: 500,
      minBytes: 1,
      maxBytes: 52428800,
      sessionEpoch: 0,
      topics: [
        {
          topic: 'orders',
          partitions: [{ partition: 0, currentLeaderEpoch: 0, fetchOffset: 0, partitionMaxBytes: 1048576 }],
        },
      ],
    },
    '0000005e0001000c00000003000c6b61666b612d707974686f6e00ffffffff000001f4000000010320000000000000000000000002076f72646572730200000000000000000000000000000000ffffffffffffffffffffffff001000000000010100',
  ),
];

interface RecordedRequest {
  readonly client: string;
  readonly api: AnyApi;
  readonly version: number;
  readonly caller: RequestCaller;
  readonly request: Struct;
  /** The frame, its size included. */
  readonly bytes: Buffer;
}

function frame<A extends AnyApi>(
  client: string,
  api: A,
  version: number,
  caller: RequestCaller,
  request: RequestInput<A>,
  bytes: string,
): RecordedRequest {
  return { client, api, version, caller, request: request as Struct, bytes: hex(bytes) };
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}

for (const { client, api, version, caller, request, bytes } of recorded) {
  const { correlationId, clientId } = caller;

  test(`${api.name} v${version} of the ${client} is read`, () => {
    const body = bytes.subarray(4);
    assert.equal(bytes.readInt32BE(0), body.length);
    assert.deepEqual(decodeRequestStart(body), { apiKey: api.key, apiVersion: version, correlationId });
    const { header, bodyStart } = decodeRequestHeader(body, api, version);
    assert.deepEqual(header, { requestApiKey: api.key, requestApiVersion: version, correlationId, clientId });
    const { value, end } = api.request.decodePart(body, version, bodyStart);
    assert.deepEqual(withoutDefaults(api.request.fields, version, value as Struct), request);
    assert.equal(end, body.length);
  });

  test(`${api.name} v${version} of the ${client} is what we would send`, () => {
    const untyped = { ...api, request: api.request as Message<Struct, Struct> };
    assert.deepEqual(Buffer.concat(encodeRequestFrame(untyped, version, caller, request)), bytes);
  });
}
