import type { BatchEntry } from '../format/container.ts';

interface Sequence {
  readonly epoch: number;
  /** Of the last batch. */
  readonly lastSequence: number;
  readonly lastOffset: number;
  /** CRC of the batch that began this epoch with sequence 0; `undefined`: not seen. */
  readonly firstCrc: number | undefined;
}

const sequenceModulus = 2 ** 31;

/** How many producers may be remembered, by all {@link ProducerSequences} that share it. */
export interface ProducerBudget {
  left: number;
}

const maxOfPartition = 5_000;

/**
 * Where the producers of one partition stand, as far as retained batches tell (invariant 9 of the log). A bounded number
 * of them is remembered, the least recently seen go first: of a producer that is not, any sequence is accepted, as after
 * the log start.
 */
export class ProducerSequences {
  readonly #budget: ProducerBudget;
  readonly #byProducer = new Map<number, Sequence>();
  #knowsAll = true;

  constructor(budget: ProducerBudget) {
    this.#budget = budget;
  }

  /** From here on nothing is known: what comes next does not follow what was seen. */
  forget(): void {
    this.#knowsAll = false;
    this.#budget.left += this.#byProducer.size;
    this.#byProducer.clear();
  }

  last(producerId: number): Sequence | undefined {
    return this.#byProducer.get(producerId);
  }

  /** Adds the partition's next batch. Returns what is wrong with it, if something is. */
  add(batch: BatchEntry): string | undefined {
    const { producerId, producerEpoch, baseSequence, lastSequence, lastOffset, crc } = batch;
    if (producerId < 0 || baseSequence < 0) return undefined;
    const known = this.#byProducer.get(producerId);
    const problem = this.#problem(batch, known);
    const goesOn = known?.epoch === producerEpoch && baseSequence !== 0;
    const firstCrc = baseSequence === 0 ? crc : goesOn ? known.firstCrc : undefined;
    this.#remember(producerId, { epoch: producerEpoch, lastSequence, lastOffset, firstCrc });
    return problem;
  }

  #remember(producerId: number, sequence: Sequence): void {
    if (this.#byProducer.delete(producerId)) this.#budget.left += 1;
    if (this.#budget.left <= 0 || this.#byProducer.size >= maxOfPartition) {
      this.#knowsAll = false;
      const [oldest] = this.#byProducer.keys();
      if (oldest === undefined) return;
      this.#byProducer.delete(oldest);
      this.#budget.left += 1;
    }
    this.#byProducer.set(producerId, sequence);
    this.#budget.left -= 1;
  }

  /**
   * An owner accepts, of a producer it knows, the next sequence of the same epoch, or 0 of a newer one; of one that it does
   * not know or has forgotten, 0 only. Whether it had forgotten it cannot be told from batches, so 0 is always believed,
   * unless it is the very batch that stood there before.
   */
  #problem(batch: BatchEntry, known: Sequence | undefined): string | undefined {
    const { producerId, producerEpoch, baseSequence, crc, baseOffset } = batch;
    const which = `the batch at offset ${baseOffset} of producer ${producerId} (epoch ${producerEpoch}) has sequence ${baseSequence}`;
    if (baseSequence === 0) {
      return known?.epoch === producerEpoch && known.firstCrc === crc
        ? `${which} and is the same as an earlier one with that sequence`
        : undefined;
    }
    if (known === undefined) {
      if (!this.#knowsAll) return undefined;
      return `${which}, but it is the producer's first: sequence 0 was expected`;
    }
    if (producerEpoch !== known.epoch) {
      return `${which}, but it is the first of its epoch (after epoch ${known.epoch}): sequence 0 was expected`;
    }
    const expected = (known.lastSequence + 1) % sequenceModulus;
    if (baseSequence === expected) return undefined;
    return `${which}, but ${expected} was expected after the batch that ends at offset ${known.lastOffset}`;
  }
}
