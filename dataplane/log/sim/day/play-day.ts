import { daySample, growthAnHour } from './day-report.ts';
import type { DaySample } from './day-report.ts';
import { DayWorld } from './day-world.ts';

export interface DayRequest {
  readonly seed: number;
  readonly hours: number;
  readonly print: (line: string) => void;
}

export interface DayVerdict {
  readonly isFlat: boolean;
  readonly line: string;
}

/**
 * Memory is flat when the line through the last three quarters of the hours rises by no more than this, which is noise for
 * a day: two bytes for each of the 36,000 appends an hour, and one in 300 of the bytes that they bring.
 */
const mostKibAnHour = { heap: 64, buffers: 192 };

/** Plays so many hours of a {@link DayWorld} and measures memory after each. */
export async function playDay({ seed, hours, print }: DayRequest): Promise<DayVerdict> {
  const world = new DayWorld({ seed, appendsPerSecond: 8 });
  await world.start();
  const samples: DaySample[] = [];
  for (let hour = 0; hour < hours; hour++) {
    await world.playHour(hour);
    const sample = daySample(world, hour);
    samples.push(sample);
    print(lineOf(sample));
  }
  const { counts, time } = world;
  world.stop();
  for (const [name, count] of Object.entries(counts)) print(`${name}: ${count}`);
  const heap = 1024 * growthAnHour(samples.map(({ heapMib }) => heapMib));
  const buffers = 1024 * growthAnHour(samples.map(({ buffersMib }) => buffersMib));
  const isFlat = heap <= mostKibAnHour.heap && buffers <= mostKibAnHour.buffers;
  const last = samples.at(-1);
  const line =
    `${hours} hours, ${time.steps} steps: heap ${fixed(last?.heapMib)} MiB, ${sign(heap)} KiB an hour (at most ` +
    `${mostKibAnHour.heap}), buffers ${fixed(last?.buffersMib)} MiB, ${sign(buffers)} KiB an hour (at most ` +
    `${mostKibAnHour.buffers}): ${isFlat ? 'flat' : 'NOT FLAT'}`;
  return { isFlat, line };
}

function lineOf({ hour, heapMib, buffersMib, storedMib, objects, tailBlocks, producers }: DaySample): string {
  const stored = Object.entries(objects).map(([kind, count]) => `${count} ${kind}`);
  return (
    `hour ${hour}: heap ${heapMib.toFixed(2)} MiB, buffers ${fixed(buffersMib)} MiB, stored ${fixed(storedMib)} MiB; ` +
    `${tailBlocks} blocks and ${producers} producers in memory; stored ${stored.join(', ')}`
  );
}

function fixed(value = NaN): string {
  return value.toFixed(1);
}

function sign(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(1)}`;
}
