import { array, int32, string, uuid } from '../field.ts';
import { defineCoordinatorRecord } from './coordinator-record.ts';
import type { KeyOf, ValueOf } from './coordinator-record.ts';

export const consumerGroupTargetAssignmentMemberRecord = defineCoordinatorRecord({
  type: 7,
  name: 'ConsumerGroupTargetAssignmentMember',
  versions: '0',
  flexible: '0+',
  key: {
    groupId: string(),
    memberId: string(),
  },
  value: {
    topicPartitions: array({
      topicId: uuid(),
      partitions: array(int32()),
    }),
  },
});

export type ConsumerGroupTargetAssignmentMemberKey = KeyOf<typeof consumerGroupTargetAssignmentMemberRecord>;
export type ConsumerGroupTargetAssignmentMemberValue = ValueOf<
  typeof consumerGroupTargetAssignmentMemberRecord
>;
