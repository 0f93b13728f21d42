import { ProtocolError } from '../errors.ts';
import { readInt16 } from '../wire-reader.ts';
import { consumerGroupCurrentMemberAssignmentRecord } from './consumer-group-current-member-assignment.ts';
import { consumerGroupMemberMetadataRecord } from './consumer-group-member-metadata.ts';
import { consumerGroupMetadataRecord } from './consumer-group-metadata.ts';
import { consumerGroupRegularExpressionRecord } from './consumer-group-regular-expression.ts';
import { consumerGroupTargetAssignmentMemberRecord } from './consumer-group-target-assignment-member.ts';
import { consumerGroupTargetAssignmentMetadataRecord } from './consumer-group-target-assignment-metadata.ts';
import type { AnyCoordinatorRecord } from './coordinator-record.ts';
import { groupMetadataRecord } from './group-metadata.ts';
import { offsetCommitRecord } from './offset-commit.ts';

/** Every kind of record of `__consumer_offsets` that is declared. */
export const coordinatorRecords = {
  offsetCommit: offsetCommitRecord,
  groupMetadata: groupMetadataRecord,
  consumerGroupMetadata: consumerGroupMetadataRecord,
  consumerGroupMemberMetadata: consumerGroupMemberMetadataRecord,
  consumerGroupTargetAssignmentMetadata: consumerGroupTargetAssignmentMetadataRecord,
  consumerGroupTargetAssignmentMember: consumerGroupTargetAssignmentMemberRecord,
  consumerGroupCurrentMemberAssignment: consumerGroupCurrentMemberAssignmentRecord,
  consumerGroupRegularExpression: consumerGroupRegularExpressionRecord,
} as const satisfies Record<string, AnyCoordinatorRecord>;

export type CoordinatorRecordId = keyof typeof coordinatorRecords;

const idsByType = new Map<number, CoordinatorRecordId>(
  Object.entries(coordinatorRecords).map(([id, { type }]) => [type, id as CoordinatorRecordId]),
);

/**
 * Which kind of record a key belongs to; undefined for one that is not declared here, such as those of share groups.
 *
 * @throws ProtocolError when it is too short to say
 */
export function coordinatorRecordIdOf(key: Uint8Array): CoordinatorRecordId | undefined {
  if (key.length < 2) {
    throw new ProtocolError(
      'TRUNCATED',
      { messageName: 'coordinator key', version: 0, field: '', position: 0 },
      `${key.length} bytes, not even the type of the record is there`,
    );
  }
  return idsByType.get(readInt16(key, 0));
}
