import type { BatchEntry } from '../format/container.ts';
import { ProducerSequences } from './producer-sequences.ts';
import type { ProducerBudget } from './producer-sequences.ts';

export interface ChainProblem {
  readonly code: 'EPOCH_WRONG' | 'SEQUENCE_BROKEN';
  readonly what: string;
}

/**
 * The log of one partition, batch by batch in offset order, wherever the batches stand: what must hold along it (log.md
 * 2.13, invariants 4 and 9). Batches that were seen before are passed over: on a live cluster the same ones are met first
 * in slots and then in segments. That offsets follow one another is for the caller to see to, who knows where they stand.
 */
export class PartitionChain {
  readonly partition: number;
  /** Offset after the last batch seen. */
  end: number;
  readonly producers: ProducerSequences;
  #epoch = -1;

  /** @param start where the log is seen from; above 0 older batches are gone, and what their producers did is not known */
  constructor(partition: number, start: number, budget: ProducerBudget) {
    this.partition = partition;
    this.end = start;
    this.producers = new ProducerSequences(budget);
    if (start > 0) this.producers.forget();
  }

  /** What lies between `end` and `offset` cannot be seen. */
  skipTo(offset: number): void {
    if (offset <= this.end) return;
    this.end = offset;
    this.producers.forget();
  }

  see(batch: BatchEntry, leaderEpoch: number): ChainProblem | undefined {
    if (batch.lastOffset < this.end) return undefined;
    this.skipTo(batch.baseOffset);
    this.end = batch.lastOffset + 1;
    const before = this.#epoch;
    this.#epoch = leaderEpoch;
    const broken = this.producers.add(batch);
    if (leaderEpoch < before) {
      return {
        code: 'EPOCH_WRONG',
        what: `the batch at offset ${batch.baseOffset} has leader epoch ${leaderEpoch}, the one before it ${before}`,
      };
    }
    return broken === undefined ? undefined : { code: 'SEQUENCE_BROKEN', what: broken };
  }
}
