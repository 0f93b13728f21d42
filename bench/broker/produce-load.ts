/**
 * A producer that costs little: frames are built once and sent again and again, so that what is measured is the broker.
 * Runs as a process of its own: `node produce-load.ts '{"host":…}'`; prints one line of JSON.
 */
import { connect } from 'node:net';
import { produce } from '../../dataplane/protocol/api/produce.ts';
import type { CompressionCodec } from '../../dataplane/protocol/compression/codec.ts';
import { FrameReader } from '../../dataplane/protocol/frame-reader.ts';
import { decodeResponseHeader, encodeRequestFrame } from '../../dataplane/protocol/headers.ts';
import { buildBatch } from '../../dataplane/protocol/record-batch-builder.ts';
import { sampleRecords } from '../records/sample-records.ts';

export interface ProduceLoad {
  readonly host: string;
  readonly port: number;
  readonly topic: string;
  readonly partitions: number;
  /** A record's value. */
  readonly valueBytes: number;
  readonly recordsPerBatch: number;
  /** Batches of one request, each for another partition. */
  readonly batchesPerRequest: number;
  readonly connections: number;
  readonly inFlight: number;
  /** Of record values, in all. */
  readonly totalBytes: number;
  readonly compression?: CompressionCodec | undefined;
  /** Of record values, all connections together, sent at even intervals. Default: as fast as answers come. */
  readonly bytesPerSecond?: number | undefined;
}

export interface ProduceLoadResult {
  readonly seconds: number;
  readonly bytes: number;
  readonly requests: number;
  readonly errors: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly clientCpuSeconds: number;
}

const produceVersion = 9;

export async function runProduceLoad(load: ProduceLoad): Promise<ProduceLoadResult> {
  const nowMs = Date.now();
  const records = buildBatch({
    // Of today, or retention takes them away at once.
    records: sampleRecords(load.recordsPerBatch, load.valueBytes).map(({ value }) => ({
      value,
      timestampMs: nowMs,
    })),
    compression: load.compression,
  });
  const requestBytes = load.valueBytes * load.recordsPerBatch * load.batchesPerRequest;
  let left = Math.ceil(load.totalBytes / requestBytes);
  const requests = left;
  const frames: Buffer[] = [];
  for (let first = 0; first < load.partitions; first += load.batchesPerRequest) {
    const partitionData = Array.from({ length: load.batchesPerRequest }, (_, at) => ({
      index: (first + at) % load.partitions,
      records,
    }));
    frames.push(
      Buffer.concat(
        encodeRequestFrame(
          produce,
          produceVersion,
          { correlationId: 0, clientId: 'load' },
          {
            transactionalId: null,
            acks: -1,
            timeoutMs: 60_000,
            topicData: [{ name: load.topic, partitionData }],
          },
        ),
      ),
    );
  }
  let nextFrame = 0;
  let errors = 0;
  const latenciesMs: number[] = [];
  const cpuBefore = process.cpuUsage();
  const beganMs = performance.now();
  const takeTurn = paced(load, requestBytes, beganMs);
  await Promise.all(
    Array.from({ length: load.connections }, async () => {
      const socket = connect({ host: load.host, port: load.port, noDelay: true });
      const reader = new FrameReader(100_000_000);
      const sentMs: number[] = [];
      await new Promise<void>((resolve, reject) => {
        const send = (): void => {
          if (left === 0) {
            if (sentMs.length === 0) {
              socket.destroy();
              resolve();
            }
            return;
          }
          left -= 1;
          sentMs.push(performance.now());
          const frame = frames[nextFrame++ % frames.length];
          if (frame !== undefined) socket.write(frame);
        };
        socket.on('connect', () => {
          for (let i = 0; i < load.inFlight; i++) takeTurn(send);
        });
        socket.on('error', reject);
        socket.on('data', (chunk: Buffer) => {
          reader.push(chunk);
          for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
            latenciesMs.push(performance.now() - (sentMs.shift() ?? 0));
            const { bodyStart } = decodeResponseHeader(frame, produce, produceVersion);
            const { responses } = produce.response.decode(frame, produceVersion, bodyStart);
            for (const { partitionResponses } of responses)
              for (const { errorCode } of partitionResponses) if (errorCode !== 0) errors += 1;
            takeTurn(send);
          }
        });
      });
    }),
  );
  const seconds = (performance.now() - beganMs) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  latenciesMs.sort((a, b) => a - b);
  return {
    seconds,
    bytes: requests * requestBytes,
    requests,
    errors,
    p50Ms: latenciesMs[Math.floor(latenciesMs.length / 2)] ?? 0,
    p99Ms: latenciesMs[Math.floor(latenciesMs.length * 0.99)] ?? 0,
    clientCpuSeconds: (cpu.user + cpu.system) / 1e6,
  };
}

/** Calls back at once, or at even intervals that give the rate which is asked for. */
function paced(
  { bytesPerSecond }: ProduceLoad,
  requestBytes: number,
  beganMs: number,
): (send: () => void) => void {
  if (bytesPerSecond === undefined) {
    return (send) => {
      send();
    };
  }
  const intervalMs = (requestBytes / bytesPerSecond) * 1000;
  let turns = 0;
  return (send) => {
    setTimeout(send, Math.max(1, beganMs + turns++ * intervalMs - performance.now()));
  };
}

if (import.meta.main) {
  const load = JSON.parse(process.argv[2] ?? '{}') as ProduceLoad;
  console.log(JSON.stringify(await runProduceLoad(load)));
}
