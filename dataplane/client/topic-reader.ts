import { fetch } from '../protocol/api/fetch.ts';
import type { FetchResponse } from '../protocol/api/fetch.ts';
import { batchDataAsync } from '../protocol/batch-data.ts';
import { isControl, parseBatches } from '../protocol/record-batch.ts';
import { RecordCursor } from '../protocol/records.ts';
import type { RecordHeader } from '../protocol/records.ts';
import { abortReason, sleep } from '../runtime/runtime.ts';
import type { KafkaClient, TopicMetadata } from './kafka-client.ts';
import { refuseError } from './kafka-error.ts';
import { byLeader } from './offsets.ts';
import { isRetriable } from './retry.ts';

export interface ReadRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestampMs: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly RecordHeader[];
}

export interface TopicReaderOptions {
  readonly client: KafkaClient;
  readonly topic: string;
  /** By partition: the first offset to read. */
  readonly from: ReadonlyMap<number, number>;
  /** How long a fetch waits for records. Default 500 ms. */
  readonly maxWaitMs?: number | undefined;
  /** Rejects the reading. */
  readonly signal?: AbortSignal | undefined;
}

const partitionMaxBytes = 1024 * 1024;
const maxBytes = 16 * 1024 * 1024;
const maxBatchDataBytes = 256 * 1024 * 1024;
const pauseMs = 200;

/**
 * Reads partitions of a topic from given offsets on, for ever, outside any group: records of one partition in order, each
 * once, as they come. Brokers that are away, and partitions that move, are waited for.
 */
export class TopicReader {
  readonly #client: KafkaClient;
  readonly #topicName: string;
  readonly #maxWaitMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #next: Map<number, number>;

  constructor(options: TopicReaderOptions) {
    this.#client = options.client;
    this.#topicName = options.topic;
    this.#maxWaitMs = options.maxWaitMs ?? 500;
    this.#signal = options.signal;
    this.#next = new Map(options.from);
  }

  /** By partition: the offset after the last record that was given out or passed over. */
  get positions(): ReadonlyMap<number, number> {
    return this.#next;
  }

  /** Ceases to read a partition. */
  drop(partition: number): void {
    this.#next.delete(partition);
  }

  /**
   * The next records, those of one answer; none when there were none for a while.
   *
   * @throws KafkaError such as OFFSET_OUT_OF_RANGE
   */
  async *read(): AsyncGenerator<readonly ReadRecord[], void, undefined> {
    let topic: TopicMetadata | undefined;
    while (this.#next.size > 0) {
      if (this.#signal?.aborted === true) throw abortReason(this.#signal);
      try {
        topic ??= await this.#client.topic(this.#topicName);
        yield* this.#round(topic);
      } catch (error) {
        if (!isRetriable(error)) throw error;
        topic = undefined;
        await sleep(this.#client.runtime, pauseMs, this.#signal);
      }
    }
  }

  /** Asks every leader once. */
  async *#round(topic: TopicMetadata): AsyncGenerator<readonly ReadRecord[], void, undefined> {
    const asked = new Map(
      [...byLeader(topic, [...this.#next.keys()])].map(([leader, partitions]) => {
        const answer = this.#fetch(topic, leader, partitions).then(
          (response) => ({ leader, response }),
          (error: unknown) => ({ leader, error: asError(error) }),
        );
        return [leader, answer] as const;
      }),
    );
    let failure: Error | undefined;
    while (asked.size > 0) {
      const answer = await Promise.race(asked.values());
      asked.delete(answer.leader);
      if ('error' in answer) failure ??= answer.error;
      else {
        const { records, failed } = await this.#records(answer.response);
        yield records;
        failure ??= failed;
      }
    }
    if (failure !== undefined) throw failure;
  }

  async #fetch(topic: TopicMetadata, leader: number, partitions: readonly number[]): Promise<FetchResponse> {
    const connection = await this.#client.broker(leader);
    return await connection.request(
      fetch,
      {
        maxWaitMs: this.#maxWaitMs,
        minBytes: 1,
        maxBytes,
        topics: [
          {
            topic: topic.name,
            topicId: topic.topicId,
            partitions: partitions.map((partition) => ({
              partition,
              fetchOffset: this.#next.get(partition) ?? 0,
              partitionMaxBytes,
            })),
          },
        ],
        forgottenTopicsData: [],
      },
      { timeoutMs: this.#client.timeoutMs + this.#maxWaitMs },
    );
  }

  /** A partition that failed takes nothing from the others: their positions have moved on. */
  async #records({ errorCode, responses }: FetchResponse): Promise<{
    readonly records: readonly ReadRecord[];
    readonly failed: Error | undefined;
  }> {
    refuseError(errorCode, `topic ${this.#topicName} could not be read`);
    const found: ReadRecord[] = [];
    let failed: Error | undefined;
    for (const { partitionIndex, errorCode, records } of responses[0]?.partitions ?? []) {
      const next = this.#next.get(partitionIndex);
      if (next === undefined) continue;
      try {
        refuseError(
          errorCode,
          `${this.#topicName}-${partitionIndex} could not be read from offset ${next} on`,
        );
        this.#next.set(partitionIndex, await gatherRecords(partitionIndex, records, next, found));
      } catch (error) {
        failed ??= asError(error);
      }
    }
    return { records: found, failed };
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error('reading failed', { cause: error });
}

/** Adds the records from offset `next` on, and returns the offset after them. */
async function gatherRecords(
  partition: number,
  bytes: Uint8Array | null,
  next: number,
  found: ReadRecord[],
): Promise<number> {
  let end = next;
  let position = 0;
  if (bytes === null) return end;
  for (const header of parseBatches(wholeBatches(bytes), { verifyCrc: true, allowGaps: true })) {
    if (!isControl(header.attributes)) {
      const data = await batchDataAsync(header, bytes, position, maxBatchDataBytes);
      const cursor = new RecordCursor(header, data, position);
      while (cursor.next()) {
        const { offset, timestampMs, key, value, headers } = cursor;
        if (offset >= next) found.push({ partition, offset, timestampMs, key, value, headers });
      }
    }
    end = Math.max(end, header.baseOffset + header.lastOffsetDelta + 1);
    position += header.sizeBytes;
  }
  return end;
}

/** Kafka may end an answer inside a batch. */
function wholeBatches(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let end = 0;
  while (end + 12 <= bytes.length) {
    const next = end + 12 + view.getInt32(end + 8);
    if (next > bytes.length || next <= end) break;
    end = next;
  }
  return bytes.subarray(0, end);
}
