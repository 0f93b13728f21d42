import type { BrokerLog } from '../../log/broker-log.ts';
import type { OwnedGroup } from '../../log/owned-group.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { describeLogDirs } from '../../protocol/api/describe-log-dirs.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { ClusterView } from '../cluster-view.ts';
import type { Handler } from '../handler.ts';

type TopicResponse = ResponseInput<typeof describeLogDirs>['results'][number]['topics'][number];

interface Dependencies {
  readonly log: BrokerLog;
  readonly view: ClusterView;
  /** The URL of the object store: the one directory that there is. */
  readonly store: string;
}

/**
 * DescribeLogDirs: the partitions that this broker owns and what they take in the object store, which has no end that
 * could be told.
 */
export function describeLogDirsHandler({ log, view, store }: Dependencies): Handler<typeof describeLogDirs> {
  return ({ topics }) => {
    const asked =
      topics === null
        ? undefined
        : new Map(topics.map(({ topic, partitions }) => [topic, new Set(partitions)]));
    const described = new Map<string, TopicResponse['partitions'][number][]>();
    for (const group of log.log?.groups ?? []) {
      const name = view.topicById(group.manifest.topicId)?.name;
      if (name === undefined) continue;
      const wanted = asked?.get(name);
      if (asked !== undefined && wanted === undefined) continue;
      const partitions = described.get(name) ?? [];
      for (const { partition, sizeBytes } of sizesOf(group)) {
        if (wanted?.has(partition) ?? true)
          partitions.push({
            partitionIndex: partition,
            partitionSize: sizeBytes,
            offsetLag: 0,
            isFutureKey: false,
          });
      }
      described.set(name, partitions);
    }
    return {
      throttleTimeMs: 0,
      results: [
        {
          errorCode: kafkaErrors.NONE.code,
          logDir: store,
          topics: Array.from(described, ([name, partitions]) => ({
            name,
            partitions: partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex),
          })),
        },
      ],
    };
  };
}

/** Bytes of records: in segments, and in the write-ahead log only so far. */
function sizesOf(group: OwnedGroup): { readonly partition: number; readonly sizeBytes: number }[] {
  return group.manifest.partitions.map(({ partition, segments, pages }) => {
    const unflushed = (group.partitions.get(partition)?.tail ?? []).filter(({ flushed }) => !flushed);
    const sizeBytes =
      sum(pages.map((page) => page.sizeBytes)) +
      sum(segments.map((segment) => segment.sizeBytes)) +
      sum(unflushed.map(({ entry }) => entry.sizeBytes));
    return { partition, sizeBytes };
  });
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
