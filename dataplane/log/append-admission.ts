import type { BatchHeader } from '../protocol/record-batch.ts';
import { RecordBatchError, isControl, isTransactional, parseBatches } from '../protocol/record-batch.ts';
import { inBackground } from '../runtime/in-background.ts';
import { abortReason } from '../runtime/runtime.ts';
import type { Append, AppendOptions, AppendResult } from './append.ts';
import type { AppendBudget, RoomWaiter } from './append-budget.ts';
import { LogError, invariant } from './errors.ts';
import type { LogContext } from './log-context.ts';
import type { OwnedPartition } from './owned-partition.ts';
import { sequencesOf } from './owned-partition.ts';
import type { SequenceVerdict } from './producer-table.ts';
import type { Served, ServedGroups } from './served-groups.ts';
import type { SlotAssembler } from './slot-assembler.ts';
import type { UnflushedRecords } from './unflushed-records.ts';
import type { WalSession } from './session.ts';

/** An append that waits until it is known what becomes of its group. It has room already. */
interface BlockedAppend {
  readonly append: Append;
  readonly headers: readonly BatchHeader[];
  readonly stopListening: () => void;
}

/**
 * Lets record batches into the open slot (log.md P2): checks them, makes them wait, gives them offsets.
 *
 * An append waits for room, or for the outcome of a release of its group. Whatever it waits for, it is admitted in the
 * very moment in which the waiting ends, and one that comes while others of its partition wait waits behind them: offsets
 * are given in the order of the calls. Too many that wait are refused (OVERLOADED).
 */
export class AppendAdmission {
  readonly #session: WalSession;
  readonly #context: LogContext;
  readonly #budget: AppendBudget;
  readonly #groups: ServedGroups;
  readonly #unflushed: UnflushedRecords;
  readonly #assembler: SlotAssembler;
  readonly #askFor: (topicId: string, partition: number) => void;
  readonly #waitingForRoom = new Map<RoomWaiter, Append>();
  readonly #blocked = new Map<OwnedPartition, BlockedAppend[]>();
  #blockedCount = 0;

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
   *
   * @param signal ends the waiting for admission: after a rejection with its reason nothing has been appended. What has
   *   been admitted cannot be taken back, and its outcome is told whatever becomes of the signal.
   */
  append(
    topicId: string,
    partition: number,
    bytes: Uint8Array,
    options: AppendOptions = {},
    signal?: AbortSignal,
  ): Promise<AppendResult> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) throw abortReason(signal);
      const headers = this.#checkBatches(bytes, options);
      const append: Append = {
        topicId,
        partition,
        bytes,
        logAppendTime: options.logAppendTime === true,
        resolve,
        reject,
        baseOffset: -1,
        lastOffset: -1,
        logAppendTimeMs: -1,
      };
      this.#servedNow(append);
      if (this.#budget.tryTake(bytes.length)) this.#enter(append, headers, signal);
      else this.#waitForRoom(append, headers, signal);
    });
  }

  /** What the append is for, now. Throws what the client must be told when it is not served. */
  #servedNow({ topicId, partition }: Append): Served {
    if (!this.#session.live) throw this.#session.deathReason;
    const served = this.#groups.partition(topicId, partition);
    // 'gone' for the moment between its last manifest and its removal here: nobody would find what it admits.
    if (served === undefined || served.group.phase === 'gone') {
      this.#askFor(topicId, partition);
      throw notLeader(topicId, partition);
    }
    this.#unflushed.refuseUnflushable(served.group);
    return served;
  }

  #waitForRoom(append: Append, headers: readonly BatchHeader[], signal: AbortSignal | undefined): void {
    const waiter: RoomWaiter = {
      sizeBytes: append.bytes.length,
      admit: () => {
        stopListening();
        this.#waitingForRoom.delete(waiter);
        this.#enter(append, headers, signal);
      },
    };
    if (!this.#budget.wait(waiter)) {
      const { waiting, waitingBytes } = this.#budget;
      throw overloaded(append, `${waiting} appends of ${waitingBytes} bytes wait for room`);
    }
    this.#waitingForRoom.set(waiter, append);
    const stopListening = onAbort(signal, (reason) => {
      this.#waitingForRoom.delete(waiter);
      append.reject(reason);
      this.#budget.cancel(waiter);
    });
  }

  /** Room has been taken for the append. Settles it when it cannot be admitted; never throws. */
  #enter(append: Append, headers: readonly BatchHeader[], signal: AbortSignal | undefined): void {
    try {
      const served = this.#servedNow(append);
      if (served.group.phase === 'releasing' || this.#blocked.has(served.partition))
        this.#block(append, headers, served.partition, signal);
      else this.#admit(append, headers, served);
    } catch (error) {
      this.#refuse(append, error);
    }
  }

  #block(
    append: Append,
    headers: readonly BatchHeader[],
    partition: OwnedPartition,
    signal: AbortSignal | undefined,
  ): void {
    if (this.#blockedCount >= this.#context.options.maxWaitingAppends)
      throw overloaded(append, `${this.#blockedCount} appends wait for groups that are on the move`);
    const queue = this.#blocked.get(partition) ?? [];
    this.#blocked.set(partition, queue);
    const stopListening = onAbort(signal, (reason) => {
      queue.splice(queue.indexOf(blocked), 1);
      if (queue.length === 0) this.#blocked.delete(partition);
      this.#blockedCount -= 1;
      this.#refuse(append, reason);
    });
    const blocked = { append, headers, stopListening };
    queue.push(blocked);
    this.#blockedCount += 1;
  }

  /** Lets appends go on that waited for the outcome of a release. */
  unblock(): void {
    for (const [partition, queue] of this.#blocked) {
      if (this.#groups.partition(partition.topicId, partition.partition)?.group.phase === 'releasing')
        continue;
      // Its queue stays where it is meanwhile: the room that a refusal sets free may admit one that came later.
      for (let next = queue[0]; next !== undefined; next = queue[0]) {
        this.#blockedCount -= 1;
        next.stopListening();
        try {
          this.#admit(next.append, next.headers, this.#servedNow(next.append));
        } catch (error) {
          this.#refuse(next.append, error);
        }
        queue.shift();
      }
      this.#blocked.delete(partition);
    }
  }

  /** The session has ended: nothing that waits will be admitted. */
  abandon(error: LogError): void {
    for (const [waiter, append] of this.#waitingForRoom) {
      append.reject(error);
      this.#budget.cancel(waiter);
    }
    this.#waitingForRoom.clear();
    this.unblock();
  }

  /** Throws when the append cannot be admitted, which is then to be refused. */
  #admit(append: Append, headers: readonly BatchHeader[], { group, partition }: Served): void {
    const verdict = this.#idempotence(partition, headers);
    if (verdict.kind === 'append') {
      partition.admit(append, headers);
      this.#unflushed.count(group, append.bytes.length);
      group.appendedBytes += append.bytes.length;
      this.#assembler.added(partition, append.bytes.length);
      return;
    }
    inBackground(this.#answer(append, partition, verdict));
  }

  /** Answers an append that adds nothing. Its bytes count until then. */
  async #answer(append: Append, partition: OwnedPartition, verdict: SequenceVerdict): Promise<void> {
    try {
      if (verdict.kind === 'refused') {
        // A producer takes this for final, and an owner that was fenced without knowing it would say so wrongly.
        await this.#session.confirm();
        throw new LogError(verdict.code, verdict.message);
      }
      invariant(verdict.kind === 'duplicate', 'what is appended is answered by its slot');
      const { baseOffset, lastOffset, timeMs } = verdict.batch;
      await partition.durable(lastOffset);
      append.resolve({
        baseOffset,
        lastOffset,
        logAppendTimeMs: append.logAppendTime ? timeMs : -1,
        logStartOffset: partition.logStart,
        duplicate: true,
      });
    } catch (error) {
      append.reject(error);
    } finally {
      this.#budget.release(append.bytes.length);
    }
  }

  #refuse(append: Append, error: unknown): void {
    append.reject(error);
    this.#budget.release(append.bytes.length);
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
    const header = headers[0];
    if (header === undefined || header.producerId < 0) return notIdempotent;
    return partition.producers.check(sequencesOf(header), partition.timeMs);
  }
}

const notIdempotent: SequenceVerdict = { kind: 'append' };

function notLeader(topicId: string, partition: number): LogError {
  return new LogError(
    'NOT_LEADER_OR_FOLLOWER',
    `this broker does not serve partition ${topicId}/${partition}`,
  );
}

function overloaded({ topicId, partition }: Append, why: string): LogError {
  return new LogError(
    'OVERLOADED',
    `an append to ${topicId}/${partition} was refused: ${why}, which is as many as may; send it again later`,
  );
}

/** Calls `act` when the signal aborts, until the returned function is called. */
function onAbort(signal: AbortSignal | undefined, act: (reason: Error) => void): () => void {
  if (signal === undefined) return () => undefined;
  const listener = (): void => {
    act(abortReason(signal));
  };
  signal.addEventListener('abort', listener, { once: true });
  return () => {
    signal.removeEventListener('abort', listener);
  };
}
