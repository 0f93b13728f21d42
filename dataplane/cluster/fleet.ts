import type { ClusterState } from './cluster-state.ts';

/**
 * The brokers of a state by index, in the order of their ids, with what they have: what planning counts in. Zones have the
 * order that the state gives them. Both orders are the same in every process that has the same state.
 */
export class Fleet {
  readonly ids: readonly number[];
  readonly zones: readonly string[];
  /** By broker: the index of its zone. */
  readonly zoneOf: readonly number[];
  /** Brokers that groups can go to. */
  readonly takers: readonly number[];
  /** The same by zone. */
  readonly takersIn: readonly (readonly number[])[];
  /** By broker: partitions that it has, and their bytes per second. */
  readonly partitions: Float64Array;
  readonly bytes: Float64Array;
  readonly #indexes: ReadonlyMap<number, number>;
  readonly #zoneIndexes: ReadonlyMap<string, number>;
  readonly #zonePartitions: Float64Array;
  readonly #zoneBytes: Float64Array;

  /** @param takers ids */
  constructor(state: ClusterState, takers: ReadonlySet<number>) {
    const brokers = [...state.brokers].toSorted(([a], [b]) => a - b);
    this.ids = brokers.map(([id]) => id);
    this.zones = state.zones;
    this.#indexes = new Map(this.ids.map((id, index) => [id, index]));
    this.#zoneIndexes = new Map(state.zones.map((zone, index) => [zone, index]));
    this.zoneOf = brokers.map(([, { zone }]) => this.zoneNamed(zone));
    this.takers = this.ids.flatMap((id, index) => (takers.has(id) ? [index] : []));
    this.takersIn = this.byZone(this.takers);
    this.partitions = new Float64Array(this.ids.length);
    this.bytes = new Float64Array(this.ids.length);
    this.#zonePartitions = new Float64Array(this.zones.length);
    this.#zoneBytes = new Float64Array(this.zones.length);
  }

  /** -1: there is no such broker. */
  indexOf(id: number): number {
    return this.#indexes.get(id) ?? -1;
  }

  /** -1: the cluster never had a broker there. */
  zoneNamed(zone: string): number {
    return this.#zoneIndexes.get(zone) ?? -1;
  }

  /** -1: there is no such broker. */
  zoneAt(broker: number): number {
    return this.zoneOf[broker] ?? -1;
  }

  byZone(brokers: readonly number[]): readonly (readonly number[])[] {
    return this.zones.map((_, zone) => brokers.filter((broker) => this.zoneOf[broker] === zone));
  }

  hasTaker(zone: number): boolean {
    return (this.takersIn[zone]?.length ?? 0) > 0;
  }

  /** A group of so many partitions comes to a broker; negative: it goes. */
  count(broker: number, partitions: number, bytes: number): void {
    const zone = this.zoneOf[broker];
    if (zone === undefined) return;
    addAt(this.partitions, broker, partitions);
    addAt(this.bytes, broker, bytes);
    addAt(this.#zonePartitions, zone, partitions);
    addAt(this.#zoneBytes, zone, bytes);
  }

  /** Whether a broker of one zone has less to do than one of the other, on average; of equals the first zone. */
  isZoneLessLoaded(zone: number, than: number): boolean {
    const brokers = this.takersIn[zone]?.length ?? 0;
    const others = this.takersIn[than]?.length ?? 0;
    // Crosswise, so that nothing is divided.
    const bytes = (this.#zoneBytes[zone] ?? 0) * others - (this.#zoneBytes[than] ?? 0) * brokers;
    if (bytes !== 0) return bytes < 0;
    const partitions =
      (this.#zonePartitions[zone] ?? 0) * others - (this.#zonePartitions[than] ?? 0) * brokers;
    return partitions === 0 ? zone < than : partitions < 0;
  }
}

function addAt(sums: Float64Array, index: number, amount: number): void {
  sums[index] = (sums[index] ?? 0) + amount;
}
