import { initProducerId } from '../../protocol/api/init-producer-id.ts';
import { metadata } from '../../protocol/api/metadata.ts';
import { produce } from '../../protocol/api/produce.ts';
import { isRetriableCode } from '../../protocol/error-code.ts';
import { buildBatch } from '../../protocol/record-batch-builder.ts';
import { ClientRouter, topicName } from './client-router.ts';
import { NoAnswer } from './simulated-client.ts';
import type { BrokerSimulation } from './broker-simulation.ts';
import { BrokerViolation } from './violation.ts';

const version = 9;

/**
 * An idempotent producer with up to five batches of a partition in flight, each sent again, in order, until it is
 * acknowledged. Its values are `NAME#NUMBER` with ascending numbers.
 */
export class SimulatedProducer {
  readonly #world: BrokerSimulation;
  readonly #name: string;
  readonly #partition: number;
  readonly #router: ClientRouter;
  #left: number;
  isDone = false;

  constructor(world: BrokerSimulation, name: string, partition: number, batches: number) {
    this.#world = world;
    this.#name = name;
    this.#partition = partition;
    this.#left = batches;
    this.#router = new ClientRouter(world.newClient(name), world);
  }

  start(): void {
    this.#world.run(this.#run());
  }

  async #run(): Promise<void> {
    const producerId = await this.#producerId();
    let sequence = 0;
    while (this.#left > 0) {
      const inFlight = Math.min(this.#left, 1 + this.#world.random.below(5));
      const batches = Array.from({ length: inFlight }, () => {
        const count = 1 + this.#world.random.below(3);
        const values = Array.from({ length: count }, (_, at) => `${this.#name}#${sequence + at}`);
        const baseSequence = sequence;
        sequence += count;
        return { values, baseSequence };
      });
      await this.#deliver(producerId, batches);
      this.#left -= inFlight;
      await this.#world.sleep(this.#world.random.between(1, 60));
    }
    this.isDone = true;
    this.#router.client.close();
  }

  async #producerId(): Promise<number> {
    for (;;) {
      try {
        const request = { transactionalId: null, transactionTimeoutMs: 0 };
        const answer = await this.#router.client.request(
          this.#world.anyAddress(),
          initProducerId,
          4,
          request,
        );
        if (answer.errorCode === 0) return answer.producerId;
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
      }
      await this.#world.sleep(50);
    }
  }

  /** Sends the batches one behind the other on one connection; what fails goes again together with all after it. */
  async #deliver(producerId: number, batches: readonly Batch[]): Promise<void> {
    let waiting = batches;
    while (waiting.length > 0) {
      const outcomes = await this.#send(producerId, waiting);
      const acknowledged = outcomes.findIndex((outcome) => outcome === undefined);
      const count = acknowledged === -1 ? outcomes.length : acknowledged;
      for (let at = 0; at < outcomes.length; at++) {
        const offset = outcomes[at];
        const batch = waiting[at];
        if (offset === undefined || batch === undefined) continue;
        for (const [index, value] of batch.values.entries())
          this.#world.history.seen(this.#partition, offset + index, value, 'acknowledged');
      }
      waiting = waiting.slice(count);
      if (waiting.length === 0) return;
      this.#router.forgetLeader(this.#partition);
      await this.#world.sleep(this.#world.random.between(5, 50));
    }
  }

  /** The base offset of each batch; `undefined`: it has to go again. */
  async #send(producerId: number, batches: readonly Batch[]): Promise<(number | undefined)[]> {
    let address: string;
    try {
      address = await this.#router.leader(this.#partition);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      return batches.map(() => undefined);
    }
    const sent = batches.map(({ values, baseSequence }) => {
      const timestampMs = this.#world.time.environment.wallMs();
      const records = buildBatch({
        records: values.map((value) => ({ value, timestampMs })),
        producerId,
        producerEpoch: 0,
        baseSequence,
      });
      return this.#router.client.request(address, produce, version, {
        transactionalId: null,
        acks: -1,
        timeoutMs: 2_000,
        topicData: [{ name: topicName, partitionData: [{ index: this.#partition, records }] }],
      });
    });
    // Answered at once, and yet not before what was asked for before it.
    const asked = this.#router.client.request(address, metadata, 9, {
      topics: [],
      allowAutoTopicCreation: false,
    });
    const [, ...answers] = await Promise.allSettled([asked, ...sent]);
    return answers.map((answer) => {
      if (answer.status === 'rejected') {
        if (answer.reason instanceof NoAnswer) return undefined;
        throw answer.reason;
      }
      const partition = answer.value.responses[0]?.partitionResponses[0];
      if (partition?.errorCode === 0) {
        if (partition.baseOffset < 0)
          throw new BrokerViolation(
            'answers',
            `${this.#name}: acknowledged at offset ${partition.baseOffset}`,
          );
        return partition.baseOffset;
      }
      const code = partition?.errorCode ?? -1;
      // A batch behind one that failed is out of order: it goes again with it.
      if (!isRetriableCode(code) && code !== outOfOrder)
        throw new BrokerViolation('answers', `${this.#name}: produce failed for good with error ${code}`);
      return undefined;
    });
  }
}

interface Batch {
  readonly values: readonly string[];
  readonly baseSequence: number;
}

const outOfOrder = 45;
