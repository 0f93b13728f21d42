import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parseKey } from '../../format/keys.ts';
import type { DayWorld } from './day-world.ts';

const mib = 1024 * 1024;

/** What there is at the end of an hour. */
export interface DaySample {
  readonly hour: number;
  /** JavaScript objects after a full collection: brokers, clients, and the simulated store's table of objects. */
  readonly heapMib: number;
  /** Bytes of records outside of the simulated store. */
  readonly buffersMib: number;
  /** Bytes in the simulated store. */
  readonly storedMib: number;
  readonly objects: Readonly<Record<string, number>>;
  /** Sum over all brokers. */
  readonly tailBlocks: number;
  readonly producers: number;
}

/** Memory is measured after a full collection, which takes a while. */
export function daySample(world: DayWorld, hour: number): DaySample {
  const objects: Record<string, number> = {};
  let storedBytes = 0;
  for (const key of world.store.keys('')) {
    const kind = parseKey(key)?.kind ?? 'other';
    objects[kind] = (objects[kind] ?? 0) + 1;
    storedBytes += world.store.peek(key)?.bytes.byteLength ?? 0;
  }
  let [tailBlocks, producers] = [0, 0];
  for (const { log } of world.nodes) {
    for (const group of log.log?.groups ?? []) {
      for (const partition of group.partitions.values()) {
        tailBlocks += partition.tail.length;
        producers += partition.producers.size;
      }
    }
  }
  const { heapUsed, arrayBuffers } = collected();
  return {
    hour,
    heapMib: heapUsed / mib,
    buffersMib: (arrayBuffers - storedBytes) / mib,
    storedMib: storedBytes / mib,
    objects,
    tailBlocks,
    producers,
  };
}

let collect: (() => void) | undefined;

function collected(): NodeJS.MemoryUsage {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  for (let round = 0; round < 3; round++) collect();
  return process.memoryUsage();
}

/** Growth of a value each hour: the slope of the straight line that fits its last three quarters best. */
export function growthAnHour(values: readonly number[]): number {
  const last = values.slice(Math.floor(values.length / 4));
  const meanHour = (last.length - 1) / 2;
  const mean = last.reduce((sum, value) => sum + value, 0) / last.length;
  let [covariance, variance] = [0, 0];
  for (const [hour, value] of last.entries()) {
    covariance += (hour - meanHour) * (value - mean);
    variance += (hour - meanHour) ** 2;
  }
  return covariance / variance;
}
