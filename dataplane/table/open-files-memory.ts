/** Whose open file takes memory. */
export interface OpenFileHolder {
  /** Asked to finish its file soon, although it is not full. */
  finishSoon(): void;
}

/**
 * The memory that the open data files of one broker take together. A file that grows beyond the bound has its worker
 * wait, and the largest file is finished: many small partitions share it, and a single busy one has all of it.
 */
export class OpenFilesMemory {
  readonly #maxBytes: number;
  readonly #bytes = new Map<OpenFileHolder, number>();
  #usedBytes = 0;
  #waiting: (() => void)[] = [];

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get maxBytes(): number {
    return this.#maxBytes;
  }

  /** What a worker's file takes now. Whoever has nothing open says 0. */
  update(holder: OpenFileHolder, bytes: number): void {
    this.#usedBytes += bytes - (this.#bytes.get(holder) ?? 0);
    if (bytes === 0) this.#bytes.delete(holder);
    else this.#bytes.set(holder, bytes);
    if (this.#usedBytes > this.#maxBytes) this.#largest()?.finishSoon();
    else for (const go of this.#waiting.splice(0)) go();
  }

  get isFull(): boolean {
    return this.#usedBytes > this.#maxBytes;
  }

  /** Calls back once when there is room. The returned function forgets it. */
  onRoom(go: () => void): () => void {
    this.#waiting.push(go);
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== go);
    };
  }

  #largest(): OpenFileHolder | undefined {
    let largest: OpenFileHolder | undefined;
    let most = 0;
    for (const [holder, bytes] of this.#bytes) {
      if (bytes > most) {
        most = bytes;
        largest = holder;
      }
    }
    return largest;
  }
}
