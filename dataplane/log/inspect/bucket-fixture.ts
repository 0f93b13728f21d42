import assert from 'node:assert/strict';
import { markDead } from '../../cluster/broker-changes.ts';
import { ChangeRefused } from '../../cluster/change-refused.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import { createTopic } from '../../cluster/topic-changes.ts';
import { buildBatch } from '../../protocol/record-batch-builder.ts';
import type { SimulatedProcess } from '../../runtime/simulated-process.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import { createMemoryStore, MemoryObjects } from '../../store/memory.ts';
import type { ObjectStore } from '../../store/object-store.ts';
import { noFaults } from '../../store/simulated/faults.ts';
import { localLatencies } from '../../store/simulated/latency.ts';
import { SimulatedStore } from '../../store/simulated/simulated-store.ts';
import { BrokerLog } from '../broker-log.ts';
import type { LogOptions } from '../options.ts';

/** For tests: brokers running the production log in virtual time, and what they leave in a bucket. */

const options: Partial<LogOptions> = {
  maxLingerMs: 5,
  flushGroupBytes: 1_000_000_000,
  flushIntervalMs: 1_000_000_000,
  ownSegmentBytes: 4_000,
  checkpointSlots: 4,
  manifestSegments: 4,
  housekeepingIntervalMs: 1_000_000_000,
  sweepIntervalMs: 1_000_000_000,
  retryBackoffMs: 50,
};

export interface Problem {
  readonly what: string;
  readonly error: unknown;
  readonly atMs: number;
}

export class TestCluster {
  readonly time: VirtualTime;
  readonly store: SimulatedStore;
  readonly problems: Problem[] = [];
  /** From which offset on retention of any partition deletes nothing. */
  retentionHold = Infinity;
  readonly #sequences = new Map<string, number>();
  readonly #vandal: ObjectStore;
  #topics = 0;

  constructor(seed: number) {
    this.time = new VirtualTime({ seed });
    this.store = new SimulatedStore({
      environment: this.time.environment,
      seed,
      latencies: localLatencies,
      faults: noFaults,
      onViolation: (violation) => {
        this.time.fail(violation);
      },
    });
    this.#vandal = this.store.connect(this.time.process('vandal', {}));
  }

  /** Starts a broker; resolves when it is registered. */
  async start(id: number, more: Partial<LogOptions> = {}): Promise<TestBroker> {
    const broker = this.prepare(id, more);
    await broker.call(() => broker.log.start());
    await this.until(() => broker.log.log !== undefined);
    return broker;
  }

  /** A broker whose process is there, but has not started to do anything. */
  prepare(id: number, more: Partial<LogOptions> = {}): TestBroker {
    const process = this.time.process(`broker-${id}`, {});
    const log = new BrokerLog({
      store: this.store.connect(process),
      runtime: process.runtime,
      identity: {
        id,
        zone: `zone-${id}`,
        address: `broker-${id}:9092`,
        listeners: {},
        podUid: `pod-${id}`,
        version: 'test',
      },
      options: { ...options, ...more },
      pollMs: 50,
      retentionHold: () => this.retentionHold,
      onProblem: (what, error) => {
        this.problems.push({ what, error, atMs: this.time.nowMs });
      },
      onReplaced: () => undefined,
    });
    return new TestBroker(id, this, process, log);
  }

  async change(
    broker: TestBroker,
    change: (state: ClusterState) => ClusterState | ChangeRefused,
  ): Promise<ClusterState> {
    const outcome = await broker.call(() => broker.log.cluster.change(change));
    assert.notEqual(outcome.kind, 'refused', JSON.stringify(outcome));
    return outcome.state;
  }

  /** Creates a topic; its id. `groupSize` other than 1 is a layout that the log takes, though topics this small never get it. */
  async createTopic(broker: TestBroker, name: string, partitions: number, groupSize = 1): Promise<string> {
    const topicId = (++this.#topics).toString(16).padStart(32, '0');
    await this.change(broker, (state) => {
      const created = createTopic(state, { name, topicId, partitions, internal: false, configs: {} });
      if (created instanceof ChangeRefused) return created;
      const topic = created.topics.get(name);
      assert(topic !== undefined);
      const count = Math.ceil(partitions / groupSize);
      const kept = [...created.assignments].filter(
        ([id]) => !id.startsWith(topicId) || Number(id.slice(33)) < count,
      );
      const topics = new Map(created.topics).set(name, { ...topic, groups: [[0, partitions, groupSize]] });
      return { ...created, topics, assignments: new Map(kept) };
    });
    return topicId;
  }

  /** Appends the next batches of one idempotent producer, one slot each, to a partition, wherever it is served. */
  async append(
    broker: TestBroker,
    topicId: string,
    partition: number,
    batches: number,
    valueBytes = 100,
  ): Promise<void> {
    await this.until(() => broker.log.log?.served(topicId, partition)?.group.phase === 'serving');
    const name = `${topicId}/${partition}`;
    for (let index = 0; index < batches; index++) {
      const sequence = this.#sequences.get(name) ?? 0;
      this.#sequences.set(name, sequence + 2);
      const value = `${name}#${sequence}`.padEnd(valueBytes, '.');
      const records = [
        { key: 'a', value, timestampMs: 1_000 + sequence },
        { key: 'b', value, timestampMs: 1_001 + sequence },
      ];
      const batch = buildBatch({
        records,
        producerId: 7 + partition,
        producerEpoch: 0,
        baseSequence: sequence,
      });
      await broker.call(() => broker.log.append(topicId, partition, batch));
    }
  }

  async until(condition: () => boolean, limitMs = 120_000): Promise<void> {
    const { reason } = await this.time.run({ until: condition, untilMs: this.time.nowMs + limitMs });
    assert.equal(
      reason,
      'until',
      `it did not happen: ${condition.toString()}; problems: ${this.problems.map(({ what, error }) => `${what}: ${String(error)}`).join('; ')}`,
    );
  }

  async pass(ms: number): Promise<void> {
    await this.time.run({ untilMs: this.time.nowMs + ms });
  }

  bytes(key: string): Uint8Array {
    const object = this.store.peek(key);
    assert(object !== undefined, `${key} does not exist`);
    return Uint8Array.from(object.bytes);
  }

  /** Puts other bytes under a key, as somebody with access to the bucket could. */
  async overwrite(key: string, bytes: Uint8Array): Promise<void> {
    const id = this.store.peek(key)?.info.id;
    await this.time.drive(() => this.#vandal.put(key, bytes, { id }));
  }

  async remove(key: string): Promise<void> {
    await this.time.drive(() => this.#vandal.delete(key));
  }

  /** Declares a session of `broker` dead, as `by` finds; its groups go to the brokers that are left. */
  async markDead(broker: TestBroker, sid: string, by: TestBroker): Promise<void> {
    const verdict = { id: broker.id, sid, by: { id: by.id, sid: by.sid }, evidence: 'gone' } as const;
    await this.change(by, (state) => markDead(state, verdict));
  }

  /** The bucket as it is now, in memory. */
  bucket(): TestBucket {
    const bucket = new TestBucket();
    for (const key of this.store.keys('')) {
      const object = this.store.peek(key);
      if (object !== undefined) bucket.objects.set(key, Uint8Array.from(object.bytes), object.info.id, 1_000);
    }
    return bucket;
  }
}

export class TestBroker {
  readonly id: number;
  readonly log: BrokerLog;
  readonly process: SimulatedProcess;
  readonly #cluster: TestCluster;

  constructor(id: number, cluster: TestCluster, process: SimulatedProcess, log: BrokerLog) {
    this.id = id;
    this.#cluster = cluster;
    this.process = process;
    this.log = log;
  }

  get sid(): string {
    const { sid } = this.log;
    assert(sid !== undefined);
    return sid;
  }

  /** Runs work as this broker's process does, while time passes. */
  async call<T>(work: () => Promise<T>): Promise<T> {
    return await this.#cluster.time.drive(
      () =>
        new Promise<T>((resolve, reject) => {
          this.process.receive(() => {
            work().then(resolve, reject);
          });
        }),
    );
  }

  async flush(): Promise<void> {
    const { log } = this.log;
    assert(log !== undefined);
    await this.call(async () => {
      for (const group of log.groups) await log.flush(group);
    });
  }

  /** Trim and checkpoint. */
  async housekeeping(): Promise<void> {
    await this.call(async () => {
      await this.log.log?.housekeeping();
    });
  }

  kill(): void {
    this.process.kill();
  }
}

/** A bucket in memory that can be damaged. */
export class TestBucket {
  readonly objects = new MemoryObjects();

  get keys(): string[] {
    return [...this.objects.sortedKeys()];
  }

  open(): ObjectStore {
    return createMemoryStore({
      runtime: { wallMs: () => 1_000 },
      objects: this.objects,
      name: 'memory:test',
    });
  }

  clone(): TestBucket {
    const clone = new TestBucket();
    for (const [key, { bytes, info }] of this.objects.byKey) clone.objects.set(key, bytes, info.id, 1_000);
    return clone;
  }

  bytes(key: string): Uint8Array {
    const object = this.objects.byKey.get(key);
    assert(object !== undefined, `${key} does not exist`);
    return Uint8Array.from(object.bytes);
  }

  put(key: string, bytes: Uint8Array): void {
    this.objects.set(key, bytes, this.objects.byKey.get(key)?.info.id, 1_000);
  }

  delete(key: string): void {
    assert(this.objects.byKey.has(key), `${key} does not exist`);
    this.objects.delete(key);
  }
}

/**
 * A bucket with something of every kind. Broker 1 wrote segments, pages and snapshots, trimmed, left records in its slots
 * and was killed; broker 2 has taken over (fence, closed runs), has written since and lives.
 *
 *  - topic `narrow`: groups of one partition, 0 and 1; log start of partition 0 is 10
 *  - topic `wide`: partitions 0 to 3 in groups of two; nothing in partition 3
 *  - topic `large`: one partition, with a segment and two slots that are larger than what is read of them for the index
 */
export async function richBucket(): Promise<RichBucket> {
  const cluster = new TestCluster(1);
  const one = await cluster.start(1);
  const narrow = await cluster.createTopic(one, 'narrow', 2);
  const wide = await cluster.createTopic(one, 'wide', 4, 2);
  const large = await cluster.createTopic(one, 'large', 1);
  const small = [
    [narrow, 0],
    [narrow, 1],
    [wide, 0],
    [wide, 1],
    [wide, 2],
  ] as const;
  for (let round = 0; round < 8; round++) {
    for (const [topic, partition] of small) await cluster.append(one, topic, partition, 2);
    await one.flush();
  }
  await cluster.append(one, large, 0, 3, 50_000);
  await one.flush();
  await one.call(() => one.log.deleteRecords(narrow, 0, 10));
  await one.housekeeping();
  for (const [topic, partition] of small) await cluster.append(one, topic, partition, 2);
  await cluster.append(one, large, 0, 1, 50_000);
  await one.housekeeping();
  const two = await cluster.start(2);
  const dead = one.sid;
  one.kill();
  await cluster.markDead(one, dead, two);
  for (const [topic, partition] of small) await cluster.append(two, topic, partition, 2);
  await cluster.append(two, large, 0, 1, 50_000);
  return { bucket: cluster.bucket(), cluster, narrow, wide, large, dead, live: two.sid };
}

export interface RichBucket {
  readonly bucket: TestBucket;
  readonly cluster: TestCluster;
  readonly narrow: string;
  readonly wide: string;
  readonly large: string;
  /** Session ids of brokers 1 and 2. */
  readonly dead: string;
  readonly live: string;
}
