/**
 * Lets so many pieces of work go at a time; the others wait in order, but those that {@link hurry} names go first.
 * Unbounded in itself: it holds at most one waiting piece for each id, and ids are partition groups.
 */
export class TurnQueue {
  readonly #limit: number;
  readonly #waiting = new Map<string, () => void>();
  readonly #hurried = new Map<string, () => void>();
  #underWay = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  async run<T>(id: string, work: () => Promise<T>): Promise<T> {
    if (this.#underWay >= this.#limit) {
      await new Promise<void>((resolve) => {
        this.#waiting.set(id, resolve);
      });
    }
    this.#underWay += 1;
    try {
      return await work();
    } finally {
      this.#underWay -= 1;
      this.#next();
    }
  }

  /** Somebody asks for `id`: if it waits, it goes before those that only wait. */
  hurry(id: string): void {
    const go = this.#waiting.get(id);
    if (go === undefined) return;
    this.#waiting.delete(id);
    this.#hurried.set(id, go);
  }

  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** Lets all go at once, whatever the limit: they are about to find that there is nothing to do. */
  openAll(): void {
    for (const queue of [this.#hurried, this.#waiting]) {
      for (const go of queue.values()) go();
      queue.clear();
    }
  }

  #next(): void {
    for (const queue of [this.#hurried, this.#waiting]) {
      for (const [id, go] of queue) {
        queue.delete(id);
        go();
        return;
      }
    }
  }
}
