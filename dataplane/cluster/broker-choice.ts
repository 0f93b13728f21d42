import type { Fleet } from './fleet.ts';
import type { TopicGroups } from './topic-groups.ts';

/** Chooses brokers for the groups of one topic after another, so that each topic is spread as far as it may be. */
export class BrokerChoice {
  readonly #fleet: Fleet;
  /** Of the topic at hand: partitions by broker and by zone, groups by zone. */
  readonly #onBroker: Float64Array;
  readonly #inZone: Float64Array;
  readonly #groupsIn: Float64Array;
  #touched: number[] = [];

  constructor(fleet: Fleet) {
    this.#fleet = fleet;
    this.#onBroker = new Float64Array(fleet.ids.length);
    this.#inZone = new Float64Array(fleet.zones.length);
    this.#groupsIn = new Float64Array(fleet.zones.length);
  }

  /** From here on it is this topic, of which everything stays that is not in `leaving`. */
  begin({ groups, owners }: TopicGroups, leaving: readonly unknown[]): void {
    for (const broker of this.#touched) {
      this.#onBroker[broker] = 0;
      const zone = this.#fleet.zoneAt(broker);
      this.#inZone[zone] = 0;
      this.#groupsIn[zone] = 0;
    }
    this.#touched = [];
    for (const [index, group] of groups.entries())
      if (leaving[index] === undefined) this.count(owners[index] ?? -1, group.count);
  }

  /** A group of so many partitions comes to a broker; negative: it goes. */
  count(broker: number, partitions: number): void {
    const zone = this.#fleet.zoneAt(broker);
    // A zone whose brokers can take nothing does not draw the rest of a topic to it.
    if (!this.#fleet.hasTaker(zone)) return;
    this.#touched.push(broker);
    this.#onBroker[broker] = (this.#onBroker[broker] ?? 0) + partitions;
    this.#inZone[zone] = (this.#inZone[zone] ?? 0) + partitions;
    this.#groupsIn[zone] = this.groupsIn(zone) + Math.sign(partitions);
  }

  groupsIn(zone: number): number {
    return this.#groupsIn[zone] ?? 0;
  }

  get isNowhere(): boolean {
    return this.#groupsIn.every((groups) => groups === 0);
  }

  /**
   * The broker with the fewest partitions of the topic; of equals the one whose zone has the fewest of them, then the one
   * with the fewest bytes per second, then the one with the fewest partitions, then the lowest id.
   *
   * @param choices ascending, at least one. Many groups are placed among many brokers: this is a plain loop.
   */
  best(choices: readonly number[]): number {
    let best = choices[0];
    if (best === undefined) throw new Error('a zone without a broker was chosen');
    for (let index = 1; index < choices.length; index += 1) {
      const broker = choices[index] ?? -1;
      if (this.#isBetter(broker, best)) best = broker;
    }
    return best;
  }

  #isBetter(broker: number, than: number): boolean {
    const fleet = this.#fleet;
    const onBroker = (this.#onBroker[broker] ?? 0) - (this.#onBroker[than] ?? 0);
    if (onBroker !== 0) return onBroker < 0;
    const zone = fleet.zoneAt(broker);
    const thanZone = fleet.zoneAt(than);
    const inZone = (this.#inZone[zone] ?? 0) - (this.#inZone[thanZone] ?? 0);
    if (inZone !== 0) return inZone < 0;
    const bytes = (fleet.bytes[broker] ?? 0) - (fleet.bytes[than] ?? 0);
    if (bytes !== 0) return bytes < 0;
    return (fleet.partitions[broker] ?? 0) < (fleet.partitions[than] ?? 0);
  }
}
