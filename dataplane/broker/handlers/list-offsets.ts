import type { BrokerLog } from '../../log/broker-log.ts';
import type { Served } from '../../log/served-groups.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { ListOffsetsRequest, listOffsets } from '../../protocol/api/list-offsets.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import { firstRecordSince } from '../first-record-since.ts';
import type { FoundRecord } from '../first-record-since.ts';
import type { Handler } from '../handler.ts';
import { toldError } from '../log-error-codes.ts';
import type { PartitionDirectory } from '../partition-access.ts';

type PartitionResponse = ResponseInput<typeof listOffsets>['topics'][number]['partitions'][number];
type PartitionRequest = ListOffsetsRequest['topics'][number]['partitions'][number];

/** Timestamps that are none (Kafka's ListOffsetsRequest). */
const special = {
  latest: -1,
  earliest: -2,
  maxTimestamp: -3,
  earliestLocal: -4,
  latestTiered: -5,
  earliestPendingUpload: -6,
} as const;

interface Dependencies {
  readonly log: BrokerLog;
  readonly directory: PartitionDirectory;
}

/**
 * ListOffsets. Ends are confirmed before they are told (log.md P6): a broker that has been replaced without knowing it
 * must not send a consumer back. All isolation levels see the same end, as there are no transactions.
 */
export function listOffsetsHandler(dependencies: Dependencies): Handler<typeof listOffsets> {
  return async ({ topics, replicaId }, context) => {
    const answers = topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map((partition) =>
          replicaId >= 0
            ? Promise.resolve(failed(partition.partitionIndex, kafkaErrors.INVALID_REQUEST.code))
            : listPartition(dependencies, name, partition, context.signal),
        ),
      ),
    }));
    return { throttleTimeMs: 0, topics: await Promise.all(answers) };
  };
}

async function listPartition(
  { log, directory }: Dependencies,
  name: string,
  { partitionIndex, currentLeaderEpoch, timestamp }: PartitionRequest,
  signal: AbortSignal,
): Promise<PartitionResponse> {
  const topic = directory.view.topicByName(name);
  const access = directory.find({ topic, byId: false, partition: partitionIndex, currentLeaderEpoch });
  if (access.kind === 'refused') return failed(partitionIndex, access.errorCode);
  try {
    const found = await find(log, access.served, timestamp, signal);
    return {
      partitionIndex,
      errorCode: kafkaErrors.NONE.code,
      timestamp: found?.timestampMs ?? -1,
      offset: found?.offset ?? -1,
      leaderEpoch: found?.leaderEpoch ?? -1,
    };
  } catch (error) {
    const told = toldError(error);
    if (told === undefined) throw error;
    return failed(partitionIndex, told.code);
  }
}

function failed(partitionIndex: number, errorCode: number): PartitionResponse {
  return { partitionIndex, errorCode, timestamp: -1, offset: -1, leaderEpoch: -1 };
}

async function find(
  log: BrokerLog,
  served: Served,
  timestamp: number,
  signal: AbortSignal,
): Promise<FoundRecord | undefined> {
  const { topicId, partition } = served.partition;
  switch (timestamp) {
    case special.latest: {
      const offset = await log.endOffset(topicId, partition);
      return { offset, timestampMs: -1, leaderEpoch: served.group.manifest.epoch };
    }
    case special.earliest:
    case special.earliestLocal: {
      const offset = served.partition.logStart;
      return { offset, timestampMs: -1, leaderEpoch: epochAt(served, offset) };
    }
    // There is no tiered storage beside the log: everything is in the object store, and nothing waits to be moved.
    case special.latestTiered:
    case special.earliestPendingUpload:
      return undefined;
    case special.maxTimestamp: {
      await log.endOffset(topicId, partition);
      const { maxTimestampMs } = served.partition;
      return maxTimestampMs < 0 ? undefined : firstRecordSince(log, served, maxTimestampMs, signal);
    }
    default:
      return firstRecordSince(log, served, timestamp, signal);
  }
}

/** The leader epoch of the record at `offset`, or of the next one to come. */
function epochAt({ group, partition }: Served, offset: number): number {
  const { epochs } = group.partitionManifest(partition.partition);
  let { epoch } = group.manifest;
  for (const entry of epochs) {
    if (entry.startOffset > offset) break;
    ({ epoch } = entry);
  }
  return epoch;
}
