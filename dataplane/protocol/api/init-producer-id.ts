import { defineApi } from '../api.ts';
import type { RequestOf, ResponseOf } from '../api.ts';
import { int16, int32, int64, string } from '../field.ts';

export const initProducerId = defineApi({
  key: 22,
  name: 'InitProducerId',
  versions: '0-5',
  flexible: '2+',
  request: {
    transactionalId: string({ nullable: '0+' }),
    transactionTimeoutMs: int32(),
    producerId: int64({ versions: '3+', default: -1 }),
    producerEpoch: int16({ versions: '3+', default: -1 }),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    producerId: int64({ default: -1 }),
    producerEpoch: int16(),
  },
});

export type InitProducerIdRequest = RequestOf<typeof initProducerId>;
export type InitProducerIdResponse = ResponseOf<typeof initProducerId>;
