/** A consumer far behind, read through the log, against raw ranged GETs of the same segments by the same client, in turn. */
import { defaultLogOptions } from '../../dataplane/log/options.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { listAll } from '../../dataplane/store/list-all.ts';
import type { Figures, MeasureContext } from '../harness.ts';
import { BatchSource, BenchBroker, gib, mib, topicIdOf } from './broker.ts';
import { atATime, emptied, openStore, timed, until } from './s3.ts';
import type { S3Shared } from './s3.ts';

const partitions = 8;
const topicId = topicIdOf(2);
const fetchBytes = mib;

interface Sum {
  seconds: number;
  cpuSeconds: number;
  bytes: number;
}

export async function catchUpAgainstRawGet({
  shared,
  run,
  quick,
}: MeasureContext<S3Shared>): Promise<Figures> {
  const prefix = `catch-up-${run}/`;
  const widths = quick ? [2, 8] : [1, 2, 4, 8];
  const partitionBytes = (quick ? 24 : 64) * mib;
  await fill(shared, prefix, partitionBytes);
  const log = new Map<number, Sum>(widths.map((width) => [width, { seconds: 0, cpuSeconds: 0, bytes: 0 }]));
  const raw = new Map<number, Sum>(widths.map((width) => [width, { seconds: 0, cpuSeconds: 0, bytes: 0 }]));
  const turns = quick ? 2 : 4;
  for (let turn = 0; turn < turns; turn++) {
    for (const width of widths) {
      const read = await readTurn(shared, prefix, width);
      const got = await rawTurn(shared, prefix, width);
      if (turn === 0) continue;
      add(log.get(width), read);
      add(raw.get(width), got);
    }
  }
  await emptied(openStore(shared, prefix));
  const logBest = best(log);
  const rawBest = best(raw);
  return {
    logMibPerSecond: speed(logBest),
    rawMibPerSecond: speed(rawBest),
    logCpuSecondsPerGib: logBest.cpuSeconds / (logBest.bytes / gib),
    rawCpuSecondsPerGib: rawBest.cpuSeconds / (rawBest.bytes / gib),
  };
}

function add(sum: Sum | undefined, more: Sum): void {
  if (sum === undefined) return;
  sum.seconds += more.seconds;
  sum.cpuSeconds += more.cpuSeconds;
  sum.bytes += more.bytes;
}

function speed({ bytes, seconds }: Sum): number {
  return bytes / mib / seconds;
}

function best(sums: ReadonlyMap<number, Sum>): Sum {
  return [...sums.values()].reduce((most, sum) => (speed(sum) > speed(most) ? sum : most));
}

/** Everything into segments, one or more of its own for each partition. */
async function fill(shared: S3Shared, prefix: string, partitionBytes: number): Promise<void> {
  const store = openStore(shared, prefix);
  const broker = new BenchBroker({ id: 0, store, runtime: realRuntime });
  await broker.log.start();
  await broker.createTopics([topicId], partitions);
  await until('all partitions are served', () => broker.serves(topicId, partitions));
  const source = new BatchSource(16);
  const count = Math.floor((partitionBytes * partitions) / source.sizeBytes);
  await atATime(2048, count, (i) => broker.log.append(topicId, i % partitions, source.next()));
  for (const group of broker.log.log?.groups ?? []) await broker.log.log?.flush(group);
  broker.check();
  await broker.log.drain();
  await store.close();
}

/** A broker that has just come up, so that nothing is in memory; `width` partitions are read at a time, each in order. */
async function readTurn(shared: S3Shared, prefix: string, width: number): Promise<Sum> {
  const store = openStore(shared, prefix);
  const broker = new BenchBroker({ id: 0, store, runtime: realRuntime });
  await broker.log.start();
  await until('all partitions are served', () => broker.serves(topicId, partitions));
  let bytes = 0;
  const { seconds, cpuSeconds } = await timed(() =>
    atATime(width, partitions, async (partition) => {
      const end = await broker.log.endOffset(topicId, partition);
      for (let offset = 0; offset < end;) {
        const { pieces, sizeBytes } = await broker.log.read(topicId, partition, offset, fetchBytes);
        const last = pieces.at(-1);
        if (last === undefined) throw new Error(`nothing to read at ${offset} of ${end}`);
        bytes += sizeBytes;
        offset = endOf(pieces);
      }
    }),
  );
  broker.check();
  await broker.log.drain();
  await store.close();
  return { seconds, cpuSeconds, bytes };
}

/** Offset after the last record: from the headers of the batches, as a consumer finds its next position. */
function endOf(pieces: readonly Uint8Array[]): number {
  let end = 0;
  for (const piece of pieces) {
    const view = new DataView(piece.buffer, piece.byteOffset, piece.byteLength);
    for (let at = 0; at < piece.byteLength; at += view.getInt32(at + 8) + 12)
      end = Number(view.getBigInt64(at)) + view.getInt32(at + 23) + 1;
  }
  return end;
}

async function rawTurn(shared: S3Shared, prefix: string, width: number): Promise<Sum> {
  const store = openStore(shared, prefix);
  const ranges: { key: string; start: number; end: number }[] = [];
  const step = defaultLogOptions.readChunkBytes;
  for await (const { key, sizeBytes } of listAll(store, '')) {
    if (!key.startsWith('seg/')) continue;
    for (let start = 0; start < sizeBytes; start += step)
      ranges.push({ key, start, end: Math.min(sizeBytes, start + step) });
  }
  let bytes = 0;
  const { seconds, cpuSeconds } = await timed(() =>
    atATime(width, ranges.length, async (i) => {
      const range = ranges[i];
      if (range === undefined) throw new Error(`no range ${i}`);
      const found = await store.get(range.key, { range });
      if (found.kind !== 'found') throw new Error(`${range.key} is ${found.kind}`);
      bytes += found.body.byteLength;
    }),
  );
  if (bytes === 0) throw new Error('there are no segments to read');
  await store.close();
  return { seconds, cpuSeconds, bytes };
}
