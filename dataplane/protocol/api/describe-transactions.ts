import { defineApi } from '../api.ts';
import type { RequestOf, ResponseOf } from '../api.ts';
import { array, int16, int32, int64, string } from '../field.ts';

export const describeTransactions = defineApi({
  key: 65,
  name: 'DescribeTransactions',
  versions: '0',
  flexible: '0+',
  request: {
    transactionalIds: array(string()),
  },
  response: {
    throttleTimeMs: int32(),
    transactionStates: array({
      errorCode: int16(),
      transactionalId: string(),
      transactionState: string(),
      transactionTimeoutMs: int32(),
      transactionStartTimeMs: int64(),
      producerId: int64(),
      producerEpoch: int16(),
      topics: array({
        topic: string(),
        partitions: array(int32()),
      }),
    }),
  },
});

export type DescribeTransactionsRequest = RequestOf<typeof describeTransactions>;
export type DescribeTransactionsResponse = ResponseOf<typeof describeTransactions>;
