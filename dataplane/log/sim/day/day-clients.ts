import type { Cancel, Runtime } from '../../../runtime/runtime.ts';
import { sleep } from '../../../runtime/runtime.ts';
import type { VirtualRandom } from '../../../runtime/virtual-random.ts';
import type { VirtualTime } from '../../../runtime/virtual-time.ts';
import { buildBatch } from '../../../protocol/record-batch-builder.ts';
import { parseBatches } from '../../../protocol/record-batch.ts';
import type { BrokerLog } from '../../broker-log.ts';
import { LogError } from '../../errors.ts';
import type { GroupReader } from '../../read/group-reader.ts';
import type { BrokerNode, CallResult } from '../broker-node.ts';

/** A partition that clients use. */
export interface DayPartition {
  readonly topicId: string;
  readonly partition: number;
}

/** The cluster as its clients see it. */
export interface DayCluster {
  readonly time: VirtualTime;
  readonly random: VirtualRandom;
  readonly isOver: boolean;
  readonly counts: { appended: number; read: number };
  after(delayMs: number, callback: () => void): Cancel;
  leaderOf(topicId: string, partition: number): BrokerNode | undefined;
  /** Of all topics there are. */
  anyPartition(): DayPartition | undefined;
  exists(partition: DayPartition): boolean;
  /** A request failed. */
  readonly refused: (error: unknown) => undefined;
  /** A client is broken. */
  readonly failed: (error: unknown) => void;
}

const clientTimeoutMs = 30_000;

/** Appends from many small producers, one after the other, as they come: most without an id, some with one for a while. */
export class DayProducers {
  readonly #world: DayCluster;
  readonly #meanGapMs: number;

  constructor(world: DayCluster, appendsPerSecond: number) {
    this.#world = world;
    this.#meanGapMs = 1000 / appendsPerSecond;
  }

  start(): void {
    const world = this.#world;
    world.after(world.random.exponential(this.#meanGapMs), () => {
      if (world.isOver) return;
      const to = world.anyPartition();
      if (to !== undefined) {
        if (world.random.chance(1 / 20)) this.#session(to).catch(world.failed);
        else this.#append(to, {}).catch(world.failed);
      }
      this.start();
    });
  }

  /** A producer that comes, writes five batches, and is never heard of again. */
  async #session(to: DayPartition): Promise<void> {
    const claimed = await this.#call(to, (log) => log.producerIds.nextProducerId());
    if (!claimed.ok) return;
    for (let batch = 0; batch < 5; batch++) {
      const producer = { producerId: claimed.value, producerEpoch: 0, baseSequence: batch };
      if (!(await this.#append(to, producer))) return;
    }
  }

  async #append(to: DayPartition, producer: Partial<Parameters<typeof buildBatch>[0]>): Promise<boolean> {
    const world = this.#world;
    const value = Buffer.alloc(world.random.between(200, 3_000));
    const timestampMs = world.time.environment.wallMs();
    const bytes = buildBatch({ records: [{ value, timestampMs }], ...producer });
    const result = await this.#call(to, (log) => log.append(to.topicId, to.partition, bytes));
    if (result.ok) world.counts.appended += 1;
    else world.refused(result.error);
    return result.ok;
  }

  async #call<T>(to: DayPartition, work: (log: BrokerLog) => Promise<T>): Promise<CallResult<T>> {
    return await callLeader(this.#world, to, work);
  }
}

/** Reads one partition in order, at its end most of the time, for as long as the topic exists. */
export class DayConsumer {
  readonly #world: DayCluster;
  readonly #from: DayPartition;
  #position = 0;

  constructor(world: DayCluster, from: DayPartition) {
    this.#world = world;
    this.#from = from;
  }

  start(): void {
    this.#loop(() => !this.#world.isOver && this.#world.exists(this.#from)).catch(this.#world.failed);
  }

  /** Reads once from the log start to the end. */
  async catchUp(): Promise<void> {
    let isBehind = true;
    await this.#loop(
      () => {
        const wasBehind = isBehind;
        isBehind = false;
        return wasBehind;
      },
      () => {
        isBehind = true;
      },
    );
  }

  async #loop(goesOn: () => boolean, onRead: () => void = () => undefined): Promise<void> {
    const world = this.#world;
    const { topicId, partition } = this.#from;
    while (goesOn()) {
      const position = this.#position;
      const result = await callLeader(world, this.#from, async (log) => {
        const { runtime } = log.context;
        if (position === log.log?.served(topicId, partition)?.partition.highWatermark)
          await moreOrLater(log, this.#from, runtime);
        const { pieces, release, logStartOffset } = await log.read(topicId, partition, position, 65_536);
        const next = endOf(pieces, position, `${topicId}/${partition}`);
        release();
        return { next, logStartOffset };
      });
      if (result.ok) {
        if (result.value.next > position) onRead();
        world.counts.read += result.value.next - position;
        this.#position = result.value.next;
      } else if (result.error instanceof LogError && result.error.code === 'OFFSET_OUT_OF_RANGE') {
        const start = await callLeader(world, this.#from, (log) =>
          Promise.resolve(log.startOffset(topicId, partition)),
        );
        if (start.ok) this.#position = start.value;
        onRead();
      } else {
        world.refused(result.error);
        await sleep(world.time.environment, 200);
      }
    }
  }
}

/** What a Fetch with `max.wait.ms` does. */
async function moreOrLater(
  log: BrokerLog,
  { topicId, partition }: DayPartition,
  runtime: Runtime,
): Promise<void> {
  const served = log.log?.served(topicId, partition);
  if (served === undefined) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = served.partition.onChange(resolve);
  const cancelTimer = runtime.after(2_000, resolve);
  await promise;
  cancel();
  cancelTimer();
}

/** Reads a whole group from the store, as brokers of other zones do. */
export class DayZoneReader {
  readonly #world: DayCluster;
  readonly #reader: GroupReader;
  readonly #positions: Map<number, number>;

  constructor(world: DayCluster, reader: GroupReader, partitions: readonly number[]) {
    this.#world = world;
    this.#reader = reader;
    this.#positions = new Map(partitions.map((partition) => [partition, 0]));
  }

  start(): void {
    this.#loop().catch(this.#world.failed);
  }

  async #loop(): Promise<void> {
    const world = this.#world;
    while (!world.isOver) {
      for (const [partition, position] of this.#positions) {
        try {
          const { pieces, nextOffset, release } = await this.#reader.read(partition, position, 65_536);
          endOf(pieces, position, `partition ${partition} of a group`);
          release();
          this.#positions.set(partition, nextOffset);
          world.counts.read += nextOffset - position;
        } catch (error) {
          world.refused(error);
          if (!(error instanceof LogError) || error.code !== 'OFFSET_OUT_OF_RANGE') continue;
          const start = await this.#reader.logStart(partition).catch(world.refused);
          if (start !== undefined) this.#positions.set(partition, start);
        }
      }
      await sleep(world.time.environment, 2_000);
    }
  }
}

/** Asks the broker that serves the partition. A failed result: there is none, it failed, or it never answered. */
async function callLeader<T>(
  world: DayCluster,
  { topicId, partition }: DayPartition,
  work: (log: BrokerLog) => Promise<T>,
): Promise<CallResult<T>> {
  const node = world.leaderOf(topicId, partition);
  if (node === undefined) {
    await sleep(world.time.environment, 100);
    return { ok: false, error: new LogError('NOT_LEADER_OR_FOLLOWER', 'nobody serves it') };
  }
  const { promise, resolve } = Promise.withResolvers<CallResult<T>>();
  const cancel = world.after(clientTimeoutMs, () => {
    resolve({ ok: false, error: new LogError('NOT_LEADER_OR_FOLLOWER', 'it does not answer') });
  });
  node.call({ thereMs: 0.5, backMs: 0.5 }, work, resolve);
  const result = await promise;
  cancel();
  return result;
}

/** Offset after batches that must continue a log at `position`, and be whole: their memory was others' a while ago. */
function endOf(pieces: readonly Uint8Array[], position: number, name: string): number {
  let next = position;
  for (const piece of pieces) {
    for (const { baseOffset, lastOffsetDelta } of parseBatches(piece, { verifyCrc: true })) {
      if (baseOffset > next || baseOffset + lastOffsetDelta < next)
        throw new Error(`a reader of ${name} got offset ${baseOffset} where ${next} comes next`);
      next = baseOffset + lastOffsetDelta + 1;
    }
  }
  return next;
}
