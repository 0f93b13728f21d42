import type { OwnedGroup } from './owned-group.ts';
import type { OwnedPartition } from './owned-partition.ts';

/** A partition a session serves, with its group. */
export interface Served {
  readonly group: OwnedGroup;
  readonly partition: OwnedPartition;
}

/** A group a session serves, with the generation of the assignment it was acquired for. */
export interface ServedGroup {
  readonly group: OwnedGroup;
  readonly generation: number;
}

/** Told of partitions as they begin and cease to be served. */
export interface ServingListener {
  serving(topicId: string, partition: number): void;
  lost(topicId: string, partition: number): void;
}

/** What a session serves: its groups by id, and their partitions. */
export class ServedGroups {
  readonly #listener: ServingListener;
  readonly #groups = new Map<string, ServedGroup>();
  /** By topic id, then by partition: looked up for every append, so no key is put together for it. */
  readonly #topics = new Map<string, Map<number, Served>>();

  constructor(listener: ServingListener = { serving: () => undefined, lost: () => undefined }) {
    this.#listener = listener;
  }

  get size(): number {
    return this.#groups.size;
  }

  get(id: string): ServedGroup | undefined {
    return this.#groups.get(id);
  }

  has(id: string): boolean {
    return this.#groups.has(id);
  }

  /** A snapshot: groups may come and go while it is walked. */
  all(): readonly OwnedGroup[] {
    return [...this.#groups.values()].map(({ group }) => group);
  }

  partition(topicId: string, partition: number): Served | undefined {
    return this.#topics.get(topicId)?.get(partition);
  }

  add(group: OwnedGroup, generation: number): void {
    this.#groups.set(group.id, { group, generation });
    for (const partition of group.partitions.values()) {
      const { topicId } = partition;
      let topic = this.#topics.get(topicId);
      if (topic === undefined) this.#topics.set(topicId, (topic = new Map<number, Served>()));
      topic.set(partition.partition, { group, partition });
    }
    for (const { topicId, partition } of group.partitions.values())
      this.#listener.serving(topicId, partition);
  }

  /** False: this very group is not served (any more). */
  remove(group: OwnedGroup): boolean {
    if (this.#groups.get(group.id)?.group !== group) return false;
    this.#groups.delete(group.id);
    for (const { topicId, partition } of group.partitions.values()) {
      const topic = this.#topics.get(topicId);
      topic?.delete(partition);
      if (topic?.size === 0) this.#topics.delete(topicId);
    }
    for (const { topicId, partition } of group.partitions.values()) this.#listener.lost(topicId, partition);
    return true;
  }

  clear(): void {
    const lost = [...this.#topics];
    this.#groups.clear();
    this.#topics.clear();
    for (const [topicId, topic] of lost)
      for (const partition of topic.keys()) this.#listener.lost(topicId, partition);
  }

  /** The first slot that some group still needs; `undefined`: none needs any. */
  neededSlot(): number | undefined {
    let needed: number | undefined;
    for (const { group } of this.#groups.values()) {
      const slot = group.firstUnflushedSlot();
      if (slot !== undefined && (needed === undefined || slot < needed)) needed = slot;
    }
    return needed;
  }
}
