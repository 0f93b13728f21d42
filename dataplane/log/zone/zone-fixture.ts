import assert from 'node:assert/strict';
import { clusterOf, hexId, noCluster } from '../../cluster/cluster-fixture.ts';
import type { ClusterState } from '../../cluster/cluster-state.ts';
import type { PartitionGroup } from '../../cluster/partition-groups.ts';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import { defaultLogOptions } from '../options.ts';
import { ColdStore } from '../read/cold-store.ts';
import { LogFixture, sidOf } from '../read/log-fixture.ts';
import { assertBatches } from '../read/written-batch.ts';
import { ZoneReaders } from './zone-readers.ts';
import type { DurableWait, ZoneReadOptions } from './zone-read-options.ts';
import type { ZonePartition } from './zone-reader.ts';

/**
 * For tests: a broker that owns nothing and reads a group for consumers of its zone, over a log that is written object by
 * object, in virtual time. The clusters owners are brokers 1, 2, … with sessions `ownerSid(1)`, ….
 */
export class ZoneFixture {
  readonly time: VirtualTime;
  readonly log: LogFixture;
  readonly readers: ZoneReaders;
  readonly cold: ColdStore;
  readonly group: PartitionGroup;
  readonly problems: unknown[] = [];
  state: ClusterState = noCluster;
  /** Waits for slots as the owners' brokers do. */
  readonly #waiting = new Set<() => void>();
  readonly #listeners = new Set<(state: ClusterState) => void>();
  /** Last slot of each session. */
  readonly #slots = new Map<string, number>();
  waits = 0;

  constructor(
    more: {
      readonly partitions?: number;
      readonly isTold?: boolean;
      readonly options?: Partial<ZoneReadOptions>;
      readonly seed?: number;
      readonly coldCacheBytes?: number;
    } = {},
  ) {
    this.time = new VirtualTime({ seed: more.seed ?? 1 });
    this.log = new LogFixture(more.partitions ?? 2);
    this.group = { id: this.log.group, index: 0, firstPartition: 0, count: more.partitions ?? 2 };
    this.cold = new ColdStore(this.log.store, {
      ...defaultLogOptions,
      readChunkBytes: 4_096,
      coldCacheBytes: more.coldCacheBytes ?? 10_000_000,
    });
    const current = (): ClusterState => this.state;
    this.readers = new ZoneReaders({
      store: this.log.store,
      runtime: this.time.environment,
      cold: this.cold,
      cluster: {
        get current() {
          return current();
        },
        subscribe: (listener) => {
          this.#listeners.add(listener);
          return () => this.#listeners.delete(listener);
        },
      },
      durable: more.isTold === true ? this.#durable : undefined,
      options: more.options,
      onProblem: (what, error) => this.problems.push(what, error),
    });
  }

  get slotGets(): number {
    return this.log.store.gets.filter(({ key }) => /\/wal\/|^wal\//.test(key) && !key.endsWith('trim'))
      .length;
  }

  partition(index = 0): ZonePartition {
    return this.readers.partition(this.log.topicId, this.group, index);
  }

  /** What `meta/cluster` says of the group's owner, and of the generation of that. */
  assign(broker: number, generation: number): void {
    const brokers = clusterOf('a', 'a', 'a', 'a').brokers;
    this.state = {
      ...this.state,
      version: this.state.version + 1,
      brokers: new Map([...brokers].map(([id, entry]) => [id, { ...entry, sid: ownerSid(id) }])),
      assignments: new Map([[this.group.id, { broker, generation }]]),
    };
    for (const listener of this.#listeners) listener(this.state);
  }

  /** The group's manifest names this broker from now on; `meta/cluster` has said so before, or does by now. */
  async acquire(broker: number, standingFence?: number): Promise<void> {
    await this.log.acquire(ownerSid(broker), standingFence);
    const { assignmentGeneration } = this.log.manifest;
    if ((this.state.assignments.get(this.group.id)?.generation ?? 0) < assignmentGeneration)
      this.assign(broker, assignmentGeneration);
  }

  async append(...args: Parameters<LogFixture['append']>): Promise<number> {
    const slot = await this.log.append(...args);
    this.#slots.set(this.log.owner, slot);
    for (const wake of this.#waiting) wake();
    return slot;
  }

  readonly #durable: DurableWait = (_broker, sid, slot, waitMs, signal) => {
    this.waits += 1;
    const last = (): number => this.#slots.get(sid) ?? -1;
    if (last() > slot) return Promise.resolve(last());
    return new Promise((resolve) => {
      const done = (): void => {
        if (last() <= slot && !isOver) return;
        this.#waiting.delete(done);
        cancel();
        resolve(last());
      };
      let isOver = false;
      const over = (): void => {
        isOver = true;
        done();
      };
      const cancel = this.time.environment.after(waitMs, over);
      signal.addEventListener('abort', over, { once: true });
      this.#waiting.add(done);
    });
  };

  /** Reads on until `isOver`, as a consumer that waits at the end does; every batch is checked. */
  consumer(index = 0, offset = 0): ZoneConsumer {
    return new ZoneConsumer(this, index, offset);
  }
}

export class ZoneConsumer {
  position: number;
  readonly index: number;
  isStopped = false;
  readonly #world: ZoneFixture;

  constructor(world: ZoneFixture, index: number, offset: number) {
    this.#world = world;
    this.index = index;
    this.position = offset;
    this.#run().catch((error: unknown) => {
      world.time.fail(error);
    });
  }

  async #run(): Promise<void> {
    const { log, time } = this.#world;
    while (!this.isStopped) {
      const partition = this.#world.partition(this.index);
      if (!partition.isCurrent || partition.highWatermark > this.position) {
        const { pieces, sizeBytes, highWatermark, release } = await partition.read(this.position, 500);
        assert(highWatermark <= log.end(this.index), `the end is told to be ${highWatermark}`);
        this.position = assertBatches(log.history(this.index), this.position, pieces);
        release();
        if (sizeBytes > 0) continue;
      }
      await new Promise<void>((resolve) => {
        const done = (): void => {
          cancels.forEach((cancel) => cancel());
          resolve();
        };
        const cancels = [partition.onChange(done), time.environment.after(500, done)];
      });
    }
  }
}

/** The session of a broker. */
export function ownerSid(broker: number): string {
  return broker === 0 ? hexId('5', 0) : sidOf(`owner${broker}`);
}
