import { int32, int64, string, uuid } from '../field.ts';
import { defineCoordinatorRecord } from './coordinator-record.ts';
import type { KeyOf, ValueOf } from './coordinator-record.ts';

export const offsetCommitRecord = defineCoordinatorRecord({
  type: 1,
  name: 'OffsetCommit',
  versions: '0-4',
  flexible: '4+',
  key: {
    group: string(),
    topic: string(),
    partition: int32(),
  },
  value: {
    offset: int64(),
    leaderEpoch: int32({ versions: '3+', default: -1, ignorable: true }),
    metadata: string(),
    commitTimestamp: int64(),
    expireTimestamp: int64({ versions: '1', default: -1, ignorable: true }),
    topicId: uuid({ versions: '4+', tag: 0, ignorable: true }),
  },
});

export type OffsetCommitKey = KeyOf<typeof offsetCommitRecord>;
export type OffsetCommitValue = ValueOf<typeof offsetCommitRecord>;
