import type { findCoordinator, FindCoordinatorRequest } from '../../../protocol/api/find-coordinator.ts';
import type { ResponseInput } from '../../../protocol/api.ts';
import { errorCode } from '../../../protocol/error-code.ts';
import type { RequestContext } from '../../request-context.ts';
import type { CoordinatorDirectory } from '../coordinator-directory.ts';
import { partitionOfGroup } from '../partition-of-group.ts';

type Coordinator = NonNullable<ResponseInput<typeof findCoordinator>['coordinators']>[number];

/** Kafka's numbers of the kinds of coordinators. */
const keyTypes = { group: 0, transaction: 1, share: 2 } as const;

/** From this version on one request asks for several keys. */
const batchesFrom = 4;

/** FindCoordinator: which broker coordinates a group. */
export class FindCoordinatorHandler {
  readonly #directory: CoordinatorDirectory;
  readonly #onProblem: (what: string, error: unknown) => void;

  constructor(directory: CoordinatorDirectory, onProblem: (what: string, error: unknown) => void) {
    this.#directory = directory;
    this.#onProblem = onProblem;
  }

  async findCoordinator(
    request: FindCoordinatorRequest,
    context: RequestContext,
  ): Promise<ResponseInput<typeof findCoordinator>> {
    const isBatch = context.apiVersion >= batchesFrom;
    const coordinators = await this.#find(
      isBatch ? request.coordinatorKeys : [request.key],
      request.keyType,
      context,
    );
    if (isBatch) return { coordinators };
    const [coordinator] = coordinators;
    return { ...coordinator };
  }

  async #find(keys: readonly string[], keyType: number, context: RequestContext): Promise<Coordinator[]> {
    const refusal = refusalOf(keyType);
    if (refusal !== undefined) return keys.map((key) => missing(key, errorCode.INVALID_REQUEST, refusal));
    let partitions: number;
    try {
      partitions = await this.#directory.offsetsPartitions(context.signal);
    } catch (error) {
      // That the client has gone is no problem, and nobody reads the answer.
      if (!context.signal.aborted) this.#onProblem('__consumer_offsets cannot be created', error);
      const why =
        'the topic __consumer_offsets does not exist and could not be created: try again in a moment';
      return keys.map((key) => missing(key, errorCode.COORDINATOR_NOT_AVAILABLE, why));
    }
    return keys.map((key) => {
      const partition = partitionOfGroup(key, partitions);
      const address = this.#directory.coordinatorOf(partition, context.connection.listener);
      if (address !== undefined) return { key, ...address, errorCode: errorCode.NONE, errorMessage: '' };
      const why = `partition ${partition} of __consumer_offsets has no owner that listens on ${context.connection.listener}: try again in a moment`;
      return missing(key, errorCode.COORDINATOR_NOT_AVAILABLE, why);
    });
  }
}

function refusalOf(keyType: number): string | undefined {
  switch (keyType) {
    case keyTypes.group:
      return undefined;
    case keyTypes.transaction:
      return 'transactions are not supported yet: use a producer without transactional.id (idempotence works)';
    case keyTypes.share:
      return 'share groups are not supported: use a consumer group';
    default:
      return `there is no coordinator of type ${keyType}`;
  }
}

function missing(key: string, code: number, errorMessage: string): Coordinator {
  return { key, nodeId: -1, host: '', port: -1, errorCode: code, errorMessage };
}
