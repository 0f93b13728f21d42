import type { BrokerLog } from '../../log/broker-log.ts';
import { LogError } from '../../log/errors.ts';
import type { Cancel } from '../../runtime/runtime.ts';
import { offsetsTopic } from './coordinator-log.ts';
import type { CoordinatorLog, CoordinatorLogListener, CoordinatorLogRead } from './coordinator-log.ts';

/** The {@link CoordinatorLog} over the log of this broker: the partitions of `__consumer_offsets` by number. */
export class BrokerLogCoordinatorLog implements CoordinatorLog {
  readonly #log: BrokerLog;
  /** Partitions this broker serves belong to a topic that its view of the cluster may have lost, or not have yet. */
  readonly #topicIds = new Map<number, string>();

  constructor(log: BrokerLog) {
    this.#log = log;
  }

  append(partition: number, batch: Uint8Array): Promise<{ baseOffset: number; lastOffset: number }> {
    const topicId = this.#topicIds.get(partition);
    if (topicId === undefined) return Promise.reject(notServed(partition));
    return this.#log.append(topicId, partition, batch);
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
        if (!this.#isOffsetsTopic(topicId)) return;
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

  #isOffsetsTopic(topicId: string): boolean {
    return this.#log.cluster.current?.topics.get(offsetsTopic)?.topicId === topicId;
  }

  #topicId(partition: number): string {
    const topicId = this.#topicIds.get(partition);
    if (topicId === undefined) throw notServed(partition);
    return topicId;
  }
}

function notServed(partition: number): LogError {
  return new LogError(
    'NOT_LEADER_OR_FOLLOWER',
    `this broker does not serve partition ${partition} of ${offsetsTopic}`,
  );
}
