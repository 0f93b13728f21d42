import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildBatch } from '../../dataplane/protocol/record-batch-builder.ts';
import { parseBatches } from '../../dataplane/protocol/record-batch.ts';
import type { Fractions } from '../faults/seeded-random.ts';
import { seededFractions } from '../faults/seeded-random.ts';
import { BrokerCallError, BrokerHandle } from './broker-handle.ts';
import { countNames } from './broker-protocol.ts';
import type { CountName, Operations, PartitionName } from './broker-protocol.ts';
import { Ledger } from './ledger.ts';
import type { Place } from './place.ts';
import { Producer } from './producer.ts';

const brokerIds = [0, 1, 2];
const partitions = 6;
/** Far above what a loaded machine needs. */
const patienceMs = 60_000;

export interface ClusterOptions {
  readonly injectFullDisk?: boolean | undefined;
}

/**
 * Three broker processes, one topic, and an idempotent producer or two for each partition. Nothing outlives
 * {@link Cluster.close}, and nothing outlives this process.
 */
export class Cluster {
  readonly ledger = new Ledger();
  readonly fraction: Fractions;
  readonly producers: readonly Producer[];
  /** What the events of the test were, for its failure. */
  readonly story: string[] = [];
  readonly #place: Place;
  readonly #options: ClusterOptions;
  readonly #seed: number;
  readonly #topicId = randomBytes(16).toString('hex');
  readonly #current = new Map<number, BrokerHandle>();
  readonly #all: BrokerHandle[] = [];
  readonly #runs: Promise<void>[] = [];
  readonly #openedMs = performance.now();

  constructor(place: Place, seed: number, options: ClusterOptions = {}) {
    this.#place = place;
    this.#seed = seed;
    this.#options = options;
    this.fraction = seededFractions(seed, 'cluster');
    this.producers = Array.from({ length: partitions + 2 }, (_, index) => {
      const surroundings = {
        ledger: this.ledger,
        fraction: seededFractions(seed, `producer ${index}`),
        findLeader: (partition: PartitionName) => this.leader(partition),
      };
      return new Producer(1_000 + index, this.#partition(index % partitions), surroundings);
    });
  }

  #partition(partition: number): PartitionName {
    return { topicId: this.#topicId, partition };
  }

  /** Starts the brokers, creates the topic, and lets the producers go. */
  async open(): Promise<void> {
    await Promise.all(brokerIds.map((id) => this.start(id).started));
    await this.broker(0).call(
      'createTopic',
      { name: 'events', topicId: this.#topicId, partitions },
      { timeoutMs: patienceMs },
    );
    for (const producer of this.producers) {
      this.#runs.push(
        producer.run().catch((error: unknown) => {
          this.ledger.broken ??= new Error(`producer ${producer.id} was refused for good`, { cause: error });
        }),
      );
    }
    await this.progress(3);
  }

  tell(what: string): void {
    this.story.push(`${((performance.now() - this.#openedMs) / 1000).toFixed(2)} s: ${what}`);
  }

  broker(id: number): BrokerHandle {
    const broker = this.#current.get(id);
    if (broker === undefined) throw new Error(`broker ${id} was never started`);
    return broker;
  }

  /** A new process under the id. */
  start(id: number): BrokerHandle {
    this.tell(`start broker ${id}`);
    const settings = {
      url: this.#place.url,
      id,
      zone: `zone-${id}`,
      injectFullDisk: this.#options.injectFullDisk ?? false,
    };
    const broker = new BrokerHandle(settings, this.#place.env);
    this.#current.set(id, broker);
    this.#all.push(broker);
    return broker;
  }

  pick<T>(among: readonly T[]): T {
    const picked = among[Math.floor(this.fraction() * among.length)];
    if (picked === undefined) throw new Error('nothing to pick from');
    return picked;
  }

  get running(): readonly BrokerHandle[] {
    return [...this.#current.values()].filter((broker) => broker.isRunning);
  }

  /** Who leads the partition, as some running broker knows it. */
  async leader(partition: PartitionName): Promise<BrokerHandle | undefined> {
    const { running } = this;
    if (running.length === 0) return undefined;
    try {
      const { broker } = await this.pick(running).call('leader', partition);
      const leader = this.#current.get(broker);
      return leader?.isRunning === true ? leader : undefined;
    } catch (error) {
      if (error instanceof BrokerCallError && error.retriable) return undefined;
      throw error;
    }
  }

  /** Partitions that `meta/cluster` gives to the broker, as it knows it. */
  async partitionsOf(broker: BrokerHandle): Promise<number[]> {
    const leaders = await Promise.all(
      Array.from({ length: partitions }, (_, partition) => broker.call('leader', this.#partition(partition))),
    );
    return leaders.flatMap((leader, partition) => (leader.broker === broker.id ? [partition] : []));
  }

  /** A record without a producer id, sent to this broker whoever leads: an acknowledgement would be one too many. */
  async stray(broker: BrokerHandle, partition: number): Promise<Operations['append']['answer']> {
    const bytes = buildBatch({ records: [{ value: 'stray' }] });
    return await broker.call('append', { ...this.#partition(partition), bytes }, { timeoutMs: patienceMs });
  }

  /** Some other running broker declares it dead, sooner or later. Returns the session that is dead then. */
  async markDead(id: number): Promise<string> {
    return await this.untilAnswered(`broker ${id} is declared dead`, async () => {
      const judges = this.running.filter((broker) => broker.id !== id);
      if (judges.length === 0) return undefined;
      const judge = this.pick(judges);
      const { deadSid } = await judge.call('markDead', { id }, { timeoutMs: 10_000 });
      this.tell(`broker ${judge.id} has declared broker ${id} dead`);
      return deadSid;
    });
  }

  /** Waits for a condition, and fails as soon as a promise of the log is broken or a broker ends by itself. */
  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + patienceMs;
    while (!(await condition())) {
      this.check();
      if (performance.now() > deadline)
        throw new Error(`after ${patienceMs} ms it is still not so that ${what}`);
      await sleep(20);
    }
    this.check();
  }

  /** Tries again after failures that may be over later, and after `undefined`. */
  async untilAnswered<T>(what: string, work: () => Promise<T | undefined>): Promise<T> {
    let result: T | undefined;
    let last: BrokerCallError | undefined;
    await this.until(what, async () => {
      try {
        result = await work();
      } catch (error) {
        // A judge whose own session has just died is refused, and a broker may end before it answers.
        if (!(error instanceof BrokerCallError)) throw error;
        if (error.code === 'OFFSET_OUT_OF_RANGE' || error.code === 'CORRUPT_LOG') throw error;
        last = error;
        await sleep(50);
      }
      return result !== undefined;
    }).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`${why} (while waiting until ${what}; last: ${last?.message ?? 'no answer'})`, {
        cause: error,
      });
    });
    if (result === undefined) throw new Error(`${what}: no answer`);
    return result;
  }

  check(): void {
    if (this.ledger.broken !== undefined) throw this.ledger.broken;
    const failure = this.#all.find((broker) => broker.failure !== undefined)?.failure;
    if (failure !== undefined) throw new Error(failure);
  }

  /** Every producer has so many more batches acknowledged. */
  async progress(batches: number): Promise<void> {
    const goals = this.producers.map((producer) => ({ producer, goal: producer.acknowledged + batches }));
    await this.until(`every producer gets ${batches} more batches acknowledged`, () =>
      goals.every(({ producer, goal }) => producer.acknowledged >= goal),
    );
  }

  /** Lets the producers get everything acknowledged and end. */
  async finish(): Promise<void> {
    this.tell('producers finish');
    for (const producer of this.producers) producer.finish();
    let isOver = false;
    const over = Promise.all(this.#runs).then(() => {
      isOver = true;
    });
    await this.until('all batches are acknowledged', () => isOver);
    await over;
    this.tell(`all ${this.ledger.acknowledgedCount} batches are acknowledged`);
  }

  /** Reads every partition from its beginning to its confirmed end, and compares it with the ledger. */
  async verify(): Promise<void> {
    for (let partition = 0; partition < partitions; partition++)
      this.ledger.check(partition, await this.#readAll(this.#partition(partition)));
    this.tell('everything was read back');
  }

  async #readAll(partition: PartitionName): Promise<Uint8Array> {
    const name = `partition ${partition.partition}`;
    const { offset: end } = await this.untilAnswered(
      `${name} has an end`,
      async () => await (await this.leader(partition))?.call('endOffset', partition, { timeoutMs: 10_000 }),
    );
    const pieces: Uint8Array[] = [];
    let position = 0;
    while (position < end) {
      const { bytes } = await this.untilAnswered(`${name} is read at ${position}`, async () => {
        const leader = await this.leader(partition);
        return await leader?.call('read', { ...partition, offset: position }, { timeoutMs: 10_000 });
      });
      if (bytes.length === 0) throw new Error(`${name}: nothing to read at ${position}, it ends at ${end}`);
      pieces.push(bytes);
      position = endOf(bytes);
    }
    return Buffer.concat(pieces);
  }

  /** Sums over the brokers that run: what the test has really exercised. */
  async counts(): Promise<Readonly<Record<CountName, number>>> {
    const sums = Object.fromEntries(countNames.map((name) => [name, 0])) as Record<CountName, number>;
    for (const broker of this.running) {
      const { counts } = await broker.call('status', {}, { timeoutMs: 10_000 });
      for (const name of countNames) sums[name] += counts[name];
    }
    return sums;
  }

  /** All that helps to find out what happened. */
  report(): string {
    const complaints = this.#all.flatMap(({ id, complaints }) =>
      complaints.slice(-15).map((line) => `[${id}] ${line}`),
    );
    const faults = Object.entries(this.#place.faults()).map(([name, hits]) => `${name} ${hits}`);
    return [
      `seed ${this.#seed} (FIRN_LOG_SEED=${this.#seed} repeats its choices)`,
      `faults: ${faults.join(', ') || 'none'}`,
      ...this.story,
      ...complaints.sort((a, b) => a.slice(4).localeCompare(b.slice(4))),
    ].join('\n');
  }

  async close(): Promise<void> {
    for (const producer of this.producers) producer.abandon();
    await Promise.all(this.#all.map((broker) => broker.kill()));
    await Promise.all(this.#runs);
  }
}

function endOf(bytes: Uint8Array): number {
  const last = parseBatches(bytes, { verifyCrc: true }).at(-1);
  return last === undefined ? 0 : last.baseOffset + last.lastOffsetDelta + 1;
}

/** `FIRN_LOG_SEED`, else any. */
export function chooseSeed(): number {
  const given = process.env['FIRN_LOG_SEED'];
  return given === undefined ? randomInt(2 ** 31) : Number(given);
}

/** Runs `work` with a cluster that has begun to produce. A failure tells the seed and what happened. */
export async function withCluster(
  openPlace: (seed: number) => Promise<Place>,
  work: (cluster: Cluster, place: Place) => Promise<void>,
  options: ClusterOptions = {},
): Promise<void> {
  const seed = chooseSeed();
  const place = await openPlace(seed);
  const cluster = new Cluster(place, seed, options);
  try {
    await cluster.open();
    await work(cluster, place);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${cluster.report()}`, {
      cause: error,
    });
  } finally {
    await cluster.close();
    await place.close();
  }
}
