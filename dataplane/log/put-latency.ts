/**
 * The recent latencies of slot PUTs: when to send one a second time, and how long to linger. Keeps the last 128, in
 * milliseconds; quantiles are recomputed every 16 samples, so asking is cheap.
 */
export class PutLatency {
  readonly #samples: number[] = [];
  #next = 0;
  #sinceSort = 0;
  #p50Ms: number | undefined;
  #p95Ms: number | undefined;

  /** Unknown until 16 samples are in. */
  get p50Ms(): number | undefined {
    return this.#p50Ms;
  }

  get p95Ms(): number | undefined {
    return this.#p95Ms;
  }

  add(latencyMs: number): void {
    this.#samples[this.#next] = latencyMs;
    this.#next = (this.#next + 1) % WINDOW;
    if (++this.#sinceSort < RECOMPUTE_EVERY) return;
    this.#sinceSort = 0;
    const sorted = this.#samples.toSorted((a, b) => a - b);
    this.#p50Ms = sorted[Math.floor(sorted.length * 0.5)];
    this.#p95Ms = sorted[Math.floor(sorted.length * 0.95)];
  }
}

const WINDOW = 128;
const RECOMPUTE_EVERY = 16;
