import { ClassicGroup } from './classic/classic-group.ts';
import { ConsumerGroup } from './consumer/consumer-group.ts';
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
      if (record.value !== null) consumerGroup(state, record)?.replayGroup(record.value);
      else if (state.groups.get(record.key.groupId)?.type === 'consumer')
        state.groups.delete(record.key.groupId);
      return;
    case 'consumerGroupMemberMetadata':
      consumerGroup(state, record)?.replayMember(record.key.memberId, record.value);
      return;
    case 'consumerGroupTargetAssignmentMetadata':
      consumerGroup(state, record)?.replayAssignmentEpoch(record.value);
      return;
    case 'consumerGroupTargetAssignmentMember':
      consumerGroup(state, record)?.replayTarget(record.key.memberId, record.value);
      return;
    case 'consumerGroupCurrentMemberAssignment':
      consumerGroup(state, record)?.replayCurrent(record.key.memberId, record.value);
      return;
    case 'consumerGroupRegularExpression':
      consumerGroup(state, record)?.replayRegex(record.key.regularExpression, record.value);
      return;
  }
}

/** The group of a record; a value makes one that is not there, a tombstone does not. */
function consumerGroup(
  { groups }: State,
  { key, value }: { readonly key: { readonly groupId: string }; readonly value: object | null },
): ConsumerGroup | undefined {
  const { groupId } = key;
  const known = groups.get(groupId);
  if (known?.type === 'consumer') return known;
  if (value === null) return undefined;
  // A classic group in its place held nothing but offsets, which are kept elsewhere: else a tombstone would have come first.
  const group = new ConsumerGroup(groupId);
  groups.set(group);
  return group;
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
  if (value !== null) groups.set(ClassicGroup.fromRecordValue(group, value));
  else if (groups.get(group)?.type === 'classic') groups.delete(group);
}
