import { kafkaErrors } from '../../protocol/error-code.ts';
import type { KafkaErrorName } from '../../protocol/error-code.ts';
import type { FetchRequest } from '../../protocol/api/fetch.ts';
import type { fetch } from '../../protocol/api/fetch.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { ClientZones } from '../client-zone.ts';
import type { PartitionLeader } from '../cluster-view.ts';
import { FetchRead } from '../fetch/fetch-read.ts';
import type { PartitionAnswer } from '../fetch/fetch-read.ts';
import type { FetchSession, FetchSessions } from '../fetch/fetch-session.ts';
import type { ZoneReads } from '../fetch/zone-reads.ts';
import type { Handler } from '../handler.ts';
import { nodeEndpoints } from '../node-endpoints.ts';
import type { PartitionDirectory } from '../partition-access.ts';
import type { ZoneBytes } from '../zone-bytes.ts';
import type { BrokerLog } from '../../log/broker-log.ts';

type Response = ResponseInput<typeof fetch>;
type PartitionResponse = Response['responses'][number]['partitions'][number];

export interface FetchOptions {
  /** Kafka's `fetch.max.bytes` of the broker: no response is larger, whatever the client asks for. */
  readonly maxBytes: number;
}

/**
 * Fetch: whole record batches below the high watermark; waits for `minBytes` up to `maxWaitMs`, and no longer than until
 * one partition has something to say. Sessions: KIP-227.
 */
export function fetchHandler(dependencies: {
  readonly log: BrokerLog;
  readonly directory: PartitionDirectory;
  readonly sessions: FetchSessions;
  readonly zoneReads: ZoneReads;
  readonly clientZones: ClientZones;
  readonly zoneBytes: ZoneBytes;
  readonly runtime: Runtime;
  readonly options: FetchOptions;
}): Handler<typeof fetch> {
  const { log, directory, sessions, zoneReads, clientZones, zoneBytes, runtime, options } = dependencies;
  return async (request, context) => {
    if (isFollower(request)) return failed('INVALID_REQUEST');
    const target = sessions.resolve(request, context.apiVersion);
    if (target.kind === 'error') return failed(target.error);
    const read = new FetchRead({
      log,
      directory,
      runtime,
      partitions: target.partitions,
      byId: context.apiVersion >= 13,
      zone: zoneReads.for(context, request.rackId),
      maxBytes: Math.max(0, Math.min(request.maxBytes, options.maxBytes)),
      signal: context.signal,
      afterResponse: context.afterResponse,
    });
    const answers = await read.run(request.minBytes, request.maxWaitMs);
    const zone = clientZones.of(context, request.rackId);
    for (const { topic, sizeBytes } of answers)
      if (topic !== undefined) zoneBytes.count('fetch', zone, topic, directory.view.configs, sizeBytes);
    const { session, isIncremental } = target;
    const told = isIncremental ? changed(answers) : answers;
    if (session !== undefined) remember(session, told);
    return {
      throttleTimeMs: 0,
      errorCode: kafkaErrors.NONE.code,
      sessionId: session?.id ?? 0,
      responses: byTopic(told),
      nodeEndpoints: nodeEndpoints(
        told.map(({ leader }) => leader),
        context.connection.listener,
      ),
    };
  };
}

/** No broker fetches as a follower: records are replicated by the object store. */
function isFollower({ replicaId, replicaState }: FetchRequest): boolean {
  return replicaId >= 0 || replicaState.replicaId >= 0;
}

function failed(error: KafkaErrorName): Response {
  return { throttleTimeMs: 0, errorCode: kafkaErrors[error].code, sessionId: 0, responses: [] };
}

/** What the client of an incremental session does not know yet. */
function changed(answers: readonly PartitionAnswer[]): readonly PartitionAnswer[] {
  return answers.filter(
    ({ partition, errorCode, sizeBytes, highWatermark, logStartOffset, preferredReplica }) =>
      errorCode !== 0 ||
      sizeBytes > 0 ||
      preferredReplica !== undefined ||
      highWatermark !== partition.highWatermark ||
      logStartOffset !== partition.logStartOffset,
  );
}

function remember(session: FetchSession, told: readonly PartitionAnswer[]): void {
  for (const { partition, errorCode, sizeBytes, highWatermark, logStartOffset } of told) {
    partition.highWatermark = errorCode === 0 ? highWatermark : -1;
    partition.logStartOffset = errorCode === 0 ? logStartOffset : -1;
    if (sizeBytes > 0) session.moveToEnd(partition);
  }
}

function byTopic(answers: readonly PartitionAnswer[]): Response['responses'] {
  const topics: { topic: string; topicId: string; partitions: PartitionResponse[] }[] = [];
  const indexOf = new Map<string, number>();
  for (const answer of answers) {
    const { topicName: topic, topicId } = answer.partition;
    const name = `${topic}/${topicId}`;
    let at = indexOf.get(name);
    if (at === undefined) {
      at = topics.push({ topic, topicId, partitions: [] }) - 1;
      indexOf.set(name, at);
    }
    topics[at]?.partitions.push(partitionResponse(answer));
  }
  return topics;
}

function partitionResponse(answer: PartitionAnswer): PartitionResponse {
  const { partition, errorCode, highWatermark, logStartOffset, pieces, leader, preferredReplica } = answer;
  return {
    partitionIndex: partition.partition,
    errorCode,
    highWatermark,
    // Transactions are not built: nothing is ever unstable.
    lastStableOffset: highWatermark,
    logStartOffset,
    abortedTransactions: null,
    records: pieces,
    ...(preferredReplica === undefined ? {} : { preferredReadReplica: preferredReplica }),
    ...(leader === undefined ? {} : { currentLeader: leaderHint(leader) }),
  };
}

function leaderHint({ brokerId, leaderEpoch }: PartitionLeader): { leaderId: number; leaderEpoch: number } {
  return { leaderId: brokerId, leaderEpoch };
}
