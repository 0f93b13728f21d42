import type { OffsetDeleteRequest } from '../../../protocol/api/offset-delete.ts';
import { errorCode } from '../../../protocol/error-code.ts';
import { GroupError } from '../errors.ts';
import type { Group } from '../group-registry.ts';
import type { Operation } from '../operation.ts';
import { applyRecord } from '../replay.ts';
import type { ShardContext } from '../shard-context.ts';
import { noTopicId } from './committed-offsets.ts';
import type { CommittedOffset } from './committed-offsets.ts';

/** OffsetDelete, expiry, deleted topics: each offset that goes leaves a tombstone. */
export class OffsetRemoval {
  readonly #context: ShardContext;

  constructor(context: ShardContext) {
    this.#context = context;
  }

  /**
   * OffsetDelete. For each topic the error codes of its partitions, in the order of the request.
   *
   * @throws GroupError GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP
   */
  deleteOffsets(operation: Operation, { groupId, topics }: OffsetDeleteRequest): number[][] {
    const group = requireGroup(this.#context, groupId);
    if (!group.isEmpty && group.type === 'classic' && !group.usesConsumerProtocol) {
      throw new GroupError(
        'NON_EMPTY_GROUP',
        `group ${groupId} has members of protocol type ${group.protocolType}: what they subscribe to is unknown, so its offsets can be deleted only when they are gone`,
      );
    }
    return topics.map(({ name, partitions }) => {
      const isSubscribed = group.isSubscribedTo(name);
      return partitions.map(({ partitionIndex }) => {
        if (isSubscribed) return errorCode.GROUP_SUBSCRIBED_TO_TOPIC;
        this.remove(operation, groupId, name, partitionIndex);
        return errorCode.NONE;
      });
    });
  }

  deleteAll(operation: Operation, groupId: string): void {
    this.removeWhere(operation, groupId, () => true);
  }

  /** What was committed for topics that are gone. A topic of the same name that came after it keeps its offsets. */
  topicsDeleted(
    operation: Operation,
    groupId: string,
    topicIds: ReadonlyMap<string, ReadonlySet<string>>,
  ): void {
    this.removeWhere(operation, groupId, (topic, { topicId }) => {
      const deleted = topicIds.get(topic);
      return deleted !== undefined && (topicId === noTopicId || deleted.has(topicId));
    });
  }

  /** Offsets whose time is over. True: none is left. */
  expire(operation: Operation, group: Group): boolean {
    const nowMs = this.#context.runtime.wallMs();
    const { offsetsRetentionMs } = this.#context.options;
    const since = expiryBasis(group);
    if (since !== undefined) {
      this.removeWhere(operation, group.groupId, (topic, offset) => {
        if (group.isSubscribedTo(topic)) return false;
        if (offset.expireTimestampMs !== -1) return nowMs >= offset.expireTimestampMs;
        return nowMs - since(offset) >= offsetsRetentionMs;
      });
    }
    return this.#context.offsets.ofGroup(group.groupId) === undefined;
  }

  remove(operation: Operation, groupId: string, topic: string, partition: number): void {
    if (this.#context.offsets.get(groupId, topic, partition) === undefined) return;
    applyRecord(this.#context, operation, {
      id: 'offsetCommit',
      key: { group: groupId, topic, partition },
      value: null,
    });
  }

  removeWhere(
    operation: Operation,
    groupId: string,
    isOver: (topic: string, offset: CommittedOffset) => boolean,
  ): void {
    for (const [topic, partitions] of this.#context.offsets.ofGroup(groupId) ?? []) {
      for (const [partition, offset] of partitions)
        if (isOver(topic, offset)) this.remove(operation, groupId, topic, partition);
    }
  }
}

/** From when on an offset of the group ages; undefined: offsets of this group do not age now. */
function expiryBasis(group: Group): ((offset: CommittedOffset) => number) | undefined {
  const sinceCommit = ({ commitTimestampMs }: CommittedOffset): number => commitTimestampMs;
  // Consumers that assign partitions themselves: nobody knows whether they live.
  if (group.protocolType === undefined) return sinceCommit;
  // Whoever speaks the consumer protocol says what it subscribes to.
  if (group.type === 'consumer') return sinceCommit;
  if (group.state === 'Empty') {
    // Since the last member left, or since somebody committed after that (a tool that resets offsets).
    const { stateSinceMs } = group;
    return ({ commitTimestampMs }) => Math.max(stateSinceMs ?? 0, commitTimestampMs);
  }
  // While there are members: offsets of topics that none of them subscribes to, if that is known and settled.
  return group.state === 'Stable' && group.usesConsumerProtocol ? sinceCommit : undefined;
}

/** @throws GroupError GROUP_ID_NOT_FOUND */
export function requireGroup({ groups }: Pick<ShardContext, 'groups'>, groupId: string): Group {
  const group = groups.get(groupId);
  if (group === undefined) throw new GroupError('GROUP_ID_NOT_FOUND', `there is no group ${groupId}`);
  return group;
}
