/** Appends against raw PUTs of objects of the size that the log's slots had, by the same client, in turn. */
import { defaultLogOptions } from '../../dataplane/log/options.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { bodyPieces, isStream } from '../../dataplane/store/body.ts';
import type { MeasureContext, Figures } from '../harness.ts';
import { BatchSource, BenchBroker, gib, mib, topicIdOf } from './broker.ts';
import { atATime, emptied, openStore, settled, timed, until, watchPuts } from './s3.ts';
import type { S3Shared } from './s3.ts';

const partitions = 64;
const widths = [1, 2, 4, 8];
/** Below half of `maxUnflushedBytes`, so that no flush comes in between: its PUTs are measured in virtual time. */
const bytesPerTurn = { quick: 160 * mib, full: 240 * mib };
const warmUpTurns = 3;

interface Turn {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly bytes: number;
  readonly slots: number;
  readonly copiedBytes: number;
}

export async function appendAgainstRawPut({
  shared,
  run,
  quick,
}: MeasureContext<S3Shared>): Promise<Figures> {
  const turns = quick ? 1 : 2;
  const turnBytes = quick ? bytesPerTurn.quick : bytesPerTurn.full;
  const log = new Map<number, Turn[]>();
  const raw = new Map<number, Turn[]>();
  // Server and code warm up: V8 compiles on the cores that are measured.
  for (let turn = 0; turn < warmUpTurns; turn++) {
    const prefix = `warm-${run}-${turn}/`;
    await rawTurn(shared, `raw-${prefix}`, 4, await appendTurn(shared, prefix, 4, turnBytes));
  }
  for (let turn = 0; turn < turns; turn++) {
    for (const width of widths) {
      const prefix = `append-${run}-${turn}-${width}/`;
      const appended = await appendTurn(shared, prefix, width, turnBytes);
      const put = await rawTurn(shared, `raw-${prefix}`, width, appended);
      log.set(width, [...(log.get(width) ?? []), appended]);
      raw.set(width, [...(raw.get(width) ?? []), put]);
    }
  }
  const logBest = best(log);
  const rawBest = best(raw);
  const bestTurns = log.get(logBest.width) ?? [];
  const total = (field: 'bytes' | 'cpuSeconds' | 'copiedBytes' | 'slots', of = bestTurns): number =>
    of.reduce((sum, turn) => sum + turn[field], 0);
  const rawTurns = raw.get(rawBest.width) ?? [];
  const everyTurn = [...log.values()].flat();
  return {
    logMibPerSecond: logBest.mibPerSecond,
    rawMibPerSecond: rawBest.mibPerSecond,
    logConcurrency: logBest.width,
    rawConcurrency: rawBest.width,
    slotMib: total('bytes') / total('slots') / mib,
    logCpuSecondsPerGib: total('cpuSeconds') / (total('bytes') / gib),
    rawCpuSecondsPerGib: total('cpuSeconds', rawTurns) / (total('bytes', rawTurns) / gib),
    copiesPerByte: total('copiedBytes', everyTurn) / total('bytes', everyTurn),
  };
}

function best(byWidth: ReadonlyMap<number, readonly Turn[]>): { width: number; mibPerSecond: number } {
  let found = { width: 0, mibPerSecond: 0 };
  for (const [width, turns] of byWidth) {
    const bytes = turns.reduce((sum, turn) => sum + turn.bytes, 0);
    const seconds = turns.reduce((sum, turn) => sum + turn.seconds, 0);
    const mibPerSecond = bytes / mib / seconds;
    if (mibPerSecond > found.mibPerSecond) found = { width, mibPerSecond };
  }
  return found;
}

/** `width` slots in flight and as many gathering, from producers that append the next batch when one is acknowledged. */
async function appendTurn(shared: S3Shared, prefix: string, width: number, turnBytes: number): Promise<Turn> {
  const source = new BatchSource(16);
  const count = Math.floor(turnBytes / source.sizeBytes);
  const batches = Array.from({ length: count }, () => source.next());
  const given = new Set<ArrayBufferLike>(batches.map(({ buffer }) => buffer));
  let slots = 0;
  let sharedBytes = 0;
  const store = watchPuts(openStore(shared, prefix), (key, body) => {
    if (!isSlotKey(key) || isStream(body)) return;
    slots += 1;
    for (const piece of bodyPieces(body)) if (given.has(piece.buffer)) sharedBytes += piece.byteLength;
  });
  const broker = new BenchBroker({
    id: 0,
    store,
    runtime: realRuntime,
    options: { maxSlotsInFlight: width, hedgeShare: 0 },
  });
  await broker.log.start();
  const topicId = topicIdOf(1);
  await broker.createTopics([topicId], partitions);
  await until('all partitions are served', () => broker.serves(topicId, partitions));
  await settled();
  const outstanding = Math.ceil((2 * width * defaultLogOptions.maxSlotBytes) / source.sizeBytes);
  const { seconds, cpuSeconds } = await timed(() =>
    atATime(outstanding, count, (i) => {
      const bytes = batches[i];
      if (bytes === undefined) throw new Error(`there are ${count} batches, no ${i}`);
      return broker.log.append(topicId, i % partitions, bytes);
    }),
  );
  broker.check();
  await broker.log.stop();
  await emptied(store);
  await store.close();
  const bytes = count * source.sizeBytes;
  return { seconds, cpuSeconds, bytes, slots, copiedBytes: bytes - sharedBytes };
}

async function rawTurn(shared: S3Shared, prefix: string, width: number, like: Turn): Promise<Turn> {
  const store = openStore(shared, prefix);
  const sizeBytes = Math.round(like.bytes / like.slots);
  // As the log's, the bytes come from memory that no cache of the processor holds.
  const bodies = Array.from({ length: like.slots }, () =>
    Buffer.allocUnsafeSlow(sizeBytes).fill('firn bench '),
  );
  await settled();
  const { seconds, cpuSeconds } = await timed(() =>
    atATime(width, like.slots, (i) => {
      const body = bodies[i];
      if (body === undefined) throw new Error(`there are ${like.slots} objects, no ${i}`);
      return store.put(`object-${i}`, body, { ifAbsent: true });
    }),
  );
  await emptied(store);
  await store.close();
  return { seconds, cpuSeconds, bytes: sizeBytes * like.slots, slots: like.slots, copiedBytes: 0 };
}

/** Beside its slots a session has checkpoints and a trim object. */
function isSlotKey(key: string): boolean {
  return /^wal\/.*\/[0-9]+$/.test(key);
}
