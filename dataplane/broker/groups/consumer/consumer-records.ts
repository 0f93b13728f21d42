import type { Operation } from '../operation.ts';
import { applyRecord } from '../replay.ts';
import type { ShardContext } from '../shard-context.ts';
import type { ConsumerGroup } from './consumer-group.ts';
import { toAssignmentValue, toMetadataValue } from './consumer-member.ts';
import type { ConsumerMember } from './consumer-member.ts';
import { toPartitionLists } from './topic-partitions.ts';
import type { TopicPartitions } from './topic-partitions.ts';

/** The changes of a group of the consumer protocol: each is a record, and is made by replaying it. */
export class ConsumerRecords {
  readonly #context: ShardContext;

  constructor(context: ShardContext) {
    this.#context = context;
  }

  setEpoch(operation: Operation, groupId: string, epoch: number, metadataHash: number): void {
    applyRecord(this.#context, operation, {
      id: 'consumerGroupMetadata',
      key: { groupId },
      value: { epoch, metadataHash },
    });
  }

  /** What the member told of itself. */
  setMember(operation: Operation, { groupId }: ConsumerGroup, member: ConsumerMember): void {
    applyRecord(this.#context, operation, {
      id: 'consumerGroupMemberMetadata',
      key: { groupId, memberId: member.memberId },
      value: toMetadataValue(member),
    });
  }

  /** What the member has, and at which epoch. */
  setCurrent(operation: Operation, { groupId }: ConsumerGroup, member: ConsumerMember): void {
    applyRecord(this.#context, operation, {
      id: 'consumerGroupCurrentMemberAssignment',
      key: { groupId, memberId: member.memberId },
      value: toAssignmentValue(member),
    });
  }

  setTarget(
    operation: Operation,
    { groupId }: ConsumerGroup,
    memberId: string,
    partitions: TopicPartitions,
  ): void {
    applyRecord(this.#context, operation, {
      id: 'consumerGroupTargetAssignmentMember',
      key: { groupId, memberId },
      value: { topicPartitions: toPartitionLists(partitions) },
    });
  }

  setAssignmentEpoch(operation: Operation, { groupId }: ConsumerGroup, assignmentEpoch: number): void {
    applyRecord(this.#context, operation, {
      id: 'consumerGroupTargetAssignmentMetadata',
      key: { groupId },
      value: { assignmentEpoch, assignmentTimestamp: this.#context.runtime.wallMs() },
    });
  }

  setRegex(
    operation: Operation,
    { groupId }: ConsumerGroup,
    regex: string,
    topics: ReadonlySet<string>,
  ): void {
    applyRecord(this.#context, operation, {
      id: 'consumerGroupRegularExpression',
      key: { groupId, regularExpression: regex },
      value: { topics: [...topics].sort(), version: 0, timestamp: this.#context.runtime.wallMs() },
    });
  }

  removeRegex(operation: Operation, { groupId }: ConsumerGroup, regex: string): void {
    applyRecord(this.#context, operation, {
      id: 'consumerGroupRegularExpression',
      key: { groupId, regularExpression: regex },
      value: null,
    });
  }

  /** In the order in which Kafka's readers expect it. */
  removeMember(operation: Operation, { groupId }: ConsumerGroup, memberId: string): void {
    const key = { groupId, memberId };
    applyRecord(this.#context, operation, { id: 'consumerGroupCurrentMemberAssignment', key, value: null });
    applyRecord(this.#context, operation, { id: 'consumerGroupTargetAssignmentMember', key, value: null });
    applyRecord(this.#context, operation, { id: 'consumerGroupMemberMetadata', key, value: null });
  }

  removeGroup(operation: Operation, group: ConsumerGroup): void {
    const key = { groupId: group.groupId };
    for (const memberId of group.members.keys()) this.removeMember(operation, group, memberId);
    for (const regex of group.regexes.keys()) this.removeRegex(operation, group, regex);
    applyRecord(this.#context, operation, { id: 'consumerGroupTargetAssignmentMetadata', key, value: null });
    applyRecord(this.#context, operation, { id: 'consumerGroupMetadata', key, value: null });
  }
}
