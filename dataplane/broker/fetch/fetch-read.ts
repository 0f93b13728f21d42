import type { BrokerLog } from '../../log/broker-log.ts';
import type { TopicEntry } from '../../cluster/cluster-state.ts';
import { kafkaErrors } from '../../protocol/error-code.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { NamedTopic, PartitionLeader } from '../cluster-view.ts';
import { toldError } from '../log-error-codes.ts';
import type { PartitionDirectory, PartitionRefusal } from '../partition-access.ts';
import type { FetchPartition } from './fetch-session.ts';
import { OwnedSource } from './fetch-source.ts';
import type { FetchSource } from './fetch-source.ts';
import type { ZoneFetch } from './zone-reads.ts';

/** What one fetch found in one partition. */
export interface PartitionAnswer {
  readonly partition: FetchPartition;
  readonly errorCode: number;
  /** -1 with an error. */
  readonly highWatermark: number;
  readonly logStartOffset: number;
  readonly pieces: readonly Uint8Array[];
  readonly sizeBytes: number;
  /** Of what has been read. */
  readonly topic?: TopicEntry | undefined;
  /** Who leads it instead of us. */
  readonly leader?: PartitionLeader | undefined;
  /** From where the client is to read it instead of from us. */
  readonly preferredReplica?: number | undefined;
}

export interface FetchReadOptions {
  readonly log: BrokerLog;
  readonly directory: PartitionDirectory;
  readonly runtime: Runtime;
  /** In the order in which they share `maxBytes`. */
  readonly partitions: readonly FetchPartition[];
  readonly byId: boolean;
  /** Absent: only partitions are read that this broker owns, by whoever asks. */
  readonly zone?: ZoneFetch | undefined;
  /** Of all records together; the first batch comes whatever its size, so that a consumer always gets on. */
  readonly maxBytes: number;
  /** Nobody waits any more. */
  readonly signal: AbortSignal;
  /** As of `RequestContext`: then the memory of the records may be used for others. */
  readonly afterResponse: (release: () => void) => void;
}

/** A partition whose end has been reached. */
interface Waiting {
  readonly source: FetchSource;
  readonly offset: number;
}

const noPieces: readonly Uint8Array[] = [];

/** The reading of one fetch request: looks at its partitions again and again until there is enough to answer. */
export class FetchRead {
  readonly #options: FetchReadOptions;
  readonly #answers = new Map<FetchPartition, PartitionAnswer>();
  #isUrgent = false;
  #sizeBytes = 0;
  /** Bytes that reads under way may still bring. */
  #reservedBytes = 0;

  constructor(options: FetchReadOptions) {
    this.#options = options;
  }

  /** Resolves with an answer for every partition, in their order. */
  async run(minBytes: number, maxWaitMs: number): Promise<readonly PartitionAnswer[]> {
    const { partitions, runtime } = this.#options;
    const endMs = runtime.monotonicMs() + maxWaitMs;
    for (;;) {
      const waiting = await this.#look();
      const remainingMs = endMs - runtime.monotonicMs();
      if (this.#isUrgent || this.#sizeBytes >= minBytes || remainingMs <= 0 || waiting.length === 0) break;
      await this.#change(waiting, remainingMs);
    }
    const answers: PartitionAnswer[] = [];
    for (const partition of partitions) {
      const answer = this.#answers.get(partition);
      if (answer !== undefined) answers.push(answer);
    }
    return answers;
  }

  /** Reads what has not brought anything so far; returns the partitions whose ends have been reached. */
  async #look(): Promise<readonly Waiting[]> {
    const waiting: Waiting[] = [];
    const reads: Promise<void>[] = [];
    for (const partition of this.#options.partitions) {
      if ((this.#answers.get(partition)?.sizeBytes ?? 0) > 0) continue;
      const source = this.#find(partition);
      if (source === undefined) continue;
      if (this.#hasNothing(partition, source)) {
        waiting.push({ source, offset: partition.fetchOffset });
        continue;
      }
      const leftBytes = this.#options.maxBytes - this.#sizeBytes - this.#reservedBytes;
      if (leftBytes <= 0 && this.#sizeBytes + this.#reservedBytes > 0) {
        // Its turn comes with the next request.
        this.#answers.set(partition, nothing(partition, source));
        continue;
      }
      const limitBytes = Math.max(1, Math.min(partition.maxBytes, leftBytes));
      this.#reservedBytes += limitBytes;
      reads.push(this.#read(partition, source, limitBytes, waiting));
    }
    if (reads.length > 0) await Promise.all(reads);
    return waiting;
  }

  /** Answers that there is nothing to read, if that is so. */
  #hasNothing(partition: FetchPartition, source: FetchSource): boolean {
    switch (source.at(partition.fetchOffset)) {
      case 'records':
        return false;
      case 'end':
        this.#answers.set(partition, nothing(partition, source));
        return true;
      case 'above':
        // It may come while the client waits.
        this.#answers.set(partition, failed(partition, kafkaErrors.OFFSET_NOT_AVAILABLE.code));
        return true;
    }
  }

  #topicOf({ topicId, topicName }: FetchPartition): NamedTopic | undefined {
    const { directory, byId } = this.#options;
    return byId ? directory.view.topicById(topicId) : directory.view.topicByName(topicName);
  }

  #find(partition: FetchPartition): FetchSource | undefined {
    const { log, directory, byId, zone } = this.#options;
    const topic = this.#topicOf(partition);
    const access = directory.find({
      topic,
      byId,
      partition: partition.partition,
      currentLeaderEpoch: partition.currentLeaderEpoch,
    });
    if (access.kind === 'served') {
      const source = new OwnedSource(log, access.served);
      const preferredReplica = zone?.preferredReplica(access.topic, partition, source);
      if (preferredReplica === undefined) return source;
      this.#isUrgent = true;
      this.#answers.set(partition, { ...nothing(partition, source), preferredReplica });
      return undefined;
    }
    const found =
      access.error === 'NOT_LEADER_OR_FOLLOWER' && zone !== undefined && topic !== undefined
        ? zone.source(topic, partition)
        : access;
    if (!isRefusal(found)) return found;
    this.#fail(partition, found.errorCode, found.leader);
    return undefined;
  }

  async #read(
    partition: FetchPartition,
    source: FetchSource,
    limitBytes: number,
    waiting: Waiting[],
  ): Promise<void> {
    const { signal, afterResponse } = this.#options;
    try {
      const found = await source.read(partition.fetchOffset, limitBytes, signal);
      if (found.sizeBytes === 0) {
        if (!this.#hasNothing(partition, source)) this.#answers.set(partition, nothing(partition, source));
        waiting.push({ source, offset: partition.fetchOffset });
        return;
      }
      afterResponse(found.release);
      this.#sizeBytes += found.sizeBytes;
      this.#answers.set(partition, {
        partition,
        errorCode: 0,
        highWatermark: found.highWatermark,
        logStartOffset: found.logStartOffset,
        pieces: found.pieces,
        sizeBytes: found.sizeBytes,
        topic: this.#topicOf(partition)?.topic,
      });
    } catch (error) {
      const told = toldError(error);
      if (told === undefined) throw error;
      this.#fail(partition, told.code, undefined);
    } finally {
      this.#reservedBytes -= limitBytes;
    }
  }

  #fail(partition: FetchPartition, errorCode: number, leader: PartitionLeader | undefined): void {
    this.#isUrgent = true;
    this.#answers.set(partition, failed(partition, errorCode, leader));
  }

  /** Resolves when something has changed in one of the partitions, the time is up, or nobody waits any more. */
  #change(waiting: readonly Waiting[], waitMs: number): Promise<void> {
    const { runtime, signal } = this.#options;
    return new Promise((resolve) => {
      const cancels: (() => void)[] = [];
      const done = (): void => {
        for (const cancel of cancels.splice(0)) cancel();
        signal.removeEventListener('abort', done);
        // Not before the other partitions of the same slot are told too.
        resolve();
      };
      cancels.push(runtime.after(waitMs, done));
      signal.addEventListener('abort', done, { once: true });
      for (const { source } of waiting) cancels.push(source.onChange(done));
      // While other partitions were read something may have come already.
      if (waiting.some(({ source, offset }) => source.at(offset) === 'records')) done();
      if (signal.aborted) {
        this.#isUrgent = true;
        done();
      }
    });
  }
}

function isRefusal(found: FetchSource | PartitionRefusal): found is PartitionRefusal {
  return 'kind' in found;
}

function nothing(partition: FetchPartition, { highWatermark, logStart }: FetchSource): PartitionAnswer {
  return {
    partition,
    errorCode: 0,
    highWatermark,
    logStartOffset: logStart,
    pieces: noPieces,
    sizeBytes: 0,
  };
}

function failed(partition: FetchPartition, errorCode: number, leader?: PartitionLeader): PartitionAnswer {
  return {
    partition,
    errorCode,
    highWatermark: -1,
    logStartOffset: -1,
    pieces: noPieces,
    sizeBytes: 0,
    leader,
  };
}
