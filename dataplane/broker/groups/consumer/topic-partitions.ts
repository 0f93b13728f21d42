/** Partitions by topic id. No topic without partitions. */
export type TopicPartitions = ReadonlyMap<string, ReadonlySet<number>>;

/** For each partition the epoch at which it was assigned: commits from before that are by somebody else. */
export type PartitionEpochs = ReadonlyMap<string, ReadonlyMap<number, number>>;

export const noPartitions: TopicPartitions = new Map();
export const noPartitionEpochs: PartitionEpochs = new Map();

interface TopicPartitionList {
  readonly topicId: string;
  readonly partitions: readonly number[];
}

export function toTopicPartitions(list: readonly TopicPartitionList[]): TopicPartitions {
  const topics = new Map<string, Set<number>>();
  for (const { topicId, partitions } of list) {
    if (partitions.length === 0) continue;
    const known = topics.get(topicId) ?? new Set<number>();
    for (const partition of partitions) known.add(partition);
    topics.set(topicId, known);
  }
  return topics;
}

/** Sorted, so that equal ones look equal. */
export function toPartitionLists(
  topics: ReadonlyMap<string, ReadonlySet<number> | ReadonlyMap<number, unknown>>,
): { topicId: string; partitions: number[] }[] {
  return Array.from(topics, ([topicId, partitions]) => ({
    topicId,
    partitions: [...partitions.keys()].sort((a, b) => a - b),
  }));
}

export function hasPartition(
  topics: ReadonlyMap<string, ReadonlySet<number> | ReadonlyMap<number, unknown>>,
  topicId: string,
  partition: number,
): boolean {
  return topics.get(topicId)?.has(partition) ?? false;
}

/** Both have the same partitions; epochs do not count. */
export function samePartitions(
  a: ReadonlyMap<string, ReadonlySet<number> | ReadonlyMap<number, unknown>>,
  b: ReadonlyMap<string, ReadonlySet<number> | ReadonlyMap<number, unknown>>,
): boolean {
  if (a.size !== b.size) return false;
  for (const [topicId, partitions] of a) {
    const others = b.get(topicId);
    if (others?.size !== partitions.size) return false;
    for (const partition of partitions.keys()) if (!others.has(partition)) return false;
  }
  return true;
}

export function isSubset(part: TopicPartitions, whole: PartitionEpochs): boolean {
  for (const [topicId, partitions] of part)
    for (const partition of partitions) if (!hasPartition(whole, topicId, partition)) return false;
  return true;
}

export function countPartitions(topics: ReadonlyMap<string, { readonly size: number }>): number {
  let count = 0;
  for (const { size } of topics.values()) count += size;
  return count;
}
