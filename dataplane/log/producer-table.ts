import type { LogErrorCode } from './errors.ts';
import type { ProducerSnapshot } from './format/snapshot.ts';

/**
 * Producer state of one partition for idempotence (log.md 2.8): per producer id its epoch and last five batches.
 *
 * The table is a pure function of the log's prefix: whoever replays the same blocks gives the same answers, so a retry
 * gets the same answer from a new owner. Which batches it holds follows from the batches alone. Which producers are
 * *visible* follows from time, and time comes from slot headers only: `timeMs` of a batch is its slot's time, clamped
 * monotone per partition; a producer has expired when the partition's time is so much later than its last batch (Kafka's
 * `producer.id.expiration.ms`). And it is bounded: of more producers than may be, those whose last batch is the oldest
 * are forgotten first, which for them is an early expiry.
 */
export interface ProducerState {
  readonly epoch: number;
  lastTimeMs: number;
  /** Oldest first, at most five. */
  readonly batches: ProducedBatch[];
  /** First offset of the open transaction; reserved for transactions. */
  readonly transactionFirstOffset: number | undefined;
}

export interface ProducedBatch {
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** -1 while it has no slot. */
  timeMs: number;
}

/** A batch that was admitted and has no slot yet; see {@link ProducerTable.settle}. */
export interface AdmittedBatch {
  readonly producer: Producer;
  readonly batch: ProducedBatch;
}

interface Producer extends ProducerState {
  /** Batches that have no slot yet: it cannot expire. */
  withoutSlot: number;
}

export interface ProducerTableLimits {
  readonly producerIdExpirationMs: number;
  readonly maxProducersPerPartition: number;
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
  /** In the order of their last batches, the oldest first. */
  readonly #producers = new Map<number, Producer>();
  readonly #limits: ProducerTableLimits;
  readonly #onEvicted: () => void;

  /** @param onEvicted a producer is forgotten because there are too many, not because it has expired */
  constructor(limits: ProducerTableLimits, onEvicted: () => void = () => undefined) {
    this.#limits = limits;
    this.#onEvicted = onEvicted;
  }

  get size(): number {
    return this.#producers.size;
  }

  /** In the order of their last batches. */
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

  /** Adds a batch of the log, of a slot of this time. */
  record(batch: SequencedBatch, baseOffset: number, lastOffset: number, timeMs: number): void {
    if (batch.producerId < 0) return;
    const { producer } = this.#add(batch, baseOffset, lastOffset, timeMs);
    this.#evict(timeMs);
    producer.lastTimeMs = Math.max(producer.lastTimeMs, timeMs);
  }

  /**
   * Adds a batch that is admitted, before it has a slot and a time: {@link settle} is called for what is returned when it
   * has. `undefined`: it is of no producer.
   */
  admit(
    batch: SequencedBatch,
    baseOffset: number,
    lastOffset: number,
    partitionTimeMs: number,
  ): AdmittedBatch | undefined {
    if (batch.producerId < 0) return undefined;
    const admitted = this.#add(batch, baseOffset, lastOffset, -1);
    this.#evict(partitionTimeMs);
    admitted.producer.withoutSlot += 1;
    return admitted;
  }

  /** Gives an admitted batch the time of its slot. */
  settle({ producer, batch }: AdmittedBatch, timeMs: number): void {
    batch.timeMs = timeMs;
    producer.lastTimeMs = Math.max(producer.lastTimeMs, timeMs);
    producer.withoutSlot -= 1;
  }

  /**
   * Time plays no part in it: whether the producer had expired was decided when the batch was admitted, and shows in its
   * sequence, since the first batch of an unknown producer has sequence 0.
   */
  #add(batch: SequencedBatch, baseOffset: number, lastOffset: number, timeMs: number): AdmittedBatch {
    const { producerId, producerEpoch, baseSequence, lastSequence } = batch;
    const known = this.#producers.get(producerId);
    const continues = known?.epoch === producerEpoch && follows(known, baseSequence);
    const producer = continues
      ? known
      : {
          epoch: producerEpoch,
          lastTimeMs: timeMs,
          batches: [],
          transactionFirstOffset: undefined,
          withoutSlot: 0,
        };
    const produced = { baseSequence, lastSequence, baseOffset, lastOffset, timeMs };
    producer.batches.push(produced);
    if (producer.batches.length > KEPT_BATCHES) producer.batches.shift();
    if (known !== undefined) this.#producers.delete(producerId);
    this.#producers.set(producerId, producer);
    return { producer, batch: produced };
  }

  /** Restores producers from a snapshot, in whatever order it has them. */
  restore(producers: readonly ProducerSnapshot[]): void {
    const byLastBatch = producers.toSorted((a, b) => lastOffsetOf(a) - lastOffsetOf(b));
    for (const { producerId, batches, ...state } of byLastBatch) {
      const copies = batches.map((batch) => ({ ...batch }));
      this.#producers.set(producerId, { ...state, batches: copies, withoutSlot: 0 });
      this.#evict(state.lastTimeMs);
    }
  }

  /** Forgets producers that {@link check} would not see any more. */
  dropExpired(partitionTimeMs: number): void {
    for (const [producerId, producer] of this.#producers) {
      if (this.#expired(producer, partitionTimeMs)) this.#producers.delete(producerId);
    }
  }

  /** What goes first is what has expired, if anything has. */
  #evict(timeMs: number): void {
    if (this.#producers.size <= this.#limits.maxProducersPerPartition) return;
    for (const [producerId, producer] of this.#producers) {
      this.#producers.delete(producerId);
      if (!this.#expired(producer, timeMs)) this.#onEvicted();
      return;
    }
  }

  #live(producerId: number, partitionTimeMs: number): ProducerState | undefined {
    const producer = this.#producers.get(producerId);
    return producer === undefined || this.#expired(producer, partitionTimeMs) ? undefined : producer;
  }

  #expired(producer: Producer, partitionTimeMs: number): boolean {
    const { producerIdExpirationMs } = this.#limits;
    return producer.withoutSlot === 0 && partitionTimeMs - producer.lastTimeMs > producerIdExpirationMs;
  }
}

function follows({ batches }: ProducerState, baseSequence: number): boolean {
  const last = batches.at(-1);
  return last === undefined || baseSequence === (last.lastSequence + 1) % SEQUENCE_MODULUS;
}

function lastOffsetOf({ batches }: ProducerSnapshot): number {
  return batches.at(-1)?.lastOffset ?? -1;
}

function refuse(code: LogErrorCode, batch: SequencedBatch, why: string): SequenceVerdict {
  const which = `batch of producer ${batch.producerId} epoch ${batch.producerEpoch} with sequences ${batch.baseSequence} to ${batch.lastSequence}`;
  return { kind: 'refused', code, message: `${which} refused: ${why}` };
}
