import type { ClusterClient } from '../../cluster/cluster-client.ts';
import { inBackground } from '../../runtime/in-background.ts';
import { RunningState } from '../../runtime/running-state.ts';
import type { Runtime } from '../../runtime/runtime.ts';

/** Between two reads at least; and at least twice as long as the last one took, so that no storm keeps a broker busy. */
const minPauseMs = 20;

/**
 * Reads `meta/cluster` when another broker says that it has a newer version. However many say so, there is one read at a
 * time, and none for what is known already. A read that fails, or does not bring what was announced, is left to the poll.
 */
export class NudgedReads {
  readonly #cluster: Pick<ClusterClient, 'current' | 'refresh'>;
  readonly #runtime: Runtime;
  readonly #running: RunningState;
  readonly #waiting = new Map<() => void, number>();
  #announced = 0;
  #reading: Promise<void> | undefined;

  constructor(cluster: Pick<ClusterClient, 'current' | 'refresh'>, runtime: Runtime) {
    this.#cluster = cluster;
    this.#runtime = runtime;
    this.#running = new RunningState(runtime);
  }

  /** Resolves when the version is known here, or when it has been looked for in vain. */
  announced(version: number): Promise<void> {
    if (version <= this.#known || !this.#running.shouldRun()) return Promise.resolve();
    this.#announced = Math.max(this.#announced, version);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(resolve, version);
    if (this.#reading === undefined) {
      this.#reading = this.#read();
      inBackground(this.#reading);
    }
    return promise;
  }

  async stop(): Promise<void> {
    this.#running.stop();
    await this.#reading;
  }

  get #known(): number {
    return this.#cluster.current?.version ?? 0;
  }

  async #read(): Promise<void> {
    while (this.#running.shouldRun() && this.#known < this.#announced) {
      const wanted = this.#announced;
      const beganMs = this.#runtime.monotonicMs();
      await this.#cluster.refresh(this.#running.signal).catch(() => undefined);
      // Of what was announced and is not there, nothing more is expected: it may never have been.
      if (this.#known < wanted && this.#announced === wanted) this.#announced = 0;
      this.#settle(Math.max(wanted, this.#known));
      const tookMs = this.#runtime.monotonicMs() - beganMs;
      await this.#running.sleep(Math.max(minPauseMs, 2 * tookMs));
    }
    this.#settle(Number.POSITIVE_INFINITY);
    this.#reading = undefined;
  }

  /** Those who wait for no newer version than this need not wait any more. */
  #settle(version: number): void {
    for (const [resolve, wanted] of this.#waiting) {
      if (wanted > version) continue;
      this.#waiting.delete(resolve);
      resolve();
    }
  }
}
