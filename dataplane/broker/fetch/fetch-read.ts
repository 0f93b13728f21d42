import type { BrokerLog } from '../../log/broker-log.ts';
import type { Served } from '../../log/served-groups.ts';
import { inBackground } from '../../runtime/in-background.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { PartitionLeader } from '../cluster-view.ts';
import { toldError } from '../log-error-codes.ts';
import type { PartitionDirectory } from '../partition-access.ts';
import type { FetchPartition } from './fetch-session.ts';

/** What one fetch found in one partition. */
export interface PartitionAnswer {
  readonly partition: FetchPartition;
  readonly errorCode: number;
  /** -1 with an error. */
  readonly highWatermark: number;
  readonly logStartOffset: number;
  readonly pieces: readonly Uint8Array[];
  readonly sizeBytes: number;
  /** Who leads it instead of us. */
  readonly leader?: PartitionLeader | undefined;
}

export interface FetchReadOptions {
  readonly log: BrokerLog;
  readonly directory: PartitionDirectory;
  readonly runtime: Runtime;
  /** In the order in which they share `maxBytes`. */
  readonly partitions: readonly FetchPartition[];
  readonly byId: boolean;
  /** Of all records together; the first batch comes whatever its size, so that a consumer always gets on. */
  readonly maxBytes: number;
  /** Nobody waits any more. */
  readonly signal: AbortSignal;
  /** As of `RequestContext`: then the memory of the records may be used for others. */
  readonly afterResponse: (release: () => void) => void;
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
  async #look(): Promise<readonly Served[]> {
    const waiting: Served[] = [];
    const reads: Promise<void>[] = [];
    for (const partition of this.#options.partitions) {
      if ((this.#answers.get(partition)?.sizeBytes ?? 0) > 0) continue;
      const served = this.#find(partition);
      if (served === undefined) continue;
      const { highWatermark, logStart } = served.partition;
      if (partition.fetchOffset === highWatermark) {
        this.#answers.set(partition, atTheEnd(partition, served));
        confirmSoon(served);
        waiting.push(served);
        continue;
      }
      const leftBytes = this.#options.maxBytes - this.#sizeBytes - this.#reservedBytes;
      if (leftBytes <= 0 && this.#sizeBytes + this.#reservedBytes > 0) {
        // Its turn comes with the next request.
        this.#answers.set(partition, nothing(partition, { highWatermark, logStart }));
        continue;
      }
      const limitBytes = Math.max(1, Math.min(partition.maxBytes, leftBytes));
      this.#reservedBytes += limitBytes;
      reads.push(this.#read(partition, served, limitBytes));
    }
    if (reads.length > 0) await Promise.all(reads);
    return waiting;
  }

  #find(partition: FetchPartition): Served | undefined {
    const { directory, byId } = this.#options;
    const topic = byId
      ? directory.view.topicById(partition.topicId)
      : directory.view.topicByName(partition.topicName);
    const access = directory.find({
      topic,
      byId,
      partition: partition.partition,
      currentLeaderEpoch: partition.currentLeaderEpoch,
    });
    if (access.kind === 'served') return access.served;
    this.#fail(partition, access.errorCode, access.leader);
    return undefined;
  }

  async #read(partition: FetchPartition, served: Served, limitBytes: number): Promise<void> {
    const { log, signal, afterResponse } = this.#options;
    const { topicId, partition: index } = served.partition;
    try {
      const found = await log.read(topicId, index, partition.fetchOffset, limitBytes, signal);
      afterResponse(found.release);
      this.#sizeBytes += found.sizeBytes;
      this.#answers.set(partition, {
        partition,
        errorCode: 0,
        highWatermark: found.highWatermark,
        logStartOffset: found.logStartOffset,
        pieces: found.pieces,
        sizeBytes: found.sizeBytes,
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
    this.#answers.set(partition, {
      partition,
      errorCode,
      highWatermark: -1,
      logStartOffset: -1,
      pieces: noPieces,
      sizeBytes: 0,
      leader,
    });
  }

  /** Resolves when something has changed in one of the partitions, the time is up, or nobody waits any more. */
  #change(waiting: readonly Served[], waitMs: number): Promise<void> {
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
      for (const { partition } of waiting) cancels.push(partition.onChange(done));
      if (signal.aborted) {
        this.#isUrgent = true;
        done();
      }
    });
  }
}

function atTheEnd(partition: FetchPartition, { partition: owned }: Served): PartitionAnswer {
  return nothing(partition, owned);
}

function nothing(
  partition: FetchPartition,
  { highWatermark, logStart }: { readonly highWatermark: number; readonly logStart: number },
): PartitionAnswer {
  return {
    partition,
    errorCode: 0,
    highWatermark,
    logStartOffset: logStart,
    pieces: noPieces,
    sizeBytes: 0,
  };
}

/**
 * Where nothing new comes, a session that has been fenced would not notice: it is asked from time to time whether it
 * still owns what it serves. If not, its partitions wake those who wait.
 */
function confirmSoon({ group }: Served): void {
  const { session } = group;
  if (session.live && session.confirmationAgeMs > confirmAfterMs)
    inBackground(session.confirm().catch(() => undefined));
}

const confirmAfterMs = 1_000;
