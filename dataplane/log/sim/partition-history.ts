import type { BatchEntry } from '../format/container.ts';
import { addSetsum, batchSetsum, emptySetsum } from '../format/setsum.ts';
import type { Setsum } from '../format/setsum.ts';
import type { Invariant } from './violation.ts';

export interface Contradiction {
  readonly invariant: Invariant;
  readonly what: string;
}

/** One batch that was visible in a partition's log at some moment, and must be at its offset from then on. */
export interface SeenBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly crc: number;
  readonly leaderEpoch: number;
  readonly sizeBytes: number;
  readonly maxTimestampMs: number;
}

/**
 * Everything that was ever visible in one partition: what the log may never change, lose or reorder. Grows only at the
 * end; anything else that {@link see} is shown is a violation.
 */
export class PartitionHistory {
  readonly name: string;
  readonly batches: SeenBatch[] = [];
  readonly #byOffset = new Map<number, SeenBatch>();
  readonly #sums: { readonly end: number; readonly sum: Setsum }[] = [{ end: 0, sum: emptySetsum }];
  readonly #sequences = new Map<number, { epoch: number; next: number }>();
  readonly #checkSequences: boolean;
  /** Offset up to which some reader has seen the log. */
  observedEnd = 0;
  /** Offset after the last record that was acknowledged to a client. */
  ackedEnd = 0;

  constructor(name: string, checkSequences: boolean) {
    this.name = name;
    this.#checkSequences = checkSequences;
  }

  get end(): number {
    return (this.batches.at(-1)?.lastOffset ?? -1) + 1;
  }

  at(baseOffset: number): SeenBatch | undefined {
    return this.#byOffset.get(baseOffset);
  }

  /** Returns what is wrong with a batch that is visible now, or `undefined`. */
  see(batch: BatchEntry, leaderEpoch: number): Contradiction | undefined {
    const known = this.#byOffset.get(batch.baseOffset);
    if (known !== undefined) {
      return known.crc === batch.crc &&
        known.lastOffset === batch.lastOffset &&
        known.leaderEpoch === leaderEpoch
        ? undefined
        : {
            invariant: 'immutability',
            what: `${this.name}: the visible record at offset ${batch.baseOffset} changed`,
          };
    }
    if (batch.baseOffset !== this.end)
      return {
        invariant: 'dense',
        what: `${this.name}: a batch at offset ${batch.baseOffset}, but the log ended at ${this.end}`,
      };
    const last = this.batches.at(-1);
    if (last !== undefined && leaderEpoch < last.leaderEpoch)
      return {
        invariant: 'one writer per epoch',
        what: `${this.name}: epoch ${leaderEpoch} after ${last.leaderEpoch} at offset ${batch.baseOffset}`,
      };
    const sequence = this.#sequence(batch);
    if (sequence !== undefined) return sequence;
    const { baseOffset, lastOffset, crc, sizeBytes, maxTimestampMs } = batch;
    const seen = { baseOffset, lastOffset, crc, leaderEpoch, sizeBytes, maxTimestampMs };
    this.batches.push(seen);
    this.#byOffset.set(batch.baseOffset, seen);
    const sum = addSetsum(
      this.#sums.at(-1)?.sum ?? emptySetsum,
      batchSetsum(batch.crc, batch.baseOffset, batch.sizeBytes),
    );
    this.#sums.push({ end: batch.lastOffset + 1, sum });
    return undefined;
  }

  /** Sum over all batches below `end`; `undefined` when no batch ends there. */
  sumBelow(end: number): Setsum | undefined {
    return this.#sums.findLast((entry) => entry.end === end)?.sum;
  }

  /**
   * The newest time stamp among the batches that went when the log start moved and have fewer than `keptBytes` after them,
   * so that they are gone for another reason than the size of the log; `undefined`: there are none.
   */
  newestGone(from: number, logStart: number, keptBytes: number): number | undefined {
    let newest: number | undefined;
    let bytes = 0;
    for (let index = this.batches.length - 1; index >= 0 && bytes < keptBytes; index--) {
      const batch = this.batches[index];
      if (batch === undefined || batch.lastOffset < from) break;
      if (batch.lastOffset < logStart) newest = Math.max(newest ?? -1, batch.maxTimestampMs);
      bytes += batch.sizeBytes;
    }
    return newest;
  }

  #sequence(batch: BatchEntry): Contradiction | undefined {
    if (batch.producerId < 0 || !this.#checkSequences) return undefined;
    const state = this.#sequences.get(batch.producerId);
    if (state !== undefined && state.epoch === batch.producerEpoch && batch.baseSequence !== state.next) {
      const what = batch.baseSequence < state.next ? 'twice' : 'with a gap';
      return {
        invariant: 'exactly once',
        what: `${this.name}: producer ${batch.producerId} sequence ${batch.baseSequence} at offset ${batch.baseOffset} ${what}, ${state.next} was next`,
      };
    }
    this.#sequences.set(batch.producerId, { epoch: batch.producerEpoch, next: batch.lastSequence + 1 });
    return undefined;
  }
}
