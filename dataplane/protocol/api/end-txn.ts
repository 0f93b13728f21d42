import { defineApi } from '../api.ts';
import type { RequestOf, ResponseOf } from '../api.ts';
import { bool, int16, int32, int64, string } from '../field.ts';

export const endTxn = defineApi({
  key: 26,
  name: 'EndTxn',
  versions: '0-5',
  flexible: '3+',
  request: {
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    committed: bool(),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    producerId: int64({ versions: '5+', default: -1, ignorable: true }),
    producerEpoch: int16({ versions: '5+', default: -1, ignorable: true }),
  },
});

export type EndTxnRequest = RequestOf<typeof endTxn>;
export type EndTxnResponse = ResponseOf<typeof endTxn>;
