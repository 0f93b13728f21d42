import { array, int32, int8, string, uuid } from '../field.ts';
import { defineCoordinatorRecord } from './coordinator-record.ts';
import type { KeyOf, ValueOf } from './coordinator-record.ts';

const topicPartitions = {
  topicId: uuid(),
  partitions: array(int32()),
  assignmentEpochs: array(int32(), { nullable: '0+', tag: 0 }),
};

export const consumerGroupCurrentMemberAssignmentRecord = defineCoordinatorRecord({
  type: 8,
  name: 'ConsumerGroupCurrentMemberAssignment',
  versions: '0',
  flexible: '0+',
  key: {
    groupId: string(),
    memberId: string(),
  },
  value: {
    memberEpoch: int32(),
    previousMemberEpoch: int32(),
    state: int8(),
    assignedPartitions: array(topicPartitions),
    partitionsPendingRevocation: array(topicPartitions),
  },
});

export type ConsumerGroupCurrentMemberAssignmentKey = KeyOf<
  typeof consumerGroupCurrentMemberAssignmentRecord
>;
export type ConsumerGroupCurrentMemberAssignmentValue = ValueOf<
  typeof consumerGroupCurrentMemberAssignmentRecord
>;
