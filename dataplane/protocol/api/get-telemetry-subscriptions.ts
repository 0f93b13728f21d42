import { defineApi } from '../api.ts';
import type { RequestOf, ResponseOf } from '../api.ts';
import { array, bool, int16, int32, int8, string, uuid } from '../field.ts';

export const getTelemetrySubscriptions = defineApi({
  key: 71,
  name: 'GetTelemetrySubscriptions',
  versions: '0',
  flexible: '0+',
  request: {
    clientInstanceId: uuid(),
  },
  response: {
    throttleTimeMs: int32(),
    errorCode: int16(),
    clientInstanceId: uuid(),
    subscriptionId: int32(),
    acceptedCompressionTypes: array(int8()),
    pushIntervalMs: int32(),
    telemetryMaxBytes: int32(),
    deltaTemporality: bool(),
    requestedMetrics: array(string()),
  },
});

export type GetTelemetrySubscriptionsRequest = RequestOf<typeof getTelemetrySubscriptions>;
export type GetTelemetrySubscriptionsResponse = ResponseOf<typeof getTelemetrySubscriptions>;
