import type { BrokerLog } from '../../log/broker-log.ts';
import type { ResponseInput } from '../../protocol/api.ts';
import type { ProduceRequest, produce } from '../../protocol/api/produce.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { KafkaErrorName } from '../../protocol/error-code.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { ClientZones } from '../client-zone.ts';
import type { NamedTopic, PartitionLeader } from '../cluster-view.ts';
import type { Handler } from '../handler.ts';
import { noResponse } from '../handler.ts';
import { toldError } from '../log-error-codes.ts';
import { nodeEndpoints } from '../node-endpoints.ts';
import { outcomesInTime } from '../outcomes-in-time.ts';
import type { PartitionDirectory } from '../partition-access.ts';
import { checkProducedRecords } from '../produced-records.ts';
import type { RequestContext } from '../request-context.ts';
import { RetainedBytes } from '../retained-bytes.ts';
import { topicSettings } from '../topic-settings.ts';
import type { ZoneBytes } from '../zone-bytes.ts';

type TopicData = ProduceRequest['topicData'][number];
type PartitionResponse = ResponseInput<typeof produce>['responses'][number]['partitionResponses'][number];

/** The outcome for one partition, and who leads it instead of us. */
interface Appended {
  readonly response: PartitionResponse;
  readonly leader?: PartitionLeader | undefined;
}

export interface ProduceDependencies {
  readonly log: BrokerLog;
  readonly directory: PartitionDirectory;
  readonly runtime: Runtime;
  readonly clientZones: ClientZones;
  readonly zoneBytes: ZoneBytes;
}

const firstVersionWithTopicIds = 13;

/**
 * Produce. Every batch is given to the log before the handler first waits, so the offsets of a partition follow the order
 * in which the requests of a connection arrived. `acks` 0, 1 and -1 mean the same: a record is acknowledged when it is
 * durable in the object store. With `acks=0` there is no response, and an error closes the connection, as in Kafka.
 */
export function produceHandler(dependencies: ProduceDependencies): Handler<typeof produce> {
  const { runtime } = dependencies;
  const retained = new RetainedBytes();
  return async (request, context) => {
    const { acks, timeoutMs, topicData } = request;
    const requestRecordBytes = recordBytes(topicData);
    const refusal = requestRefusal(request);
    const pending: Promise<Appended>[] = [];
    for (const data of topicData) {
      const topic =
        context.apiVersion >= firstVersionWithTopicIds
          ? dependencies.directory.view.topicById(data.topicId)
          : dependencies.directory.view.topicByName(data.name);
      for (const { index, records } of data.partitionData) {
        pending.push(
          refusal === undefined
            ? append(dependencies, { topic, index, records, requestRecordBytes, retained, context })
            : Promise.resolve(failed(index, refusal.error, refusal.message)),
        );
      }
    }
    // What is not durable when the client's time is up may become durable all the same.
    const appended = await outcomesInTime(pending, timeoutMs, runtime, (at) => {
      const indexes = topicData.flatMap(({ partitionData }) => partitionData.map(({ index }) => index));
      const message = `not durable within ${timeoutMs} ms; the records may be appended all the same`;
      return failed(indexes[at] ?? -1, 'REQUEST_TIMED_OUT', message);
    });
    if (acks === 0) {
      const failure = appended.find(({ response }) => response.errorCode !== kafkaErrors.NONE.code);
      if (failure === undefined) return noResponse;
      throw new Error(
        `a produce request with acks=0 failed, error ${failure.response.errorCode}: ${failure.response.errorMessage ?? ''}`,
      );
    }
    let next = 0;
    return {
      responses: topicData.map(({ name, topicId, partitionData }) => ({
        name,
        topicId,
        partitionResponses: appended
          .slice(next, (next += partitionData.length))
          .map(({ response }) => response),
      })),
      throttleTimeMs: 0,
      nodeEndpoints: nodeEndpoints(
        appended.map(({ leader }) => leader),
        context.connection.listener,
      ),
    };
  };
}

function recordBytes(topicData: readonly TopicData[]): number {
  let sum = 0;
  for (const { partitionData } of topicData)
    for (const { records } of partitionData) sum += records?.length ?? 0;
  return sum;
}

function requestRefusal({
  acks,
  transactionalId,
}: ProduceRequest): { readonly error: KafkaErrorName; readonly message: string } | undefined {
  if (acks !== -1 && acks !== 0 && acks !== 1)
    return { error: 'INVALID_REQUIRED_ACKS', message: `acks is ${acks} but must be -1 (all), 0 or 1` };
  if (transactionalId !== null) {
    return {
      error: 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
      message: `transactions are not built yet: produce without the transactional id ${JSON.stringify(transactionalId)}`,
    };
  }
  return undefined;
}

async function append(
  { log, directory, runtime, clientZones, zoneBytes }: ProduceDependencies,
  produced: {
    readonly topic: NamedTopic | undefined;
    readonly index: number;
    readonly records: Uint8Array | null;
    readonly requestRecordBytes: number;
    readonly retained: RetainedBytes;
    readonly context: RequestContext;
  },
): Promise<Appended> {
  const { topic, index, records, requestRecordBytes, retained, context } = produced;
  const byId = context.apiVersion >= firstVersionWithTopicIds;
  const access = directory.find({ topic, byId, partition: index, currentLeaderEpoch: -1 });
  if (access.kind === 'refused') return { ...failed(index, access.error, null), leader: access.leader };
  const settings = topicSettings(access.topic.topic.configs, directory.view.configs);
  if (access.topic.topic.internal)
    return failed(index, 'INVALID_TOPIC_EXCEPTION', `${access.topic.name} is written by brokers only`);
  const { topic: entry } = access.topic;
  zoneBytes.count('produce', clientZones.of(context), entry, directory.view.configs, records?.length ?? 0);
  const nowMs = runtime.wallMs();
  const checked = checkProducedRecords(records, { settings, apiVersion: context.apiVersion, nowMs });
  if ('error' in checked) return failed(index, checked.error, checked.message);
  try {
    const { baseOffset, logAppendTimeMs, logStartOffset } = await log.append(
      access.topic.topic.topicId,
      index,
      retained.keep(records ?? new Uint8Array(0), requestRecordBytes),
      {
        logAppendTime: settings.logAppendTime,
        maxMessageBytes: settings.maxMessageBytes,
        headers: [checked],
      },
      // A client that is gone sends again what was not let in yet: it must not take room.
      context.signal,
    );
    return {
      response: { index, errorCode: kafkaErrors.NONE.code, baseOffset, logAppendTimeMs, logStartOffset },
    };
  } catch (error) {
    const told = toldError(error);
    if (told === undefined) throw error;
    const leader =
      told.name === 'NOT_LEADER_OR_FOLLOWER' ? directory.view.leader(access.topic.topic, index) : undefined;
    return { ...failed(index, told.name, told.message), leader };
  }
}

function failed(index: number, error: KafkaErrorName, errorMessage: string | null): Appended {
  return {
    response: {
      index,
      errorCode: kafkaErrors[error].code,
      baseOffset: -1,
      logAppendTimeMs: -1,
      logStartOffset: -1,
      errorMessage,
    },
  };
}
