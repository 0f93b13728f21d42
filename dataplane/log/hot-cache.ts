import type { OwnedPartition, TailBlock } from './owned-partition.ts';

/**
 * Keeps blocks in memory for a while after they were flushed, oldest out first, so that consumers close to the end of a
 * partition do not fall from memory to the store at every flush.
 */
export class HotCache {
  readonly #limitBytes: number;
  #kept: { readonly partition: OwnedPartition; readonly block: TailBlock }[] = [];
  #next = 0;
  #sizeBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** `blocks` have just been flushed: they are the oldest in the partition's tail that are not kept already. */
  add(partition: OwnedPartition, blocks: readonly TailBlock[]): void {
    for (const block of blocks) {
      if (block.pieces === undefined) continue;
      this.#kept.push({ partition, block });
      this.#sizeBytes += block.entry.sizeBytes;
    }
    dropUnkept(partition);
    while (this.#sizeBytes > this.#limitBytes) this.#evictOldest();
  }

  /** The partition is not served here any more. */
  drop(partition: OwnedPartition): void {
    const kept = this.#kept.slice(this.#next).filter((entry) => entry.partition !== partition);
    this.#kept = kept;
    this.#next = 0;
    this.#sizeBytes = kept.reduce((sum, { block }) => sum + block.entry.sizeBytes, 0);
  }

  clear(): void {
    this.#kept = [];
    this.#next = 0;
    this.#sizeBytes = 0;
  }

  #evictOldest(): void {
    const oldest = this.#kept[this.#next++];
    if (oldest === undefined) return;
    if (this.#next > 1024 && this.#next * 2 > this.#kept.length) {
      this.#kept = this.#kept.slice(this.#next);
      this.#next = 0;
    }
    this.#sizeBytes -= oldest.block.entry.sizeBytes;
    oldest.block.pieces = undefined;
    dropUnkept(oldest.partition);
  }
}

/** A flushed block without bytes serves nobody: its records are in a segment. */
function dropUnkept(partition: OwnedPartition): void {
  const { tail } = partition;
  let count = 0;
  while (tail[count]?.flushed === true && tail[count]?.pieces === undefined) count += 1;
  if (count > 0) tail.splice(0, count);
}
