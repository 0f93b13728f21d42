import type { GroupError } from './errors.ts';
import type { GroupRecord } from './group-record.ts';

/** A request that waits for its answer: in an operation, or parked in a group until others have done their part. */
export class Waiter<T> {
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: Error) => void;
  readonly #onSettled: (waiter: Waiter<T>) => void;
  #isSettled = false;

  constructor(settle: {
    readonly resolve: (value: T) => void;
    readonly reject: (error: Error) => void;
    readonly onSettled: (waiter: Waiter<T>) => void;
  }) {
    this.#resolve = settle.resolve;
    this.#reject = settle.reject;
    this.#onSettled = settle.onSettled;
  }

  /** The first answer counts. Inside an operation use {@link Operation.answer}: it waits for durability. */
  resolve(value: T): void {
    if (!this.#settle()) return;
    this.#resolve(value);
  }

  reject(error: Error): void {
    if (!this.#settle()) return;
    this.#reject(error);
  }

  #settle(): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    this.#onSettled(this);
    return true;
  }
}

/**
 * One step of a partition's state machine: it runs without interruption, changes the state in memory at once, and
 * collects the records that make the change durable and the answers that may be given when it is.
 */
export class Operation {
  readonly records: GroupRecord[] = [];
  readonly #answers: (() => void)[] = [];

  /** The record is appended when the operation is over. The state has changed already. */
  persist(record: GroupRecord): void {
    this.records.push(record);
  }

  /** Answers as soon as all that this operation, and those before it that concern the group, have written is durable. */
  answer<T>(waiter: Waiter<T>, value: T): void {
    this.#answers.push(() => {
      waiter.resolve(value);
    });
  }

  refuse<T>(waiter: Waiter<T>, error: GroupError): void {
    this.#answers.push(() => {
      waiter.reject(error);
    });
  }

  /** For the shard: everything is durable. */
  giveAnswers(): void {
    for (const give of this.#answers) give();
  }
}
