import type { Runtime } from '../runtime/runtime.ts';
import type { PartitionWorker } from './partition-worker.ts';
import type { CollectAnswer, CollectRequest, CommittedRequest, TableWorkers } from './table-workers.ts';

/** The workers of one broker, as coordinators of this or another broker ask them. */
export class LocalTableWorkers implements TableWorkers {
  readonly #runtime: Runtime;
  readonly #find: (topicId: string, partition: number) => PartitionWorker | undefined;
  /** By topic id: the highest epoch of a coordinator that has asked. */
  readonly #epochs = new Map<string, number>();

  constructor(runtime: Runtime, find: (topicId: string, partition: number) => PartitionWorker | undefined) {
    this.#runtime = runtime;
    this.#find = find;
  }

  async collect(request: CollectRequest): Promise<CollectAnswer> {
    const { topicId, epoch, table, finish, waitMs } = request;
    const known = this.#epochs.get(topicId) ?? 0;
    if (epoch < known) return { kind: 'stale-epoch', epoch: known };
    this.#epochs.set(topicId, epoch);
    let endWait = (): void => undefined;
    const deadline = new Promise<void>((resolve) => {
      if (finish) endWait = this.#runtime.after(waitMs, resolve);
      else resolve();
    });
    const answers = request.partitions.flatMap(({ partition, committed }) => {
      const worker = this.#find(topicId, partition);
      return worker === undefined ? [] : [worker.collect({ epoch, table, committed, finish }, deadline)];
    });
    const partitions = await Promise.all(answers);
    endWait();
    return { kind: 'collected', partitions };
  }

  committed({ topicId, epoch, partitions }: CommittedRequest): Promise<void> {
    for (const { partition, committed } of partitions)
      this.#find(topicId, partition)?.committed(epoch, committed);
    return Promise.resolve();
  }

  /** The topic is no longer worked on here. */
  forget(topicId: string): void {
    this.#epochs.delete(topicId);
  }
}
