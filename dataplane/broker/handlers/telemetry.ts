import { mintHexId } from '../../cluster/new-cluster.ts';
import type { getTelemetrySubscriptions } from '../../protocol/api/get-telemetry-subscriptions.ts';
import type { pushTelemetry } from '../../protocol/api/push-telemetry.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Handler } from '../handler.ts';

/**
 * Client telemetry (KIP-714) of a cluster that wants no metrics: clients get an id, are told that nothing is subscribed
 * to, and ask again every five minutes, as with a Kafka that has no subscriptions. Subscriptions are not built.
 */
const subscriptions = {
  /** Of no subscription. */
  subscriptionId: 0,
  /** Kafka's numbers of zstd, lz4, gzip and snappy, in its order of preference. */
  acceptedCompressionTypes: [4, 3, 1, 2],
  pushIntervalMs: 300_000,
  /** Kafka's `telemetry.max.bytes`. */
  telemetryMaxBytes: 1_048_576,
  deltaTemporality: true,
  requestedMetrics: [],
};

const noInstanceId = '0'.repeat(32);

export function getTelemetrySubscriptionsHandler({
  runtime,
}: {
  readonly runtime: Runtime;
}): Handler<typeof getTelemetrySubscriptions> {
  return ({ clientInstanceId }) => ({
    throttleTimeMs: 0,
    errorCode: kafkaErrors.NONE.code,
    clientInstanceId: clientInstanceId === noInstanceId ? mintHexId(runtime.random) : clientInstanceId,
    ...subscriptions,
  });
}

/** Nothing is wanted, so metrics are refused; an empty push, such as that of a client that ends, is in order. */
export function pushTelemetryHandler(): Handler<typeof pushTelemetry> {
  return ({ clientInstanceId, subscriptionId, metrics }) => ({
    throttleTimeMs: 0,
    errorCode:
      clientInstanceId === noInstanceId
        ? kafkaErrors.INVALID_REQUEST.code
        : subscriptionId !== subscriptions.subscriptionId || metrics.length > 0
          ? kafkaErrors.UNKNOWN_SUBSCRIPTION_ID.code
          : kafkaErrors.NONE.code,
  });
}
