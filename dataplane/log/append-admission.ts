import type { BatchHeader } from '../protocol/record-batch.ts';
import {
  RecordBatchError,
  isControl,
  isTransactional,
  lastSequence,
  parseBatches,
} from '../protocol/record-batch.ts';
import type { AppendBudget } from './append-budget.ts';
import { LogError } from './errors.ts';
import type { LogContext } from './log-context.ts';
import type { OwnedPartition } from './owned-partition.ts';
import type { SequenceVerdict } from './producer-table.ts';
import type { ServedGroups } from './served-groups.ts';
import type { SlotAssembler } from './slot-assembler.ts';
import type { UnflushedRecords } from './unflushed-records.ts';
import type { WalSession } from './session.ts';

export interface AppendOptions {
  /** Kafka's `message.timestamp.type=LogAppendTime`: batches get the broker's time. */
  readonly logAppendTime?: boolean | undefined;
  /** Kafka's `max.message.bytes` of the topic. */
  readonly maxMessageBytes?: number | undefined;
  /** What `parseBatches` has said of the bytes, CRCs verified: a caller that has looked need not be the second one to. */
  readonly headers?: readonly BatchHeader[] | undefined;
}

export interface AppendResult {
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** -1 unless the topic uses LogAppendTime. */
  readonly logAppendTimeMs: number;
  readonly logStartOffset: number;
  /** The batch had been appended before; the offsets are those of the first time. */
  readonly duplicate: boolean;
}

/** Lets record batches into the open slot (log.md P2): checks them, makes them wait for room, gives them offsets. */
export class AppendAdmission {
  readonly #session: WalSession;
  readonly #context: LogContext;
  readonly #budget: AppendBudget;
  readonly #groups: ServedGroups;
  readonly #unflushed: UnflushedRecords;
  readonly #assembler: SlotAssembler;
  readonly #askFor: (topicId: string, partition: number) => void;
  /** Appends to groups that are being released: they go on when it is known what has become of the group. */
  readonly #blocked: (() => void)[] = [];

  constructor(environment: {
    readonly session: WalSession;
    readonly context: LogContext;
    readonly budget: AppendBudget;
    readonly groups: ServedGroups;
    readonly unflushed: UnflushedRecords;
    readonly assembler: SlotAssembler;
    /** Somebody wants a partition that is not served. */
    readonly askFor: (topicId: string, partition: number) => void;
  }) {
    this.#session = environment.session;
    this.#context = environment.context;
    this.#budget = environment.budget;
    this.#groups = environment.groups;
    this.#unflushed = environment.unflushed;
    this.#assembler = environment.assembler;
    this.#askFor = environment.askFor;
  }

  /**
   * Appends whole record batches to a partition; resolves when they are durable. Offsets are given out in the order of
   * the calls for a partition. The bytes belong to the log from the call on: they are patched in place and kept.
   */
  async append(
    topicId: string,
    partition: number,
    bytes: Uint8Array,
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    const headers = this.#checkBatches(bytes, options);
    this.#unflushed.refuseUnflushable(topicId, partition);
    const room = this.#budget.take(bytes.length);
    if (room !== undefined) await room;
    let admitted = false;
    try {
      let served = this.#groups.partition(topicId, partition);
      while (served?.group.phase === 'releasing') {
        await new Promise<void>((resolve) => this.#blocked.push(resolve));
        served = this.#groups.partition(topicId, partition);
      }
      // 'gone' for the moment between its last manifest and its removal here: nobody would find what it admits.
      if (served === undefined || served.group.phase === 'gone' || !this.#session.live) {
        this.#askFor(topicId, partition);
        throw this.#session.live ? notLeader(topicId, partition) : this.#session.deathReason;
      }
      const verdict = this.#idempotence(served.partition, headers);
      if (verdict.kind === 'refused') {
        // A producer takes this for final, and an owner that was fenced without knowing it would say so wrongly.
        await this.#session.confirm();
        throw new LogError(verdict.code, verdict.message);
      }
      if (verdict.kind === 'duplicate') {
        await served.partition.durable(verdict.batch.lastOffset, true);
        return this.#appended(served.partition, verdict.batch, undefined, true);
      }
      const timeMs =
        options.logAppendTime === true
          ? Math.max(served.partition.timeMs, this.#context.runtime.wallMs())
          : undefined;
      admitted = true;
      const range = served.partition.admit(bytes, headers, timeMs);
      this.#unflushed.count(served.group, bytes.length);
      this.#assembler.added(served.partition, bytes.length);
      await served.partition.durable(range.lastOffset);
      this.#unflushed.relieve();
      return this.#appended(served.partition, range, timeMs, false);
    } finally {
      if (!admitted) this.#budget.release(bytes.length);
    }
  }

  /** Lets appends go on that waited for the outcome of a release, or for the end of the session. */
  unblock(): void {
    for (const wake of this.#blocked.splice(0)) wake();
  }

  #appended(
    partition: OwnedPartition,
    range: { baseOffset: number; lastOffset: number },
    timeMs: number | undefined,
    duplicate: boolean,
  ): AppendResult {
    return {
      baseOffset: range.baseOffset,
      lastOffset: range.lastOffset,
      logAppendTimeMs: timeMs ?? -1,
      logStartOffset: partition.logStart,
      duplicate,
    };
  }

  #checkBatches(bytes: Uint8Array, options: AppendOptions): readonly BatchHeader[] {
    const limit = options.maxMessageBytes ?? this.#context.options.maxMessageBytes;
    let headers: readonly BatchHeader[];
    try {
      headers = options.headers ?? parseBatches(bytes, { verifyCrc: true });
    } catch (error) {
      if (error instanceof RecordBatchError)
        throw new LogError('CORRUPT_MESSAGE', error.message, { cause: error });
      throw error;
    }
    if (headers.length === 0) throw new LogError('INVALID_RECORD', 'an append without record batches');
    for (const header of headers) {
      if (header.sizeBytes > limit) {
        throw new LogError(
          'MESSAGE_TOO_LARGE',
          `a batch of ${header.sizeBytes} bytes exceeds max.message.bytes=${limit}; send smaller batches or raise the setting`,
        );
      }
      if (isTransactional(header.attributes) || isControl(header.attributes)) {
        throw new LogError(
          'UNSUPPORTED',
          'transactional batches are not supported by this version; produce without transactional.id',
        );
      }
      if (header.producerId >= 0 && headers.length > 1) {
        throw new LogError(
          'INVALID_RECORD',
          `an idempotent append must hold exactly one batch, this one holds ${headers.length}`,
        );
      }
    }
    return headers;
  }

  /** A retry of a batch that was accepted before gets its original offsets (log.md 2.8). */
  #idempotence(partition: OwnedPartition, headers: readonly BatchHeader[]): SequenceVerdict {
    const [header] = headers;
    if (header === undefined || header.producerId < 0) return { kind: 'append' };
    const { producerId, producerEpoch, baseSequence } = header;
    const batch = { producerId, producerEpoch, baseSequence, lastSequence: lastSequence(header) };
    return partition.producers.check(batch, partition.timeMs);
  }
}

function notLeader(topicId: string, partition: number): LogError {
  return new LogError(
    'NOT_LEADER_OR_FOLLOWER',
    `this broker does not serve partition ${topicId}/${partition}`,
  );
}
