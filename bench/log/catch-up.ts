/** A consumer far behind, read through the log, against raw ranged GETs of the same segments by the same client, in turn. */
import { defaultLogOptions } from '../../dataplane/log/options.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { listAll } from '../../dataplane/store/list-all.ts';
import type { GetOptions, ObjectStore } from '../../dataplane/store/object-store.ts';
import type { Figures, MeasureContext } from '../harness.ts';
import { BatchSource, BenchBroker, gib, mib, topicIdOf } from './broker.ts';
import { atATime, emptied, openStore, timed, until, wrapped } from './s3.ts';
import type { S3Shared } from './s3.ts';

const partitions = 8;
const topicId = topicIdOf(2);
/** One partition with more records than the cache holds: read before each turn, so that it finds none of its own. */
const otherTopicId = topicIdOf(3);
const otherBytes = defaultLogOptions.coldCacheBytes + 16 * mib;
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
  await fillLog(shared, prefix, (quick ? 24 : 64) * mib);
  const log: Sum[] = [];
  const raw: Sum[] = [];
  for (const width of quick ? [2, 8] : [1, 2, 4, 8]) {
    const pair = await compare(shared, prefix, width, quick ? 2 : 3);
    log.push(pair.log);
    raw.push(pair.raw);
  }
  await emptied(openStore(shared, prefix));
  const logBest = fastest(log);
  const rawBest = fastest(raw);
  return {
    logMibPerSecond: speed(logBest),
    rawMibPerSecond: speed(rawBest),
    logCpuSecondsPerGib: logBest.cpuSeconds / (logBest.bytes / gib),
    rawCpuSecondsPerGib: rawBest.cpuSeconds / (rawBest.bytes / gib),
  };
}

/** Both with `width` reads at a time, in turn, in the midst of reading: the first turn of each does not count. */
export async function compare(
  shared: S3Shared,
  prefix: string,
  width: number,
  turns: number,
): Promise<{ readonly log: Sum; readonly raw: Sum }> {
  const log = { seconds: 0, cpuSeconds: 0, bytes: 0 };
  const raw = { seconds: 0, cpuSeconds: 0, bytes: 0 };
  const consumer = await CatchingUp.open(shared, prefix);
  const rawStore = openStore(shared, prefix);
  const ranges = await rangesOf(rawStore);
  for (let turn = 0; turn <= turns; turn++) {
    const read = await consumer.turn(width);
    const got = await rawTurn(rawStore, ranges, width);
    if (turn === 0) continue;
    add(log, read);
    add(raw, got);
  }
  await consumer.close();
  await rawStore.close();
  return { log, raw };
}

function add(sum: Sum, more: Sum): void {
  sum.seconds += more.seconds;
  sum.cpuSeconds += more.cpuSeconds;
  sum.bytes += more.bytes;
}

function speed({ bytes, seconds }: Sum): number {
  return bytes / mib / seconds;
}

function fastest(sums: readonly Sum[]): Sum {
  return sums.reduce((most, sum) => (speed(sum) > speed(most) ? sum : most));
}

/** Everything into segments, one or more of its own for each partition. */
export async function fillLog(shared: S3Shared, prefix: string, partitionBytes: number): Promise<void> {
  const store = openStore(shared, prefix);
  const broker = new BenchBroker({ id: 0, store, runtime: realRuntime });
  await broker.log.start();
  await broker.createTopics([topicId], partitions);
  await broker.createTopics([otherTopicId], 1);
  await until('all partitions are served', () => servesAll(broker));
  const source = new BatchSource(16);
  const count = Math.floor((partitionBytes * partitions) / source.sizeBytes);
  await atATime(2048, count, (i) => broker.log.append(topicId, i % partitions, source.next()));
  const otherCount = Math.ceil(otherBytes / source.sizeBytes);
  await atATime(2048, otherCount, () => broker.log.append(otherTopicId, 0, source.next()));
  for (const group of broker.log.log?.groups ?? []) await broker.log.log?.flush(group);
  broker.check();
  await broker.log.drain();
  await store.close();
}

function servesAll(broker: BenchBroker): boolean {
  return broker.serves(topicId, partitions) && broker.serves(otherTopicId, 1);
}

/** A broker that has not written the records, and consumers that read all of them again and again. */
class CatchingUp {
  readonly #broker: BenchBroker;
  readonly #store: ObjectStore;
  #fetchedBytes = 0;

  static async open(shared: S3Shared, prefix: string): Promise<CatchingUp> {
    const consumer = new CatchingUp(openStore(shared, prefix));
    await consumer.#broker.log.start();
    await until('all partitions are served', () => servesAll(consumer.#broker));
    return consumer;
  }

  private constructor(store: ObjectStore) {
    const get = async (key: string, options?: GetOptions): ReturnType<ObjectStore['get']> => {
      const found = await store.get(key, options);
      if (found.kind === 'found') this.#fetchedBytes += found.body.byteLength;
      return found;
    };
    this.#store = wrapped(store, { get });
    this.#broker = new BenchBroker({ id: 0, store: this.#store, runtime: realRuntime });
  }

  /** `width` partitions are read at a time, each in order. */
  async turn(width: number): Promise<Sum> {
    await this.#readAll(otherTopicId, 0);
    const fetchedBefore = this.#fetchedBytes;
    let bytes = 0;
    const { seconds, cpuSeconds } = await timed(() =>
      atATime(width, partitions, async (partition) => {
        const readBytes = await this.#readAll(topicId, partition);
        bytes += readBytes;
      }),
    );
    this.#broker.check();
    const fetched = this.#fetchedBytes - fetchedBefore;
    if (fetched < bytes) throw new Error(`of ${bytes} bytes only ${fetched} were read from the store`);
    return { seconds, cpuSeconds, bytes };
  }

  async #readAll(topic: string, partition: number): Promise<number> {
    const { log } = this.#broker;
    const end = await log.endOffset(topic, partition);
    let bytes = 0;
    for (let offset = 0; offset < end;) {
      const { pieces, sizeBytes, release } = await log.read(topic, partition, offset, fetchBytes);
      if (pieces.length === 0) throw new Error(`nothing to read at ${offset} of ${end}`);
      bytes += sizeBytes;
      offset = endOf(pieces);
      // As a broker does when its socket has sent them.
      release();
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.#broker.log.drain();
    await this.#store.close();
  }
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

interface KeyedRange {
  readonly key: string;
  readonly start: number;
  readonly end: number;
}

async function rangesOf(store: ObjectStore): Promise<KeyedRange[]> {
  const ranges: KeyedRange[] = [];
  const step = defaultLogOptions.readChunkBytes;
  for await (const { key, sizeBytes } of listAll(store, 'seg/')) {
    if (!key.includes(topicId)) continue;
    for (let start = 0; start < sizeBytes; start += step)
      ranges.push({ key, start, end: Math.min(sizeBytes, start + step) });
  }
  if (ranges.length === 0) throw new Error('there are no segments to read');
  return ranges;
}

async function rawTurn(store: ObjectStore, ranges: readonly KeyedRange[], width: number): Promise<Sum> {
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
  return { seconds, cpuSeconds, bytes };
}
