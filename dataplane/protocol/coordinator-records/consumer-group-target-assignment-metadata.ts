import { int32, int64, string } from '../field.ts';
import { defineCoordinatorRecord } from './coordinator-record.ts';
import type { KeyOf, ValueOf } from './coordinator-record.ts';

export const consumerGroupTargetAssignmentMetadataRecord = defineCoordinatorRecord({
  type: 6,
  name: 'ConsumerGroupTargetAssignmentMetadata',
  versions: '0',
  flexible: '0+',
  key: {
    groupId: string(),
  },
  value: {
    assignmentEpoch: int32(),
    assignmentTimestamp: int64({ default: 0, tag: 0 }),
  },
});

export type ConsumerGroupTargetAssignmentMetadataKey = KeyOf<
  typeof consumerGroupTargetAssignmentMetadataRecord
>;
export type ConsumerGroupTargetAssignmentMetadataValue = ValueOf<
  typeof consumerGroupTargetAssignmentMetadataRecord
>;
