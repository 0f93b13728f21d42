import { buildBatch } from '../../protocol/record-batch-builder.ts';
import type { RecordInput } from '../../protocol/record-encoder.ts';
import type { ConsumerGroup } from './consumer/consumer-group.ts';
import { toAssignmentValue, toMetadataValue } from './consumer/consumer-member.ts';
import { toPartitionLists } from './consumer/topic-partitions.ts';
import { encodeGroupRecord } from './group-record.ts';
import type { GroupRecord } from './group-record.ts';
import type { ShardContext } from './shard-context.ts';

/**
 * The log has no compaction, so a partition of `__consumer_offsets` is kept short by snapshots:
 *
 * ```
 * … older records │ begin 7 │ current values, as ordinary records … │ end 7 │ newer records …
 *                 └─ the log start moves here when `end 7` is durable
 * ```
 * All of it is appended in one go, so nothing comes in between. Replaying it over what is older changes nothing, hence a
 * snapshot that is not whole, or one before which nothing was deleted, does no harm. It is whole when as many records lie
 * between its marks as the second one says: its batches are appended one by one, and each may be refused.
 *
 * The marks are records whose key starts with a type that Kafka does not have: its tools and others skip what they do
 * not know. Key: `type int16 = 0x4672 | kind int8 (0 begin, 1 end) | number int64`; value: `version int16 = 0 | records int32`,
 * how many there are between the marks (-1 in the first).
 */
export const snapshotMarkType = 0x46_72;

export interface SnapshotMark {
  readonly kind: 'begin' | 'end';
  /** One more than that of the last snapshot. */
  readonly number: number;
  /** Between the marks; -1 in the first. */
  readonly records: number;
}

export function encodeSnapshotMark({ kind, number, records }: SnapshotMark): RecordInput {
  const key = Buffer.alloc(11);
  key.writeInt16BE(snapshotMarkType);
  key.writeInt8(kind === 'begin' ? 0 : 1, 2);
  key.writeBigInt64BE(BigInt(number), 3);
  const value = Buffer.alloc(6);
  value.writeInt32BE(records, 2);
  return { key, value };
}

/** @returns undefined when it is no mark that this version knows */
export function decodeSnapshotMark(key: Uint8Array, value: Uint8Array | null): SnapshotMark | undefined {
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
  if (bytes.length !== 11 || bytes.readInt16BE() !== snapshotMarkType) return undefined;
  const kind = bytes.readInt8(2);
  if (kind !== 0 && kind !== 1) return undefined;
  if (value === null || value.length < 6) return undefined;
  return {
    kind: kind === 0 ? 'begin' : 'end',
    number: Number(bytes.readBigInt64BE(3)),
    records: Buffer.from(value.buffer, value.byteOffset, value.byteLength).readInt32BE(2),
  };
}

/** Current values of everything, in an order that can be replayed. */
export function* liveRecords({
  groups,
  offsets,
}: Pick<ShardContext, 'groups' | 'offsets'>): Generator<GroupRecord> {
  for (const group of groups.all()) {
    if (group.type === 'consumer') yield* consumerRecords(group);
    else if (group.persisted !== undefined)
      yield { id: 'groupMetadata', key: { group: group.groupId }, value: group.persisted };
  }
  for (const groupId of offsets.groupIds()) {
    for (const [topic, partitions] of offsets.ofGroup(groupId) ?? []) {
      for (const [partition, offset] of partitions) {
        yield {
          id: 'offsetCommit',
          key: { group: groupId, topic, partition },
          value: {
            offset: offset.offset,
            leaderEpoch: offset.leaderEpoch,
            metadata: offset.metadata,
            commitTimestamp: offset.commitTimestampMs,
            expireTimestamp: offset.expireTimestampMs,
            topicId: offset.topicId,
          },
        };
      }
    }
  }
}

function* consumerRecords(group: ConsumerGroup): Generator<GroupRecord> {
  const { groupId } = group;
  for (const [memberId, member] of group.members) {
    const key = { groupId, memberId };
    yield { id: 'consumerGroupMemberMetadata', key, value: toMetadataValue(member) };
    yield { id: 'consumerGroupCurrentMemberAssignment', key, value: toAssignmentValue(member) };
  }
  for (const [regularExpression, { topics, resolvedAtMs }] of group.regexes) {
    yield {
      id: 'consumerGroupRegularExpression',
      key: { groupId, regularExpression },
      value: { topics: [...topics].sort(), version: 0, timestamp: resolvedAtMs },
    };
  }
  const { epoch, metadataHash, assignmentEpoch } = group;
  yield { id: 'consumerGroupMetadata', key: { groupId }, value: { epoch, metadataHash } };
  for (const [memberId, target] of group.targets) {
    yield {
      id: 'consumerGroupTargetAssignmentMember',
      key: { groupId, memberId },
      value: { topicPartitions: toPartitionLists(target) },
    };
  }
  yield {
    id: 'consumerGroupTargetAssignmentMetadata',
    key: { groupId },
    value: { assignmentEpoch, assignmentTimestamp: 0 },
  };
}

/** The batches of one snapshot, marks included. */
export function* snapshotBatches(
  state: Pick<ShardContext, 'groups' | 'offsets'>,
  {
    number,
    nowMs,
    batchBytes,
  }: { readonly number: number; readonly nowMs: number; readonly batchBytes: number },
): Generator<Buffer> {
  let records: RecordInput[] = [encodeSnapshotMark({ kind: 'begin', number, records: -1 })];
  let sizeBytes = 0;
  let count = 0;
  for (const record of liveRecords(state)) {
    const encoded = encodeGroupRecord(record);
    records.push(encoded);
    count++;
    sizeBytes += (encoded.key?.length ?? 0) + (encoded.value?.length ?? 0) + 20;
    if (sizeBytes < batchBytes) continue;
    yield toBatch(records, nowMs);
    records = [];
    sizeBytes = 0;
  }
  records.push(encodeSnapshotMark({ kind: 'end', number, records: count }));
  yield toBatch(records, nowMs);
}

export function toBatch(records: readonly RecordInput[], nowMs: number): Buffer {
  return buildBatch({ records: records.map((record) => ({ ...record, timestampMs: nowMs })) });
}
