import {
  coordinatorRecords,
  coordinatorRecordIdOf,
} from '../../protocol/coordinator-records/coordinator-records.ts';
import type { CoordinatorRecordId } from '../../protocol/coordinator-records/coordinator-records.ts';
import type { KeyOf, ValueOf } from '../../protocol/coordinator-records/coordinator-record.ts';
import type { RecordInput } from '../../protocol/record-encoder.ts';

export type RecordKey<Id extends CoordinatorRecordId> = KeyOf<(typeof coordinatorRecords)[Id]>;
export type RecordValue<Id extends CoordinatorRecordId> = ValueOf<(typeof coordinatorRecords)[Id]>;

/** A record of `__consumer_offsets` that this coordinator writes and understands. No value: a tombstone. */
export type GroupRecord = {
  readonly [Id in CoordinatorRecordId]: {
    readonly id: Id;
    readonly key: RecordKey<Id>;
    readonly value: RecordValue<Id> | null;
  };
}[CoordinatorRecordId];

/** The versions that Kafka 4.3 writes. */
const valueVersions: Readonly<Record<CoordinatorRecordId, number>> = {
  offsetCommit: 4,
  groupMetadata: 3,
  consumerGroupMetadata: 0,
  consumerGroupMemberMetadata: 0,
  consumerGroupTargetAssignmentMetadata: 0,
  consumerGroupTargetAssignmentMember: 0,
  consumerGroupCurrentMemberAssignment: 0,
  consumerGroupRegularExpression: 0,
};

export function encodeGroupRecord(record: GroupRecord): RecordInput {
  // The union of codecs is the codec of the union: each record carries the id of its own.
  const codec = coordinatorRecords[record.id] as {
    encodeKey(key: unknown): Buffer;
    encodeValue(value: unknown, version: number): Buffer;
  };
  const key = codec.encodeKey(record.key);
  if (record.value === null) return { key, value: null };
  return { key, value: codec.encodeValue(record.value, versionOf(record)) };
}

function versionOf(record: GroupRecord): number {
  // An expiry of its own (clients of OffsetCommit v2 to v4) exists in version 1 only.
  if (record.id === 'offsetCommit' && record.value !== null && record.value.expireTimestamp !== -1) return 1;
  return valueVersions[record.id];
}

/** @returns undefined for a kind of record that belongs to somebody else, such as share groups or the marks of snapshots */
export function decodeGroupRecord(key: Uint8Array, value: Uint8Array | null): GroupRecord | undefined {
  const id = coordinatorRecordIdOf(key);
  if (id === undefined) return undefined;
  const codec = coordinatorRecords[id];
  return {
    id,
    key: codec.decodeKey(key),
    value: value === null ? null : codec.decodeValue(value),
  } as GroupRecord;
}
