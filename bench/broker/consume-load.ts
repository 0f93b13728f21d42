/**
 * A consumer that costs little: Fetch over the raw protocol, offsets from batch headers, records never looked at. Runs as a
 * process of its own: `node consume-load.ts '{"host":…}'`; prints one line of JSON.
 */
import { connect } from 'node:net';
import { FrameReader } from '../../dataplane/protocol/frame-reader.ts';
import { fetch } from '../../dataplane/protocol/api/fetch.ts';
import { decodeResponseHeader, encodeRequestFrame } from '../../dataplane/protocol/headers.ts';

export interface ConsumeLoad {
  readonly host: string;
  readonly port: number;
  readonly topic: string;
  readonly partitions: number;
  /** Records of each partition. Who has read them all begins again at offset 0. */
  readonly recordsPerPartition: number;
  /** Each reads a share of the partitions, one request at a time, as a Java consumer does. */
  readonly connections: number;
  /** Of record batches, in all. */
  readonly totalBytes: number;
}

export interface ConsumeLoadResult {
  readonly seconds: number;
  readonly bytes: number;
  readonly requests: number;
  readonly clientCpuSeconds: number;
}

/** The newest with topic names. */
const fetchVersion = 12;
/** The defaults of the Java consumer. */
const maxBytes = 50 * 1024 * 1024;
const partitionMaxBytes = 1024 * 1024;

export async function runConsumeLoad(load: ConsumeLoad): Promise<ConsumeLoadResult> {
  let bytes = 0;
  let requests = 0;
  const cpuBefore = process.cpuUsage();
  const beganMs = performance.now();
  await Promise.all(
    Array.from({ length: load.connections }, async (_, connection) => {
      const offsets = new Map<number, number>();
      for (let index = connection; index < load.partitions; index += load.connections) offsets.set(index, 0);
      await consume(load, offsets, (received) => {
        bytes += received;
        requests += 1;
        return bytes < load.totalBytes;
      });
    }),
  );
  const seconds = (performance.now() - beganMs) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  return { seconds, bytes, requests, clientCpuSeconds: (cpu.user + cpu.system) / 1e6 };
}

async function consume(
  load: ConsumeLoad,
  offsets: Map<number, number>,
  received: (bytes: number) => boolean,
): Promise<void> {
  const socket = connect({ host: load.host, port: load.port, noDelay: true });
  const reader = new FrameReader(2 * maxBytes);
  await new Promise<void>((resolve, reject) => {
    const send = (): void => {
      // In rotating order, so that no partition starves behind those before it.
      const partitions = [...offsets].map(([partition, fetchOffset]) => ({
        partition,
        fetchOffset,
        partitionMaxBytes,
      }));
      const frame = encodeRequestFrame(
        fetch,
        fetchVersion,
        { correlationId: 0, clientId: 'load' },
        {
          maxWaitMs: 500,
          minBytes: 1,
          maxBytes,
          topics: [{ topic: load.topic, partitions }],
          forgottenTopicsData: [],
        },
      );
      for (const piece of frame) socket.write(piece);
    };
    socket.on('connect', send);
    socket.on('error', reject);
    socket.on('data', (chunk: Buffer) => {
      reader.push(chunk);
      const frame = reader.next();
      if (frame === undefined) return;
      try {
        if (received(take(frame, offsets, load.recordsPerPartition))) send();
        else {
          socket.destroy();
          resolve();
        }
      } catch (error) {
        reject(error instanceof Error ? error : new Error('a response could not be read', { cause: error }));
      }
    });
  });
}

/** Moves the offsets on; returns the bytes of the records. */
function take(frame: Uint8Array, offsets: Map<number, number>, recordsPerPartition: number): number {
  const { bodyStart } = decodeResponseHeader(frame, fetch, fetchVersion);
  const { errorCode, responses } = fetch.response.decode(frame, fetchVersion, bodyStart);
  if (errorCode !== 0) throw new Error(`a fetch failed with error ${errorCode}`);
  let bytes = 0;
  for (const { partitions } of responses) {
    for (const { partitionIndex, errorCode: partitionError, records } of partitions) {
      if (partitionError !== 0)
        throw new Error(`partition ${partitionIndex} was answered with error ${partitionError}`);
      if (records === null || records.length === 0) continue;
      bytes += records.length;
      const end = endOffset(records) ?? offsets.get(partitionIndex) ?? 0;
      // To the end of the order.
      offsets.delete(partitionIndex);
      offsets.set(partitionIndex, end >= recordsPerPartition ? 0 : end);
    }
  }
  return bytes;
}

/** The offset after the last whole batch: Kafka's answers may end within one. */
function endOffset(records: Uint8Array): number | undefined {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
  let end: number | undefined;
  for (let at = 0; at + 61 <= records.length;) {
    const next = at + 12 + view.getInt32(at + 8);
    if (next > records.length) break;
    end = Number(view.getBigInt64(at)) + view.getInt32(at + 23) + 1;
    at = next;
  }
  return end;
}

if (import.meta.main) {
  const load = JSON.parse(process.argv[2] ?? '{}') as ConsumeLoad;
  console.log(JSON.stringify(await runConsumeLoad(load)));
}
