/** Someone who holds bytes of requests: a connection. */
export interface RequestMemoryHolder {
  /** Bytes of a request that has not arrived in full. */
  readonly partialBytes: number;
  /** There is room again: reading may go on. */
  resumeReading(): void;
  /** The connection has to go: what it has sent of a request that does not end takes the room of everybody else. */
  evict(): void;
}

/**
 * What all requests together may take: those that are worked on, and those that are still arriving. Over the bound nobody
 * reads on until answers have gone out. Requests that do not end cannot hold everything up: when they take more than half
 * of the room, the connection with the most of it is closed.
 */
export class RequestMemory {
  readonly #maxBytes: number;
  readonly #waiting = new Set<RequestMemoryHolder>();
  readonly #holders = new Set<RequestMemoryHolder>();
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  join(holder: RequestMemoryHolder): void {
    this.#holders.add(holder);
  }

  leave(holder: RequestMemoryHolder): void {
    this.#holders.delete(holder);
    this.#waiting.delete(holder);
  }

  /** Counts bytes that are there already. False: stop reading; `resumeReading` follows. */
  take(holder: RequestMemoryHolder, bytes: number): boolean {
    this.#usedBytes += bytes;
    if (this.#usedBytes <= this.#maxBytes) return true;
    this.#evictIfStuck();
    if (this.#usedBytes <= this.#maxBytes) return true;
    this.#waiting.add(holder);
    return false;
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
    if (this.#waiting.size === 0 || this.#usedBytes > this.#maxBytes) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const holder of waiting) holder.resumeReading();
  }

  #evictIfStuck(): void {
    let partialBytes = 0;
    let largest: RequestMemoryHolder | undefined;
    for (const holder of this.#holders) {
      partialBytes += holder.partialBytes;
      if (largest === undefined || holder.partialBytes > largest.partialBytes) largest = holder;
    }
    if (partialBytes > this.#maxBytes / 2) largest?.evict();
  }
}
