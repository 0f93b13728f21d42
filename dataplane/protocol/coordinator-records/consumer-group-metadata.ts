import { int32, int64, string } from '../field.ts';
import { defineCoordinatorRecord } from './coordinator-record.ts';
import type { KeyOf, ValueOf } from './coordinator-record.ts';

export const consumerGroupMetadataRecord = defineCoordinatorRecord({
  type: 3,
  name: 'ConsumerGroupMetadata',
  versions: '0',
  flexible: '0+',
  key: {
    groupId: string(),
  },
  value: {
    epoch: int32(),
    metadataHash: int64({ default: 0, tag: 0 }),
  },
});

export type ConsumerGroupMetadataKey = KeyOf<typeof consumerGroupMetadataRecord>;
export type ConsumerGroupMetadataValue = ValueOf<typeof consumerGroupMetadataRecord>;
