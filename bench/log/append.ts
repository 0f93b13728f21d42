/** Appends against raw PUTs of objects of the size that the log's slots had, by the same client, in turn. */
import { defaultLogOptions } from '../../dataplane/log/options.ts';
import { realRuntime } from '../../dataplane/runtime/real-runtime.ts';
import { bodyPieces, isStream } from '../../dataplane/store/body.ts';
import type { MeasureContext, Figures } from '../harness.ts';
import { BatchSource, BenchBroker, gib, mib, topicIdOf } from './broker.ts';
import { atATime, emptied, openStore, timed, until, watchPuts } from './s3.ts';
import type { S3Shared } from './s3.ts';

const partitions = 64;
const widths = [1, 2, 4, 8];
const untimedPasses = 2;
const bytesPerTurn = { quick: 160 * mib, full: 240 * mib };

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
  const turns = quick ? 2 : 3;
  const turnBytes = quick ? bytesPerTurn.quick : bytesPerTurn.full;
  const log = new Map<number, Turn[]>();
  const raw = new Map<number, Turn[]>();
  // The same memory in every turn: nothing is allocated, collected or given back while something is timed. Batches are
  // appended again, and patched again, long after they were durable.
  const source = new BatchSource(16);
  const batches = Array.from({ length: Math.floor(turnBytes / source.sizeBytes) }, () => source.next());
  const bodies: Buffer[] = [];
  const pair = async (prefix: string, width: number): Promise<{ appended: Turn; put: Turn }> => {
    const appended = await appendTurn(shared, prefix, width, batches);
    return { appended, put: await rawTurn(shared, `raw-${prefix}`, width, appended, bodies) };
  };
  // Warms up server and code.
  await pair(`warm-${run}/`, 4);
  for (let turn = 0; turn < turns; turn++) {
    for (const width of widths) {
      const { appended, put } = await pair(`append-${run}-${turn}-${width}/`, width);
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

/**
 * `width` slots in flight and as many gathering, from producers that append the next batch when one is acknowledged. The
 * first passes are not timed: the code is compiled for this broker meanwhile, as it is in one that runs for longer.
 */
async function appendTurn(
  shared: S3Shared,
  prefix: string,
  width: number,
  batches: readonly Buffer[],
): Promise<Turn> {
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
    // No flush comes in between: its PUTs are measured in virtual time.
    options: { maxSlotsInFlight: width, hedgeShare: 0, maxUnflushedBytes: 8 * gib, flushGroupBytes: 8 * gib },
  });
  await broker.log.start();
  const topicId = topicIdOf(1);
  await broker.createTopics([topicId], partitions);
  await until('all partitions are served', () => broker.serves(topicId, partitions));
  const sizeBytes = batches[0]?.byteLength ?? 0;
  const outstanding = Math.ceil((2 * width * defaultLogOptions.maxSlotBytes) / sizeBytes);
  const pass = (): Promise<void> =>
    atATime(outstanding, batches.length, (i) => {
      const bytes = batches[i];
      if (bytes === undefined) throw new Error(`there are ${batches.length} batches, no ${i}`);
      return broker.log.append(topicId, i % partitions, bytes);
    });
  for (let passes = 0; passes < untimedPasses; passes++) await pass();
  slots = 0;
  sharedBytes = 0;
  const { seconds, cpuSeconds } = await timed(pass);
  broker.check();
  await broker.log.stop();
  await emptied(store);
  await store.close();
  const bytes = batches.length * sizeBytes;
  return { seconds, cpuSeconds, bytes, slots, copiedBytes: bytes - sharedBytes };
}

/** As many objects as the log wrote slots, of their mean size; a first pass is not timed here either. */
async function rawTurn(
  shared: S3Shared,
  prefix: string,
  width: number,
  like: Turn,
  bodies: Buffer[],
): Promise<Turn> {
  const store = openStore(shared, prefix);
  const sizeBytes = Math.round(like.bytes / like.slots);
  // As the log's, the bytes come from memory that no cache of the processor holds.
  while (bodies.length < like.slots)
    bodies.push(Buffer.allocUnsafeSlow(1.25 * defaultLogOptions.maxSlotBytes).fill('firn bench '));
  const pass = (name: string): Promise<void> =>
    atATime(width, like.slots, (i) => {
      const body = bodies[i]?.subarray(0, sizeBytes);
      if (body?.byteLength !== sizeBytes) throw new Error(`object ${i} cannot have ${sizeBytes} bytes`);
      return store.put(`${name}-${i}`, body, { ifAbsent: true });
    });
  await pass('first');
  const { seconds, cpuSeconds } = await timed(() => pass('timed'));
  await emptied(store);
  await store.close();
  return { seconds, cpuSeconds, bytes: sizeBytes * like.slots, slots: like.slots, copiedBytes: 0 };
}

/** Beside its slots a session has checkpoints and a trim object. */
function isSlotKey(key: string): boolean {
  return /^wal\/.*\/[0-9]+$/.test(key);
}
