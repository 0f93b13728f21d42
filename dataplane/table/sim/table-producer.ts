import type { CallResult } from '../../log/sim/broker-node.ts';
import type { AppendResult } from '../../log/append.ts';
import { encodeOrder, lateSchemaId, orderBatch } from './order.ts';
import type { SimulatedTopic, TableSimulation } from './table-simulation.ts';

/**
 * A producer of one partition: one batch at a time, each record with a name of its own. It never sends anything twice, so
 * that what it is not told of may be in the log or not, and is there once.
 */
export class TableProducer {
  readonly #world: TableSimulation;
  readonly #topic: SimulatedTopic;
  readonly #partition: number;
  readonly #name: string;
  isDone = false;

  constructor(world: TableSimulation, topic: SimulatedTopic, partition: number, index: number) {
    this.#world = world;
    this.#topic = topic;
    this.#partition = partition;
    this.#name = `${topic.name}${partition}p${index}`;
  }

  start(): void {
    this.#world.run(this.#produce());
  }

  async #produce(): Promise<void> {
    const { random, profile, time } = this.#world;
    const endMs = time.nowMs + profile.trafficMs;
    for (let batch = 0; time.nowMs < endMs; batch++) {
      await this.#world.sleep(random.exponential(profile.trafficMs / 14));
      await this.#send(batch);
    }
    this.isDone = true;
  }

  async #send(batch: number): Promise<void> {
    const { random, profile, time } = this.#world;
    const count = random.pick([1, 2, 3, 9]);
    const timestampMs = time.environment.wallMs();
    const values: (Buffer | null)[] = [];
    const names: (string | undefined)[] = [];
    for (let at = 0; at < count; at++) {
      const bad = random.below(1_000) < profile.badPerMille ? random.below(4) : undefined;
      if (bad === 0 || bad === 1) {
        values.push(bad === 0 ? null : Buffer.from('no frame'));
        names.push(undefined);
        continue;
      }
      const schemaId =
        bad === 3 ? 1 : bad === 2 ? lateSchemaId : random.chance(profile.schemaAtMs === 0 ? 0.15 : 0) ? 2 : 1;
      const order = {
        name: `${this.#name}:${batch}.${at}`,
        amount: random.below(1_000_000),
        note: bad !== 3 && (schemaId === 2 || random.chance(0.3)) ? null : 'x'.repeat(1 + random.below(40)),
      };
      this.#topic.history.sent({
        ...order,
        partition: this.#partition,
        timestampMs: timestampMs + at,
        key: `k${at % 3}`,
        headers: at % 4 === 0 ? 1 : 0,
      });
      const value = encodeOrder(order, schemaId);
      // Cut off inside its last field.
      values.push(bad === 3 ? value.subarray(0, -1) : value);
      names.push(bad === 3 ? undefined : order.name);
    }
    const bytes = orderBatch(values, timestampMs, random.pick(['none', 'none', 'lz4', 'zstd']));
    const result = await this.#append(bytes);
    if (result?.ok !== true) return;
    this.#world.note(`${this.#name}: batch ${batch} is at ${result.value.baseOffset}`);
    this.#topic.history.acknowledged(this.#partition, result.value.baseOffset, names);
  }

  #append(bytes: Buffer): Promise<CallResult<AppendResult> | undefined> {
    const { random, time } = this.#world;
    const { topicId } = this.#topic;
    const node = this.#world.findLeader(topicId, this.#partition);
    if (node === undefined) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const cancel = time.environment.after(1_000, () => {
        resolve(undefined);
      });
      node.broker.call(
        { thereMs: random.between(0.05, 2), backMs: random.between(0.05, 2) },
        (log) => log.append(topicId, this.#partition, Buffer.from(bytes)),
        (result) => {
          cancel();
          resolve(result);
        },
      );
    });
  }
}
