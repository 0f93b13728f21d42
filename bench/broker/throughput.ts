import type { CompressionCodec } from '../../dataplane/protocol/compression/codec.ts';
import type { Figures } from '../harness.ts';
import { consumeInProcess, produceInProcess } from './load-process.ts';
import { createTopic, deleteTopic } from './peer.ts';
import { compare } from './rounds.ts';
import type { Sides } from './rounds.ts';

const mib = 1024 * 1024;
const gb = 1e9;
const partitions = 64;
const valueBytes = 1024;
const recordsPerBatch = 63;
const batchesPerRequest = 16;
const producers = { connections: 4, inFlight: 5 };

let topics = 0;

/** 1 KiB records, acks=all, from four producers: megabytes of record values a second, and the broker's CPU for a gigabyte. */
export async function compareProduce(
  sides: Sides,
  load: { readonly compression: CompressionCodec; readonly roundBytes: number; readonly rounds: number },
): Promise<Figures> {
  return await compare(
    sides,
    load.rounds,
    { speed: 'GbPerSecond', cpu: 'CpuSecondsPerGb' },
    async (peer, side) => {
      const topic = `produce-${side}-${process.pid}-${topics++}`;
      await createTopic(peer, topic, partitions);
      const { host, port } = peer;
      const { seconds, bytes } = await produceInProcess({
        host,
        port,
        topic,
        partitions,
        valueBytes,
        recordsPerBatch,
        batchesPerRequest,
        ...producers,
        compression: load.compression,
        totalBytes: load.roundBytes,
      });
      // The memory of the file system is bounded.
      await deleteTopic(peer, topic);
      return { seconds, amount: bytes / gb };
    },
  );
}

/** What was just produced, read again and again: out of memory on both sides. */
export async function compareConsume(
  sides: Sides,
  load: { readonly compression: CompressionCodec; readonly roundBytes: number; readonly rounds: number },
): Promise<Figures> {
  const topic = `consume-${load.compression}-${process.pid}`;
  const requestsPerPartition = 16;
  const totalBytes = valueBytes * recordsPerBatch * partitions * requestsPerPartition;
  for (const peer of [sides.firn, sides.kafka]) {
    await createTopic(peer, topic, partitions);
    const { host, port } = peer;
    await produceInProcess({
      host,
      port,
      topic,
      partitions,
      valueBytes,
      recordsPerBatch,
      batchesPerRequest,
      ...producers,
      compression: load.compression,
      totalBytes,
    });
  }
  const figures = await compare(
    sides,
    load.rounds,
    { speed: 'GbPerSecond', cpu: 'CpuSecondsPerGb' },
    async ({ host, port }) => {
      const { seconds, bytes } = await consumeInProcess({
        host,
        port,
        topic,
        partitions,
        connections: 4,
        totalBytes: load.roundBytes,
        recordsPerPartition: recordsPerBatch * requestsPerPartition,
      });
      return { seconds, amount: bytes / gb };
    },
  );
  for (const peer of [sides.firn, sides.kafka]) await deleteTopic(peer, topic);
  return { topicMib: totalBytes / mib, ...figures };
}

/** One record of 100 bytes a request, 64 connections with 5 of them in flight: requests a second, microseconds of CPU each. */
export async function compareSmall(
  sides: Sides,
  load: { readonly requests: number; readonly rounds: number },
): Promise<Figures> {
  const million = 1e6;
  const figures = await compare(
    sides,
    load.rounds,
    { speed: 'MillionRequestsPerSecond', cpu: 'CpuUsPerRequest' },
    async (peer, side) => {
      const topic = `small-${side}-${process.pid}-${topics++}`;
      await createTopic(peer, topic, partitions);
      const { host, port } = peer;
      const { seconds, requests } = await produceInProcess({
        host,
        port,
        topic,
        partitions,
        valueBytes: 100,
        recordsPerBatch: 1,
        batchesPerRequest: 1,
        connections: 64,
        inFlight: 5,
        totalBytes: 100 * load.requests,
      });
      await deleteTopic(peer, topic);
      return { seconds, amount: requests / million };
    },
  );
  return figures;
}
