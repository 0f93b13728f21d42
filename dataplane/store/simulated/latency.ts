import type { VirtualRandom } from '../../runtime/virtual-random.ts';

export type StoreOperation = 'put' | 'get' | 'head' | 'list' | 'delete';

/** How long a request takes: lognormal, plus a part for the bytes that go over the wire. */
export interface LatencyDistribution {
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Transfer speed of bodies. Absent: their size costs no time. */
  readonly bytesPerMs?: number | undefined;
}

export type StoreLatencies = Readonly<Record<StoreOperation, LatencyDistribution>>;

/** An S3 of the usual speed, measured from the same region (transfer ≈ 100 MB/s a connection). */
export const s3Latencies: StoreLatencies = {
  put: { p50Ms: 30, p99Ms: 120, bytesPerMs: 100_000 },
  get: { p50Ms: 15, p99Ms: 60, bytesPerMs: 100_000 },
  head: { p50Ms: 10, p99Ms: 40 },
  list: { p50Ms: 30, p99Ms: 120 },
  delete: { p50Ms: 20, p99Ms: 80 },
};

/** For tests that care about the order of things only. */
export const localLatencies: StoreLatencies = {
  put: { p50Ms: 1, p99Ms: 4 },
  get: { p50Ms: 0.5, p99Ms: 2 },
  head: { p50Ms: 0.5, p99Ms: 2 },
  list: { p50Ms: 1, p99Ms: 4 },
  delete: { p50Ms: 1, p99Ms: 4 },
};

/** The standard normal distribution's 99th percentile. */
const normalP99 = 2.326_347_874;

/** A drawn latency in milliseconds, without the part for the body's size. */
export function drawLatencyMs(random: VirtualRandom, { p50Ms, p99Ms }: LatencyDistribution): number {
  if (p99Ms <= p50Ms) return p50Ms;
  return p50Ms * Math.exp((Math.log(p99Ms / p50Ms) / normalP99) * random.normal());
}

export function transferMs(distribution: LatencyDistribution, sizeBytes: number): number {
  return distribution.bytesPerMs === undefined ? 0 : sizeBytes / distribution.bytesPerMs;
}
