import { buildBatch } from '../../protocol/record-batch-builder.ts';
import { readBatchHeader } from '../../protocol/record-batch.ts';
import { LogError } from '../errors.ts';
import type { AppendResult } from '../append.ts';
import type { BrokerNode, CallResult } from './broker-node.ts';
import type { Simulation } from './simulation.ts';

interface Outgoing {
  readonly values: readonly string[];
  readonly timestampMs: number;
  sequence: number;
  bytes: Buffer;
  crc: number;
  state: 'waiting' | 'sent' | 'acked';
  attempt: number;
}

/**
 * A Kafka producer of one partition, as a stock client behaves: several requests under way on one connection, in order;
 * after any failure it waits for the others and sends again from the first batch that is not acknowledged, perhaps to
 * another broker. Idempotent ones must see every batch acknowledged exactly once, at the place where it is.
 */
export class SimulatedProducer {
  readonly #world: Simulation;
  readonly #id: number;
  readonly #topicId: string;
  readonly #partition: number;
  readonly #idempotent: boolean;
  readonly #batches: Outgoing[] = [];
  readonly #window: number;
  #node: BrokerNode | undefined;
  #lastArrivalMs = 0;
  #epoch = 0;
  #mustBumpEpoch = false;
  #connection = { isBroken: false, losesAnswers: false };
  #underWay = 0;
  #failed = false;

  constructor(world: Simulation, id: number, topicId: string, partition: number, idempotent: boolean) {
    this.#world = world;
    this.#id = id;
    this.#topicId = topicId;
    this.#partition = partition;
    this.#idempotent = idempotent;
    const { random, profile } = world;
    this.#window = random.pick([1, 3, 5]);
    const startMs = world.time.environment.wallMs();
    for (let index = 0; index < profile.batchesPerProducer; index++) {
      const values = Array.from(
        { length: random.pick([1, 1, 2, 3]) },
        (_, record) => `${id}:${index}.${record}:${'x'.repeat(random.below(60))}`,
      );
      this.#batches.push({
        values,
        timestampMs: startMs + Math.round((index * profile.trafficMs) / profile.batchesPerProducer),
        sequence: 0,
        bytes: Buffer.alloc(0),
        crc: 0,
        state: 'waiting',
        attempt: 0,
      });
    }
    this.#number(0);
  }

  /** Gives all batches that are not acknowledged sequences from 0 on, in the given epoch. */
  #number(epoch: number): void {
    this.#epoch = epoch;
    let sequence = 0;
    for (const batch of this.#batches) {
      if (batch.state === 'acked') continue;
      batch.sequence = sequence;
      batch.bytes = buildBatch({
        records: batch.values.map((value) => ({ value: Buffer.from(value), timestampMs: batch.timestampMs })),
        ...(this.#idempotent ? { producerId: this.#id, producerEpoch: epoch, baseSequence: sequence } : {}),
      });
      batch.crc = readBatchHeader(batch.bytes, 0).crc;
      sequence += batch.values.length;
    }
  }

  get done(): boolean {
    return this.#batches.every(({ state }) => state === 'acked');
  }

  get name(): string {
    return `producer ${this.#id} of ${this.#topicId}/${this.#partition}`;
  }

  start(): void {
    const { random, profile } = this.#world;
    const gapMs = profile.trafficMs / this.#batches.length;
    let released = 0;
    const release = (): void => {
      released += 1;
      this.#released = released;
      this.#pump();
      if (released < this.#batches.length) this.#world.after(random.exponential(gapMs), release);
    };
    this.#world.after(random.exponential(gapMs), release);
  }

  #released = 0;

  #pump(): void {
    if (this.#failed) return;
    // Answers of one connection come in order, so what is under way is counted from the oldest that is not acknowledged.
    const oldest = this.#batches.findIndex(({ state }) => state !== 'acked');
    if (oldest < 0) return;
    // Its metadata expires now and then, and whoever answers next may be out of date.
    if (this.#underWay === 0 && this.#world.random.chance(this.#world.profile.staleMetadata))
      this.#reconnect();
    for (let index = oldest; index < Math.min(this.#released, oldest + this.#window); index++) {
      const batch = this.#batches[index];
      if (batch?.state === 'waiting') this.#send(batch);
    }
  }

  #send(batch: Outgoing): void {
    const world = this.#world;
    const { random } = world;
    this.#node ??= world.findLeader(this.#topicId, this.#partition);
    const node = this.#node;
    batch.state = 'sent';
    const attempt = ++batch.attempt;
    this.#underWay += 1;
    const settle = (result: CallResult<AppendResult> | 'timeout'): void => {
      if (batch.attempt !== attempt || batch.state !== 'sent') return;
      this.#underWay -= 1;
      this.#answered(batch, result);
    };
    world.note(
      `${this.name}: sends sequence ${batch.sequence} to broker-${node?.id ?? 'none'}, attempt ${attempt}`,
    );
    world.after(world.clientTimeoutMs, () => {
      settle('timeout');
    });
    // One connection: requests arrive in the order in which they were sent, and after one that was lost none does.
    const connection = this.#connection;
    if (random.chance(world.clientLoss)) connection.isBroken = true;
    if (node === undefined || connection.isBroken) return;
    const now = world.time.nowMs;
    const arrival = Math.max(this.#lastArrivalMs, now + random.between(0.05, 2));
    this.#lastArrivalMs = arrival;
    if (random.chance(world.clientLoss)) connection.losesAnswers = true;
    node.call(
      { thereMs: arrival - now, backMs: random.between(0.05, 2) },
      (log) => log.append(this.#topicId, this.#partition, Buffer.from(batch.bytes)),
      (result) => {
        if (!connection.losesAnswers) settle(result);
      },
    );
  }

  #answered(batch: Outgoing, result: CallResult<AppendResult> | 'timeout'): void {
    this.#world.note(
      `${this.name}: sequence ${batch.sequence} → ${result === 'timeout' ? 'timeout' : result.ok ? `offset ${result.value.baseOffset}` : String(result.error)}`,
    );
    if (result !== 'timeout' && result.ok) {
      batch.state = 'acked';
      const { baseOffset, lastOffset } = result.value;
      this.#world.checker.acknowledged(this.#topicId, this.#partition, baseOffset, lastOffset, batch.crc);
    } else {
      if (result !== 'timeout') this.#checkError(batch, result.error);
      if (this.#idempotent) {
        batch.state = 'waiting';
        this.#failed = true;
      } else {
        batch.state = 'acked';
        this.#reconnect();
      }
    }
    if (this.#failed && this.#underWay === 0) {
      this.#world.after(this.#world.random.between(1, 60), () => {
        this.#failed = false;
        this.#reconnect();
        if (this.#mustBumpEpoch) this.#number(this.#epoch + 1);
        this.#mustBumpEpoch = false;
        this.#pump();
      });
      return;
    }
    this.#pump();
  }

  #reconnect(): void {
    this.#node = undefined;
    this.#lastArrivalMs = 0;
    this.#connection = { isBroken: false, losesAnswers: false };
  }

  #checkError(batch: Outgoing, error: unknown): void {
    const { checker, profile } = this.#world;
    if (!(error instanceof LogError)) {
      this.#world.time.fail(error);
      return;
    }
    if (error.code === 'NOT_LEADER_OR_FOLLOWER' || error.code === 'SHUTTING_DOWN') return;
    const isFirst = this.#batches.find(({ state }) => state !== 'acked') === batch;
    if (error.code === 'OUT_OF_ORDER_SEQUENCE_NUMBER' && !isFirst) return;
    if (error.code === 'OUT_OF_ORDER_SEQUENCE_NUMBER' && profile.expiresProducers) {
      this.#mustBumpEpoch = true;
      return;
    }
    checker.violation('exactly once', `${this.name}: ${error.code}: ${error.message}`);
  }
}
