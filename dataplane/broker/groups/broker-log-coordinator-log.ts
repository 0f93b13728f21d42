import type { BrokerLog } from '../../log/broker-log.ts';
import { LogError } from '../../log/errors.ts';
import type { Cancel } from '../../runtime/runtime.ts';
import { offsetsTopic } from './coordinator-log.ts';
import type { CoordinatorLog, CoordinatorLogListener, CoordinatorLogRead } from './coordinator-log.ts';

/** The {@link CoordinatorLog} over the log of this broker: the partitions of one internal topic by number. */
export class BrokerLogCoordinatorLog implements CoordinatorLog {
  /**
   * Well above what one change comes to: a group has at most `maxGroupBytes`, which is one record of a classic group, a
   * schema a million characters. `max.message.bytes` is for what clients send.
   */
  readonly maxBatchBytes = 64 * 1024 * 1024;
  readonly #log: BrokerLog;
  readonly #topic: string;
  /** Partitions this broker serves belong to a topic that its view of the cluster may have lost, or not have yet. */
  readonly #topicIds = new Map<number, string>();

  constructor(log: BrokerLog, topic: string = offsetsTopic) {
    this.#log = log;
    this.#topic = topic;
  }

  append(partition: number, batch: Uint8Array): Promise<{ baseOffset: number; lastOffset: number }> {
    const topicId = this.#topicIds.get(partition);
    if (topicId === undefined) return Promise.reject(this.#notServed(partition));
    return this.#log.append(topicId, partition, batch, { maxMessageBytes: this.maxBatchBytes });
  }

  async read(partition: number, offset: number, maxBytes: number): Promise<CoordinatorLogRead> {
    return this.#log.read(this.#topicId(partition), partition, offset, maxBytes);
  }

  startOffset(partition: number): number {
    return this.#log.startOffset(this.#topicId(partition), partition);
  }

  async endOffset(partition: number): Promise<number> {
    return this.#log.endOffset(this.#topicId(partition), partition);
  }

  async deleteRecords(partition: number, offset: number): Promise<void> {
    await this.#log.deleteRecords(this.#topicId(partition), partition, offset);
  }

  subscribe(listener: CoordinatorLogListener): Cancel {
    return this.#log.subscribeServing({
      serving: (topicId, partition) => {
        if (!this.#isOfTopic(topicId)) return;
        this.#topicIds.set(partition, topicId);
        listener.serving(partition);
      },
      lost: (topicId, partition) => {
        if (this.#topicIds.get(partition) !== topicId) return;
        this.#topicIds.delete(partition);
        listener.lost(partition);
      },
    });
  }

  #isOfTopic(topicId: string): boolean {
    const topic = this.#log.cluster.current?.topics.get(this.#topic);
    // A topic of that name that clients made is none of ours.
    return topic?.topicId === topicId && topic.internal;
  }

  #topicId(partition: number): string {
    const topicId = this.#topicIds.get(partition);
    if (topicId === undefined) throw this.#notServed(partition);
    return topicId;
  }

  #notServed(partition: number): LogError {
    return new LogError(
      'NOT_LEADER_OR_FOLLOWER',
      `this broker does not serve partition ${partition} of ${this.#topic}`,
    );
  }
}
