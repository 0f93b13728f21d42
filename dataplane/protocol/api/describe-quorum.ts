import { defineApi } from '../api.ts';
import type { RequestOf, ResponseOf } from '../api.ts';
import { array, int16, int32, int64, string, uint16, uuid } from '../field.ts';

const replicaState = {
  replicaId: int32(),
  replicaDirectoryId: uuid({ versions: '2+' }),
  logEndOffset: int64(),
  lastFetchTimestamp: int64({ versions: '1+', default: -1, ignorable: true }),
  lastCaughtUpTimestamp: int64({ versions: '1+', default: -1, ignorable: true }),
};

export const describeQuorum = defineApi({
  key: 55,
  name: 'DescribeQuorum',
  versions: '0-2',
  flexible: '0+',
  request: {
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
      }),
    }),
  },
  response: {
    errorCode: int16(),
    errorMessage: string({ versions: '2+', nullable: '2+', ignorable: true }),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ versions: '2+', nullable: '2+', ignorable: true }),
        leaderId: int32(),
        leaderEpoch: int32(),
        highWatermark: int64(),
        currentVoters: array(replicaState),
        observers: array(replicaState),
      }),
    }),
    nodes: array(
      {
        nodeId: int32(),
        listeners: array({
          name: string(),
          host: string(),
          port: uint16(),
        }),
      },
      { versions: '2+' },
    ),
  },
});

export type DescribeQuorumRequest = RequestOf<typeof describeQuorum>;
export type DescribeQuorumResponse = ResponseOf<typeof describeQuorum>;
