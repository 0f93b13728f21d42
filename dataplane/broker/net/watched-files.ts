import { readFile, stat } from 'node:fs/promises';
import type { Runtime } from '../../runtime/runtime.ts';

/** How often it is looked whether files have changed, at most. */
const lookMs = 1_000;

/** Files whose contents are taken together, and again when one of them has changed: as Kubernetes changes those of a Secret. */
export class WatchedFiles {
  readonly #paths: readonly string[];
  readonly #runtime: Pick<Runtime, 'monotonicMs'>;
  #stamp = '';
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(paths: readonly string[], runtime: Pick<Runtime, 'monotonicMs'>) {
    this.#paths = paths;
    this.#runtime = runtime;
  }

  /**
   * The contents, in the order of the paths, when they are new; `undefined`: they are those of the call before, or nobody has
   * looked. Contents that were returned are not returned again, whatever became of them.
   */
  async changed(): Promise<readonly Buffer[] | undefined> {
    const nowMs = this.#runtime.monotonicMs();
    if (nowMs - this.#lookedMs < lookMs) return undefined;
    this.#lookedMs = nowMs;
    // Before they are read: what changes meanwhile is seen the next time.
    const stamp = await this.#stampNow();
    if (stamp === this.#stamp) return undefined;
    const contents = await Promise.all(this.#paths.map((path) => readFile(path)));
    this.#stamp = stamp;
    return contents;
  }

  async #stampNow(): Promise<string> {
    const stats = await Promise.all(this.#paths.map((path) => stat(path, { bigint: true })));
    return stats.map(({ ino, size, mtimeNs }) => `${ino}/${size}/${mtimeNs}`).join(' ');
  }
}
