import type { LogErrorCode } from './errors.ts';

/**
 * Producer state of one partition for idempotence (log.md 2.8): per producer id its epoch and last five batches.
 *
 * The table is a pure function of the log's prefix: whoever replays the same blocks ends with the same table, so a
 * retry gets the same answer from a new owner. Therefore time comes from slot headers only: `timeMs` of a batch is its
 * slot's time, clamped monotone per partition, and expiry compares a producer's last batch with the partition's time
 * *before* the block that is being added.
 */
export interface ProducerState {
  epoch: number;
  lastTimeMs: number;
  /** Oldest first, at most five. */
  readonly batches: ProducedBatch[];
  /** First offset of the open transaction; reserved for transactions. */
  transactionFirstOffset: number | undefined;
}

export interface ProducedBatch {
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  timeMs: number;
}

/** The part of a batch header that idempotence looks at. */
export interface SequencedBatch {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastSequence: number;
}

export type SequenceVerdict =
  | { readonly kind: 'append' }
  /** Seen before: answer with its *original* offsets once they are durable. */
  | { readonly kind: 'duplicate'; readonly batch: ProducedBatch }
  | { readonly kind: 'refused'; readonly code: LogErrorCode; readonly message: string };

const KEPT_BATCHES = 5;
const SEQUENCE_MODULUS = 2 ** 31;
const APPEND: SequenceVerdict = { kind: 'append' };

export class ProducerTable {
  readonly #producers = new Map<number, ProducerState>();
  readonly #expirationMs: number;

  constructor(expirationMs: number) {
    this.#expirationMs = expirationMs;
  }

  get size(): number {
    return this.#producers.size;
  }

  entries(): IterableIterator<[number, ProducerState]> {
    return this.#producers.entries();
  }

  /** Decides about a batch that has arrived; changes nothing. `partitionTimeMs`: slot time of the partition's last block. */
  check(batch: SequencedBatch, partitionTimeMs: number): SequenceVerdict {
    if (batch.producerId < 0) return APPEND;
    const known = this.#live(batch.producerId, partitionTimeMs);
    if (known === undefined) {
      // Any sequence could be accepted here, and Kafka does; but of two requests under way the first may have been refused
      // (by a broker that did not lead yet) and the second must then not be taken for the beginning.
      if (batch.baseSequence === 0) return APPEND;
      const why =
        'nothing is known of this producer, or not any more, and its first batch must have sequence 0';
      return refuse('OUT_OF_ORDER_SEQUENCE_NUMBER', batch, why);
    }
    if (batch.producerEpoch < known.epoch) {
      return refuse(
        'INVALID_PRODUCER_EPOCH',
        batch,
        `its epoch is older than ${known.epoch}, the newest one seen`,
      );
    }
    if (batch.producerEpoch > known.epoch) {
      if (batch.baseSequence === 0) return APPEND;
      return refuse(
        'OUT_OF_ORDER_SEQUENCE_NUMBER',
        batch,
        'the first batch of a new epoch must have sequence 0',
      );
    }
    const same = known.batches.find(
      (b) => b.baseSequence === batch.baseSequence && b.lastSequence === batch.lastSequence,
    );
    if (same !== undefined) return { kind: 'duplicate', batch: same };
    const last = known.batches.at(-1);
    if (last === undefined) return APPEND;
    const expected = (last.lastSequence + 1) % SEQUENCE_MODULUS;
    if (batch.baseSequence === expected) return APPEND;
    const oldest = known.batches[0];
    if (oldest !== undefined && batch.lastSequence < oldest.baseSequence && expected > oldest.baseSequence) {
      return refuse('DUPLICATE_SEQUENCE_NUMBER', batch, 'it was appended before the last five batches');
    }
    return refuse('OUT_OF_ORDER_SEQUENCE_NUMBER', batch, `sequence ${expected} was expected next`);
  }

  /**
   * Adds a batch of the log. Live, it is called at admission, before the slot has a time, with the partition's time as
   * `timeMs`; the caller calls {@link touch} with the slot's time when the slot is closed.
   */
  record(
    batch: SequencedBatch,
    baseOffset: number,
    lastOffset: number,
    timeMs: number,
    partitionTimeMs: number,
  ): ProducedBatch | undefined {
    if (batch.producerId < 0) return undefined;
    let state = this.#live(batch.producerId, partitionTimeMs);
    if (state?.epoch !== batch.producerEpoch) {
      state = {
        epoch: batch.producerEpoch,
        lastTimeMs: timeMs,
        batches: [],
        transactionFirstOffset: undefined,
      };
      this.#producers.set(batch.producerId, state);
    }
    const produced = {
      baseSequence: batch.baseSequence,
      lastSequence: batch.lastSequence,
      baseOffset,
      lastOffset,
      timeMs,
    };
    state.lastTimeMs = Math.max(state.lastTimeMs, timeMs);
    state.batches.push(produced);
    if (state.batches.length > KEPT_BATCHES) state.batches.shift();
    return produced;
  }

  /** Gives an admitted batch the time of its slot. */
  touch(producerId: number, produced: ProducedBatch, timeMs: number): void {
    produced.timeMs = timeMs;
    const state = this.#producers.get(producerId);
    if (state !== undefined && state.batches.includes(produced))
      state.lastTimeMs = Math.max(state.lastTimeMs, timeMs);
  }

  /** Restores one producer from a snapshot. */
  restore(producerId: number, state: ProducerState): void {
    this.#producers.set(producerId, state);
  }

  /** Forgets producers that {@link check} would not see any more. */
  dropExpired(partitionTimeMs: number): void {
    for (const [producerId, state] of this.#producers) {
      if (this.#expired(state, partitionTimeMs)) this.#producers.delete(producerId);
    }
  }

  #live(producerId: number, partitionTimeMs: number): ProducerState | undefined {
    const state = this.#producers.get(producerId);
    return state === undefined || this.#expired(state, partitionTimeMs) ? undefined : state;
  }

  #expired(state: ProducerState, partitionTimeMs: number): boolean {
    return partitionTimeMs - state.lastTimeMs > this.#expirationMs;
  }
}

function refuse(code: LogErrorCode, batch: SequencedBatch, why: string): SequenceVerdict {
  const which = `batch of producer ${batch.producerId} epoch ${batch.producerEpoch} with sequences ${batch.baseSequence} to ${batch.lastSequence}`;
  return { kind: 'refused', code, message: `${which} refused: ${why}` };
}
