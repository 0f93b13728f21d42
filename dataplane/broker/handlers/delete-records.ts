import type { BrokerLog } from '../../log/broker-log.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { DeleteRecordsRequest, deleteRecords } from '../../protocol/api/delete-records.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { KafkaErrorName } from '../../protocol/error-code.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Handler } from '../handler.ts';
import { toldError } from '../log-error-codes.ts';
import type { PartitionDirectory } from '../partition-access.ts';
import { withDeadline } from '../with-deadline.ts';

type PartitionResponse = ResponseInput<typeof deleteRecords>['topics'][number]['partitions'][number];
type PartitionRequest = DeleteRecordsRequest['topics'][number]['partitions'][number];

interface Dependencies {
  readonly log: BrokerLog;
  readonly directory: PartitionDirectory;
  readonly runtime: Runtime;
}

/** DeleteRecords: moves log starts. Answered when that is durable; after `timeoutMs` it may happen all the same. */
export function deleteRecordsHandler(dependencies: Dependencies): Handler<typeof deleteRecords> {
  return async ({ topics, timeoutMs }) => ({
    throttleTimeMs: 0,
    topics: await Promise.all(
      topics.map(async ({ name, partitions }) => ({
        name,
        partitions: await Promise.all(
          partitions.map((partition) =>
            withDeadline(dependencies.runtime, timeoutMs, deleteUpTo(dependencies, name, partition), () =>
              failed(partition.partitionIndex, 'REQUEST_TIMED_OUT'),
            ),
          ),
        ),
      })),
    ),
  });
}

async function deleteUpTo(
  { log, directory }: Dependencies,
  name: string,
  { partitionIndex, offset }: PartitionRequest,
): Promise<PartitionResponse> {
  const topic = directory.view.topicByName(name);
  const access = directory.find({ topic, byId: false, partition: partitionIndex, currentLeaderEpoch: -1 });
  if (access.kind === 'refused') return failed(partitionIndex, access.error);
  if (access.topic.topic.internal) return failed(partitionIndex, 'INVALID_TOPIC_EXCEPTION');
  try {
    const lowWatermark = await log.deleteRecords(access.topic.topic.topicId, partitionIndex, offset);
    return { partitionIndex, lowWatermark, errorCode: kafkaErrors.NONE.code };
  } catch (error) {
    const told = toldError(error);
    if (told === undefined) throw error;
    return failed(partitionIndex, told.name);
  }
}

function failed(partitionIndex: number, error: KafkaErrorName): PartitionResponse {
  return { partitionIndex, lowWatermark: -1, errorCode: kafkaErrors[error].code };
}
