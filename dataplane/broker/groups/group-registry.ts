import { ClassicGroup } from './classic/classic-group.ts';
import type { ConsumerGroup } from './consumer/consumer-group.ts';
import { GroupError } from './errors.ts';

export type Group = ClassicGroup | ConsumerGroup;

/** The groups of one partition by id. */
export class GroupRegistry {
  readonly #groups = new Map<string, Group>();
  readonly #maxGroups: number;
  readonly #isFull: () => boolean;

  /** @param isFull whether the state takes as much as it may */
  constructor(maxGroups: number, isFull: () => boolean = () => false) {
    this.#maxGroups = maxGroups;
    this.#isFull = isFull;
  }

  get size(): number {
    return this.#groups.size;
  }

  get(groupId: string): Group | undefined {
    return this.#groups.get(groupId);
  }

  has(groupId: string): boolean {
    return this.#groups.has(groupId);
  }

  set(group: Group): void {
    this.#groups.set(group.groupId, group);
  }

  delete(groupId: string): void {
    this.#groups.delete(groupId);
  }

  all(): Iterable<Group> {
    return this.#groups.values();
  }

  /** A new group that only holds offsets, or waits for its first member. */
  createClassic(groupId: string): ClassicGroup {
    this.requireRoom(groupId);
    const group = new ClassicGroup(groupId);
    this.#groups.set(groupId, group);
    return group;
  }

  /** @throws GroupError GROUP_MAX_SIZE_REACHED */
  requireRoom(groupId: string): void {
    if (this.#groups.has(groupId)) return;
    if (this.#groups.size < this.#maxGroups && !this.#isFull()) return;
    throw new GroupError(
      'GROUP_MAX_SIZE_REACHED',
      `group ${groupId} cannot be created: this partition of __consumer_offsets has ${this.#groups.size} groups already, as many as there is room for: delete some that nobody needs`,
    );
  }
}
