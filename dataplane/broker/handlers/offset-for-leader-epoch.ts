import type { BrokerLog } from '../../log/broker-log.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type {
  OffsetForLeaderEpochRequest,
  offsetForLeaderEpoch,
} from '../../protocol/api/offset-for-leader-epoch.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { Handler } from '../handler.ts';
import { toldError } from '../log-error-codes.ts';
import type { PartitionDirectory } from '../partition-access.ts';

type PartitionResponse = ResponseInput<typeof offsetForLeaderEpoch>['topics'][number]['partitions'][number];
type PartitionRequest = OffsetForLeaderEpochRequest['topics'][number]['partitions'][number];

interface Dependencies {
  readonly log: BrokerLog;
  readonly directory: PartitionDirectory;
}

/**
 * OffsetForLeaderEpoch (KIP-101, KIP-320). What was acknowledged is never truncated here, so consumers always find their
 * position confirmed; that they ask is what makes them leave a leader that is none any more.
 */
export function offsetForLeaderEpochHandler(
  dependencies: Dependencies,
): Handler<typeof offsetForLeaderEpoch> {
  return async ({ topics }, { signal }) => ({
    throttleTimeMs: 0,
    topics: await Promise.all(
      topics.map(async ({ topic, partitions }) => ({
        topic,
        partitions: await Promise.all(
          partitions.map((partition) => endOfEpoch(dependencies, topic, partition, signal)),
        ),
      })),
    ),
  });
}

async function endOfEpoch(
  { log, directory }: Dependencies,
  name: string,
  { partition, currentLeaderEpoch, leaderEpoch }: PartitionRequest,
  signal: AbortSignal,
): Promise<PartitionResponse> {
  const topic = directory.view.topicByName(name);
  const access = directory.find({ topic, byId: false, partition, currentLeaderEpoch });
  if (access.kind === 'refused') return { partition, errorCode: access.errorCode };
  try {
    const end = await log.offsetForLeaderEpoch(access.topic.topic.topicId, partition, leaderEpoch, signal);
    return {
      partition,
      errorCode: kafkaErrors.NONE.code,
      leaderEpoch: end?.epoch ?? -1,
      endOffset: end?.endOffset ?? -1,
    };
  } catch (error) {
    const told = toldError(error);
    if (told === undefined) throw error;
    return { partition, errorCode: told.code };
  }
}
