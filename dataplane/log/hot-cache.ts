import type { OwnedPartition, TailBlock } from './owned-partition.ts';

/**
 * Keeps blocks in memory for a while after they were flushed, oldest out first, so that consumers close to the end of a
 * partition do not fall from memory to the store at every flush.
 */
export class HotCache {
  readonly #limitBytes: number;
  /** Oldest first; so are those of each partition. */
  readonly #kept = new Set<Kept>();
  readonly #ofPartition = new Map<OwnedPartition, Set<Kept>>();
  #sizeBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Partitions with blocks here. */
  get partitions(): number {
    return this.#ofPartition.size;
  }

  /** `blocks` have just been flushed: they are the oldest in the partition's tail that are not kept already. */
  add(partition: OwnedPartition, blocks: readonly TailBlock[]): void {
    const ofPartition = this.#ofPartition.get(partition) ?? new Set();
    for (const block of blocks) {
      if (block.pieces === undefined) continue;
      const kept = { partition, block };
      this.#kept.add(kept);
      ofPartition.add(kept);
      this.#sizeBytes += block.entry.sizeBytes;
    }
    if (ofPartition.size > 0) this.#ofPartition.set(partition, ofPartition);
    dropUnkept(partition);
    for (const oldest of this.#kept) {
      if (this.#sizeBytes <= this.#limitBytes) break;
      this.#evict(oldest);
      dropUnkept(oldest.partition);
    }
  }

  /** The partition's log start has moved: what lies below it serves nobody. */
  dropBelow(partition: OwnedPartition, logStart: number): void {
    for (const kept of this.#ofPartition.get(partition) ?? []) {
      if (kept.block.entry.lastOffset >= logStart) break;
      this.#evict(kept);
    }
    dropUnkept(partition);
  }

  /** The partition is not served here any more. */
  drop(partition: OwnedPartition): void {
    this.dropBelow(partition, Infinity);
  }

  clear(): void {
    this.#kept.clear();
    this.#ofPartition.clear();
    this.#sizeBytes = 0;
  }

  #evict(kept: Kept): void {
    const { partition, block } = kept;
    this.#kept.delete(kept);
    const ofPartition = this.#ofPartition.get(partition);
    ofPartition?.delete(kept);
    if (ofPartition?.size === 0) this.#ofPartition.delete(partition);
    this.#sizeBytes -= block.entry.sizeBytes;
    block.pieces = undefined;
  }
}

interface Kept {
  readonly partition: OwnedPartition;
  readonly block: TailBlock;
}

/** A flushed block without bytes serves nobody: its records are in a segment. */
function dropUnkept(partition: OwnedPartition): void {
  const { tail } = partition;
  let count = 0;
  while (tail[count]?.flushed === true && tail[count]?.pieces === undefined) count += 1;
  if (count > 0) tail.splice(0, count);
}
