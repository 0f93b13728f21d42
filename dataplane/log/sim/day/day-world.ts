import { createTopic, deleteTopic } from '../../../cluster/topic-changes.ts';
import { groupsOf } from '../../../cluster/partition-groups.ts';
import { reassign } from '../../../cluster/reassign.ts';
import type { Cancel } from '../../../runtime/runtime.ts';
import { VirtualRandom } from '../../../runtime/virtual-random.ts';
import { VirtualTime } from '../../../runtime/virtual-time.ts';
import { StoreError } from '../../../store/errors.ts';
import { noFaults } from '../../../store/simulated/faults.ts';
import { s3Latencies } from '../../../store/simulated/latency.ts';
import { SimulatedStore } from '../../../store/simulated/simulated-store.ts';
import { LogError } from '../../errors.ts';
import { defaultLogOptions } from '../../options.ts';
import type { LogOptions } from '../../options.ts';
import { ColdStore } from '../../read/cold-store.ts';
import { GroupReader } from '../../read/group-reader.ts';
import { BrokerNode } from '../broker-node.ts';
import { brokenInvariant } from '../violation.ts';
import { DayConsumer, DayProducers, DayZoneReader } from './day-clients.ts';
import type { DayCluster, DayPartition } from './day-clients.ts';

const hourMs = 3_600_000;
const brokers = 3;
const basePartitions = 20;

/** Bounds are small, so that what fills up does so in the first hours; retention and expiry take one hour. */
export const dayOptions: Partial<LogOptions> = {
  hotCacheBytes: 1024 * 1024,
  coldCacheBytes: 4 * 1024 * 1024,
  readChunkBytes: 128 * 1024,
  readAheadBytes: 512 * 1024,
  producerIdExpirationMs: hourMs,
  // Root and pages are both in use all the time.
  manifestSegments: 4,
};

/** Now and then a request or an answer is lost, or the store is busy. */
const weather = {
  ...noFaults,
  requestLost: 2e-4,
  answerLost: 2e-4,
  throttled: 2e-4,
  conflict: 2e-4,
  lateLanding: 5e-5,
};

export interface DayWorldOptions {
  readonly seed: number;
  readonly appendsPerSecond: number;
}

/**
 * A cluster on ordinary days: producers, consumers and zone readers; topics that come and go; retention, DeleteRecords,
 * planned moves, restarts and crashes, on a schedule that is the same every hour or every few hours. Nothing is checked
 * but that readers get a log without holes: the question is what stays behind in memory and in the store.
 */
export class DayWorld implements DayCluster {
  readonly time: VirtualTime;
  readonly store: SimulatedStore;
  readonly random: VirtualRandom;
  readonly counts = { appended: 0, read: 0, refused: 0, problems: 0, crashes: 0, drains: 0, rebalanced: 0 };
  isOver = false;
  readonly #nodes = new Map<number, BrokerNode>();
  readonly #topics = new Map<string, { readonly topicId: string; readonly partitions: number }>();

  readonly #appendsPerSecond: number;

  constructor({ seed, appendsPerSecond }: DayWorldOptions) {
    this.#appendsPerSecond = appendsPerSecond;
    this.time = new VirtualTime({ seed });
    this.random = new VirtualRandom(seed, 'day');
    this.store = new SimulatedStore({
      environment: this.time.environment,
      seed,
      latencies: s3Latencies,
      faults: weather,
      etags: 'version',
    });
  }

  get nodes(): readonly BrokerNode[] {
    return [...this.#nodes.values()];
  }

  readonly failed = (error: unknown): void => {
    this.time.fail(error);
  };

  /** A client's request failed: which is part of the day, unless the log is to blame. */
  readonly refused = (error: unknown): undefined => {
    this.counts.refused += 1;
    const isToBlame =
      error instanceof LogError ? error.code === 'CORRUPT_LOG' : !(error instanceof StoreError);
    if (isToBlame) this.time.fail(error);
    return undefined;
  };

  after(delayMs: number, callback: () => void): Cancel {
    return this.time.environment.after(delayMs, callback);
  }

  async start(): Promise<void> {
    for (let id = 0; id < brokers; id++) this.#startNode(id);
    await this.#until('a broker serves', () => this.nodes.some(({ log }) => log.log?.session.live === true));
    await this.time.drive(() => this.#createTopic('base', basePartitions));
    await this.#until('all is served', () => this.#isServed('base'));
    new DayProducers(this, this.#appendsPerSecond).start();
    for (let partition = 0; partition < 8; partition++)
      new DayConsumer(this, this.#partition('base', partition)).start();
    this.#startZoneReaders();
  }

  /** Plays one hour of the schedule, up to a moment in the midst of everything. */
  async playHour(hour: number): Promise<void> {
    const beginMs = this.time.nowMs;
    const at = (minute: number, what: () => Promise<unknown>): void => {
      this.after(minute * 60_000, () => {
        what().catch(this.refused);
      });
    };
    at(1, async () => {
      await this.#createTopic(`hour-${hour}`, 4);
      new DayConsumer(this, this.#partition(`hour-${hour}`, 0)).start();
    });
    at(5, () => this.#deleteTopic(`hour-${hour - 1}`));
    at(10, () => this.#deleteRecords());
    at(40, () => this.#rebalance(hour));
    if (hour % 2 === 0) at(20, () => Promise.resolve(this.#crash(hour / 2)));
    if (hour % 4 === 1) at(25, () => this.#drain(hour));
    for (const minute of [30, 50])
      at(minute, () => new DayConsumer(this, this.#anyBasePartition()).catchUp());
    await this.time.run({ untilMs: beginMs + hourMs });
  }

  stop(): void {
    this.isOver = true;
    for (const node of this.nodes) node.process.kill();
  }

  leaderOf(topicId: string, partition: number): BrokerNode | undefined {
    return this.nodes.find((node) => node.isAlive && node.log.log?.served(topicId, partition) !== undefined);
  }

  exists({ topicId }: DayPartition): boolean {
    return [...this.#topics.values()].some((topic) => topic.topicId === topicId);
  }

  anyPartition(): DayPartition | undefined {
    const names = [...this.#topics.keys()];
    const name = names.length === 0 ? undefined : this.random.pick(names);
    if (name === undefined) return undefined;
    return this.#partition(name, this.random.below(this.#topics.get(name)?.partitions ?? 1));
  }

  #anyBasePartition(): DayPartition {
    return this.#partition('base', this.random.below(basePartitions));
  }

  #partition(name: string, partition: number): DayPartition {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw new Error(`there is no topic ${name}`);
    return { topicId: topic.topicId, partition };
  }

  #startNode(id: number): void {
    const profile = { options: dayOptions, pollMs: 1_000, attemptTimeoutMs: 2_000, expiresProducers: false };
    const node = new BrokerNode(this.time, this.store, profile, id, `zone-${id}`, {
      exited: (gone) => {
        if (this.#nodes.get(id) === gone) this.#startLater(id, 1_000);
      },
      problem: (_from, what, error) => {
        this.counts.problems += 1;
        const isOurs = error instanceof TypeError || error instanceof RangeError;
        if (isOurs || brokenInvariant(error) !== undefined) this.time.fail(error);
        if (error instanceof LogError && error.code === 'CORRUPT_LOG')
          this.time.fail(new Error(what, { cause: error }));
      },
    });
    this.#nodes.set(id, node);
  }

  #startLater(id: number, delayMs: number): void {
    this.#nodes.delete(id);
    this.after(delayMs, () => {
      if (!this.isOver) this.#startNode(id);
    });
  }

  #crash(turn: number): void {
    const id = turn % brokers;
    this.counts.crashes += 1;
    this.#nodes.get(id)?.process.kill();
    this.#startLater(id, 5_000);
  }

  async #drain(turn: number): Promise<void> {
    const id = turn % brokers;
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    this.counts.drains += 1;
    await this.#inside(node, (log) => log.drain());
    node.process.kill();
    this.#startLater(id, 5_000);
  }

  async #createTopic(name: string, partitions: number): Promise<void> {
    const topicId = Buffer.from(this.time.environment.random.bytes(16)).toString('hex');
    const configs = { 'retention.ms': String(hourMs) };
    await this.#change((log) =>
      log.cluster.change((state) =>
        createTopic(state, { name, topicId, partitions, internal: false, configs }),
      ),
    );
    this.#topics.set(name, { topicId, partitions });
  }

  async #deleteTopic(name: string): Promise<void> {
    if (!this.#topics.delete(name)) return;
    await this.#change((log) => log.cluster.change((state) => deleteTopic(state, name)));
  }

  async #deleteRecords(): Promise<void> {
    const { topicId, partition } = this.#anyBasePartition();
    const node = this.leaderOf(topicId, partition);
    if (node !== undefined) await this.#inside(node, (log) => log.deleteRecords(topicId, partition, -1));
  }

  /** Every broker gets as many partitions as the others, and next hour others than this hour. */
  async #rebalance(hour: number): Promise<void> {
    this.counts.rebalanced += 1;
    const moves = Array.from({ length: basePartitions }, (_, partition) => ({
      topic: 'base',
      partition,
      to: (partition + hour) % brokers,
    }));
    await this.#change((log) => log.cluster.change((state) => reassign(state, moves)));
  }

  #startZoneReaders(): void {
    const process = this.time.process('zone-reader');
    const store = this.store.connect(process);
    const cold = new ColdStore(store, { ...defaultLogOptions, ...dayOptions });
    const state = this.nodes
      .map(({ log }) => log.cluster.current)
      .find((current) => current?.topics.has('base'));
    const topic = state?.topics.get('base');
    if (topic === undefined) throw new Error('nobody knows the topic');
    for (const [index, group] of groupsOf(topic).slice(0, 4).entries()) {
      const slots = index % 2 === 0 ? 'whole' : 'index';
      const reader = new GroupReader({ store, runtime: process.runtime, group: group.id, cold, slots });
      const partitions = Array.from({ length: group.count }, (_, at) => group.firstPartition + at);
      new DayZoneReader(this, reader, partitions).start();
    }
  }

  #isServed(name: string): boolean {
    const { topicId, partitions } = this.#topics.get(name) ?? { topicId: '', partitions: 0 };
    return Array.from({ length: partitions }, (_, partition) => this.leaderOf(topicId, partition)).every(
      Boolean,
    );
  }

  /** A change by whatever broker can make it. */
  async #change(work: (log: BrokerNode['log']) => Promise<unknown>): Promise<void> {
    const node = this.nodes.find(({ isAlive, log }) => isAlive && log.log?.session.live === true);
    if (node !== undefined) await this.#inside(node, work);
  }

  /** Work of the process itself. Resolves never when it is killed meanwhile. */
  async #inside<T>(node: BrokerNode, work: (log: BrokerNode['log']) => Promise<T>): Promise<T> {
    return await new Promise((resolve, reject) => {
      node.process.receive(() => {
        work(node.log).then(resolve, reject);
      });
    });
  }

  async #until(what: string, condition: () => boolean): Promise<void> {
    const { reason } = await this.time.run({ until: condition, untilMs: this.time.nowMs + 600_000 });
    if (reason !== 'until') throw new Error(`after ten minutes it is still not so that ${what}`);
  }
}
