import { noTopicId } from './committed-offsets.ts';
import type { CommittedOffset } from './committed-offsets.ts';
import type { ShardContext } from '../shard-context.ts';

export interface FetchedOffset {
  readonly partition: number;
  /** Undefined: nothing is committed. */
  readonly committed: CommittedOffset | undefined;
}

export interface FetchedTopic {
  readonly name: string;
  readonly partitions: readonly FetchedOffset[];
}

/** A topic that is asked for; with an id, offsets of another topic of this name do not count. */
export interface WantedTopic {
  readonly name: string;
  readonly topicId?: string | undefined;
  readonly partitionIndexes: readonly number[];
}

/** The committed offsets of a group; of all its topics when none are named. A group that does not exist has none. */
export function fetchOffsets(
  { offsets }: Pick<ShardContext, 'offsets'>,
  groupId: string,
  topics: readonly WantedTopic[] | null,
): FetchedTopic[] {
  if (topics === null) {
    return Array.from(offsets.ofGroup(groupId) ?? [], ([name, partitions]) => ({
      name,
      partitions: Array.from(partitions, ([partition, committed]) => ({ partition, committed })),
    }));
  }
  return topics.map(({ name, topicId, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partition) => {
      const committed = offsets.get(groupId, name, partition);
      return { partition, committed: isOfTopic(committed, topicId) ? committed : undefined };
    }),
  }));
}

function isOfTopic(committed: CommittedOffset | undefined, topicId: string | undefined): boolean {
  if (committed === undefined || topicId === undefined || committed.topicId === noTopicId) return true;
  return committed.topicId === topicId;
}
