/**
 * Tells readers that go through a partition from those that jump about: a read that begins where another one has ended
 * is sequential. Readers are not known by name, so any number of them at one position count as one. Remembers the newest
 * 4096 positions.
 */
export class SequentialReads {
  readonly #maxWindowBytes: number;
  /** How far the reader that will go on at this position has earned to be read ahead of. */
  readonly #windows = new Map<string, number>();

  constructor(maxWindowBytes: number) {
    this.#maxWindowBytes = maxWindowBytes;
  }

  /**
   * Takes note of a read of [from, to).
   *
   * @returns how many bytes after it are worth fetching now: none for a first read, then as much as one GET brings, then
   * twice as much with every further read, up to the bound
   */
  note(partition: string, from: number, to: number, chunkBytes: number): number {
    const key = `${partition}@${from}`;
    const window = this.#windows.get(key);
    // Others may be at the same position: it stays, as the newest.
    if (window !== undefined) this.#remember(key, window);
    this.#remember(
      `${partition}@${to}`,
      Math.min(this.#maxWindowBytes, window === undefined ? chunkBytes : window * 2),
    );
    return Math.min(this.#maxWindowBytes, window ?? 0);
  }

  #remember(key: string, window: number): void {
    this.#windows.delete(key);
    this.#windows.set(key, window);
    if (this.#windows.size <= maxPositions) return;
    for (const oldest of this.#windows.keys()) {
      this.#windows.delete(oldest);
      return;
    }
  }
}

const maxPositions = 4096;
