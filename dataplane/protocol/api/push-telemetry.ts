import { defineApi } from '../api.ts';
import type { RequestOf, ResponseOf } from '../api.ts';
import { bool, bytes, int16, int32, int8, uuid } from '../field.ts';

export const pushTelemetry = defineApi({
  key: 72,
  name: 'PushTelemetry',
  versions: '0',
  flexible: '0+',
  request: {
    clientInstanceId: uuid(),
    subscriptionId: int32(),
    terminating: bool(),
    compressionType: int8(),
    metrics: bytes(),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
  },
});

export type PushTelemetryRequest = RequestOf<typeof pushTelemetry>;
export type PushTelemetryResponse = ResponseOf<typeof pushTelemetry>;
