import { StoreError } from '../errors.ts';
import type { ObjectStore } from '../object-store.ts';

const maxPasses = 100;

const maxAttempts = 5;

/**
 * Deletes what the probe wrote. Best effort: it never fails, a probe's verdict does not depend on it, and it gives up for
 * good when the store is out of reach, since it would wait for nothing again and again.
 */
export class Cleaner {
  readonly #store: ObjectStore;
  readonly #prefix: string;
  #gaveUp = false;

  /** @param prefix of all that the probe writes. */
  constructor(store: ObjectStore, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
  }

  async remove(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const failures = await this.#attempt(() => this.#store.deleteMany(keys));
    this.#gaveUp ||= failures?.some(({ error }) => isOutOfReach(error)) ?? false;
  }

  /** Deletes what LIST still shows, late writes for example. @returns the prefix when something may be left. */
  async sweep(): Promise<string | undefined> {
    for (let pass = 0; pass < maxPasses && !this.#gaveUp; pass++) {
      const page = await this.#attempt(() => this.#store.list(this.#prefix));
      if (page === undefined) break;
      if (page.objects.length === 0) return undefined;
      await this.remove(page.objects.map(({ key }) => key));
    }
    return this.#prefix;
  }

  async #attempt<T>(call: () => Promise<T>): Promise<T | undefined> {
    for (let attempt = 1; attempt <= maxAttempts && !this.#gaveUp; attempt++) {
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        this.#gaveUp = isOutOfReach(error);
      }
    }
    return undefined;
  }
}

function isOutOfReach({ retriable, code }: StoreError): boolean {
  return !retriable || code === 'TIMEOUT' || code === 'UNREACHABLE';
}
