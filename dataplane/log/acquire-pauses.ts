import type { Runtime } from '../runtime/runtime.ts';

/**
 * The pauses of partition groups between two attempts to acquire them. They double, at random between half and the whole
 * of a bound; and the bound grows with the number of groups that wait, so that all of them together make about
 * `attemptsPerSecond` attempts a second, be they ten or ten thousand.
 *
 * What is waited for shows in `meta/cluster`: the old owner has released the group, or is dead, or the assignment has
 * moved on. {@link wake} then ends the pause. Without it a change is noticed when the pause is over.
 */
export class AcquirePauses {
  readonly #runtime: Runtime;
  readonly #firstMs: number;
  readonly #wakes = new Map<string, () => void>();

  /** @param firstMs bound of the first pause; the longest is 30 times that, unless many groups wait */
  constructor(runtime: Runtime, firstMs: number) {
    this.#runtime = runtime;
    this.#firstMs = firstMs;
  }

  /** Waits after `failures` (≥ 1) failed attempts in a row. */
  pause(id: string, failures: number): Promise<'over' | 'woken'> {
    return new Promise((resolve) => {
      const end = (how: 'over' | 'woken'): void => {
        cancel();
        this.#wakes.delete(id);
        resolve(how);
      };
      const boundMs = this.#boundMs(failures);
      const cancel = this.#runtime.after(boundMs * (0.5 + this.#runtime.random.fraction() / 2), () => {
        end('over');
      });
      this.#wakes.set(id, () => {
        end('woken');
      });
    });
  }

  /** Ends the pauses of the groups for which `isDue` says so: their next attempts begin at once. */
  wake(isDue: (id: string) => boolean): void {
    for (const [id, wake] of this.#wakes) if (isDue(id)) wake();
  }

  #boundMs(failures: number): number {
    const longestMs = Math.max(30 * this.#firstMs, (this.#wakes.size * 1_000) / attemptsPerSecond);
    return Math.min(longestMs, this.#firstMs * 2 ** Math.min(failures - 1, 30));
  }
}

const attemptsPerSecond = 100;
