import type { TopicPartitions } from '../topic-partitions.ts';

export interface MemberSpec {
  readonly instanceId: string | null;
  readonly rackId: string | null;
  /** Only topics that exist. */
  readonly subscribedTopicIds: ReadonlySet<string>;
  /** Its target so far: what it keeps costs nothing. */
  readonly assigned: TopicPartitions;
}

/** A group whose partitions are to be divided among its members. */
export interface AssignmentSpec {
  readonly members: ReadonlyMap<string, MemberSpec>;
  partitionsOf(topicId: string): number;
  /** From where the partition is read without crossing zones; none: unknown. */
  racksOf(topicId: string, partition: number): readonly string[];
}

/** Every partition of every topic that somebody subscribes to goes to exactly one of those who do. */
export type Assignor = (spec: AssignmentSpec) => ReadonlyMap<string, TopicPartitions>;

/** Collects who gets what. */
export class AssignmentBuilder {
  readonly #members = new Map<string, Map<string, Set<number>>>();

  constructor(memberIds: Iterable<string>) {
    for (const memberId of memberIds) this.#members.set(memberId, new Map());
  }

  add(memberId: string, topicId: string, partition: number): void {
    const topics = this.#members.get(memberId);
    if (topics === undefined) return;
    const partitions = topics.get(topicId) ?? new Set<number>();
    topics.set(topicId, partitions.add(partition));
  }

  get assignment(): ReadonlyMap<string, TopicPartitions> {
    return this.#members;
  }
}

/** Everybody subscribes to the same topics. */
export function isHomogeneous({ members }: AssignmentSpec): boolean {
  let first: ReadonlySet<string> | undefined;
  for (const { subscribedTopicIds } of members.values()) {
    first ??= subscribedTopicIds;
    if (first === subscribedTopicIds) continue;
    if (first.size !== subscribedTopicIds.size) return false;
    for (const topicId of subscribedTopicIds) if (!first.has(topicId)) return false;
  }
  return true;
}

/** In an order that does not depend on who came first, so that a new coordinator decides alike. */
export function sortedIds(ids: Iterable<string>): string[] {
  return [...ids].sort();
}
