import { ClassicGroup } from './classic/classic-group.ts';
import type { GroupRecord, RecordKey, RecordValue } from './group-record.ts';
import type { Operation } from './operation.ts';
import type { ShardContext } from './shard-context.ts';

type State = Pick<ShardContext, 'groups' | 'offsets'>;

/** Changes the state as the record says, and persists it. */
export function applyRecord(state: State, operation: Operation, record: GroupRecord): void {
  replayRecord(state, record);
  operation.persist(record);
}

/**
 * What a record means for the state. Used for records that were just made as well as for those read from the log: so both
 * come to the same. Records hold whole values, hence one that is replayed twice, or after a newer one of another key,
 * does no harm.
 */
export function replayRecord(state: State, record: GroupRecord): void {
  switch (record.id) {
    case 'offsetCommit':
      replayOffset(state, record.key, record.value);
      return;
    case 'groupMetadata':
      replayClassicGroup(state, record.key, record.value);
      return;
    case 'consumerGroupMetadata':
    case 'consumerGroupMemberMetadata':
    case 'consumerGroupTargetAssignmentMetadata':
    case 'consumerGroupTargetAssignmentMember':
    case 'consumerGroupCurrentMemberAssignment':
    case 'consumerGroupRegularExpression':
      return;
  }
}

function replayOffset(
  { groups, offsets }: State,
  { group, topic, partition }: RecordKey<'offsetCommit'>,
  value: RecordValue<'offsetCommit'> | null,
): void {
  if (value === null) {
    offsets.delete(group, topic, partition);
    return;
  }
  // Offsets of a group nobody has joined: it exists all the same, or its offsets could never expire.
  if (!groups.has(group)) groups.set(new ClassicGroup(group));
  offsets.set(group, topic, partition, {
    offset: value.offset,
    leaderEpoch: value.leaderEpoch,
    metadata: value.metadata,
    commitTimestampMs: value.commitTimestamp,
    expireTimestampMs: value.expireTimestamp,
    topicId: value.topicId,
  });
}

function replayClassicGroup(
  { groups }: State,
  { group }: RecordKey<'groupMetadata'>,
  value: RecordValue<'groupMetadata'> | null,
): void {
  if (value === null) groups.delete(group);
  else groups.set(ClassicGroup.fromRecordValue(group, value));
}
