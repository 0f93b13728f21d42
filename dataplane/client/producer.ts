import { initProducerId } from '../protocol/api/init-producer-id.ts';
import { produce } from '../protocol/api/produce.ts';
import type { CompressionCodec } from '../protocol/compression/codec.ts';
import { kafkaErrors } from '../protocol/error-code.ts';
import { batchSizeBytes, buildBatchAsync } from '../protocol/record-batch-builder.ts';
import type { RecordInput } from '../protocol/record-encoder.ts';
import type { KafkaClient, TopicMetadata } from './kafka-client.ts';
import { refuseError } from './kafka-error.ts';
import { leaderOf } from './offsets.ts';
import { partitionOfKey } from './partitioner.ts';

export interface ProducerOptions {
  readonly client: KafkaClient;
  readonly topic: string;
  /** Default `none`. */
  readonly compression?: CompressionCodec | undefined;
  /** A batch is sent when it has this many bytes, uncompressed. Default 256 KiB. */
  readonly batchBytes?: number | undefined;
  /** Default 32 MiB: {@link Producer.add} waits while more than that is on its way. */
  readonly maxPendingBytes?: number | undefined;
}

interface ProducerIdentity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** What of one partition is on its way: batches go one after the other, so that they stay in order when one is repeated. */
interface PartitionQueue {
  records: RecordInput[];
  sizeBytes: number;
  nextSequence: number;
  sent: Promise<void>;
}

/** What a record takes beside its key, value and headers, about. */
const recordOverheadBytes = 32;

/**
 * Writes records to one topic, with acks=all and idempotently: a batch whose answer is lost is sent again, and is in the
 * log once. Records with a key go where Kafka's clients put them; those without one fill a batch, then go on to the next
 * partition.
 */
export class Producer {
  readonly #client: KafkaClient;
  readonly #topicName: string;
  readonly #compression: CompressionCodec;
  readonly #batchBytes: number;
  readonly #maxPendingBytes: number;
  readonly #queues = new Map<number, PartitionQueue>();
  #identity: Promise<ProducerIdentity> | undefined;
  #topic: TopicMetadata | undefined;
  #sticky = 0;
  #pendingBytes = 0;
  #failure: Error | undefined;
  #recordsWritten = 0;

  constructor(options: ProducerOptions) {
    this.#client = options.client;
    this.#topicName = options.topic;
    this.#compression = options.compression ?? 'none';
    this.#batchBytes = options.batchBytes ?? 256 * 1024;
    this.#maxPendingBytes = options.maxPendingBytes ?? 32 * 1024 * 1024;
  }

  /** Acknowledged so far. */
  get recordsWritten(): number {
    return this.#recordsWritten;
  }

  /**
   * Takes a record; resolves when there is room for the next one. Rejects when this or an earlier record could not be
   * written: then no further one is.
   *
   * @param partition default: by the key
   */
  async add(record: RecordInput, partition?: number): Promise<void> {
    this.#topic ??= await this.#client.topic(this.#topicName);
    const chosen = partition ?? this.#partitionFor(record, this.#topic);
    leaderCheck(this.#topic, chosen);
    const queue = this.#queueOf(chosen);
    const sizeBytes = batchSizeBytes([record]) + recordOverheadBytes;
    queue.records.push(record);
    queue.sizeBytes += sizeBytes;
    this.#pendingBytes += sizeBytes;
    if (queue.sizeBytes >= this.#batchBytes) {
      this.#sendQueued(chosen, queue);
      if (partition === undefined) this.#sticky += 1;
    }
    if (this.#pendingBytes > this.#maxPendingBytes) await this.flush();
    this.#refuseFailure();
  }

  /** Resolves when all records given so far are written. */
  async flush(): Promise<void> {
    for (const [partition, queue] of this.#queues) this.#sendQueued(partition, queue);
    this.#sticky += 1;
    await Promise.all([...this.#queues.values()].map(({ sent }) => sent));
    this.#refuseFailure();
  }

  #partitionFor({ key }: RecordInput, { partitions }: TopicMetadata): number {
    if (key === null || key === undefined) return this.#sticky % partitions.length;
    return partitionOfKey(typeof key === 'string' ? Buffer.from(key) : key, partitions.length);
  }

  #queueOf(partition: number): PartitionQueue {
    let queue = this.#queues.get(partition);
    if (queue === undefined) {
      queue = { records: [], sizeBytes: 0, nextSequence: 0, sent: Promise.resolve() };
      this.#queues.set(partition, queue);
    }
    return queue;
  }

  /** Puts what is queued behind the batches before it. Failures are kept for whoever asks next. */
  #sendQueued(partition: number, queue: PartitionQueue): void {
    const { records, sizeBytes } = queue;
    if (records.length === 0) return;
    queue.records = [];
    queue.sizeBytes = 0;
    queue.sent = queue.sent
      .then(async () => {
        if (this.#failure !== undefined) return;
        await this.#write(partition, queue, records);
        this.#recordsWritten += records.length;
      })
      .catch((error: unknown) => {
        this.#failure ??=
          error instanceof Error ? error : new Error('records were not written', { cause: error });
      })
      .finally(() => {
        this.#pendingBytes -= sizeBytes;
      });
  }

  async #write(partition: number, queue: PartitionQueue, records: readonly RecordInput[]): Promise<void> {
    const identity = await this.#identify();
    const baseSequence = queue.nextSequence;
    queue.nextSequence = (baseSequence + records.length) % 2 ** 31;
    const batch = await buildBatchAsync({
      records,
      ...identity,
      baseSequence,
      compression: this.#compression,
    });
    await this.#client.retrying(async () => {
      const topic = await this.#client.topic(this.#topicName);
      const connection = await this.#client.broker(leaderOf(topic, partition));
      const { responses } = await connection.request(produce, {
        acks: -1,
        timeoutMs: this.#client.timeoutMs,
        topicData: [
          { name: topic.name, topicId: topic.topicId, partitionData: [{ index: partition, records: batch }] },
        ],
      });
      const answer = responses[0]?.partitionResponses[0];
      const { errorCode = kafkaErrors.UNKNOWN_SERVER_ERROR.code, errorMessage } = answer ?? {};
      // An earlier attempt, whose answer was lost, has written it.
      if (errorCode === kafkaErrors.DUPLICATE_SEQUENCE_NUMBER.code) return;
      refuseError(errorCode, `records could not be written to ${topic.name}-${partition}`, errorMessage);
    });
  }

  #identify(): Promise<ProducerIdentity> {
    this.#identity ??= this.#client.retrying(async () => {
      const connection = await this.#client.any();
      const response = await connection.request(initProducerId, {
        transactionalId: null,
        transactionTimeoutMs: 0x7fff_ffff,
      });
      refuseError(response.errorCode, 'a producer id could not be had');
      return { producerId: response.producerId, producerEpoch: response.producerEpoch };
    });
    return this.#identity;
  }

  #refuseFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }
}

/** A partition that does not exist is refused at once; one that nobody leads at the moment is waited for when it is sent. */
function leaderCheck(topic: TopicMetadata, partition: number): void {
  if (partition < 0 || partition >= topic.partitions.length) leaderOf(topic, partition);
}
