import { inBackground } from '../runtime/in-background.ts';
import type { CoordinatorContext } from './coordinator-context.ts';
import { TableStop } from './errors.ts';
import type { Committable, PartitionAnswer, TableTarget } from './table-workers.ts';
import type { PartitionWorkers } from './worker-directory.ts';

/** How long a `collect` waits for files that are being finished, at most. */
const maxCollectWaitMs = 10_000;

/** What a coordinator asks of workers, wherever they are, and tells them. */
export class WorkerCalls {
  readonly #context: Pick<CoordinatorContext, 'directory' | 'topicId' | 'epoch' | 'onProblem'>;
  readonly #signal: AbortSignal;
  readonly #commitIntervalMs: () => number;
  /** By partition: why the last `collect` could not ask for its files. */
  unreachable: ReadonlyMap<number, string> = new Map();

  constructor(
    context: Pick<CoordinatorContext, 'directory' | 'topicId' | 'epoch' | 'onProblem'>,
    signal: AbortSignal,
    commitIntervalMs: () => number,
  ) {
    this.#context = context;
    this.#signal = signal;
    this.#commitIntervalMs = commitIntervalMs;
  }

  /**
   * Asks all workers at once. Those who cannot be reached, or do not answer, are left out: their records wait.
   *
   * @param offsets of the table: a partition that is missing begins at 0
   * @throws TableStop SUPERSEDED
   */
  async collect(
    table: TableTarget | undefined,
    offsets: ReadonlyMap<number, number>,
    finish: boolean,
  ): Promise<readonly PartitionAnswer[]> {
    const { directory, topicId } = this.#context;
    const unreachable = new Map<number, string>();
    const asked = directory.locate(topicId).map(async (found): Promise<readonly PartitionAnswer[]> => {
      const answer =
        found.kind === 'unreachable' ? found.reason : await this.#ask(found, table, offsets, finish);
      if (typeof answer !== 'string') return answer;
      for (const partition of found.partitions) unreachable.set(partition, answer);
      return [];
    });
    const answers = (await Promise.all(asked)).flat();
    this.unreachable = unreachable;
    return answers;
  }

  /** A text says why there is no answer. */
  async #ask(
    { workers, partitions }: PartitionWorkers & { readonly kind: 'reachable' },
    table: TableTarget | undefined,
    offsets: ReadonlyMap<number, number>,
    finish: boolean,
  ): Promise<readonly PartitionAnswer[] | string> {
    const { topicId, epoch, onProblem } = this.#context;
    const request = {
      topicId,
      epoch,
      table,
      partitions: partitions.map((partition) => ({ partition, committed: offsets.get(partition) ?? 0 })),
      finish,
      waitMs: Math.min(maxCollectWaitMs, this.#commitIntervalMs()),
    };
    let answer;
    try {
      answer = await workers.collect(request, this.#signal);
    } catch (error) {
      this.#signal.throwIfAborted();
      onProblem(`files of topic ${topicId} could not be collected`, error);
      return error instanceof Error ? error.message : String(error);
    }
    if (answer.kind === 'collected') return answer.partitions;
    throw new TableStop(
      'SUPERSEDED',
      `workers of topic ${topicId} have been asked by the coordinator of epoch ${answer.epoch}; this one has ${epoch}`,
    );
  }

  /** Lets workers forget what is in the table. Not waited for: the next `collect` says it too. */
  tell(offsets: ReadonlyMap<number, number>, chosen: readonly Committable[]): void {
    const { directory, topicId, epoch, onProblem } = this.#context;
    const moved = new Set(chosen.map(({ partition }) => partition));
    for (const found of directory.locate(topicId)) {
      if (found.kind === 'unreachable') continue;
      const partitions = found.partitions
        .filter((partition) => moved.has(partition))
        .map((partition) => ({ partition, committed: offsets.get(partition) ?? 0 }));
      if (partitions.length === 0) continue;
      const told = found.workers.committed({ topicId, epoch, partitions }, this.#signal);
      inBackground(
        told.catch((error: unknown) => {
          if (!this.#signal.aborted)
            onProblem(`workers of topic ${topicId} could not be told of a commit`, error);
        }),
      );
    }
  }
}
