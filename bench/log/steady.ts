/** A broker under steady load over a simulated S3, in virtual time: latency of acknowledgements, requests, cost, memory. */
import type { LogOptions } from '../../dataplane/log/options.ts';
import { VirtualRandom } from '../../dataplane/runtime/virtual-random.ts';
import type { Figures } from '../harness.ts';
import { BatchSource, gib, mib, quantile, topicIdOf } from './broker.ts';
import { SimulatedS3 } from './simulated.ts';

const groups = 8;
const topicId = topicIdOf(3);
/** AWS list prices of the standard class in us-east-1, dollars a request. */
const dollarsPerPut = 0.005 / 1000;
const dollarsPerGet = 0.0004 / 1000;
const secondsPerMonth = 30 * 86_400;

export interface Load {
  readonly bytesPerSecond: number;
  readonly seconds: number;
  /** Before that nothing counts. */
  readonly warmUpSeconds: number;
  readonly options?: Partial<LogOptions> | undefined;
}

export async function steadyLoad(load: Load): Promise<Figures> {
  const world = new SimulatedS3(1);
  const { time, store } = world;
  const { broker } = await world.startBroker(0, load.options);
  await time.drive(() => broker.createTopics([topicId], groups));
  await world.until('all groups are served', 60_000, () => broker.serves(topicId, groups));
  // Nobody reads what was flushed: it need not stay in the memory of this process.
  store.onApply(({ operation, key }) => {
    if (operation === 'put' && key.startsWith('seg/')) store.remove(key);
  });

  const source = new BatchSource(16);
  const random = new VirtualRandom(1, 'producers');
  const gapMs = (source.sizeBytes / load.bytesPerSecond) * 1000;
  const latenciesMs: number[] = [];
  let [appended, acknowledged] = [0, 0];
  let isWarm = false;
  let startMs = 0;
  let endMs = Infinity;
  const arrive = (): void => {
    if (time.nowMs >= endMs) return;
    const sentMs = time.nowMs;
    const counts = isWarm;
    appended += 1;
    broker.log.append(topicId, random.below(groups), source.next()).then(
      () => {
        acknowledged += 1;
        if (counts) latenciesMs.push(time.nowMs - sentMs);
      },
      (error: unknown) => {
        time.fail(error);
      },
    );
    time.environment.after(random.exponential(gapMs), arrive);
  };
  arrive();
  await time.run({ untilMs: time.nowMs + load.warmUpSeconds * 1000 });
  isWarm = true;
  startMs = time.nowMs;
  const before = {
    ...store.counters,
    ...sessionCounters(),
    segments: broker.log.context.counters.segmentsWritten,
  };
  const early = settledMib();
  await time.run({ untilMs: startMs + load.seconds * 1000 });
  const seconds = (time.nowMs - startMs) / 1000;
  const after = {
    ...store.counters,
    ...sessionCounters(),
    segments: broker.log.context.counters.segmentsWritten,
  };
  const late = settledMib();
  endMs = time.nowMs;
  await world.until('every append is acknowledged', 60_000, () => appended === acknowledged);
  broker.check();

  latenciesMs.sort((a, b) => a - b);
  const gibs = (load.bytesPerSecond * seconds) / gib;
  const slots = after.slots - before.slots;
  const hedges = after.hedges - before.hedges;
  const puts = after.put - before.put;
  const lists = after.list - before.list;
  const gets = after.get - before.get + after.head - before.head;
  const slotBytes = (after.slotBytes - before.slotBytes) / slots;
  const raw = await rawPuts(Math.round(slotBytes));
  await broker.log.stop();
  return {
    ackP50Ms: quantile(latenciesMs, 0.5),
    ackP99Ms: quantile(latenciesMs, 0.99),
    rawP50Ms: raw.p50Ms,
    rawP99Ms: raw.p99Ms,
    putsPerSecond: (puts + lists) / seconds,
    getsPerSecond: gets / seconds,
    slotsPerGib: slots / gibs,
    hedgesPerSlot: hedges / slots,
    putsPerGib: (puts + lists) / gibs,
    segmentsPerGib: (after.segments - before.segments) / gibs,
    monthlyDollars: (((puts + lists) * dollarsPerPut + gets * dollarsPerGet) / seconds) * secondsPerMonth,
    simulatedSeconds: seconds,
    heapGrowthMib: late.heapMib - early.heapMib,
    bufferGrowthMib: late.buffersMib - early.buffersMib,
    bufferMib: late.buffersMib,
  };

  function sessionCounters(): { slots: number; slotBytes: number; hedges: number } {
    const counters = broker.log.log?.session.counters;
    if (counters === undefined) throw new Error('the broker has no session');
    const { slots: issued, slotBytes: bytes, hedges: sent } = counters;
    return { slots: issued, slotBytes: bytes, hedges: sent };
  }
}

/** PUTs of objects as large as the slots were, one after another on the same kind of store. */
async function rawPuts(sizeBytes: number): Promise<{ readonly p50Ms: number; readonly p99Ms: number }> {
  const { time, store } = new SimulatedS3(2);
  const connection = store.connect(time.process('client'));
  const body = Buffer.alloc(sizeBytes);
  const latenciesMs: number[] = [];
  await time.drive(async () => {
    for (let i = 0; i < 4_000; i++) {
      const startMs = time.nowMs;
      await connection.put(`object-${i % 16}`, body);
      latenciesMs.push(time.nowMs - startMs);
    }
  });
  latenciesMs.sort((a, b) => a - b);
  return { p50Ms: quantile(latenciesMs, 0.5), p99Ms: quantile(latenciesMs, 0.99) };
}

/** A broker with groups and without clients. */
export async function idleBroker(seconds: number): Promise<Figures> {
  const world = new SimulatedS3(1);
  const { time, store } = world;
  const { broker } = await world.startBroker(0);
  await time.drive(() => broker.createTopics([topicId], groups));
  await world.until('all groups are served', 60_000, () => broker.serves(topicId, groups));
  await time.run({ untilMs: time.nowMs + 10_000 });
  const before = { ...store.counters };
  await time.run({ untilMs: time.nowMs + seconds * 1000 });
  const after = store.counters;
  broker.check();
  await broker.log.stop();
  return {
    puts: after.put - before.put,
    listsPerSecond: (after.list - before.list) / seconds,
    getsPerSecond: (after.get - before.get + after.head - before.head) / seconds,
  };
}

function settledMib(): { readonly heapMib: number; readonly buffersMib: number } {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return { heapMib: heapUsed / mib, buffersMib: arrayBuffers / mib };
}
