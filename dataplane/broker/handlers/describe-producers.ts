import type { ResponseInput } from '../../protocol/api.ts';
import type { describeProducers } from '../../protocol/api/describe-producers.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { Handler } from '../handler.ts';
import type { PartitionDirectory } from '../partition-access.ts';

type PartitionResponse = ResponseInput<typeof describeProducers>['topics'][number]['partitions'][number];

/** DescribeProducers: what the owner of a partition remembers of idempotent producers. Transactions there are none. */
export function describeProducersHandler({
  directory,
}: {
  readonly directory: PartitionDirectory;
}): Handler<typeof describeProducers> {
  return ({ topics }) => ({
    throttleTimeMs: 0,
    topics: topics.map(({ name, partitionIndexes }) => ({
      name,
      partitions: partitionIndexes.map((partition) => describe(directory, name, partition)),
    })),
  });
}

function describe(directory: PartitionDirectory, name: string, partition: number): PartitionResponse {
  const topic = directory.view.topicByName(name);
  const access = directory.find({ topic, byId: false, partition, currentLeaderEpoch: -1 });
  if (access.kind === 'refused')
    return { partitionIndex: partition, errorCode: access.errorCode, activeProducers: [] };
  const { producers } = access.served.partition;
  return {
    partitionIndex: partition,
    errorCode: kafkaErrors.NONE.code,
    activeProducers: Array.from(producers.entries(), ([producerId, { epoch, lastTimeMs, batches }]) => ({
      producerId,
      producerEpoch: epoch,
      lastSequence: batches.at(-1)?.lastSequence ?? -1,
      lastTimestamp: lastTimeMs,
      coordinatorEpoch: -1,
      currentTxnStartOffset: -1,
    })),
  };
}
