import { setTimeout as sleep } from 'node:timers/promises';
import { buildBatch } from '../../dataplane/protocol/record-batch-builder.ts';
import type { Fractions } from '../faults/seeded-random.ts';
import { BrokerCallError } from './broker-handle.ts';
import type { BrokerHandle } from './broker-handle.ts';
import type { PartitionName } from './broker-protocol.ts';
import type { Ledger, ProducedBatch } from './ledger.ts';

export interface ProducerSurroundings {
  readonly ledger: Ledger;
  readonly fraction: Fractions;
  /** Who may be the leader; asks a broker that answers. `undefined`: nobody knows. */
  readonly findLeader: (partition: PartitionName) => Promise<BrokerHandle | undefined>;
}

/**
 * An idempotent producer of one partition, as clients behave: several requests under way, in order; after a failure it
 * waits for the others and sends everything again that is not acknowledged, to whoever leads then.
 */
export class Producer {
  readonly id: number;
  acknowledged = 0;
  readonly #target: PartitionName;
  readonly #surroundings: ProducerSurroundings;
  #leader: BrokerHandle | undefined;
  #sequence = 0;
  #made = 0;
  #isFinishing = false;
  #isAbandoned = false;

  constructor(id: number, target: PartitionName, surroundings: ProducerSurroundings) {
    this.id = id;
    this.#target = target;
    this.#surroundings = surroundings;
  }

  /** Makes no new batches from now on; `run` resolves when all are acknowledged. */
  finish(): void {
    this.#isFinishing = true;
  }

  /** Ends `run` soon, whatever is acknowledged. */
  abandon(): void {
    this.#isFinishing = true;
    this.#isAbandoned = true;
  }

  /** Rejects when a broker says what it must never say to this producer. Never gives up until abandoned. */
  async run(): Promise<void> {
    const { fraction } = this.#surroundings;
    let unacknowledged: ProducedBatch[] = [];
    while (!this.#isAbandoned && (!this.#isFinishing || unacknowledged.length > 0)) {
      const window = 1 + Math.floor(fraction() * 5);
      while (!this.#isFinishing && unacknowledged.length < window) unacknowledged.push(this.#make());
      unacknowledged = await this.#send(unacknowledged);
      await sleep(unacknowledged.length === 0 ? fraction() * 20 : 10 + fraction() * 90);
    }
  }

  #make(): ProducedBatch {
    const { fraction, ledger } = this.#surroundings;
    const count = 1 + Math.floor(fraction() * 3);
    const number = ++this.#made;
    const records = Array.from({ length: count }, (_, index) => ({
      value: `${this.id}:${number}.${index}:${'x'.repeat(Math.floor(fraction() * 400))}`,
      timestampMs: 1_000_000,
    }));
    const baseSequence = this.#sequence;
    const bytes = buildBatch({ records, producerId: this.id, producerEpoch: 0, baseSequence });
    this.#sequence += count;
    const { partition } = this.#target;
    const batch = { producerId: this.id, partition, baseSequence, bytes, offset: undefined };
    ledger.add(batch);
    return batch;
  }

  /** Returns what is not acknowledged. */
  async #send(batches: readonly ProducedBatch[]): Promise<ProducedBatch[]> {
    const { ledger } = this.#surroundings;
    if (this.#leader?.isRunning !== true) this.#leader = await this.#surroundings.findLeader(this.#target);
    const leader = this.#leader;
    if (leader === undefined) return [...batches];
    const outcomes = await Promise.allSettled(
      batches.map((batch) =>
        leader.call(
          'append',
          { ...this.#target, bytes: batch.bytes },
          {
            onAnswer: ({ baseOffset }) => {
              ledger.acknowledged(batch, baseOffset);
            },
          },
        ),
      ),
    );
    const firstOpen = outcomes.findIndex(({ status }) => status === 'rejected');
    if (firstOpen < 0) {
      this.acknowledged += batches.length;
      return [];
    }
    this.#leader = undefined;
    outcomes.forEach((outcome, index) => {
      if (outcome.status === 'rejected') checkRefusal(outcome.reason, index === firstOpen);
    });
    // A later one may be acknowledged although an earlier one's answer was lost; sent again, it is a known duplicate.
    this.acknowledged += firstOpen;
    return batches.slice(firstOpen);
  }
}

function checkRefusal(error: unknown, isFirst: boolean): void {
  if (!(error instanceof BrokerCallError)) throw error;
  if (error.retriable) return;
  if (error.code === 'OUT_OF_ORDER_SEQUENCE_NUMBER' && !isFirst) return;
  throw error;
}
