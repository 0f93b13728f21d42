import type { initProducerId } from '../../protocol/api/init-producer-id.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import { StoreError } from '../../store/errors.ts';
import type { Handler } from '../handler.ts';

/** InitProducerId for idempotent producers: an id that no producer of this cluster has had. Transactions are not built. */
export function initProducerIdHandler(dependencies: {
  readonly nextProducerId: () => Promise<number>;
}): Handler<typeof initProducerId> {
  return async ({ transactionalId }) => {
    if (transactionalId !== null) return failed(kafkaErrors.TRANSACTIONAL_ID_AUTHORIZATION_FAILED.code);
    try {
      const producerId = await dependencies.nextProducerId();
      return { throttleTimeMs: 0, errorCode: kafkaErrors.NONE.code, producerId, producerEpoch: 0 };
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return failed(kafkaErrors.COORDINATOR_NOT_AVAILABLE.code);
    }
  };
}

function failed(errorCode: number): {
  readonly throttleTimeMs: number;
  readonly errorCode: number;
  readonly producerId: number;
  readonly producerEpoch: number;
} {
  return { throttleTimeMs: 0, errorCode, producerId: -1, producerEpoch: -1 };
}
