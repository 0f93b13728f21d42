import { defineApi } from '../api.ts';
import type { RequestOf, ResponseOf } from '../api.ts';
import { array, int16, int32, int8, string } from '../field.ts';

export const electLeaders = defineApi({
  key: 43,
  name: 'ElectLeaders',
  versions: '0-2',
  flexible: '2+',
  request: {
    electionType: int8({ versions: '1+' }),
    topicPartitions: array(
      {
        topic: string(),
        partitions: array(int32()),
      },
      { nullable: '0+' },
    ),
    timeoutMs: int32({ default: 60000 }),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16({ versions: '1+' }),
    replicaElectionResults: array({
      topic: string(),
      partitionResult: array({
        partitionId: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+' }),
      }),
    }),
  },
});

export type ElectLeadersRequest = RequestOf<typeof electLeaders>;
export type ElectLeadersResponse = ResponseOf<typeof electLeaders>;
