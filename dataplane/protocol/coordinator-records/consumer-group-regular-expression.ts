import { array, int64, string } from '../field.ts';
import { defineCoordinatorRecord } from './coordinator-record.ts';
import type { KeyOf, ValueOf } from './coordinator-record.ts';

export const consumerGroupRegularExpressionRecord = defineCoordinatorRecord({
  type: 16,
  name: 'ConsumerGroupRegularExpression',
  versions: '0',
  flexible: '0+',
  key: {
    groupId: string(),
    regularExpression: string(),
  },
  value: {
    topics: array(string()),
    version: int64(),
    timestamp: int64(),
  },
});

export type ConsumerGroupRegularExpressionKey = KeyOf<typeof consumerGroupRegularExpressionRecord>;
export type ConsumerGroupRegularExpressionValue = ValueOf<typeof consumerGroupRegularExpressionRecord>;
