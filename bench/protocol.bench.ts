/**
 * Requests and responses: what encoding and decoding one takes, without the records in it, which are not looked at. Where
 * a client has a codec for the same thing it is measured beside ours, on the same bytes or the same content.
 */
import { createRequire } from 'node:module';
import * as platformatic from '@platformatic/kafka';
import { fetch } from '../dataplane/protocol/api/fetch.ts';
import { metadata } from '../dataplane/protocol/api/metadata.ts';
import { produce } from '../dataplane/protocol/api/produce.ts';
import { defineBench, quotient } from './harness.ts';
import type { Figures, RatioCase } from './harness.ts';

const topicId = '0123456789abcdef0123456789abcdef';
const topic = 'orders-of-the-day';
/** About a batch of ten records of 100 bytes. */
const batchBytes = 1_100;
const measureMs = { full: 1_000, quick: 200 };

/** One call of what is measured; what it returns is used, so that it cannot be optimised away. */
type Operation = () => unknown;

interface Measured {
  readonly name: string;
  /** Other codecs of the same. */
  readonly over?: readonly string[];
  readonly prepare: (partitions: number) => Operation | AsyncOperation;
}

interface AsyncOperation {
  readonly isAsync: true;
  readonly run: () => Promise<unknown>;
}

const measured: readonly Measured[] = [
  {
    name: 'Produce v12 request, decode',
    prepare: (partitions) => {
      const bytes = Buffer.concat(produce.request.encode(produceRequest(partitions), 12));
      return () => produce.request.decode(bytes, 12);
    },
  },
  {
    name: 'Produce v12 request, encode',
    prepare: (partitions) => {
      const request = produceRequest(partitions);
      return () => produce.request.encode(request, 12);
    },
  },
  {
    name: 'Produce v11 response, encode',
    prepare: (partitions) => {
      const response = produceResponse(partitions);
      return () => produce.response.encode(response, 11);
    },
  },
  {
    name: 'Produce v11 response, decode',
    over: ['@platformatic/kafka'],
    prepare: (partitions) => {
      const bytes = produceResponseBytes(partitions);
      return () => produce.response.decode(bytes, 11);
    },
  },
  {
    name: 'Produce v11 response, decode, @platformatic/kafka',
    prepare: (partitions) => {
      const bytes = produceResponseBytes(partitions);
      return () => platformatic.produceV11.parseResponse(0, 0, 11, platformatic.Reader.from(bytes));
    },
  },
  {
    name: 'Fetch v17 request, decode',
    prepare: (partitions) => {
      const bytes = Buffer.concat(fetch.request.encode(fetchRequest(partitions), 17));
      return () => fetch.request.decode(bytes, 17);
    },
  },
  {
    name: 'Fetch v17 request, encode',
    over: ['@platformatic/kafka'],
    prepare: (partitions) => {
      const request = fetchRequest(partitions);
      return () => fetch.request.encode(request, 17);
    },
  },
  {
    name: 'Fetch v17 request, encode, @platformatic/kafka',
    prepare: (partitions) => {
      const { maxWaitMs, minBytes, maxBytes, sessionId, sessionEpoch, topics } = fetchRequest(partitions);
      const theirs = topics.map((one) => ({
        topicId: '01234567-89ab-cdef-0123-456789abcdef',
        partitions: one.partitions.map((partition) => ({
          ...partition,
          fetchOffset: BigInt(partition.fetchOffset),
        })),
      }));
      const { createRequest } = platformatic.fetchV17;
      return () =>
        createRequest(maxWaitMs, minBytes, maxBytes, 0, sessionId, sessionEpoch, theirs, [], '').buffers;
    },
  },
  {
    name: 'Fetch v17 response, encode',
    prepare: (partitions) => {
      const response = fetchResponse(partitions, Buffer.alloc(batchBytes));
      return () => fetch.response.encode(response, 17);
    },
  },
  {
    // Without records: the clients would decode them.
    name: 'Fetch v11 response, decode',
    over: ['@platformatic/kafka', 'kafkajs'],
    prepare: (partitions) => {
      const bytes = Buffer.concat(fetch.response.encode(fetchResponse(partitions, new Uint8Array(0)), 11));
      return () => fetch.response.decode(bytes, 11);
    },
  },
  {
    name: 'Fetch v11 response, decode, @platformatic/kafka',
    prepare: (partitions) => {
      const bytes = Buffer.concat(fetch.response.encode(fetchResponse(partitions, new Uint8Array(0)), 11));
      return () => platformatic.fetchV11.parseResponse(0, 1, 11, platformatic.Reader.from(bytes));
    },
  },
  {
    name: 'Fetch v11 response, decode, kafkajs',
    prepare: (partitions) => {
      const bytes = Buffer.concat(fetch.response.encode(fetchResponse(partitions, new Uint8Array(0)), 11));
      const require = createRequire(import.meta.url);
      const { decode } = require('kafkajs/src/protocol/requests/fetch/v11/response') as {
        decode: (bytes: Buffer) => Promise<unknown>;
      };
      return { isAsync: true, run: () => decode(bytes) };
    },
  },
  {
    name: 'Metadata v12 response, encode',
    prepare: (partitions) => {
      const response = metadataResponse(partitions);
      return () => metadata.response.encode(response, 12);
    },
  },
  {
    name: 'Metadata v12 response, decode',
    over: ['@platformatic/kafka'],
    prepare: (partitions) => {
      const bytes = Buffer.concat(metadata.response.encode(metadataResponse(partitions), 12));
      return () => metadata.response.decode(bytes, 12);
    },
  },
  {
    name: 'Metadata v12 response, decode, @platformatic/kafka',
    prepare: (partitions) => {
      const bytes = Buffer.concat(metadata.response.encode(metadataResponse(partitions), 12));
      return () => platformatic.metadataV12.parseResponse(0, 3, 12, platformatic.Reader.from(bytes));
    },
  },
];

export const bench = defineBench({
  name: 'protocol',
  summary: `Nanoseconds of CPU to encode or decode one request or response of one topic, ${batchBytes} bytes of records a partition, against the codecs of clients.`,
  cases: measured.map(({ name, prepare }) => ({
    name,
    measure: async ({ quick }): Promise<Figures> => ({
      nsOf1Partition: await nanosecondsOf(prepare(1), quick),
      nsOf64Partitions: await nanosecondsOf(prepare(64), quick),
    }),
  })),
  ratios: measured.flatMap(({ name, over = [] }) =>
    over.map((other) => ({
      name: `${name} vs ${other}`,
      better: 'lower' as const,
      target: 1,
      over: ['nsOf1Partition', 'nsOf64Partitions'].map((figure): RatioCase => ({
        ...quotient(figure, name, `${name}, ${other}`),
        name: `${figure} of ${name}`,
      })),
    })),
  ),
});

async function nanosecondsOf(operation: Operation | AsyncOperation, quick: boolean): Promise<number> {
  const ms = quick ? measureMs.quick : measureMs.full;
  await repeat(operation, ms);
  return repeat(operation, ms);
}

/** Nanoseconds of CPU a call, over about that much of it: of the whole process, the collector included. */
async function repeat(operation: Operation | AsyncOperation, ms: number): Promise<number> {
  const start = process.cpuUsage();
  let calls = 0;
  let used = 0;
  for (;;) {
    for (let i = 0; i < 100; i++) {
      const result = typeof operation === 'function' ? operation() : await operation.run();
      if (result !== undefined) used++;
    }
    calls += 100;
    const { user, system } = process.cpuUsage(start);
    if (user + system >= ms * 1_000) {
      if (used !== calls) throw new Error('an operation returned nothing');
      return ((user + system) * 1_000) / calls;
    }
  }
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function produceRequest(partitions: number): Parameters<typeof produce.request.encode>[0] {
  const partitionData = range(partitions).map((index) => ({ index, records: Buffer.alloc(batchBytes) }));
  return { acks: -1, timeoutMs: 30_000, topicData: [{ name: topic, partitionData }] };
}

function produceResponse(partitions: number): Parameters<typeof produce.response.encode>[0] {
  const partitionResponses = range(partitions).map((index) => ({
    index,
    errorCode: 0,
    baseOffset: 123_456_789,
    logStartOffset: 0,
  }));
  return { responses: [{ name: topic, partitionResponses }] };
}

function produceResponseBytes(partitions: number): Buffer {
  return Buffer.concat(produce.response.encode(produceResponse(partitions), 11));
}

function fetchRequest(partitions: number): {
  maxWaitMs: number;
  minBytes: number;
  maxBytes: number;
  sessionId: number;
  sessionEpoch: number;
  topics: {
    topicId: string;
    partitions: {
      partition: number;
      currentLeaderEpoch: number;
      fetchOffset: number;
      lastFetchedEpoch: number;
      partitionMaxBytes: number;
    }[];
  }[];
} {
  return {
    maxWaitMs: 500,
    minBytes: 1,
    maxBytes: 52_428_800,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [
      {
        topicId,
        partitions: range(partitions).map((partition) => ({
          partition,
          currentLeaderEpoch: 3,
          fetchOffset: 123_456_789,
          lastFetchedEpoch: -1,
          partitionMaxBytes: 1_048_576,
        })),
      },
    ],
  };
}

function fetchResponse(partitions: number, records: Uint8Array): Parameters<typeof fetch.response.encode>[0] {
  return {
    throttleTimeMs: 0,
    responses: [
      {
        topic,
        topicId,
        partitions: range(partitions).map((partitionIndex) => ({
          partitionIndex,
          errorCode: 0,
          highWatermark: 123_456_789,
          lastStableOffset: 123_456_789,
          logStartOffset: 0,
          abortedTransactions: null,
          records,
        })),
      },
    ],
  };
}

function metadataResponse(partitions: number): Parameters<typeof metadata.response.encode>[0] {
  return {
    brokers: range(3).map((nodeId) => ({ nodeId, host: `broker-${nodeId}.example`, port: 9092, rack: 'a' })),
    clusterId: 'cluster',
    controllerId: 0,
    topics: [
      {
        errorCode: 0,
        name: topic,
        topicId,
        partitions: range(partitions).map((partitionIndex) => ({
          errorCode: 0,
          partitionIndex,
          leaderId: partitionIndex % 3,
          leaderEpoch: 3,
          replicaNodes: [0, 1, 2],
          isrNodes: [0, 1, 2],
        })),
      },
    ],
  };
}
