import type { ObjectStore } from '../store/object-store.ts';

/** More than this are forgotten: a clean-up of the group finds them by listing. */
const maxKeys = 10_000;

/**
 * Objects that a group's manifest named and names no more, until they are deleted: unreference first, delete later. What
 * the store does not delete is tried again by the same owner; when its session ends first, the clean-up of orphans by the
 * next owner finds it.
 */
export class DiscardedObjects {
  readonly #store: ObjectStore;
  readonly #keys = new Set<string>();
  #isComplete = true;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  get size(): number {
    return this.#keys.size;
  }

  /** False once: more were discarded than are remembered, so the group has to be listed. */
  takeCompleteness(): boolean {
    const complete = this.#isComplete;
    this.#isComplete = true;
    return complete;
  }

  add(keys: Iterable<string>): void {
    for (const key of keys) {
      if (this.#keys.size >= maxKeys) this.#isComplete = false;
      else this.#keys.add(key);
    }
  }

  /** Tries to delete all of them. Never rejects: what is left is tried again with the next call. */
  async delete(signal: AbortSignal): Promise<void> {
    if (this.#keys.size === 0) return;
    const keys = [...this.#keys];
    try {
      const failures = new Set((await this.#store.deleteMany(keys, { signal })).map(({ key }) => key));
      for (const key of keys) if (!failures.has(key)) this.#keys.delete(key);
    } catch {
      // The store cannot be reached, or the session has ended.
    }
  }
}
